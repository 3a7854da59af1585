"""Which parts a model is fitted on: what may be asked for, what it changes in keys and names, and what is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from omnibench import (
    NDCG,
    ExperimentPlan,
    Grid,
    LensKit,
    RecBole,
    RecPack,
    RunnerInfo,
    StrongGeneralization,
    UserHoldout,
    from_frame,
    register_runner,
)
from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import PlanError
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.planning import experiments
from omnibench.experiment.refit import ValidationUse
from omnibench.runners import registry
from omnibench.runners.info import may_refit, use_of_validation
from omnibench.runners.registry import get_runner, runners

BOTH = "train+validation"
FRAME = pd.DataFrame({"user": [user for user in range(6) for _ in range(6)], "item": [*range(6)] * 6})
WITH = from_frame(FRAME, "with").pipe(UserHoldout(0.2, 0.2))
WITHOUT = from_frame(FRAME, "without").pipe(UserHoldout(0, 0.2))


class Plain:
    """Fits on training alone."""

    def fit(self, train: pd.DataFrame) -> None: ...

    def recommend(self, users: list[Any], k: int) -> dict[Any, Any]:
        return {}


class Judging(Plain):
    """Looks at the validation part."""

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame | None = None) -> None: ...


def plan_of(*algorithms: Any, **options: Any) -> ExperimentPlan:
    plan = ExperimentPlan()
    for algorithm in algorithms:
        plan.add_algorithm(algorithm, **options)
    return plan


def made(plan: ExperimentPlan, *datasets: RecSysDataSet, refit: str | None = None) -> list[Experiment]:
    return experiments(datasets or WITH, plan, [NDCG(10)], versions=lambda _: "1", seeds=[42], refit=refit)


def parts_of(found: list[Experiment]) -> dict[str, str]:
    return {one.label: one.refit for one in found}


def told(*plans: ExperimentPlan, dataset: RecSysDataSet = WITH, refit: str | None = None) -> list[str]:
    """What a run says of benchmarks with these plans."""
    use = ValidationUse()
    for plan in plans:
        experiments(dataset, plan, [NDCG(10)], versions=lambda _: "1", seeds=[1], refit=refit, validation=use)
    return use.sentences()


@pytest.mark.parametrize("refit", [None, "", "train"])
def test_by_default_keys_say_nothing_of_parts(refit: str | None) -> None:
    """What was recorded before there was a choice is still there."""
    (one,) = made(plan_of(RecPack.EASE), refit=refit)
    assert one.refit == ""
    assert "refit" not in one.identity[1]["configuration"][1]


def test_a_refitted_model_has_a_key_of_its_own() -> None:
    """Training and validation together are another model, and its identity says so."""
    (one,), (refitted,) = made(plan_of(RecPack.EASE)), made(plan_of(RecPack.EASE), refit=BOTH)
    assert one.fit_key != refitted.fit_key
    assert refitted.identity[1]["configuration"][1]["refit"] == BOTH
    assert one.node_name.rpartition("-")[0] == refitted.node_name.rpartition("-")[0]
    assert one.node_name != refitted.node_name


def test_without_a_validation_part_nothing_changes() -> None:
    """Where there is nothing to add, the key is that of always."""
    (one,) = made(plan_of(RecPack.EASE), WITHOUT)
    assert made(plan_of(RecPack.EASE), WITHOUT, refit=BOTH)[0].fit_key == one.fit_key
    assert parts_of(made(plan_of(RecPack.EASE), WITH, WITHOUT, refit=BOTH)) == {
        "with/RecPack.EASE": BOTH,
        "without/RecPack.EASE": "",
    }


def test_what_needs_validation_stays_as_it_is() -> None:
    """A benchmark's wish is for those that can follow; the others keep their keys, and a sentence names them."""
    plan = plan_of(RecPack.EASE, RecPack.BPRMF, RecBole.BPR, Plain, Judging)
    assert parts_of(made(plan, refit=BOTH)) == {
        "with/RecPack.EASE": BOTH,
        "with/RecPack.BPRMF": "",
        "with/RecBole.BPR": "",
        "with/Plain": BOTH,
        "with/Judging": "",
    }
    (sentence,) = told(plan, refit=BOTH)
    assert sentence == (
        "on training alone, although refit='train+validation': RecPack.BPRMF (best epoch), RecBole.BPR (early stopping), "
        "Judging (its fit takes it)"
    )


@pytest.mark.parametrize(
    ("algorithm", "reason"),
    [
        (RecBole.BPR, r"RecBole\.BPR .*it needs the validation part \(early stopping\)"),
        (RecPack.MultVAE, r"RecPack\.MultVAE .*it needs the validation part \(best epoch\)"),
        (Judging, r"Judging .*its fit takes the validation part"),
    ],
)
def test_what_cannot_be_done_is_refused_and_says_why(algorithm: Any, reason: str) -> None:
    """Asked for by name it is refused when it is added; asked for by a benchmark, where nobody can follow."""
    with pytest.raises(PlanError, match=reason):
        plan_of(algorithm, refit=BOTH)
    with pytest.raises(PlanError, match="no algorithm of the plan can be fitted so"):
        made(plan_of(algorithm), refit=BOTH)
    assert made(plan_of(algorithm))  # the way out


def test_early_stopping_that_is_asked_for_needs_validation() -> None:
    """RecPack's stop_early decides, also within a grid."""
    plan = ExperimentPlan()
    plan.add_algorithm(RecPack.Prod2Vec, {"stop_early": Grid([True, False])})
    assert sorted(parts_of(made(plan, refit=BOTH)).values()) == ["", BOTH]
    plan = ExperimentPlan()
    plan.add_algorithm(RecPack.Prod2Vec, {"stop_early": True}, refit=BOTH)
    with pytest.raises(PlanError, match="early stopping"):
        made(plan)


@pytest.mark.parametrize("refit", ["validation", True, ["train"]])
def test_other_words_are_refused(refit: Any) -> None:
    """The error says which there are."""
    for call in (lambda: plan_of(RecPack.EASE, refit=refit), lambda: made(plan_of(RecPack.EASE), refit=refit)):
        with pytest.raises(PlanError, match=r"give 'train\+validation' .* or 'train'"):
            call()


def test_a_plan_may_have_both() -> None:
    """Beside each other they are told apart by what they are fitted on, and what the plan says counts more."""
    plan = plan_of(RecPack.EASE)
    plan.add_algorithm(RecPack.EASE, refit=BOTH)
    assert parts_of(made(plan)) == {"with/RecPack.EASE": "", "with/RecPack.EASE(refit=train+validation)": BOTH}
    assert "refit='train+validation'" in repr(plan)
    plan = plan_of(RecPack.EASE, refit="train")
    plan.add_algorithm(LensKit.PopScorer)
    assert parts_of(made(plan, refit=BOTH)) == {"with/RecPack.EASE": "", "with/LensKit.PopScorer": BOTH}


def test_what_comes_to_the_same_is_computed_once() -> None:
    """A benchmark's wish and a plan's are one model."""
    plan = plan_of(RecPack.EASE)
    plan.add_algorithm(RecPack.EASE, refit=BOTH)
    assert len(made(plan, refit=BOTH)) == 1
    assert len(made(plan, WITHOUT)) == 1


def test_an_unused_validation_part_is_told() -> None:
    """By the dataset's name and with the ways out, each of which silences it."""
    (sentence,) = told(plan_of(RecPack.EASE, Plain))
    assert sentence == (
        "no algorithm uses the validation part of with; validation_size=0 leaves it in training, "
        'refit="train+validation" fits on both, refit="train" keeps it so'
    )
    assert told(plan_of(RecPack.EASE, Plain), refit="train") == []
    assert told(plan_of(RecPack.EASE, Plain), refit=BOTH) == []
    assert told(plan_of(RecPack.EASE, Plain), dataset=WITHOUT) == []
    strangers = from_frame(FRAME, "strangers").pipe(StrongGeneralization(0.2, 0.2, 0.2))
    assert "validation_users=0 leaves" in told(plan_of(RecPack.EASE), dataset=strangers)[0]


def test_a_refit_that_adds_nothing_is_told() -> None:
    """Where the split has no validation part the numbers are those of always, which who asks for a refit may not expect."""
    (sentence,) = told(plan_of(RecPack.EASE), dataset=WITHOUT, refit=BOTH)
    assert sentence == "refit='train+validation' adds nothing on without: there is no validation part"
    assert told(plan_of(RecPack.EASE), dataset=WITHOUT, refit="train") == []


@pytest.mark.parametrize("algorithm", [RecBole.BPR, RecPack.BPRMF, Judging])
def test_one_algorithm_that_uses_it_is_enough(algorithm: Any) -> None:
    """Also in another benchmark of the run on the same dataset."""
    assert told(plan_of(RecPack.EASE, algorithm)) == []
    assert told(plan_of(RecPack.EASE), plan_of(algorithm)) == []


def test_every_algorithm_of_the_catalogues_says_what_it_does() -> None:
    """In words; and those that do nothing with validation may be refitted."""
    found = {
        (runner.name, use_of_validation(described)): may_refit(described)
        for runner in runners()
        if runner.catalogue_file
        for described in runner.catalogue["algorithms"].values()
    }
    assert found == {
        **{(name, "nothing"): True for name in ("Cornac", "Implicit", "LensKit", "RecTools", "Surprise")},
        ("RecBole", "nothing"): True,
        ("RecBole", "early stopping"): False,
        ("RecPack", "nothing"): True,
        ("RecPack", "best epoch"): False,
    }


@pytest.fixture
def _registrations_forgotten() -> Iterator[None]:
    before = dict(registry._RUNNERS)
    yield
    registry._RUNNERS.clear()
    registry._RUNNERS.update(before)


@pytest.mark.usefixtures("_registrations_forgotten")
@pytest.mark.parametrize(
    ("described", "use", "refits"),
    [
        ({}, "nothing", True),
        ({"validation": False}, "nothing", True),
        ({"validation": True}, "a use of its own", False),
        ({"validation": "early stopping"}, "early stopping", False),
        ({"validation": "nothing", "refit": False}, "nothing", False),
    ],
)
def test_catalogues_of_registered_frameworks_are_understood(
    described: dict[str, Any], use: str, refits: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of earlier releases, which say yes or no, as well as those with words."""
    (tmp_path / "some_adapter.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    register_runner(RunnerInfo("Mine", "pytest", "some_adapter", 1, algorithms={"A": described}))
    configuration = Configuration(get_runner("Mine"), "A")
    assert (configuration.use_of_validation, configuration.may_refit) == (use, refits)
    if refits:
        assert made(plan_of("Mine.A", refit=BOTH))[0].refit == BOTH
    else:
        with pytest.raises(PlanError, match=r"Mine\.A cannot be fitted on train"):
            plan_of("Mine.A", refit=BOTH)


@pytest.mark.usefixtures("_registrations_forgotten")
@pytest.mark.parametrize("wrong", ["", 3, None])
def test_a_catalogue_that_says_nothing_intelligible_is_refused(
    wrong: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has an example."""
    (tmp_path / "some_adapter.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PlanError, match=r"say what it does with the validation part, e\.g\. 'early stopping'"):
        register_runner(RunnerInfo("Mine", "pytest", "some_adapter", 1, algorithms={"A": {"validation": wrong}}))

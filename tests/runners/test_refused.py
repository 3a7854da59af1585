"""What a framework has and omnibench does not run is refused by name, with the reason, when a plan asks for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from omnibench import (
    NDCG,
    Choice,
    Evaluator,
    ExperimentPlan,
    LensKit,
    Tuning,
    UserHoldout,
    from_frame,
    run_omnirec,
)
from omnibench.commands.main import main
from omnibench.errors import PlanError
from omnibench.runners.info import algorithm_info, refused_algorithms
from omnibench.runners.lock_file import pins_of
from omnibench.runners.registry import get_runner


@pytest.mark.parametrize(
    ("framework", "count"),
    [("LensKit", 7), ("RecBole", 18), ("RecPack", 3), ("Implicit", 6), ("Cornac", 50), ("RecTools", 2)],
)
def test_the_reason_is_printed(framework: str, count: int) -> None:
    """And nothing that is refused is among what runs."""
    runner = get_runner(framework)
    refused = refused_algorithms(runner)
    assert len(refused) == count
    assert not refused.keys() & runner.catalogue["algorithms"].keys()
    for name, reason in refused.items():
        with pytest.raises(PlanError) as error:
            ExperimentPlan().add_algorithm(f"{framework}.{name}")
        assert str(error.value) == f"{framework}.{name} does not run: {reason}."


def test_a_name_that_is_nearly_that_of_what_does_not_run_leads_to_it() -> None:
    """Whoever knows a model by its paper's name finds the class, and by that the reason."""
    with pytest.raises(PlanError, match=r"LensKit has no algorithm named 'HPF'; did you mean 'HPFScorer'\?"):
        ExperimentPlan().add_algorithm("LensKit.HPF")


@pytest.mark.parametrize("framework", ["LensKit", "RecBole", "RecPack", "Implicit", "Cornac", "RecTools"])
def test_what_an_environment_is_said_to_lack_is_not_in_its_lock(framework: str) -> None:
    """And what is named in its place runs, by that name."""
    runner = get_runner(framework)
    assert runner.lock is not None
    for reason in refused_algorithms(runner).values():
        for package in re.findall(r"it needs (\w[\w-]*), which", reason):
            assert package not in pins_of(runner.lock)
        named = re.search(r"((?:\w+\.\w+(?: and )?)+),?(?: which)? do(?:es)? run|RecBole has (\w+)", reason)
        if named is None:
            continue
        others = named[1].split(" and ") if named[1] else [f"RecBole.{named[2]}"]
        for other in others:
            place, _, name = other.partition(".")
            assert algorithm_info(get_runner(place), name)["ranking"]


@pytest.mark.parametrize(
    ("refusal", "parameters"),
    [
        (r"needs cutoff, of which LensKit has no default\. .* \{'cutoff': '1998-03-01'\}", {}),
        (r"needs cutoff, of which LensKit has no default\. .* \{'cutoff': '1998-03-01'\}", {"cutoff": None}),
        (r"cutoff is 'last year', which is no time; .* \{'cutoff': '1998-03-01'\}", {"cutoff": "last year"}),
        (r"counts interactions by their time, but plain has no column 'timestamp'", {"cutoff": "1998-03-01"}),
    ],
)
def test_what_an_algorithm_cannot_do_without_is_asked_for(
    refusal: str, parameters: dict[str, Any], tmp_path: Path
) -> None:
    """A hyperparameter that has no default, which None does not replace, and times: before anything runs."""
    frame = pd.DataFrame({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 4]})
    if parameters.get("cutoff") != "1998-03-01":
        frame["timestamp"] = 1

    def run() -> None:
        plan = ExperimentPlan()
        plan.add_algorithm(LensKit.TimeBoundedPopScore, parameters)
        run_omnirec(from_frame(frame, "plain").pipe(UserHoldout(0.0, 0.4)), plan, Evaluator(NDCG(2)), tmp_path)

    with pytest.raises(PlanError, match=refusal):
        run()
    assert not [*tmp_path.rglob("model*")]


@pytest.mark.parametrize(
    ("algorithm", "parameters", "names"),
    [
        (LensKit.ItemKNNScorer, {"k": 5, "max_nbrs": 7}, r"k and of max_nbrs, .* Leave out max_nbrs\."),
        (LensKit.UserKNNScorer, {"k": 5, "nnbrs": 5}, r"k and of nnbrs, "),
        (LensKit.NMFScorer, {"max_iter": 3, "epochs": 3}, r"max_iter and of epochs, "),
        # LensKit would take the power of two, and say nothing
        (
            LensKit.ImplicitMFScorer,
            {"embedding_size": 8, "embedding_size_exp": 4},
            r"embedding_size and of embedding_size_exp",
        ),
    ],
)
def test_two_names_of_one_hyperparameter_are_refused_together(
    algorithm: Any, parameters: dict[str, Any], names: str, tmp_path: Path
) -> None:
    """Before anything runs, in whatever order, by a search as well; each of them for itself is taken."""
    frame = pd.DataFrame({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 4]})
    dataset, metrics = from_frame(frame, "plain").pipe(UserHoldout(0.0, 0.4)), Evaluator(NDCG(2))
    plan = ExperimentPlan()
    plan.add_algorithm(algorithm, parameters)
    with pytest.raises(PlanError, match=names):
        run_omnirec(dataset, plan, metrics, tmp_path)
    (first, value), (second, _) = parameters.items()
    searching = ExperimentPlan(tuning=Tuning("NDCG@2", trials=2))
    searching.tune(algorithm, {first: value, second: Choice([2, 3])})
    assert set(searching.configurations()[0].repeated_parameters) == {first, second}
    alone = ExperimentPlan()
    for name, amount in parameters.items():
        alone.add_algorithm(algorithm, {name: amount})
    assert [configuration.repeated_parameters for configuration in alone.configurations()] == [(), ()]
    assert not [*tmp_path.rglob("model*")]


def test_what_means_the_same_is_said_where_algorithms_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """`omnibench envs algorithms` has no default beside another name of a hyperparameter, but whose name it is."""
    assert main(["envs", "algorithms", "LensKit"]) == 0
    lines = capsys.readouterr().out.splitlines()
    described = lines[lines.index("LensKit.ItemKNNScorer (ranks and rates)") + 1 :]
    assert "    max_nbrs = 20" in described
    assert described.index("    k (instead of max_nbrs)") < described.index("LensKit.UserKNNScorer (ranks and rates)")
    assert "    cutoff (required, e.g. '1998-03-01')" in described


def test_a_required_hyperparameter_may_be_searched() -> None:
    """A search gives it its values."""
    plan = ExperimentPlan(tuning=Tuning("NDCG@2", trials=2))
    plan.tune(LensKit.TimeBoundedPopScore, {"cutoff": Choice(["1970-01-01", "1970-01-02"])})
    (configuration,) = plan.configurations()
    assert not configuration.missing_parameters

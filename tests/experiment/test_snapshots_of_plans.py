"""Who says when the state of a Fit is kept: algorithm, plan, benchmark or run; and that no key depends on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from omnibench import (
    NDCG,
    ExperimentPlan,
    Grid,
    Int,
    OmnibenchError,
    Policy,
    RecBole,
    RecPack,
    Snapshots,
    Tuning,
    UserCrossValidation,
    from_frame,
)
from omnibench.engine.policy import check_directories, snapshots_for
from omnibench.errors import PlanError
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.planning import experiments
from omnibench.snapshots.control import OFF, snapshots_of

FRAME = pd.DataFrame({"user": [user for user in range(6) for _ in range(6)], "item": [*range(6)] * 6})
DATA = from_frame(FRAME, "data").pipe(UserCrossValidation(2, 0.2))
HOURLY, RARE = Snapshots(3600, at_end=True, keep_past=2), snapshots_of("500it")


def made(plan: ExperimentPlan, snapshots: Any = None, seeds: tuple[int, ...] = (42,)) -> list[Experiment]:
    return experiments(DATA, plan, [NDCG(10)], versions=lambda _: "1", seeds=seeds, snapshots=snapshots)


def plan_with(of_plan: Any = None, of_algorithm: Any = None) -> ExperimentPlan:
    plan = ExperimentPlan(snapshots=of_plan)
    plan.add_algorithm(RecBole.BPR, {"epochs": Grid([5, 6])}, snapshots=of_algorithm)
    return plan


@pytest.mark.parametrize(
    ("of_run", "of_benchmark", "of_plan", "of_algorithm", "counting"),
    [
        (None, None, None, None, Snapshots.by_default()),
        ("1h", None, None, None, snapshots_of("1h")),
        (HOURLY, None, None, None, HOURLY),
        ("1h", "2h", None, None, snapshots_of("2h")),
        ("1h", "2h", "3h", None, snapshots_of("3h")),
        ("1h", "2h", "3h", "4h", snapshots_of("4h")),
        (None, HOURLY, None, RARE, RARE),
        (None, None, None, "off", OFF),
        ("1h", None, "off", "4h", snapshots_of("4h")),
        ("1h", "off", None, None, OFF),
        ("off", "2h", "3h", HOURLY, OFF),
    ],
)
def test_the_nearest_counts(
    of_run: Any, of_benchmark: Any, of_plan: Any, of_algorithm: Any, counting: Snapshots
) -> None:
    """The algorithm before the plan, that before the benchmark, that before the run; off of the run is off for all."""
    policy = Policy(snapshots=of_run)
    found = made(plan_with(of_plan, of_algorithm), of_benchmark)
    assert len(found) == 4
    assert {snapshots_for(experiment, policy) for experiment in found} == {counting}


def test_experiments_have_what_is_said_of_them() -> None:
    """An experiment knows what plan and benchmark say; the run's setting it does not know."""
    plan = plan_with(None, HOURLY)
    plan.add_algorithm(RecPack.EASE)
    assert [experiment.snapshots for experiment in made(plan)] == [HOURLY] * 4 + [None] * 2
    assert [experiment.snapshots for experiment in made(plan, "500it")] == [HOURLY] * 4 + [RARE] * 2


def test_no_key_and_no_name_depends_on_it() -> None:
    """Whoever changes how often state is kept finds everything that was computed."""
    plain, kept = made(plan_with(), seeds=(1, 2)), made(plan_with("1h", HOURLY), RARE, seeds=(1, 2))
    for names in (
        "fit_key",
        "configuration_key",
        "seedless_key",
        "name",
        "node_name",
        "stable_name",
        "label",
        "identity",
    ):
        assert [getattr(each, names) for each in plain] == [getattr(each, names) for each in kept]
    assert plain == kept
    assert [each.configuration for each in plain] == [each.configuration for each in kept]


def test_trials_have_what_their_search_has() -> None:
    """Each trial of a tuned algorithm, and the configuration that is chosen, keep state as the plan says; keys stay."""
    searches = []
    for snapshots in (None, HOURLY):
        plan = ExperimentPlan(tuning=Tuning("NDCG@10", trials=3))
        plan.tune(RecBole.BPR, {"embedding_size": Int(8, 64)}, snapshots=snapshots)
        searches.append(made(plan)[0])
    plain, kept = searches
    assert plain.search_key == kept.search_key
    for name in ("trial", "chosen"):
        of_plain, of_kept = (getattr(search, name)({"embedding_size": 16}) for search in searches)
        assert of_plain.fit_key == of_kept.fit_key
        assert (of_plain.snapshots, of_kept.snapshots) == (None, HOURLY)
    assert kept.with_seed(3).snapshots == HOURLY


@pytest.mark.parametrize("wrong", [-5, True, False, "often", "0s", ["10m"]])
def test_impossible_values_are_refused_at_once(wrong: Any) -> None:
    """Wherever it is said, it is refused where it is said, and with what may be."""
    message = r"snapshots(: | is ).*(10m, 90s, 50it, 10m,50it or off|may be)"
    plan = ExperimentPlan(tuning=Tuning("NDCG@10", trials=3))
    for say in (
        lambda: ExperimentPlan(snapshots=wrong),
        lambda: plan.add_algorithm(RecPack.EASE, snapshots=wrong),
        lambda: plan.tune(RecBole.BPR, {"embedding_size": Int(8, 64)}, snapshots=wrong),
        lambda: made(plan_with(), wrong),
        lambda: Policy(snapshots=wrong),
    ):
        with pytest.raises(OmnibenchError, match=message):
            say()
    assert len(plan) == 0, "nothing that was refused is in the plan"


def test_a_configuration_has_its_state_kept_in_one_way() -> None:
    """What is in the plan twice is fitted once."""
    plan = plan_with(None, "1h")
    plan.add_algorithm(RecBole.BPR, {"epochs": 5}, snapshots="1h")
    assert len(plan.configurations()) == 2
    plan.add_algorithm(RecBole.BPR, {"epochs": 6}, snapshots="2h")
    with pytest.raises(PlanError, match=r"has RecBole.BPR\(epochs=6\) twice, with snapshots=.*3600.* and with .*7200"):
        plan.configurations()


def test_a_plan_shows_it() -> None:
    """Whoever prints a plan sees what is said of single algorithms."""
    assert "RecBole.BPR(epochs=5), snapshots=Snapshots.off()" in repr(plan_with(None, "off"))
    assert "snapshots" not in repr(plan_with())


def test_no_snapshots_among_the_files_of_a_store(tmp_path: Path) -> None:
    """GloMPO's default is called as a store is: a directory in one is refused, whoever says it; one beside it is taken."""
    (tmp_path / "link").symlink_to("checkpoints")
    root, of_run = tmp_path / "checkpoints", Policy()
    for directory in ("checkpoints", "checkpoints/kept", "link"):
        inside = Snapshots(60, checkpointing_dir=tmp_path / directory)
        root.mkdir(exist_ok=True)
        for planned, policy in ((made(plan_with(inside)), of_run), (made(plan_with()), Policy(snapshots=inside))):
            with pytest.raises(OmnibenchError, match=f"{directory}', lies in the checkpoint directory.*Leave it out"):
                check_directories(planned, policy, root)
    for directory in ("checkpoints2", "."):
        check_directories(made(plan_with(Snapshots(60, directory=tmp_path / directory))), of_run, root)
    check_directories(made(plan_with("10m")), Policy(snapshots="off"), root)

"""What Fits are to have of a machine: what may be said, who says it, and that no key depends on it."""

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
    RecBole,
    RecPack,
    Resources,
    Tuning,
    UserCrossValidation,
    from_frame,
)
from omnibench.compat.omnirec.runner.plan import ExperimentPlan as MovedPlan
from omnibench.errors import PlanError
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.framework_resources import framework_resources
from omnibench.experiment.planning import experiments
from omnibench.experiment.resources import NOTHING_SAID, as_resources

FRAME = pd.DataFrame({"user": [user for user in range(6) for _ in range(6)], "item": [*range(6)] * 6})
DATA = from_frame(FRAME, "data").pipe(UserCrossValidation(2, 0.2))
BIG = Resources(cores=4, memory="16GiB", gpus=1, hours=8)


def made(plan: ExperimentPlan, of_frameworks: dict[str, Resources] | None = None) -> list[Experiment]:
    return experiments(DATA, plan, [NDCG(10)], versions=lambda _: "1", seeds=(42,), resources=of_frameworks or {})


def plan_with(of_plan: Any = None, of_algorithm: Any = None) -> ExperimentPlan:
    plan = ExperimentPlan(resources=of_plan)
    plan.add_algorithm(RecPack.ItemKNN, {"K": Grid([5, 6])}, resources=of_algorithm)
    return plan


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"memory": "16 GB"}, {"memory": 16 * 10**9}),
        ({"memory": "16GiB"}, {"memory": 16 * 2**30}),
        ({"memory": 2_000_000_000}, {"memory": 2 * 10**9}),
        ({"hours": 8}, {"hours": 8.0}),
        ({"hours": "8h"}, {"hours": 8.0}),
        ({"hours": "90m"}, {"hours": 1.5}),
        ({"hours": "2d"}, {"hours": 48.0}),
        ({"gpus": 0}, {"gpus": 0}),
        ({"gpu_share": 0.5}, {"gpu_share": 0.5}),
    ],
)
def test_amounts_as_people_write_them(said: dict[str, Any], meant: dict[str, Any]) -> None:
    """Sizes of a thousand or of 1024, bytes, hours as numbers or with their unit."""
    resources = Resources(**said)
    assert {name: getattr(resources, name) for name in meant} == meant
    assert eval(repr(resources)) == resources


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"cores": 0}, "cores is 0; give a whole number from 1 on"),
        ({"cores": -2}, "cores is -2; give a whole number from 1 on"),
        ({"cores": 1.5}, r"cores is 1\.5; give a whole number"),
        ({"cores": True}, "cores is True; give a whole number"),
        ({"gpus": -1}, "gpus is -1; give a whole number from 0 on"),
        ({"gpu_share": 0}, "gpu_share is 0; give the part of a GPU, above 0 and at most 1, such as 0.5."),
        ({"gpu_share": 1.5}, "gpu_share is 1.5; give the part of a GPU"),
        ({"gpu_share": True}, "gpu_share is True; give the part of a GPU"),
        ({"gpus": 1, "gpu_share": 0.5}, "gpus is 1 and gpu_share is 0.5; give one of the two: a share is of one GPU."),
        ({"memory": "lots"}, "memory is 'lots'; give a size such as '16GiB'"),
        ({"memory": "-16GB"}, "memory is '-16GB'; give a size"),
        ({"memory": 0}, "memory is 0; give a size"),
        ({"memory": 16}, "memory is 16, which is 16 bytes; give a size such as '16GiB'"),
        ({"memory": "9" * 400 + "GB"}, "memory is '999"),
        ({"memory": "9999999999TB"}, "memory is '9999999999TB', which is"),
        ({"hours": 0}, "hours is 0; give a number above 0"),
        ({"hours": float("nan")}, "hours is nan; give a number above 0"),
        ({"hours": float("inf")}, "hours is inf; give a number above 0"),
        ({"hours": "8"}, "hours is '8'; give a number above 0, such as 8 or 0.5, or a text such as '8h'"),
        ({"hours": "long"}, "hours is 'long'; give a number above 0"),
        ({"gpu": 1}, "Resources has no argument 'gpu'; did you mean 'gpus'"),
        ({"cpus": 4}, "Resources has no argument 'cpus'; cores= says how many"),
        ({"walltime": "8h"}, "Resources has no argument 'walltime'; hours=8 or hours=\"90m\" says how long"),
    ],
)
def test_the_impossible_is_refused_at_once(said: dict[str, Any], sentence: str) -> None:
    """With its value, and what is possible."""
    with pytest.raises(PlanError, match=sentence):
        Resources(**said)


def test_only_resources_are_resources() -> None:
    """A plan takes them by their class, which has checked them."""
    assert as_resources(None) == NOTHING_SAID
    argument: Any = {"cores": 4}
    with pytest.raises(PlanError, match=r"resources is \{'cores': 4\}; give Resources\(cores=4"):
        plan_with(argument)
    with pytest.raises(PlanError, match="resources is 4; give"):
        plan_with(None, 4)


def test_each_amount_is_what_is_said_nearest_to_it() -> None:
    """The algorithm before the plan, that before the framework; what one leaves out, the next one says."""
    of_frameworks = {"RecPack": Resources(cores=1, memory="1GB", gpus=1, hours=1), "RecBole": BIG}
    plan = plan_with(Resources(cores=2, memory="2GB"), Resources(cores=3))
    counting = {experiment.resources for experiment in made(plan, of_frameworks)}
    assert counting == {Resources(cores=3, memory="2GB", gpus=1, hours=1)}
    assert {experiment.resources for experiment in made(plan_with())} == {NOTHING_SAID}
    assert {experiment.resources for experiment in made(plan_with(), of_frameworks)} == {of_frameworks["RecPack"]}


def test_a_part_of_a_gpu_stands_for_a_number() -> None:
    """Who says the one nearer says nothing of the other; what is said of neither comes from farther away."""
    part, number = Resources(gpu_share=0.5), Resources(gpus=2, cores=1)
    assert part.over(number) == Resources(gpu_share=0.5, cores=1)
    assert number.over(part) == number
    assert Resources(cores=3).over(part) == Resources(cores=3, gpu_share=0.5)
    assert str(part) == "0.5 of a GPU"


def test_no_key_and_no_name_depends_on_it() -> None:
    """Results do not depend on what a Fit has, so what was computed with less is found again."""
    without = [(each.fit_key, each.name, each.label, each.node_name, each.seedless_key) for each in made(plan_with())]
    for plan in (plan_with(BIG), plan_with(None, BIG)):
        assert [
            (each.fit_key, each.name, each.label, each.node_name, each.seedless_key) for each in made(plan)
        ] == without
    assert made(plan_with(BIG)) == made(plan_with())


def test_trials_have_what_their_search_has() -> None:
    """Each trial is a Fit of the algorithm, and so is the one that is tested."""
    plan = ExperimentPlan(tuning=Tuning(NDCG(10), trials=3))
    plan.tune(RecPack.ItemKNN, {"K": Int(1, 9)}, resources=BIG)
    (first, *_) = made(plan)
    assert first.trial({"K": 3}).resources == first.chosen({"K": 3}).resources == first.resources == BIG


def test_cores_are_threads_where_numbers_do_not_depend_on_them() -> None:
    """What depends on threads keeps the number that its key names."""
    plan = ExperimentPlan(resources=Resources(cores=4))
    plan.add_algorithm(RecPack.ItemKNN)
    plan.add_algorithm(RecPack.EASE)
    threads = {each.configuration.algorithm: each.guest[-1] for each in made(plan)}
    assert threads == {"ItemKNN": 4, "EASE": 1}


def test_one_configuration_has_one_sort_of_resources() -> None:
    """It is fitted once."""
    plan = plan_with(None, Resources(cores=2))
    plan.add_algorithm(RecPack.ItemKNN, {"K": 5}, resources=Resources(cores=3))
    with pytest.raises(PlanError, match=r"twice, with resources=Resources\(cores=2\) and with Resources\(cores=3\)"):
        plan.configurations()


def test_a_plan_shows_them() -> None:
    """Beside the hyperparameters of the algorithm for which they are said."""
    assert "RecPack.ItemKNN(K=5), resources=Resources(cores=3)" in repr(plan_with(BIG, Resources(cores=3)))


def test_a_plan_of_omnirec_takes_them() -> None:
    """Under the same names as omnibench's."""
    plan = MovedPlan("moved", resources=Resources(hours=2))
    plan.add_algorithm(RecBole.BPR, resources=Resources(cores=3))
    (configuration,) = plan.configurations()
    assert configuration.resources == Resources(cores=3, hours=2)


def settings(directory: Path, text: str) -> Path:
    (directory / "pyproject.toml").write_text(text)
    return directory


def test_a_project_says_what_frameworks_have(tmp_path: Path) -> None:
    """The nearest pyproject.toml with a table of omnibench's counts; of classes of one's own the framework is Own."""
    settings(
        tmp_path,
        "[tool.omnibench.resources.RecBole]\ncores = 4\nmemory = '16GiB'\n[tool.omnibench.resources.Own]\nhours = 2",
    )
    inner = tmp_path / "benchmarks"
    inner.mkdir()
    settings(inner, "[tool.other]\nomnibench = 1")
    wanted = {"RecBole": Resources(cores=4, memory="16GiB"), "Own": Resources(hours=2)}
    assert framework_resources(inner) == wanted
    settings(tmp_path, "[tool.omnibench]\ndata = []")
    assert framework_resources(inner) == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[tool.omnibench.resources.Recbole]\ncores = 4", "there is no framework 'Recbole'; did you mean 'RecBole'"),
        ("[tool.omnibench.resources.RecBole]\ncores = 0", r"resources\.RecBole\]: cores is 0"),
        ("[tool.omnibench.resources.RecBole]\ncpus = 4", r"resources\.RecBole\]: Resources has no argument 'cpus'"),
        ("[tool.omnibench.resources]\nRecBole = 4", r"RecBole\] is 4; write \[tool.omnibench.resources.RecBole\]"),
        ("[tool.omnibench]\nresources = 4", r"tool.omnibench.resources is 4; write"),
    ],
)
def test_a_wrong_table_is_refused_with_its_file(tmp_path: Path, text: str, sentence: str) -> None:
    """Before anything is planned."""
    with pytest.raises(OmnibenchError, match=sentence) as caught:
        framework_resources(settings(tmp_path, text))
    assert str(tmp_path / "pyproject.toml") in str(caught.value)

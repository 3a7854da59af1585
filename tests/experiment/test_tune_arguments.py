"""What plan.tune is given wrongly is refused where it is written, with what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from omnibench import Choice, ExperimentPlan, Float, Grid, Int, Log, RecPack, Tuning, When, space_of
from omnibench.errors import PlanError


class Own:
    """An algorithm whose arguments have defaults only."""

    def __init__(self, seed: Any = None, damping=1.0, mode="plain", either: float | str = 1.0) -> None:  # type: ignore[no-untyped-def]
        self.arguments = seed, damping, mode, either

    def fit(self, train: Any) -> None:
        """Learn nothing."""

    def recommend(self, users: Any, k: int) -> dict[Any, list[Any]]:
        """Recommend nothing."""
        return {}


class Validated(Own):
    """It needs the validation part, and has no number of epochs."""

    def fit(self, train: Any, validation: Any = None) -> None:
        """Learn nothing."""


def planned(algorithm: Any, *args: Any, **kwargs: Any) -> ExperimentPlan:
    """Return a plan in which an algorithm is tuned."""
    plan = ExperimentPlan("tuned", tuning=Tuning("NDCG@10", trials=3, refit=kwargs.pop("of_plan", None)))
    plan.tune(algorithm, *args, **kwargs)
    return plan


RANGE = {"damping": Log(1.0, 9.0)}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: space_of(Own), "no search space for Own, because it is a class of your own"),
        (lambda: space_of(3), "3 is no algorithm; give a member such as RecBole.BPR"),  # type: ignore[arg-type]
        (lambda: planned(Own, RANGE, trials=9), "no argument 'trials'; it belongs to a budget: tuning=Tuning"),
        (lambda: planned(Own, RANGE, sampler="grid"), "no argument 'sampler'; it belongs to a budget"),
        (lambda: planned(Own, RANGE, lable="x"), "plan.tune has no argument 'lable'; did you mean 'label'?"),
        (lambda: planned(Own, RANGE, Tuning("NDCG@10", trials=2)), r"plan.tune\(\.\.\.\): too many positional"),
        (lambda: planned(Own, RANGE, refit="both"), "refit is 'both'; give 'train[+]validation'"),
        (
            lambda: planned(Validated, RANGE, refit="train+validation"),
            "Validated cannot be fitted on train[+]validation",
        ),
        (lambda: Choice(1, 2), r"Choice\(1, 2\): too many positional arguments; write e.g. Choice\(\[32"),  # type: ignore[call-arg,arg-type]
        (lambda: Int(3), r"Int\(3\): missing a required argument: 'high'; write e.g. Int\(1, 90\)"),  # type: ignore[call-arg]
        (Float, r"Float\(\): missing .* write e.g. Float\(0, 1\)"),
        (lambda: When("solver"), "missing a required argument: 'values'"),  # type: ignore[call-arg]
        (lambda: Tuning("NDCG@10", direction="max"), "the metric itself says whether more is better"),  # type: ignore[call-arg]
        (lambda: Tuning("NDCG@10", timeout=3), "did you mean 'seconds'"),  # type: ignore[call-arg]
        (lambda: planned(Own, {"damping": Choice(["a", "b"])}), "Own: damping .* takes a number, its default is 1.0"),
        (lambda: planned(Own, {"mode": Float(1, 2)}), "Own: mode .* takes a text, its default is 'plain'"),
        (
            lambda: planned(RecPack.ItemKNN, {"K": Choice(["a"])}),
            "K is to be a, and takes a number, its default is 200",
        ),
        (lambda: planned(RecPack.ItemKNN, {"similarity": Int(1, 2)}), "takes a text, its default is 'cosine'"),
        (lambda: planned(Own, {"damping": Choice([[1, 2], 3.0])}), r"For one trial per value write Choice\(\[1, 2\]\)"),
        (lambda: planned(Own, RANGE, fixed={"mode": Grid(["a", "b"])}), "mode is Grid.* one value for all trials"),
        (lambda: planned(Own, RANGE, fixed={"mode": Choice(["a"])}), "mode is Choice.* one value for all trials"),
        (lambda: planned(Own, {}), r'^Own searches nothing; .* e.g. \{"damping": Log\(0.1, 10.0\)\}'),
        (lambda: planned(Own), r'^Own has no search space .* plan.tune\(Own, \{"damping": Log'),
        (lambda: ExperimentPlan().add_algorithm(Own, {"damping": Log(1, 9)}), r"plan.tune\(Own, .* chooses the best"),
        (lambda: ExperimentPlan().add_algorithm(Own, {"mode": Grid([Log(1, 9)])}), "which is for a search"),
        (lambda: planned(Own, RANGE).update_algorithm(Own, {"mode": Grid(["a"])}), "one value for all trials"),
        (lambda: planned(Own, RANGE).update_algorithm(Own, {"damping": 3}), "damping is searched"),
    ],
)
def test_wrong_arguments_are_refused_with_the_next_step(call: Callable[[], Any], sentence: str) -> None:
    """No bare TypeError or AttributeError, no value that a trial fails with, and classes go by the name that code has."""
    with pytest.raises(PlanError, match=sentence):
        call()


def test_values_of_another_type_are_taken_where_they_are_meant() -> None:
    """An annotation with both types, or a Choice that has one of the right type, says that others are meant."""
    planned(Own, {"either": Choice(["a", "b"])})
    planned(Own, {"damping": Choice([1.0, "automatic"])})
    planned(Own, {"mode": Choice([None, True])})


def test_refit_of_a_tuned_algorithm_counts_more_than_that_of_its_budget() -> None:
    """Like add_algorithm, plan.tune says on which parts an algorithm is fitted; labels tell two such searches apart."""
    plan = planned(Own, RANGE, refit="train+validation", of_plan="train")
    plan.tune(Own, RANGE)
    first, second = plan.configurations()
    assert (first.refit, second.refit) == ("train+validation", "")
    assert first.search == second.search
    assert "refit=train+validation" in first.label

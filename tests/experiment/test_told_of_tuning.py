"""What a run says before it begins of tuned algorithms that cannot follow their budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from omnibench import NDCG, Choice, ExperimentPlan, Log, RecPack, Tuning, UserHoldout, from_frame
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.planning import experiments
from omnibench.experiment.refit import ValidationUse

BOTH = "train+validation"
FRAME = pd.DataFrame({"user": [user for user in range(6) for _ in range(6)], "item": [*range(6)] * 6})
DATASET = from_frame(FRAME, "small").pipe(UserHoldout(0.2, 0.2))


class Rounds:
    """Trained in rounds, by validation."""

    def __init__(self, rounds: int = 5, rate: float = 0.1) -> None:
        self.arguments = rounds, rate

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame, report: Callable[..., None]) -> None:
        """Learn nothing."""

    def recommend(self, users: list[Any], k: int) -> dict[Any, Any]:
        """Recommend nothing."""
        return {}


class Epochs(Rounds):
    """Trained in epochs, by validation."""

    def __init__(self, epochs: int = 5, rate: float = 0.1) -> None:
        self.arguments = epochs, rate


class Silent(Rounds):
    """Tells of no epochs."""

    def fit(self, train: pd.DataFrame) -> None:  # type: ignore[override]
        """Learn nothing."""


def told(*algorithms: type, benchmark: str | None = None, **tuning: Any) -> tuple[list[str], list[Experiment]]:
    """Return what a run says of tuned algorithms, and its experiments."""
    plan = ExperimentPlan(tuning=Tuning("NDCG@10", trials=3, **tuning))
    for algorithm in algorithms:
        plan.tune(algorithm, {"rate": Log(0.01, 1.0)})
    use = ValidationUse()
    planned = experiments(DATASET, plan, [NDCG(10)], versions=lambda _: "1", seeds=[1], refit=benchmark, validation=use)
    return use.sentences(), planned


@pytest.mark.parametrize("benchmark", [None, BOTH])
def test_who_cannot_be_fitted_on_both_parts_is_named_with_the_reason(benchmark: str | None) -> None:
    """A class that takes validation needs a number of epochs by a name that omnibench knows; so renamed, it is refitted."""
    sentences, planned = told(Epochs, Rounds, benchmark=benchmark, refit=None if benchmark else BOTH)
    assert [each.refit for each in planned] == [BOTH, ""]
    (sentence,) = sentences
    assert sentence.startswith(
        "on training alone, although refit='train+validation': Rounds (its fit takes it, and none of its arguments is called "
        "epochs, or max_epochs, n_epochs, num_epochs"
    )
    assert "Epochs" not in sentence


def test_refit_train_of_a_budget_leaves_nothing_to_say() -> None:
    """Who asks for training alone is not told that it is training alone."""
    plan = ExperimentPlan(tuning=Tuning("NDCG@10", trials=3, refit="train"))
    plan.tune(Rounds, {"rate": Log(0.01, 1.0)})
    plan.add_algorithm(RecPack.EASE)
    use = ValidationUse()
    experiments(DATASET, plan, [NDCG(10)], versions=lambda _: "1", seeds=[1], refit=BOTH, validation=use)
    assert use.sentences() == []


def test_a_pruner_that_has_nothing_to_end_is_named() -> None:
    """Algorithms without epochs are tuned as without a pruner, which is said once."""
    plan = ExperimentPlan(tuning=Tuning("NDCG@10", trials=3, pruner="halving"))
    plan.tune(RecPack.EASE, {"l2": Log(1.0, 1e4)})
    plan.tune(RecPack.BPRMF, {"num_components": Choice([10, 20])})
    for algorithm in (Silent, Epochs):
        plan.tune(algorithm, {"rate": Log(0.01, 1.0)})
    use = ValidationUse()
    for _ in range(2):
        experiments(DATASET, plan, [NDCG(10)], versions=lambda _: "1", seeds=[1], validation=use)
    (sentence,) = use.sentences()
    assert sentence.startswith("the pruner halving ends no trial of RecPack.EASE, Silent, of which no epochs are known")
    assert "report(epoch=..., validation=...)" in sentence
    assert told(Silent)[0] == []

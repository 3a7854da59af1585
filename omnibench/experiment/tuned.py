"""What a plan wants tuned, resolved for a benchmark, and on which data that cannot be."""

from __future__ import annotations

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import PlanError
from omnibench.experiment.candidates import Candidates
from omnibench.experiment.compatibility import check_dataset
from omnibench.experiment.search import Search, TuningRequest


def search_of(request: TuningRequest, candidates: Candidates, seed: int) -> Search:
    """Return the search that a plan's request makes in a benchmark.

    Args:
        request: The request.
        candidates: What the benchmark ranks for each user.
        seed: The seed of the frameworks.
    """
    tuning = request.tuning
    return Search(request.space, tuning, tuning.metric, tuning.label, seed, candidates, request.overrides)


def check_tuned(dataset: RecSysDataSet, name: str, search: Search) -> None:
    """Refuse to tune on a dataset without a validation part, or by a metric that cannot judge it.

    Args:
        dataset: A dataset with a split.
        name: The algorithm.
        search: How it is to be tuned.

    Raises:
        PlanError, EvaluationError: It cannot be.
    """
    split = dataset.split
    if split is None or split.validates is False:
        advice = "Give it a split with one" if split is None else split.validation_advice
        raise PlanError(
            f"{name} is to be tuned, and {type(split).__name__} of {dataset.name} makes no validation part to choose on. {advice}, "
            "or add the algorithm untuned."
        )
    check_dataset(dataset, [search.metric], search.candidates)

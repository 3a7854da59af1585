"""What a plan wants tuned, resolved for a benchmark: by which metric, and on which data that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import EvaluationError, PlanError, nearest
from omnibench.experiment.candidates import Candidates
from omnibench.experiment.compatibility import check_dataset
from omnibench.experiment.search import Search, TuningRequest
from omnibench.metrics.base import Metric
from omnibench.metrics.labels import split_label


def search_of(request: TuningRequest, metrics: Sequence[Metric], candidates: Candidates, seed: int) -> Search:
    """Return the search that a plan's request makes among the metrics of a benchmark.

    Args:
        request: The request.
        metrics: The benchmark's metrics: a label means one of these, if there is one, else omnibench's own.
        candidates: What the benchmark ranks for each user.
        seed: The seed of the frameworks.

    Raises:
        PlanError: There is no such metric, or nothing can be chosen by it.
    """
    metric, label = _metric_of(request.tuning.metric, metrics)
    if metric.kind == "cost":
        raise PlanError(f"the tuning's metric is {label}, a cost; choose by a metric of quality such as 'NDCG@10'.")
    return Search(request.space, request.tuning, metric, label, seed, candidates, request.overrides)


def _metric_of(wanted: Any, metrics: Sequence[Metric]) -> tuple[Metric, str]:
    if isinstance(wanted, Metric):
        return wanted, wanted.labels[0]
    for metric in metrics:
        for label in metric.labels:
            if wanted in (label, metric.qualified(label, "")):
                return metric, label
    import omnibench.metrics

    name, k = split_label(wanted)
    metric_class = getattr(omnibench.metrics, name, None)
    if not (isinstance(metric_class, type) and issubclass(metric_class, Metric)):
        labels = [label for metric in metrics for label in metric.labels]
        raise PlanError(
            f"the tuning's metric is {wanted!r}, and there is no such metric{nearest(wanted, labels) or '.'} Give a label such "
            "as 'NDCG@10', or a metric."
        )
    try:
        metric = metric_class() if k is None else metric_class(k)  # type: ignore[call-arg]
    except (TypeError, EvaluationError) as error:
        raise PlanError(f"the tuning's metric is {wanted!r}: {error}") from error
    if wanted not in metric.labels:
        raise PlanError(f"the tuning's metric is {wanted!r}; the columns of {name} are such as {metric.labels[0]!r}.")
    return metric, wanted


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
        argument = getattr(split, "validation_argument", "") or "validation_size"
        raise PlanError(
            f"{name} is to be tuned, and {type(split).__name__} of {dataset.name} makes no validation part to choose on. Give "
            f"it one, e.g. {type(split).__name__}(..., {argument}=0.1), or add the algorithm untuned."
        )
    check_dataset(dataset, [search.metric], search.candidates)

"""The metric that a search chooses by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import omnibench.metrics
from omnibench.errors import EvaluationError, PlanError, nearest
from omnibench.metrics.base import Metric
from omnibench.metrics.cost import CostMetric
from omnibench.metrics.labels import ungrouped_label
from omnibench.metrics.own import CalculatedMetric
from omnibench.metrics.ranking_metric import RankingMetric

_EXAMPLE = 'e.g. Tuning("NDCG@10", trials=30)'


class RecordedMetric(Metric):
    """A metric as a record names it: with its column and direction, but not what computes it."""

    kind = "recorded"

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = dict(record)
        self.higher_is_better = bool(record["higher_is_better"])

    @property
    def name(self) -> str:
        return str(self.record["identity"][0])

    @property
    def labels(self) -> list[str]:
        return [str(self.record["label"])]

    def identity(self, label: str) -> list[Any]:
        return list(self.record["identity"])


def judging_metric(metric: Any) -> Metric:
    """Return the metric that is meant.

    Args:
        metric: A label such as ``NDCG@10``, or a metric of one column.

    Raises:
        PlanError: It is neither, or a cost.
    """
    if isinstance(metric, str):
        return _labelled(metric)
    if isinstance(metric, type) and issubclass(metric, Metric):
        raise PlanError(f"the metric of a Tuning is the class {metric.__name__}; write {metric.__name__}(10).")
    if not isinstance(metric, Metric):
        if isinstance(metric, type) or not callable(getattr(metric, "calculate", None)):
            raise PlanError(f"the metric of a Tuning is {metric!r}; give a label or a metric, {_EXAMPLE}.")
        try:
            return judging_metric(CalculatedMetric(metric))
        except EvaluationError as error:
            raise PlanError(f"the metric of a Tuning: {error}") from error
    if isinstance(metric, CostMetric):
        raise PlanError(
            f"{metric.name} is a cost, and the cheapest configuration is rarely meant; give a metric, {_EXAMPLE}."
        )
    if metric.groupings:
        raise PlanError(
            f"the metric of a Tuning is {metric!r}, which has a value for each group; choose by one of all users, e.g. "
            f"Tuning({ungrouped_label(metric.labels[0])!r}, trials=30)."
        )
    if len(metric.labels) != 1:
        raise PlanError(
            f"the metric of a Tuning has {len(metric.labels)} columns, {', '.join(metric.labels)}; give one of them, e.g. "
            f"Tuning({metric.labels[0]!r}, trials=30)."
        )
    return metric


def _labelled(label: str) -> Metric:
    """Return the metric of omnibench that a label names."""
    name, at, length = label.partition("@")
    if "[" in name:
        raise PlanError(
            f"the metric of a Tuning is {label!r}; a label has no brackets here, give the metric itself, e.g. "
            "NDCG(10, relevant=4)."
        )
    definition: Any = getattr(omnibench.metrics, name, None) if name in omnibench.metrics.__all__ else None
    if definition is None or definition is Metric:
        labels = [metric for metric in omnibench.metrics.__all__ if metric not in ("Metric", "HitMetric")]
        near = nearest(name, labels)
        if near and at and length:
            near = f"{near.removesuffix(chr(39) + '?')}@{length}'?"
        raise PlanError(
            f"the metric of a Tuning is {label!r}, and omnibench has no metric {name!r}{near or '.'} "
            f"Write a label such as 'NDCG@10', or give your own metric as an object."
        )
    if issubclass(definition, RankingMetric) != bool(at):
        raise PlanError(
            f"the metric of a Tuning is {label!r}; "
            + (f"{name} has no list length, write {name!r}." if at else f"give its list length, e.g. '{name}@10'.")
        )
    if at and not (length.isdecimal() and int(length) > 0):
        raise PlanError(f"the metric of a Tuning is {label!r}; the list length is a positive number, e.g. '{name}@10'.")
    try:
        return judging_metric(definition(int(length)) if at else definition())
    except (TypeError, EvaluationError):  # what the metric needs to know beside k
        raise PlanError(
            f"the metric of a Tuning is {label!r}, which needs more than a label says; give the metric itself: {name}(...)."
        ) from None

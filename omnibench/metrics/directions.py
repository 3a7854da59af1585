"""The good direction of a column, found by its label among the metrics of omnibench."""

from __future__ import annotations

import omnibench.metrics
from omnibench.errors import StatisticsError
from omnibench.metrics.labels import plain_label, split_label


def higher_is_better(label: str, declared: bool | None = None) -> bool:
    """Return whether the largest value of a metric is the best.

    Args:
        label: E.g. ``NDCG@10``, ``NDCG[lenskit]@10`` or ``RMSE``.
        declared: The answer where the caller knows it.

    Raises:
        StatisticsError: omnibench has no such metric, and nobody says.
    """
    if declared is not None:
        return declared
    name = split_label(plain_label(label))[0].partition("(")[0]
    metric = getattr(omnibench.metrics, name, None)
    if metric is None:
        raise StatisticsError(
            f"{label!r} is no metric of omnibench's own, so whether more of it is better has to be said: "
            "higher=True or False, or `omnibench compare --better higher` or `lower`."
        )
    return bool(metric.higher_is_better)


def direction(label: str, declared: bool | None = None) -> bool | None:
    """Return ``higher_is_better``, or None where neither omnibench nor the caller knows."""
    try:
        return higher_is_better(label, declared)
    except StatisticsError:
        return None

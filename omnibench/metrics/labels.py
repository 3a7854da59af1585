"""Labels of columns, such as ``NDCG@10``: their parts, and which direction is good."""

from __future__ import annotations

import omnibench.metrics
from omnibench.errors import StatisticsError


def split_label(label: str) -> tuple[str, int | None]:
    """Split a label into metric and list length: ``("NDCG", 10)`` for ``NDCG@10``, ``("RMSE", None)`` for ``RMSE``."""
    name, _, k = label.partition("@")
    return name, int(k) if k else None


def plain_label(label: str) -> str:
    """Return a column's label without convention and candidates: ``NDCG@10`` of ``NDCG[lenskit]@10``."""
    name, at, k = label.partition("@")
    return name.partition("[")[0] + at + k


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

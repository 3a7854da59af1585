"""What an item's predictions are: lists, ratings of the test pairs, or both; its data and its metrics decide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from omnibench.metrics.base import Metric

DEFAULT_LIST_LENGTH = 20
"""Recommendations per user, unless a metric needs more."""


class Outputs(NamedTuple):
    """What a fitted model is asked for; at least one of them.

    Attributes:
        lists: Whether recommendations.
        ratings: Whether predicted ratings of the test pairs.
    """

    lists: bool
    ratings: bool


_LISTS, _RATINGS = Outputs(lists=True, ratings=False), Outputs(lists=False, ratings=True)


def outputs_of(feedback: str, metrics: Iterable[Metric] = ()) -> Outputs:
    """Return what metrics judge on a dataset.

    Args:
        feedback: ``implicit``, of which lists are made, or ``explicit``, of which ratings are predicted unless ranking
            metrics are asked for.
        metrics: The metrics.
    """
    if feedback == "implicit":
        return _LISTS
    judged = {metric.kind for metric in metrics}
    if "ranking" not in judged:
        return _RATINGS
    return Outputs(lists=True, ratings="rating" in judged)

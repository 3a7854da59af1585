"""What a metric is divided by: the argument ``by``, checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from omnibench.errors import EvaluationError
from omnibench.metrics.feature_groups import FeatureGroups
from omnibench.metrics.groups import ITEMS, Grouping, refusal_of_items

By: TypeAlias = "str | Grouping | Iterable[str | Grouping] | None"
"""What a metric is divided by: the name of a feature, a grouping, or several of them."""


def groupings_of(by: Any, name: str, *, judges_items: bool) -> tuple[Grouping, ...]:
    """Check what a metric is divided by, and return it.

    Args:
        by: A name of a feature, a grouping, several of them, or None.
        name: The metric, for messages.
        judges_items: Whether the metric can be restricted to a group of items.

    Raises:
        EvaluationError: It is none of these, or the metric cannot be divided by it.
    """
    if by is None:
        return ()
    if isinstance(by, type) and issubclass(by, Grouping):
        raise EvaluationError(f"{name}: by is the class {by.__name__}; write by={by.__name__}(...).")
    entries = [by] if isinstance(by, str | Grouping) or not isinstance(by, Iterable) else list(by)
    groupings = [_grouping(entry, name) for entry in entries]
    names = [grouping.name for grouping in groupings]
    if not groupings or len(set(names)) < len(names):
        raise EvaluationError(f"{name}: by is {by!r}; give one or several different groupings, {_EXAMPLE}.")
    for grouping in groupings:
        if grouping.subject == ITEMS and not judges_items:
            raise refusal_of_items(name, grouping)
    return tuple(groupings)


def _grouping(entry: Any, name: str) -> Grouping:
    if isinstance(entry, Grouping):
        return entry
    if isinstance(entry, str):
        return FeatureGroups(entry)
    raise EvaluationError(f"{name}: by is {entry!r}; give a grouping, {_EXAMPLE}.")


_EXAMPLE = "e.g. the name of a feature, by=Popularity(3), by=Activity(4) or by=ColdItems()"

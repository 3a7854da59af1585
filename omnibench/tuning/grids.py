"""The points of a finite search space, counted and numbered without listing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnibench.keys import canonical
from omnibench.tuning.dimensions import Dimension

_ANOTHER = ""
"""The text of all values that no condition mentions: none is written so."""


def number_of_points(dimensions: Sequence[Dimension]) -> int | None:
    """Return the number of points of a space; None where a hyperparameter has real numbers without a step."""
    if any(dimension.distribution.count is None for dimension in dimensions):
        return None
    return _count(dimensions, {}, _mentioned(dimensions))


def point(dimensions: Sequence[Dimension], index: int) -> dict[str, Any]:
    """Return a point of a finite space by its number, from 0."""
    mentioned = _mentioned(dimensions)
    texts: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    for position, dimension in enumerate(dimensions):
        if not _is_active(dimension, texts):
            continue
        rest = dimensions[position + 1 :]
        for positions, text in _classes(dimension, mentioned):
            per_value = _count(rest, {**texts, dimension.name: text}, mentioned)
            if index < per_value * len(positions):
                chosen, index = divmod(index, per_value)
                parameters[dimension.name] = dimension.distribution.value(positions[chosen])
                texts[dimension.name] = text
                break
            index -= per_value * len(positions)
    return parameters


def _count(dimensions: Sequence[Dimension], texts: Mapping[str, str], mentioned: Mapping[str, frozenset[str]]) -> int:
    """Return in how many ways dimensions can be filled, behind others that have values already."""
    total = 1
    for position, dimension in enumerate(dimensions):
        if not _is_active(dimension, texts):
            continue
        if dimension.name not in mentioned:
            total *= dimension.distribution.count or 1
            continue
        rest = dimensions[position + 1 :]
        return total * sum(
            len(positions) * _count(rest, {**texts, dimension.name: text}, mentioned)
            for positions, text in _classes(dimension, mentioned)
        )
    return total


def _classes(dimension: Dimension, mentioned: Mapping[str, frozenset[str]]) -> Iterator[tuple[Sequence[int], str]]:
    """Yield the positions of a dimension's values that conditions do not tell apart, with the text they go by."""
    distribution = dimension.distribution
    count = distribution.count or 0
    own = mentioned.get(dimension.name)
    if own is None:
        yield range(count), _ANOTHER
        return
    others: list[int] = []
    for position in range(count):
        text = canonical(distribution.value(position))
        if text in own:
            yield (position,), text
        else:
            others.append(position)
    if others:
        yield others, _ANOTHER


def _mentioned(dimensions: Sequence[Dimension]) -> dict[str, frozenset[str]]:
    """Return the values that conditions are about, by hyperparameter."""
    mentioned: dict[str, frozenset[str]] = {}
    for dimension in dimensions:
        for condition in dimension.conditions:
            mentioned[condition.parameter] = mentioned.get(condition.parameter, frozenset()) | condition.values
    return mentioned


def _is_active(dimension: Dimension, texts: Mapping[str, str]) -> bool:
    return all(texts.get(condition.parameter) in condition.values for condition in dimension.conditions)

"""The edges of ranges: where a chosen value lies at one, a wider range may have better values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from omnibench.tuning.values import is_number

Side = Literal["low", "high"]

_EDGE = 0.02
"""The share of a range, in its scale, that counts as its edge: continuous values never lie at the end itself."""

_FEWEST_NUMBERS = 3
"""Numbers in a Choice that have an edge: of two, each would be."""


def side_of_range(value: float, low: float, high: float) -> Side | None:
    """Return at which edge of a range a value lies, if it does; all numbers in the scale of the range."""
    margin = _EDGE * (high - low)
    if value <= low + margin:
        return "low"
    return "high" if value >= high - margin else None


def side_of_linear_range(value: float, low: float, high: float) -> Side | None:
    """Return at which edge of a linear range a value lies; a bound of 0 is one by nature, which nobody widens."""
    side = side_of_range(value, low, high)
    return None if side is not None and {"low": low, "high": high}[side] == 0 else side


def side_of_numbers(value: Any, values: Sequence[Any]) -> Side | None:
    """Return whether a value is the smallest or the largest of at least three numbers, and not 0."""
    if len(values) < _FEWEST_NUMBERS or not all(is_number(number) for number in values) or value == 0:
        return None
    ends: tuple[tuple[Side, Any], ...] = (("low", min(values)), ("high", max(values)))
    return next((side for side, end in ends if value == end), None)

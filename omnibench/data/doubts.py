"""Values that look like codes for what is missing: -1, 0, 99, ids such as NA, and moments such as 1970."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from omnibench.data.interactions import Interactions
from omnibench.data.time_units import FIRST_COUNT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_NO_IDS = frozenset({"", "-", "--", "?", "-1", "na", "n/a", "nan", "nil", "none", "null", "undefined", "unknown"})
"""What ids look like that are none, in lower case."""

_FAR = (99.0, 999.0, 9999.0)
"""What stands for no rating in matrices, far above the scale, or below it."""

_LARGEST_SCALE = 25
"""Different values that a scale of ratings has at most; others are counts."""

_DOMINANT = 0.1
"""The share of all interactions from which on an id may stand for many users or items."""

_FEWEST_IDS = 50
"""Of fewer users or items one may well have such a share."""

_SAMPLE = 100_000
"""Moments that tell which ones are usual."""

Frequencies: TypeAlias = "tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]"
"""Different values, ascending, and how often each occurs."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value that may not be what it looks like.

    Attributes:
        column: user, item, rating or timestamp.
        value: The value.
        rows: The rows that have it.
        reason: Why it is doubtful, as the end of a sentence.
    """

    column: str
    value: Hashable
    rows: int
    reason: str

    @property
    def value_text(self) -> str:
        """The value as people write it."""
        return f"{self.value:g}" if isinstance(self.value, float) else repr(self.value)


def doubts(
    rows: Interactions,
    by_user: npt.NDArray[np.int64],
    by_item: npt.NDArray[np.int64],
    ratings: Frequencies | None,
) -> Iterator[Doubt]:
    """Yield the values that look like codes for missing ones, or stand for many users or items.

    Args:
        rows: The interactions, at least one.
        by_user: The number of rows of each user, shape (n_users,).
        by_item: The same for items.
        ratings: The different ratings, ascending, and how often each occurs.
    """
    yield from _of_ids("user", rows.user_ids, by_user)
    yield from _of_ids("item", rows.item_ids, by_item)
    if ratings is not None:
        yield from _of_ratings(*ratings)
    if rows.timestamp is not None:
        yield from _of_moments(rows.timestamp)


def _of_ids(column: str, ids: Sequence[Hashable], numbers: npt.NDArray[np.int64]) -> Iterator[Doubt]:
    """Yield the ids that look like none, and one that has very many interactions."""
    missing = [code for code in _unlike(ids) if numbers[code]]
    for code in missing:
        yield Doubt(column, ids[code], int(numbers[code]), f"looks like a missing {column}")
    largest = int(numbers.argmax())
    share = numbers[largest] / numbers.sum()
    if len(ids) >= _FEWEST_IDS and share >= _DOMINANT and largest not in missing:
        yield Doubt(column, ids[largest], int(numbers[largest]), f"has very many: does it stand for several {column}s?")


def _unlike(ids: Sequence[Hashable]) -> Iterator[int]:
    for code, own_id in enumerate(ids):
        if isinstance(own_id, str):
            if own_id.strip().casefold() in _NO_IDS:
                yield code
        elif own_id == -1:
            yield code


def _of_ratings(values: npt.NDArray[np.float32], frequencies: npt.NDArray[np.int64]) -> Iterator[Doubt]:
    """Yield the ends of the scale that do not belong to it."""
    if len(values) == 1:
        return
    least, most, extent = float(values[0]), float(values[-1]), float(values[-1] - values[0])
    if -least in _FAR and values[1] - values[0] > extent / 2:
        yield Doubt("rating", least, int(frequencies[0]), f"is far below the others, {_scale(values[1:])}")
    elif least < 0 <= values[1]:
        yield Doubt("rating", least, int(frequencies[0]), f"is the only negative value beside {_scale(values[1:])}")
    elif least == 0 and len(values) <= _LARGEST_SCALE and values[1] >= 1:
        yield Doubt("rating", least, int(frequencies[0]), f"lies below a scale of {_scale(values[1:])}")
    if most in _FAR and values[-1] - values[-2] > extent / 2:
        yield Doubt("rating", most, int(frequencies[-1]), f"is far above the others, {_scale(values[:-1])}")


def _scale(values: npt.NDArray[np.float32]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"


def _of_moments(timestamp: npt.NDArray[np.int64]) -> Iterator[Doubt]:
    """Yield the moments that are none, and the only one of all rows."""
    first = int(timestamp.min())
    if first == int(timestamp.max()):
        if len(timestamp) > 1:
            yield Doubt(
                "timestamp", first, len(timestamp), "is the same in all rows, so that there is no order of time"
            )
    elif first in (0, -1) and typical_moment(timestamp) >= FIRST_COUNT:
        yield Doubt("timestamp", first, int((timestamp == first).sum()), "is 1970, where the others are later dates")


def typical_moment(timestamp: npt.NDArray[np.int64]) -> int:
    """Return the median of timestamps, or of some from everywhere where they are many."""
    return int(np.median(timestamp[:: max(1, len(timestamp) // _SAMPLE)]))

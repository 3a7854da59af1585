"""Upper bounds of sums of the highest few numbers, which cost less than these sums, and where many numbers come together less than their sum.

For any t, the highest n of some numbers add up to no more than n t and what the numbers exceed t by. That is close where about
n of them exceed t, as it is chosen for each item and for histories of some length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .column_numbers import ColumnNumbers
from .folds import Scores
from .matrices import add_up
from .parts import Ints

_MOST_LEVELS = 6
"""Lengths of histories, each twice the one before, that have thresholds of their own."""
_COLUMNS = 16
"""One in so many items has bounds at most: looking at more would cost more than it saves."""
_GROUPS = 256
"""Groups of the items that have no bounds of their own."""
_LEAST_BOUNDED = 0.4
"""Share of all numbers that items with bounds have at least, or too many of the others are among the best."""
_MOST_OPEN = 4
"""One in so many histories at most may be left open by bounds, or all numbers are added up for the next ones."""
_BITS = 19
"""Bits of a number in float32 that are passed over to find thresholds: 16 numbers from one power of two to the next remain."""
_BINS = 128
"""Of these, how many are looked at below the highest number of an item."""

Numbers = npt.NDArray[np.float32]


class _Levels(NamedTuple):
    """What tells a user's threshold by the length of a history: the first has ``shortest`` items, each other twice as many."""

    shortest: float
    number: int

    def of(self, lengths: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        """Return the level of histories of some lengths."""
        level = np.floor(np.log2(np.maximum(lengths, 1) / self.shortest)).astype(np.int64)
        clipped: npt.NDArray[np.int64] = np.clip(level, 0, self.number - 1)
        return clipped


@dataclass(frozen=True, slots=True, eq=False)
class ItemGroups:
    """Upper bounds for all items that have no bounds of their own, by groups of them.

    Of a group each row counts with its highest number. Since such items have few numbers, a group of some hundred has hardly more
    that come together than one of them.

    Attributes:
        numbers: The highest number of each row and group; a CSR matrix of shape (m, groups).
        counts: How many histories were looked at, and for how many that was not enough.
    """

    numbers: Any
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, matrix: Any, column: Ints, expected: npt.NDArray[Any]) -> ItemGroups | None:
        """Make groups of items for each of which as many numbers are expected; None where the others have most numbers.

        Args:
            matrix: The numbers; a CSR matrix of shape (m, n_items).
            column: The items that have bounds of their own.
            expected: How many numbers of each item are expected to come together; shape (n_items,).
        """
        from scipy import sparse

        if expected[column].sum() < _LEAST_BOUNDED * expected.sum():
            return None
        is_other = np.ones(matrix.shape[1], dtype=bool)
        is_other[column] = False
        item = np.flatnonzero(is_other)
        item = item[np.argsort(-expected[item], kind="stable")]
        reached = np.cumsum(expected[item])
        group_of_item = np.zeros(matrix.shape[1], dtype=np.int32)
        if len(item):
            group_of_item[item] = np.minimum(reached / max(reached[-1], 1) * _GROUPS, _GROUPS - 1)
        entry = np.flatnonzero(is_other[matrix.indices])
        ends = np.searchsorted(entry, matrix.indptr)
        shape = (matrix.shape[0], _GROUPS)
        numbers = sparse.csr_matrix((matrix.data[entry], group_of_item[matrix.indices[entry]], ends), shape=shape)
        numbers.sort_indices()
        is_first = np.ones(len(entry), dtype=bool)
        is_first[1:] = np.diff(numbers.indices) != 0
        is_first[ends[:-1][ends[:-1] < len(entry)]] = True
        first = np.flatnonzero(is_first)
        highest = np.maximum.reduceat(numbers.data, first) if len(first) else numbers.data
        starts = np.searchsorted(first, ends)
        return cls(
            sparse.csr_matrix((highest, numbers.indices[first], starts), shape=shape), np.zeros(2, dtype=np.int64)
        )

    def highest(self, left: Any) -> Numbers:
        """Return a bound for all of the items together, but for rounding.

        Args:
            left: The histories; a CSR matrix of shape (b, m).

        Returns:
            Shape (b,).
        """
        added = self.numbers[left.indices]
        sums = np.empty((left.shape[0], added.shape[1]), dtype=np.float32)
        add_up(added.data, left, added, sums)
        highest: Numbers = sums.max(axis=1, initial=0)
        return highest

    def note(self, n_histories: int, n_open: int) -> None:
        """Note for how many histories the bounds were not enough."""
        self.counts[:] += n_histories, n_open

    @property
    def saves_time(self) -> bool:
        """Whether the bounds were enough for most histories so far."""
        n_histories, n_open = self.counts
        return bool(n_open * _MOST_OPEN <= n_histories)


@dataclass(frozen=True, slots=True, eq=False)
class SumBounds:
    """Upper bounds of sums of the highest few numbers, for items that many numbers come together of.

    Attributes:
        most: How many of the highest count.
        column: The items, ascending; int32, shape (c,).
        levels: The lengths of histories.
        threshold: What numbers have to exceed, for each level and item; where nothing is to be gained infinity, or with groups zero, so that the
            sum of all is the bound; shape (levels, c).
        above: What they exceed it by; a CSR matrix of shape (levels * m, c).
        numbers: The numbers by columns, where they do not take too much memory.
        groups: Bounds for the other items, where these have few numbers.
    """

    most: int
    column: Ints
    levels: _Levels
    threshold: Numbers
    above: Any
    numbers: ColumnNumbers | None
    groups: ItemGroups | None

    @classmethod
    def of(cls, matrix: Any, frequency: npt.NDArray[np.float64], longest: int, most: int) -> SumBounds | None:
        """Choose the items and the thresholds; None where there is nothing to be gained.

        Args:
            matrix: The numbers, all above zero; a CSR matrix of shape (m, n_items), float32.
            frequency: How often a row comes in a history, shape (m,).
            longest: The length of the longest history.
            most: How many of the highest count.
        """
        n_items = matrix.shape[1]
        mean = frequency.sum()
        weights = np.repeat(frequency, np.diff(matrix.indptr))
        expected = np.bincount(matrix.indices, weights=weights, minlength=n_items)
        highest = expected.max(initial=0)
        if mean == 0 or highest * longest <= most * mean:
            return None
        shortest = mean * most / highest
        levels = _Levels(shortest, max(1, min(_MOST_LEVELS, int(np.ceil(np.log2(longest / shortest))))))
        scales = shortest / mean * 2.0 ** (np.arange(levels.number) + 0.5)
        n_columns = min(int((expected * scales[-1] > most).sum()), max(1, n_items // _COLUMNS))
        column = np.sort(np.argpartition(-expected, n_columns - 1)[:n_columns]).astype(np.int32)
        position_of_item = np.full(n_items, -1, dtype=np.int32)
        position_of_item[column] = np.arange(n_columns, dtype=np.int32)
        entry = np.flatnonzero((position_of_item >= 0)[matrix.indices])
        entries = _Entries(position_of_item[matrix.indices[entry]], matrix.data[entry], weights[entry])
        starts = np.searchsorted(entry, matrix.indptr)
        threshold = _thresholds(entries, n_columns, most / scales)
        numbers = ColumnNumbers.of(matrix, column)
        groups = None if numbers is None else ItemGroups.of(matrix, column, expected)
        if groups is not None:
            threshold[threshold == np.inf] = 0
        return cls(most, column, levels, threshold, _above(entries, starts, threshold), numbers, groups)

    def of_histories(self, left: Any) -> Numbers:
        """Return the bounds, infinity for histories that are too short for any limit.

        Args:
            left: The histories; a CSR matrix of shape (b, m).

        Returns:
            Shape (b, c).
        """
        lengths = np.diff(left.indptr)
        level = self.levels.of(lengths)
        n_rows = self.above.shape[0] // self.levels.number
        added = self.above[np.repeat(level * n_rows, lengths) + left.indices]
        bounds = np.empty((len(level), len(self.column)), dtype=np.float32)
        add_up(added.data, left, added, bounds)
        bounds += np.float32(self.most) * self.threshold[level]
        bounds[lengths <= self.most] = np.inf
        return bounds

    def lower(self, bounds: Numbers, table: Scores) -> None:
        """Lower sums of all numbers to the bounds, where these are lower.

        Args:
            bounds: The bounds, shape (b, c).
            table: The sums, shape (b, n_items), which are changed.
        """
        table[:, self.column] = np.minimum(table.take(self.column, axis=1), bounds)


class _Entries(NamedTuple):
    """Numbers of the items that have bounds, with the positions of these, and how often they come in a history."""

    column: Ints
    number: Numbers
    weight: npt.NDArray[np.float64]


def _thresholds(entries: _Entries, n_columns: int, n_above: npt.NDArray[np.float64]) -> Numbers:
    """Return what about as many numbers exceed as are wanted, infinity where not so many are expected.

    Args:
        entries: The numbers.
        n_columns: The number of items.
        n_above: How many, for each level, shape (levels,).

    Returns:
        Shape (levels, n_columns).
    """
    steps = entries.number.view(np.int32) >> _BITS  # numbers above zero are ordered as their bits are
    top = np.zeros(n_columns, dtype=np.int32)
    np.maximum.at(top, entries.column, steps)
    below = np.minimum(top[entries.column] - steps, _BINS - 1)
    cell = entries.column.astype(np.int64) * _BINS + below
    reached = np.bincount(cell, weights=entries.weight, minlength=n_columns * _BINS).reshape(n_columns, _BINS).cumsum(1)
    first = (reached[None] < n_above[:, None, None]).sum(axis=2)
    is_any = first < _BINS - 1  # the last has all that are lower
    threshold: Numbers = (np.maximum(top - first, 0).astype(np.int32) << _BITS).view(np.float32)
    threshold[~is_any] = np.inf
    return threshold


def _above(entries: _Entries, starts: npt.NDArray[np.integer[Any]], threshold: Numbers) -> Any:
    """Return by how much numbers exceed each level's thresholds, level after level, a CSR matrix.

    Args:
        entries: The numbers, by row.
        starts: The first of each row, and the end.
        threshold: The thresholds, shape (levels, c).
    """
    from scipy import sparse

    parts = []
    for threshold_of_level in threshold:
        least = threshold_of_level[entries.column]
        chosen = np.flatnonzero(entries.number > least)
        numbers = entries.number[chosen] - least[chosen]
        ends = np.searchsorted(chosen, starts)
        parts.append((numbers, entries.column[chosen], ends))
    offsets = np.cumsum([0, *(len(numbers) for numbers, _, _ in parts)])
    ends = np.concatenate([[0], *(end[1:] + offset for (_, _, end), offset in zip(parts, offsets[:-1], strict=True))])
    data, indices = (np.concatenate([part[number] for part in parts]) for number in (0, 1))
    shape = (len(threshold) * (len(starts) - 1), threshold.shape[1])
    return sparse.csr_matrix((data, indices, ends), shape=shape)

"""The best sums of the highest few numbers: such a sum is made only where a bound that costs little tells that it may matter.

For any t, the highest n of some numbers add up to no more than n t and what the numbers exceed t by. That is close where about
n of them exceed t, as it is chosen for each item and for histories of some length. Where fewer than n numbers come together,
as for most items, the sum of all is the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .column_numbers import ColumnNumbers
from .folds import NO_ITEM, Scores
from .matrices import add_up
from .parts import Ints
from .reached_sums import MOST_ADDED, n_added
from .tiles import ordered
from .top_items import reached_by_row, top_k_without_zeros

if TYPE_CHECKING:
    from .products import Sums

EPSILON = 2.0**-23
"""Twice the largest relative error of a rounding to float32."""
_SPARE = 4
"""Items beside those of a list that are looked at, at least, so that few users are looked at twice."""
_SHARE = 3
"""One in so many items of a long list is."""
_MOST_LEVELS = 6
"""Lengths of histories, each twice the one before, that have thresholds of their own."""
_COLUMNS = 16
"""One in so many items has bounds at most: looking at more would cost more than it saves."""
_BITS = 19
"""Bits of a number in float32 that are passed over to find thresholds: 16 numbers from one power of two to the next remain."""
_BINS = 128
"""Of these, how many are looked at below the highest number of an item."""

Numbers = npt.NDArray[np.float32]


class SumLimits(Protocol):
    """What makes sums of the highest few numbers.

    Attributes:
        most: How many of the highest count.
        least: Where fewer come together, there is no score.
    """

    @property
    def most(self) -> int:
        """How many of the highest count."""

    @property
    def least(self) -> int:
        """Where fewer come together, there is no score."""

    def refuse(self, left: Any, added: Any, table: Scores) -> None:
        """Write -inf for what has no score, whatever its sum.

        Args:
            left: The histories; a CSR matrix of shape (u, m).
            added: The numbers; a CSR matrix with a row for each entry of that.
            table: The sums of all numbers, shape (u, n_items).
        """

    def sums_of_highest(self, numbers: Numbers, pair: Ints, n_pairs: int, chosen: Ints) -> Numbers:
        """Return sums of the highest numbers.

        Args:
            numbers: The numbers, shape (m,).
            pair: Which pair of a user and an item each belongs to, shape (m,).
            n_pairs: The number of pairs.
            chosen: The pairs whose sums are wanted, shape (w,).

        Returns:
            Shape (w,).
        """


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
class SumBounds:
    """Upper bounds of sums of the highest few numbers, for items that many numbers come together of.

    Attributes:
        most: How many of the highest count.
        column: The items, ascending; int32, shape (c,).
        levels: The lengths of histories.
        threshold: What numbers have to exceed, for each level and item, infinity where nothing is to be gained; shape
            (levels, c).
        above: What they exceed it by; a CSR matrix of shape (levels * m, c).
        numbers: The numbers by columns, where they do not take too much memory.
    """

    most: int
    column: Ints
    levels: _Levels
    threshold: Numbers
    above: Any
    numbers: ColumnNumbers | None

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
        return cls(most, column, levels, threshold, _above(entries, starts, threshold), numbers)

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


def best_sums(sums: Sums, k: int, bounds: SumBounds | None, limits: SumLimits) -> tuple[Ints, Scores]:
    """Return the k best items of users whose scores are sums of the highest few numbers; a score of zero is none.

    Args:
        sums: The sums of all numbers.
        k: The length of the lists.
        bounds: What tells which sums may matter.
        limits: How many of the highest count, and what adds them up.

    Returns:
        Items and scores, both of shape (b, k), as ``top_k``.
    """
    n_items = sums.table.shape[1]
    if k == 0 or n_items == 0:
        return np.full((len(sums), k), NO_ITEM, dtype=np.int32), np.zeros((len(sums), k), dtype=np.float32)
    width = min(n_items, k + max(_SPARE, k // _SHARE))
    codes = np.full((len(sums), width), NO_ITEM, dtype=np.int32)
    highest = np.zeros((len(sums), width), dtype=np.float32)
    histories = sums.histories
    lengths = np.diff(histories.indptr).astype(np.int64)
    columns = bounds.numbers if bounds is not None and histories.has_canonical_format else None
    if columns is not None and not columns.saves_time(width):
        columns = None
    bounds_of_users = None if bounds is None else bounds.of_histories(histories)
    scanned = []
    for rows, left, added, table in sums.blocks():
        limits.refuse(left, added, table)
        if bounds is not None and bounds_of_users is not None:
            bounds.lower(bounds_of_users[rows], table)
        codes[rows], highest[rows] = top_k_without_zeros(table, width)
        if columns is None:
            scanned.append(Pairs.of(left, added, codes[rows], rows.start * width))
    together: Pairs | _Sought = (
        Pairs(*(np.concatenate(parts) for parts in zip(*scanned, strict=True)))
        if columns is None
        else _Sought(columns, histories, codes)
    )
    is_open = (codes != NO_ITEM) & (lengths > limits.most)[:, None]
    exact = np.where(codes == NO_ITEM, np.float32(-np.inf), highest)
    # What has a bound below the last of k scores is not among the best, but for rounding.
    slack = 1 + (lengths + 2 * limits.most) * EPSILON
    is_first = np.arange(width) < k
    together.put_right(exact, is_open & is_first, limits)
    is_open &= highest >= (exact[:, is_first].min(axis=1, initial=np.inf) / slack)[:, None]
    together.put_right(exact, is_open & ~is_first, limits)
    items, scores = np.full((len(sums), k), NO_ITEM, dtype=np.int32), np.full((len(sums), k), -np.inf, np.float32)
    best = slice(0, min(k, width))
    items[:, best], scores[:, best] = ordered(codes, exact, k)
    if k < width < n_items:
        least = scores[:, -1] / slack
        open_rows = np.flatnonzero((codes[:, -1] != NO_ITEM) & (highest[:, -1] >= least))
        for rows_again, left, added, table in sums.made_again(open_rows):
            limits.refuse(left, added, table)
            if bounds is not None:
                bounds.lower(bounds.of_histories(left), table)
            row, item = np.nonzero(table >= least[rows_again, None])
            codes, exact = reached_by_row(len(rows_again), row, item, table[row, item])
            pairs_of_some = Pairs.of(left, added, codes)
            pairs_of_some.put_right(exact, (codes != NO_ITEM) & (lengths[rows_again] > limits.most)[:, None], limits)
            items[rows_again], scores[rows_again] = ordered(codes, exact, k)
    scores[items == NO_ITEM] = 0
    return items, scores


class _Sought(NamedTuple):
    """The items of some users whose numbers are looked up when they are needed.

    Attributes:
        columns: The numbers of items.
        left: The histories; a CSR matrix of shape (r, m).
        codes: The items of each user, ``NO_ITEM`` behind them; shape (r, width).
    """

    columns: ColumnNumbers
    left: Any
    codes: Ints

    def put_right(self, scores: Scores, is_wanted: npt.NDArray[np.bool_], limits: SumLimits) -> None:
        """Write the sums of the highest numbers of some pairs, as ``Pairs``."""
        row, rank = np.nonzero(is_wanted)
        item = self.codes[row, rank]
        for step in self.columns.steps(self.left, row, item):
            numbers, pair = self.columns.of_pairs(self.left, row[step], item[step])
            chosen = np.arange(step.stop - step.start, dtype=np.int32)
            scores[row[step], rank[step]] = limits.sums_of_highest(numbers, pair, len(chosen), chosen)


class Pairs(NamedTuple):
    """The numbers that come together for some pairs of users and items.

    Attributes:
        number: The numbers, in the order of the histories.
        pair: The pair of each: as many times the width as there are users before, and the item's place among the user's.
    """

    number: Numbers
    pair: Ints

    @classmethod
    def of(cls, left: Any, added: Any, codes: Ints, first: int = 0) -> Pairs:
        """Look up the numbers.

        Args:
            left: The histories; a CSR matrix of shape (r, m).
            added: The numbers; a CSR matrix with a row for each entry of that.
            codes: The items of each user, ``NO_ITEM`` behind them; shape (r, width).
            first: The number of the first pair.
        """
        return cls._of(left.indptr, added, codes, first)

    @classmethod
    def _of(cls, starts: npt.NDArray[np.integer[Any]], added: Any, codes: Ints, first: int) -> Pairs:
        """Look up the numbers of histories that have rows of some numbers from their starts on; see ``of``."""
        n_rows, width = codes.shape
        ends = added.indptr[starts]
        rank_type = np.uint8 if width < 1 << 8 else np.int32
        ranks = np.arange(1, width + 1, dtype=rank_type)
        rank_of_item = np.zeros(added.shape[1] + 1, dtype=rank_type)  # the last place is for what is no item
        rank = np.empty(ends[-1], dtype=rank_type)
        for code, begin, end in zip(codes, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            rank_of_item[code] = ranks
            # What is looked up of one user stays in the processor's cache; "clip" is what take() needs to write there directly.
            rank_of_item.take(added.indices[begin:end], out=rank[begin:end], mode="clip")
            rank_of_item[code] = 0
        entry = np.flatnonzero(rank != 0)
        first_pairs = np.arange(first - 1, first - 1 + n_rows * width, width, dtype=np.int32)
        pair = np.repeat(first_pairs, np.diff(np.searchsorted(entry, ends)))
        pair += rank[entry]
        return cls(added.data[entry], pair)

    @classmethod
    def of_histories(cls, left: Any, numbers: Any, codes: Ints) -> Pairs:
        """Look up the numbers of a matrix, of one history after the other, and of a long one by parts.

        Args:
            left: The histories; a CSR matrix of shape (r, m).
            numbers: A CSR matrix of shape (m, n_items).
            codes: The items of each user, ``NO_ITEM`` behind them; shape (r, width).
        """
        if n_added(left, numbers) <= MOST_ADDED:
            return cls.of(left, numbers[left.indices], codes)
        parts = []
        width = codes.shape[1]
        n_before = np.concatenate([[0], np.cumsum(np.diff(numbers.indptr)[left.indices], dtype=np.int64)])
        for row, (start, end) in enumerate(pairwise(left.indptr.tolist())):
            begin = start
            while begin < end:
                most = int(np.searchsorted(n_before, n_before[begin] + MOST_ADDED, side="right")) - 1
                stop = min(max(most, begin + 1), end)
                added = numbers[left.indices[begin:stop]]
                parts.append(cls._of(np.array([0, stop - begin]), added, codes[row : row + 1], row * width))
                begin = stop
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def put_right(self, scores: Scores, is_wanted: npt.NDArray[np.bool_], limits: SumLimits) -> None:
        """Write the sums of the highest numbers of some pairs.

        Args:
            scores: Where to, shape (r, width).
            is_wanted: Of which pairs, shape (r, width).
            limits: What makes such a sum.
        """
        chosen = np.flatnonzero(is_wanted).astype(np.int32)
        if len(chosen):
            scores.reshape(-1)[chosen] = limits.sums_of_highest(self.number, self.pair, scores.size, chosen)

"""The best sums of the highest few numbers: such a sum is made only where a bound that costs little tells that it may matter.

Where no more numbers come together than count, as for most items, the sum of all is the score.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .column_numbers import ColumnNumbers
from .folds import NO_ITEM, Scores
from .parts import Ints
from .reached_sums import MOST_ADDED, n_added
from .sum_bounds import SumBounds
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
_LEAST = np.finfo(np.float32).smallest_subnormal
"""The least number above zero: a sum of zero is no score."""

Numbers = npt.NDArray[np.float32]


class SumLimits(Protocol):
    """What makes sums of the highest few numbers.

    Attributes:
        most: How many of the highest count.
        least: Where fewer come together, there is no score.
        may_refuse: Whether there may be something without a score although some number is there.
    """

    @property
    def most(self) -> int:
        """How many of the highest count."""

    @property
    def least(self) -> int:
        """Where fewer come together, there is no score."""

    @property
    def may_refuse(self) -> bool:
        """Whether there may be something without a score although some number is there."""

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
    by_bounds = _highest_bounds(sums, k, width, bounds, limits)
    codes, highest, lengths = by_bounds.codes, by_bounds.highest, by_bounds.lengths
    is_open = (codes != NO_ITEM) & (lengths > limits.most)[:, None]
    exact = np.where(codes == NO_ITEM, np.float32(-np.inf), highest)
    # What has a bound below the last of k scores is not among the best, but for rounding.
    slack = 1 + (lengths + 2 * limits.most) * EPSILON
    is_first = np.arange(width) < k
    by_bounds.numbers.put_right(exact, is_open & is_first, limits)
    is_open &= highest >= (exact[:, is_first].min(axis=1, initial=np.inf) / slack)[:, None]
    by_bounds.numbers.put_right(exact, is_open & ~is_first, limits)
    items, scores = np.full((len(sums), k), NO_ITEM, dtype=np.int32), np.full((len(sums), k), -np.inf, np.float32)
    best = slice(0, min(k, width))
    items[:, best], scores[:, best] = ordered(np.where(exact == -np.inf, NO_ITEM, codes), exact, k)
    if k < width < n_items:
        least = np.maximum(scores[:, -1] / slack, _LEAST)
        is_left_open = by_bounds.highest_of_others >= least
        if bounds is not None and bounds.groups is not None:
            chosen = np.flatnonzero(is_left_open & (by_bounds.highest_of_groups < least))
            chosen = _add_up_bounded(sums, chosen, least, bounds, limits, by_bounds, (items, scores))
            is_left_open[chosen] = False
            bounds.groups.note(int(by_bounds.is_bounded.sum()), int(is_left_open[by_bounds.is_bounded].sum()))
        _add_up_again(sums, np.flatnonzero(is_left_open), least, bounds, limits, (items, scores))
    scores[items == NO_ITEM] = 0
    return items, scores


class _HighestBounds(NamedTuple):
    """The items that may be among the best of some users, by bounds of their scores.

    Attributes:
        lengths: The lengths of the histories, shape (b,).
        is_bounded: For whom bounds alone were looked at, shape (b,).
        codes: The items, ``NO_ITEM`` behind them; shape (b, width).
        highest: The bounds, shape (b, width).
        highest_of_others: A bound for all other items, shape (b,).
        bounds: All bounds of items that have their own, of those for whom bounds alone were looked at; shape (n_bounded, c).
        highest_of_groups: A bound for all items that have none of their own, infinity for other users; shape (b,).
        numbers: The numbers that come together for the items.
    """

    lengths: npt.NDArray[np.int64]
    is_bounded: npt.NDArray[np.bool_]
    codes: Ints
    highest: Numbers
    highest_of_others: Numbers
    bounds: Scores
    highest_of_groups: Numbers
    numbers: Pairs | _Sought


def _highest_bounds(sums: Sums, k: int, width: int, bounds: SumBounds | None, limits: SumLimits) -> _HighestBounds:
    """Look for the items with the highest bounds.

    Args:
        sums: The sums of all numbers.
        k: The length of the lists.
        width: How many items to look for.
        bounds: What tells which sums may matter.
        limits: How many of the highest count.
    """
    codes = np.full((len(sums), width), NO_ITEM, dtype=np.int32)
    highest = np.zeros((len(sums), width), dtype=np.float32)
    bounds_here, of_groups = highest[:0], np.full(len(sums), np.inf, dtype=np.float32)
    histories = sums.histories
    lengths = np.diff(histories.indptr).astype(np.int64)
    is_bounded = np.zeros(len(sums), dtype=bool)
    columns = bounds.numbers if bounds is not None and histories.has_canonical_format else None
    if columns is not None and not columns.saves_time(width):
        columns = None
    bounds_of_users = None if bounds is None else bounds.of_histories(histories)
    if bounds is not None and bounds_of_users is not None and columns is not None:
        groups = bounds.groups if k < width < sums.table.shape[1] and sums.candidates is None else None
        if groups is not None and groups.saves_time and not limits.may_refuse:
            is_bounded = lengths > limits.most
            chosen = np.flatnonzero(is_bounded)
            bounds_here = bounds_of_users[chosen]
            sums.mask(chosen, bounds.column, bounds_here)
            position, highest[chosen] = top_k_without_zeros(bounds_here, width)
            codes[chosen] = np.where(position == NO_ITEM, NO_ITEM, bounds.column.take(position, mode="clip"))
            of_groups[chosen] = groups.highest(histories[chosen])
    scanned = []
    blocks: Any = sums.made_again(np.flatnonzero(~is_bounded)) if is_bounded.any() else sums.blocks()
    for rows, left, added, table in blocks:
        limits.refuse(left, added, table)
        if bounds is not None and bounds_of_users is not None:
            bounds.lower(bounds_of_users[rows], table)
        codes[rows], highest[rows] = top_k_without_zeros(table, width)
        if columns is None:
            scanned.append(Pairs.of(left, added, codes[rows], rows.start * width))
    numbers: Pairs | _Sought = (
        Pairs(*(np.concatenate(parts) for parts in zip(*scanned, strict=True)))
        if columns is None
        else _Sought(columns, histories, codes)
    )
    of_others = np.where(codes[:, -1] == NO_ITEM, np.float32(0), highest[:, -1])
    np.maximum(of_others, of_groups, out=of_others, where=is_bounded)
    return _HighestBounds(lengths, is_bounded, codes, highest, of_others, bounds_here, of_groups, numbers)


def _add_up_bounded(
    sums: Sums,
    chosen: npt.NDArray[np.int64],
    least: Numbers,
    bounds: SumBounds,
    limits: SumLimits,
    by_bounds: _HighestBounds,
    lists: tuple[Ints, Scores],
) -> npt.NDArray[np.int64]:
    """Write the lists of some users by all items whose own bounds reach what the last of their lists has.

    Args:
        sums: The sums of all numbers.
        chosen: The users, by position: bounds alone were looked at, and no item without a bound of its own reaches that.
        least: The lowest scores that may be among the best, shape (b,).
        bounds: What tells which sums may matter.
        limits: How many of the highest count, and what adds them up.
        by_bounds: The bounds of all users.
        lists: The items and scores of all users, both of shape (b, k), which are changed.

    Returns:
        For whom that was done: not where so many items reach it that it would cost more than adding all numbers up.
    """
    if not len(chosen) or bounds.numbers is None:
        return chosen[:0]
    own = by_bounds.bounds[np.cumsum(by_bounds.is_bounded)[chosen] - 1]
    reaches = own >= least[chosen, None]
    saves_time = [bounds.numbers.saves_time(number) for number in reaches.sum(axis=1).tolist()]
    chosen, own, reaches = chosen[saves_time], own[saves_time], reaches[saves_time]
    row, position = np.nonzero(reaches)
    codes, highest = reached_by_row(len(chosen), row, bounds.column[position], own[row, position])
    numbers = _Sought(bounds.numbers, sums.histories[chosen], codes)
    lists[0][chosen], lists[1][chosen] = NO_ITEM, -np.inf
    _write_best(lists, chosen, (codes, highest), numbers, codes != NO_ITEM, limits)
    return chosen


def _add_up_again(
    sums: Sums,
    chosen: npt.NDArray[np.int64],
    least: Numbers,
    bounds: SumBounds | None,
    limits: SumLimits,
    lists: tuple[Ints, Scores],
) -> None:
    """Write the lists of some users by all items whose sums reach what the last of their lists has.

    Args:
        sums: The sums of all numbers.
        chosen: The users, by position.
        least: The lowest scores that may be among the best, shape (b,).
        bounds: What tells which sums may matter.
        limits: How many of the highest count, and what adds them up.
        lists: The items and scores of all users, both of shape (b, k), which are changed.
    """
    lists[0][chosen], lists[1][chosen] = NO_ITEM, -np.inf
    for rows, left, added, table in sums.made_again(chosen):
        limits.refuse(left, added, table)
        if bounds is not None:
            bounds.lower(bounds.of_histories(left), table)
        row, item = np.nonzero(table >= least[rows, None])
        if not len(row):  # they have all that they reach, which bounds of groups do not tell
            continue
        codes, highest = reached_by_row(len(rows), row, item, table[row, item])
        is_open = (codes != NO_ITEM) & (np.diff(left.indptr) > limits.most)[:, None]
        _write_best(lists, rows, (codes, highest), Pairs.of(left, added, codes), is_open, limits)


def _write_best(
    lists: tuple[Ints, Scores],
    users: npt.NDArray[np.int64],
    reached: tuple[Ints, Scores],
    numbers: Pairs | _Sought,
    is_open: npt.NDArray[np.bool_],
    limits: SumLimits,
) -> None:
    """Write the lists of some users, which are empty, by all items that may be among their best.

    Args:
        lists: The items and scores of all users, both of shape (b, k), which are changed.
        users: The users, by position; u of them.
        reached: The items, ``NO_ITEM`` behind them, and bounds of their scores; both of shape (u, width).
        numbers: The numbers that come together for them.
        is_open: Where bounds are not the scores themselves, shape (u, width).
        limits: How many of the highest count, and what adds them up.
    """
    items, scores = lists
    codes, exact = reached
    numbers.put_right(exact, is_open, limits)
    codes, exact = ordered(np.where(exact == -np.inf, NO_ITEM, codes), exact, items.shape[1])
    items[users, : codes.shape[1]], scores[users, : codes.shape[1]] = codes, exact


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
            of_highest = limits.sums_of_highest(numbers, pair, len(chosen), chosen)
            # Without any number it is zero, or NaN, as for LensKit.
            scores[row[step], rank[step]] = np.where(of_highest > 0, of_highest, np.float32(-np.inf))


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

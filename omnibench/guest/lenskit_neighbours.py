"""Scores of LensKit's ItemKNN for many users together: sums or averages by similarities, of which an item takes the highest few.

Where no more items of a history are similar to an item than it may have neighbours, its score is a sum in the order of the
history. LensKit itself is asked for the other scores, of all users at once, by the rows of similarities that they need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from lenskit import _accel
from lenskit.data.matrix import SparseRowArray, SparseRowType

from .counted_sums import Counted, best_reached_sums
from .folds import NO_ITEM, Fold, Scores
from .limited_sums import best_sums
from .matrices import add_up
from .parts import Ints
from .products import Sums
from .sum_bounds import SumBounds
from .top_items import top_k

MOST_ADDED = 8
"""Similarities for each item and user up to which adding them up costs less than asking for all items of a user."""


def is_sum(scorer: Any) -> bool:
    """Whether a scorer's answers are sums or averages that begin where something is similar to an item.

    Args:
        scorer: A fitted ItemKNN scorer.
    """
    similarity = np.asarray(scorer.sim_matrix.values)
    return bool((similarity > 0).all())  # else a sum of zero might be a score


@dataclass(frozen=True, eq=False)
class LimitedSums:
    """Ranks sums of similarities, of which no more are added up than an item may have neighbours.

    Attributes:
        most: The most neighbours of an item that count.
        least: With fewer an item has no score.
        counted: The similarities, float32.
        make_bounds: Makes what tells which sums may be among the best.
    """

    most: int
    least: int
    counted: Counted
    make_bounds: Callable[[], SumBounds | None]

    @cached_property
    def _bounds(self) -> SumBounds | None:
        return self.make_bounds()

    def best(self, sums: Sums, k: int) -> tuple[Ints, Scores]:
        """Return the k best items of each user, as ``products.Limits`` says."""
        return best_sums(sums, k, self._bounds, self)

    def best_of_reached(self, fold: Fold, users: Ints, left: Any, k: int, *, is_known: bool) -> tuple[Ints, Scores]:
        """Return them for users who reach few of all items, as ``products.Limits`` says."""
        return best_reached_sums(fold, users, left, k, counted=self.counted, limits=self, is_known=is_known)

    def refuse(self, left: Any, added: Any, table: Scores) -> None:
        """Take out what has too few neighbours, as ``SumLimits`` says."""
        if self.least > self.most:  # LensKit counts no more neighbours than it takes
            table[:] = -np.inf
        elif self.least > 1:
            table[_counts(left, added, table.shape) < self.least] = -np.inf

    def sums_of_highest(
        self, numbers: npt.NDArray[np.float32], pair: Ints, n_pairs: int, chosen: Ints
    ) -> npt.NDArray[np.float32]:
        """Ask LensKit, as ``SumLimits`` says: it takes the pairs for items, which one item is similar to."""
        offsets = np.full(n_pairs + 1, len(pair), dtype=np.int64)
        offsets[0] = 0
        row_type = _row_type(n_pairs)
        index = pa.ExtensionArray.from_storage(row_type.index_type, pa.array(pair))
        entries = pa.StructArray.from_arrays([index, pa.array(numbers)], names=["index", "value"])
        similarity = pa.ExtensionArray.from_storage(row_type, pa.LargeListArray.from_arrays(pa.array(offsets), entries))
        history = pa.array(np.zeros(1, dtype=np.int32))
        scores, _ = _accel.knn.score_implicit(similarity, history, pa.array(chosen), self.most, self.least)
        sums: npt.NDArray[np.float32] = scores.to_numpy(zero_copy_only=False)
        return sums


@cache
def _row_type(n_columns: int) -> SparseRowType:
    """Return LensKit's type of sparse rows; making it anew takes as long as many sums."""
    return SparseRowType(n_columns, pa.float32(), large=True)


@dataclass(frozen=True, eq=False)
class LimitedAverages:
    """Makes averages of ratings, weighted by similarities, of sums, of which no more count than an item may have neighbours.

    Attributes:
        most: The most neighbours of an item that count.
        least: With fewer an item has no score.
        item_mean: What is added to the average of an item, float32, shape (n_items,).
    """

    most: int
    least: int
    item_mean: npt.NDArray[np.float32]

    best_of_reached = None

    def best(self, sums: Sums, k: int) -> tuple[Ints, Scores]:
        """Return the k best items of each user, as ``products.Limits`` says, by sums of weighted ratings."""
        items, scores = np.full((len(sums), k), NO_ITEM, dtype=np.int32), np.zeros((len(sums), k), dtype=np.float32)
        for rows, left, added, table in sums.blocks():
            self._put_right(left, added, table)
            items[rows], scores[rows] = top_k(table, k)
        return items, scores

    def _put_right(self, left: Any, added: Any, table: Scores) -> None:
        """Make the scores of sums, in place."""
        weight = _sums_of(added.data, left, added, table.shape)
        has_none = weight == 0
        np.divide(table, weight, out=table, where=~has_none)
        table += self.item_mean
        table[has_none] = -np.inf
        if self.least == 1 and np.diff(left.indptr).max(initial=0) <= self.most:
            return
        counts = _counts(left, added, table.shape)
        if self.least > 1:
            table[counts < self.least] = -np.inf
        limited = _limited(table, counts, self.most)
        if len(limited):
            similarity, histories, pairs = _arguments(left, added, table.shape, limited)
            ratings = pa.array(left.data)
            scores, _ = _accel.knn.score_explicit(similarity, histories, ratings, pairs, self.most, self.least)
            means = self.item_mean[limited % table.shape[1]]
            table.reshape(-1)[limited] = scores.to_numpy(zero_copy_only=False) + means


def _sums_of(numbers: npt.NDArray[Any], left: Any, added: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Add up a number for each entry that was added up, in the order of the histories; shape (b, n_items)."""
    sums: npt.NDArray[Any] = np.empty(shape, dtype=numbers.dtype)
    add_up(numbers, left, added, sums)
    return sums


def _counts(left: Any, added: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return how many numbers were added up for each user and item."""
    longest = np.diff(left.indptr).max(initial=0)
    count_type = next(count for count in (np.uint8, np.int16, np.int32) if longest <= np.iinfo(count).max)
    return _sums_of(np.ones(added.nnz, dtype=count_type), left, added, shape)


def _limited(table: Scores, counts: npt.NDArray[Any], most: int) -> npt.NDArray[np.int64]:
    """Return the positions in a table of what more numbers were added up for than count, and may be recommended."""
    limited = np.flatnonzero(counts > most)
    return limited[table.reshape(-1)[limited] > -np.inf]


def _arguments(
    left: Any, added: Any, shape: tuple[int, ...], limited: npt.NDArray[np.int64]
) -> tuple[SparseRowArray, pa.Array, pa.Array]:
    """Return what LensKit is to be asked with for the scores of some pairs of users and items.

    It takes the pairs for items, and all histories for one.

    Args:
        left: The histories.
        added: The similarities of their items.
        shape: The number of users and that of items.
        limited: The pairs, as positions in a table of that shape, ascending.
    """
    n_users, n_items = shape
    number = np.empty(n_users * n_items, dtype=np.int32)
    number[limited] = np.arange(len(limited), dtype=np.int32)
    is_limited = np.zeros(shape, dtype=bool)
    is_limited.reshape(-1)[limited] = True
    ends = added.indptr[left.indptr]
    is_of_pair = np.empty(added.nnz, dtype=bool)
    for row, begin, end in zip(is_limited, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        # What is looked up of one user stays in the processor's cache; "clip" is what take() needs to write there directly.
        row.take(added.indices[begin:end], out=is_of_pair[begin:end], mode="clip")
    entries = np.flatnonzero(is_of_pair)
    n_entries = np.diff(np.searchsorted(entries, ends))
    cell = np.repeat(np.arange(n_users) * n_items, n_entries) + added.indices.take(entries)
    pair = number.take(cell)
    n_rows = added.shape[0]
    width = max(n_rows, len(limited))  # LensKit's matrices are square
    offsets = np.full(width + 1, len(entries), dtype=np.int64)
    offsets[: n_rows + 1] = np.searchsorted(entries, added.indptr)
    similarity = SparseRowArray.from_arrays(offsets, pair, added.data[entries], shape=(width, width))
    histories, pairs = (pa.array(np.arange(length, dtype=np.int32)) for length in (n_rows, len(limited)))
    return similarity, histories, pairs

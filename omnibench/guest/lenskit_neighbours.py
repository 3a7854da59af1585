"""Scores of LensKit's ItemKNN for many users together: sums or averages by similarities, of which an item takes the highest few.

Where no more items of a history are similar to an item than it may have neighbours, its score is a sum in the order of the
history. LensKit itself is asked for the other scores, of all users at once, by the rows of similarities that they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from lenskit import _accel
from lenskit.data.matrix import SparseRowArray
from scipy import sparse

from .folds import Scores
from .top_items import top_k

MOST_ADDED = 8
"""Similarities for each item and user up to which adding them up costs less than asking for all items of a user."""

_FEW = 2
"""Sums to be asked for, for each item of a list, up to which finding out which of them matter costs more than asking."""

_EPSILON = np.float32(2.0**-23)
"""Twice the largest relative error of a rounding to float32."""


def is_sum(scorer: Any) -> bool:
    """Whether a scorer's answers are sums or averages that begin where something is similar to an item.

    Args:
        scorer: A fitted ItemKNN scorer.
    """
    similarity = np.asarray(scorer.sim_matrix.values)
    return bool((similarity > 0).all())  # else a sum of zero might be a score


@dataclass(frozen=True)
class LimitedSums:
    """Puts sums of similarities right that have more summands than an item may have neighbours, or fewer than it has to have.

    Attributes:
        most: The most neighbours of an item that count.
        least: With fewer an item has no score.
    """

    most: int
    least: int
    zero_is_none: bool = True

    def __call__(self, left: Any, added: Any, table: Scores, k: int) -> None:
        """Change a table of sums in place, as ``products.Limits`` says."""
        counts = _counts(left, added, table.shape, self.most, self.least)
        if counts is None:
            return
        if self.least > 1:
            table[counts < self.least] = -np.inf
        limited = self._near(table, counts, _limited(table, counts, self.most), k)
        if len(limited):
            similarity, histories, pairs = _arguments(left, added, table.shape, limited)
            scores, _ = _accel.knn.score_implicit(similarity, histories, pairs, self.most, self.least)
            table.reshape(-1)[limited] = scores.to_numpy(zero_copy_only=False)

    def _near(
        self, table: Scores, counts: npt.NDArray[Any], limited: npt.NDArray[np.int64], k: int
    ) -> npt.NDArray[np.int64]:
        """Return those of the sums that may be among the k best, and lower the others.

        The highest of some similarities add up to no more than all of them, and to no less than their share of the sum.
        """
        if len(limited) <= _FEW * k * len(table):
            return limited
        cells = table.reshape(-1)
        n_added, sums = counts.reshape(-1)[limited].astype(np.float32), cells[limited]
        slack = n_added * _EPSILON
        cells[limited] = sums * (self.most / n_added) * (1 - slack)
        bounds = top_k(table, k)[1][:, -1]
        return limited[sums * (1 + slack) >= bounds[limited // table.shape[1]]]


@dataclass(frozen=True, eq=False)
class LimitedAverages:
    """Makes averages of ratings, weighted by similarities, of sums; puts them right as ``LimitedSums`` does.

    Attributes:
        most: The most neighbours of an item that count.
        least: With fewer an item has no score.
        item_mean: What is added to the average of an item, float32, shape (n_items,).
    """

    most: int
    least: int
    item_mean: npt.NDArray[np.float32]
    zero_is_none: bool = False

    def __call__(self, left: Any, added: Any, table: Scores, k: int) -> None:
        """Change a table of sums of weighted ratings in place, as ``products.Limits`` says."""
        weight = _sums_of(added.data, left, added, table.shape)
        has_none = weight == 0
        np.divide(table, weight, out=table, where=~has_none)
        table += self.item_mean
        table[has_none] = -np.inf
        counts = _counts(left, added, table.shape, self.most, self.least)
        if counts is None:
            return
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
    sums: npt.NDArray[Any] = sparse.csr_matrix(
        (numbers, added.indices, added.indptr[left.indptr]), shape=shape
    ).toarray()
    return sums


def _counts(left: Any, added: Any, shape: tuple[int, ...], most: int, least: int) -> npt.NDArray[Any] | None:
    """Return how many numbers were added up for each user and item; None where no limit is reached."""
    longest = np.diff(left.indptr).max(initial=0)
    if least == 1 and longest <= most:
        return None
    count_type = np.int16 if longest < np.iinfo(np.int16).max else np.int32
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

"""What every ranking metric is computed from: which recommended items are relevant, found in one pass and shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from omnibench.metrics.base import Values
from omnibench.metrics.training import Training

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Ints: TypeAlias = "npt.NDArray[np.int32]"

_TABLE = 1 << 22
"""Bytes of the table in which relevant items are marked, for as many users at a time as fit."""
_WIDEST = 1 << 15
"""Items up to which a user gets a byte per item; with more, items share bytes and what is found is looked at again.
A power of two, so that the byte of an item is the end of its code."""
_MARKS = 254
"""Different marks, so that the table is cleared once in so many times."""
_LISTED = 255
"""The mark of a recommended item, where relevant items are looked up the other way round."""
_BLOCK = 8192
"""Users whose metrics are computed at a time."""


@dataclass(frozen=True)
class Truth:
    """The relevant items of a fold, user by user.

    Attributes:
        users: int32 codes of the users with test items, ascending; shape (n,).
        starts: First place of each user in ``item``, and the end; shape (n + 1,).
        item: int32 codes of the relevant items, a user's together; shape (m,).
        n_items: Number of item codes.
    """

    users: Ints
    starts: npt.NDArray[np.int64]
    item: Ints
    n_items: int

    @classmethod
    def of(cls, user: Ints, item: Ints, n_items: int) -> Truth:
        """Group the test pairs, both of shape (m,), by user; no pair may stand there twice."""
        if (user[1:] < user[:-1]).any():
            order = np.argsort(user, kind="stable")
            user, item = user[order], item[order]
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(user), 1), dtype=bool), user[1:] != user[:-1]]))
        return cls(user[starts].astype(np.int32), np.append(starts, len(user)), item, n_items)

    @cached_property
    def relevant(self) -> npt.NDArray[np.int64]:
        """Number of relevant items of each user, at least 1; shape (n,)."""
        return np.diff(self.starts)


@dataclass(frozen=True)
class Hits:
    """The recommendation lists of the users with test items, and which of the recommended items are relevant.

    Attributes:
        truth: The relevant items.
        items: int32 item codes, best first, padded with -1; shape (n, length of the lists).
        matrix: Whether the item at each rank is relevant; bool, shape (n, length of the lists).
        training: What is known from training, or None where no metric asks for it.
        memory: What metrics have computed from these lists and share among their k, by name.
    """

    truth: Truth
    items: Ints
    matrix: npt.NDArray[np.bool_]
    training: Training | None = None
    memory: dict[str, npt.NDArray[Any]] = field(default_factory=dict, init=False, repr=False)
    _sums: dict[str, dict[int, Values]] = field(default_factory=dict, init=False, repr=False)

    @property
    def users(self) -> Ints:
        """int32 codes of the users with test items, ascending; shape (n,)."""
        return self.truth.users

    @property
    def relevant(self) -> npt.NDArray[np.int64]:
        """Number of relevant items of each user, at least 1; shape (n,)."""
        return self.truth.relevant

    @property
    def known(self) -> Training:
        """What is known from training.

        Raises:
            ValueError: Nobody gave it.
        """
        if self.training is None:
            raise ValueError("this metric needs what is known from training; give mark_hits(..., training=...)")
        return self.training

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of recommended items of each user; shape (n,)."""
        lengths: npt.NDArray[np.int64] = np.count_nonzero(self.items >= 0, axis=1)
        return lengths

    @cached_property
    def _by_rank(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return rank and row of each hit, in the order of the ranks, and the first hit of each rank."""
        # Hits are few: whatever is summed over them costs less than a pass over all ranks.
        by_rank = np.ascontiguousarray(self.matrix.T)
        places = np.flatnonzero(by_rank)
        counts = np.count_nonzero(by_rank, axis=1)
        rank = np.repeat(np.arange(len(counts)), counts)
        places -= rank * len(self.users)
        return rank, places, np.concatenate([[0], np.cumsum(counts)])

    @property
    def rank(self) -> npt.NDArray[np.intp]:
        """Rank of each hit, from 0, ascending; shape (hits,)."""
        return self._by_rank[0]

    @property
    def row(self) -> npt.NDArray[np.intp]:
        """Place in ``users`` of each hit's user; shape (hits,)."""
        return self._by_rank[1]

    @cached_property
    def ordinal(self) -> npt.NDArray[np.int64]:
        """How many hits the user has up to and with each hit; shape (hits,)."""
        bounds = self._by_rank[2]
        seen = np.zeros(len(self.users), dtype=np.int64)
        found = np.empty(len(self.rank), dtype=np.int64)
        for start, end in pairwise(bounds):
            rows = self.row[start:end]  # a user has one item at a rank, so none is there twice
            seen[rows] += 1
            found[start:end] = seen[rows]
        return found

    @cached_property
    def first(self) -> npt.NDArray[np.int64]:
        """Rank of each user's first hit, from 0; the length of the lists where there is none. Shape (n,)."""
        found = np.full(len(self.users), self.matrix.shape[1], dtype=np.int64)
        found[self.row[::-1]] = self.rank[::-1]  # of several, numpy keeps the one that is written last
        return found

    @cached_property
    def reciprocal_rank(self) -> Values:
        """One divided by the rank (from 1) of each user's first hit, whatever the rank; shape (n,)."""
        return 1.0 / (self.first + 1)

    @cached_property
    def n_candidates(self) -> npt.NDArray[np.int64]:
        """Number of each user's candidates: unseen items known in training, and relevant items; shape (n,)."""
        unknown = ~self.known.is_candidate[self.truth.item]
        unseen: npt.NDArray[np.int64] = self.known.n_unseen[self.users]
        return unseen + np.add.reduceat(unknown, self.truth.starts[:-1], dtype=np.int64)

    def blocks(self) -> Iterator[tuple[slice, Hits]]:
        """Return the hits of as many users at a time as stay in the cache, with their places in ``users``."""
        for begin in range(0, len(self.users), _BLOCK):
            end = min(begin + _BLOCK, len(self.users))
            yield slice(begin, end), self.part(begin, end)

    def part(self, begin: int, end: int) -> Hits:
        """Return the hits of some users, from place ``begin`` in ``users`` up to ``end``."""
        starts = self.truth.starts[begin : end + 1]
        truth = Truth(
            self.users[begin:end], starts - starts[0], self.truth.item[starts[0] : starts[-1]], self.truth.n_items
        )
        return Hits(truth, self.items[begin:end], self.matrix[begin:end], self.training)

    def count(self, k: int) -> Values:
        """Return the number of hits among the first k of each user, shape (n,)."""
        return self.total("count", k, None)

    def total(self, what: str, k: int, weight: Callable[[], Values] | None) -> Values:
        """Return the sum of a weight over the hits among the first k of each user, shape (n,).

        Sums are kept, and a longer list's begins with a shorter one's, so that all metrics and all k together cost
        one pass over the hits.

        Args:
            what: The name under which the weight is known.
            k: The length of the lists.
            weight: Computes the weight of each hit, shape (hits,), when it is asked for the first time; None for 1.
        """
        known = self._sums.setdefault(what, {})
        width = min(k, self.matrix.shape[1])
        if width not in known:
            if weight is not None and -1 not in known:
                known[-1] = weight()
            begun = max((one for one in known if 0 <= one < width), default=0)
            start, end = self._by_rank[2][[begun, width]]
            part = known[-1][start:end] if weight is not None else None
            sums = np.bincount(self.row[start:end], weights=part, minlength=len(self.users)).astype(np.float64)
            known[width] = sums + known[begun] if begun in known else sums
        return known[width]


def mark_hits(truth: Truth, list_user: Ints, list_item: Ints, training: Training | None = None) -> Hits:
    """Find the recommended items that are relevant.

    Args:
        truth: The relevant items.
        list_user: Codes of the users with recommendations, ascending; shape (r,).
        list_item: Their lists, best first, padded with -1, no item twice; int32, shape (r, length).
        training: What is known from training, for the metrics that need it.
    """
    users, length = truth.users, list_item.shape[1]
    if np.array_equal(users, list_user):
        items = list_item
    else:
        row = np.searchsorted(users, list_user)
        judged = (row < len(users)) & (users[np.minimum(row, len(users) - 1)] == list_user)
        items = np.full((len(users), length), -1, dtype=np.int32)
        items[row[judged]] = list_item[judged]
    matrix = np.zeros(items.shape, dtype=bool)
    width = min(truth.n_items, _WIDEST)
    rows = max(1, _TABLE // width)
    table = np.zeros(rows * width, dtype=np.uint8)
    every_offset = np.arange(0, rows * width, width)
    doubted = []
    for number, begin in enumerate(range(0, len(users), rows)):
        end = min(begin + rows, len(users))
        offsets = every_offset[: end - begin]
        mark = number % _MARKS + 1  # what is left of the users before has another mark
        if mark == 1:
            table.fill(0)
        first, last = truth.starts[begin], truth.starts[end]
        marked = np.repeat(offsets, truth.relevant[begin:end])
        marked += truth.item[first:last] if width == truth.n_items else truth.item[first:last] & (width - 1)
        wanted = (items[begin:end] if width == truth.n_items else items[begin:end] & (width - 1)) + offsets[:, None]
        table[marked] = mark
        np.equal(np.take(table, wanted, mode="wrap"), mark, out=matrix[begin:end])
        if width < truth.n_items:
            table[wanted] = _LISTED
            doubted.append(first + np.flatnonzero(table[marked] == _LISTED))
    matrix &= items >= 0
    if doubted:
        _look_again(truth, items, matrix, np.concatenate(doubted))
    return Hits(truth, items, matrix, training)


def _look_again(truth: Truth, items: Ints, matrix: npt.NDArray[np.bool_], places: npt.NDArray[np.int64]) -> None:
    """Take back the hits of items that only share a byte with a relevant one.

    Args:
        truth: The relevant items.
        items: The lists.
        matrix: The hits found so far; changed.
        places: The places in ``truth.item`` that share a byte with a listed item.
    """
    owner = np.searchsorted(truth.starts, places, side="right") - 1
    pairs = np.sort(owner * truth.n_items + truth.item[places])
    row, rank = np.nonzero(matrix)
    wanted = row * truth.n_items + items[row, rank]
    matrix[row, rank] = pairs[np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)] == wanted

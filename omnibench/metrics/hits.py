"""Hits: which recommended items are relevant, computed in one pass and shared by all ranking metrics."""

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
"""Number of items up to which each has a byte of its own; more items share bytes, and their hits are verified.
A power of two, so that the byte of an item is the end of its code."""
_MARKS = 254
"""Number of different marks; the table is cleared only after all of them were used."""
_RECOMMENDED = 255
"""The mark of a recommended item, by which the relevant items that may share a byte with one are found."""
_BLOCK = 8192
"""Number of users whose metrics are computed at a time."""


@dataclass(frozen=True)
class Truth:
    """The relevant items of a fold, user by user.

    Attributes:
        users: int32 codes of the users with test items, ascending; shape (n,).
        starts: First place of each user in ``item``, and the end; shape (n + 1,).
        item: int32 codes of the relevant items, a user's together; shape (m,).
        n_items: Number of item codes.
        rating: float32 ratings of the relevant items, shape (m,), where a metric needs them.
    """

    users: Ints
    starts: npt.NDArray[np.int64]
    item: Ints
    n_items: int
    rating: npt.NDArray[np.float32] | None = None

    @classmethod
    def of(cls, user: Ints, item: Ints, n_items: int, rating: npt.NDArray[np.float32] | None = None) -> Truth:
        """Group the test pairs, all of shape (m,), by user; no pair may occur twice."""
        if (user[1:] < user[:-1]).any():
            order = np.argsort(user, kind="stable")
            user, item = user[order], item[order]
            rating = None if rating is None else rating[order]
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(user), 1), dtype=bool), user[1:] != user[:-1]]))
        return cls(user[starts].astype(np.int32), np.append(starts, len(user)), item, n_items, rating)

    @cached_property
    def relevant(self) -> npt.NDArray[np.int64]:
        """Number of relevant items of each user, at least 1; shape (n,)."""
        return np.diff(self.starts)

    @cached_property
    def owner(self) -> npt.NDArray[np.int64]:
        """Index in ``users`` of each relevant item's user; shape (m,)."""
        return np.repeat(np.arange(len(self.users)), self.relevant)

    def part(self, begin: int, end: int) -> Truth:
        """Return the relevant items of ``users[begin:end]``."""
        starts = self.starts[begin : end + 1]
        pairs = slice(starts[0], starts[-1])
        rating = None if self.rating is None else self.rating[pairs]
        return Truth(self.users[begin:end], starts - starts[0], self.item[pairs], self.n_items, rating)


@dataclass(frozen=True)
class Hits:
    """The recommendation lists of the users with test items, and which of the recommended items are relevant.

    Attributes:
        truth: The relevant items.
        items: int32 item codes, best first, padded with -1; shape (n, length of the lists).
        matrix: Whether the item at each rank is relevant; bool, shape (n, length of the lists).
        training: The training facts, or None where no metric needs them.
        memory: Arrays that metrics have computed from these lists and share among their k, by name.
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
    def required_training(self) -> Training:
        """The training facts, where a metric cannot do without.

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
        """Rank and row of each hit, sorted by rank, and the index of the first hit of each rank."""
        # Hits are few: whatever is summed over them costs less than a pass over all ranks.
        by_rank = np.ascontiguousarray(self.matrix.T)
        rows = np.flatnonzero(by_rank)
        counts = np.count_nonzero(by_rank, axis=1)
        rank = np.repeat(np.arange(len(counts)), counts)
        rows -= rank * len(self.users)
        return rank, rows, np.concatenate([[0], np.cumsum(counts)])

    @property
    def rank(self) -> npt.NDArray[np.intp]:
        """Rank of each hit, from 0, ascending; shape (hits,)."""
        return self._by_rank[0]

    @property
    def row(self) -> npt.NDArray[np.intp]:
        """Index in ``users`` of each hit's user; shape (hits,)."""
        return self._by_rank[1]

    @cached_property
    def ordinal(self) -> npt.NDArray[np.int64]:
        """Number of the user's hits up to this one, itself included; shape (hits,)."""
        bounds = self._by_rank[2]
        seen = np.zeros(len(self.users), dtype=np.int64)
        ordinals = np.empty(len(self.rank), dtype=np.int64)
        for start, end in pairwise(bounds):
            rows = self.row[start:end]  # a user has one item at a rank, so none is there twice
            seen[rows] += 1
            ordinals[start:end] = seen[rows]
        return ordinals

    @cached_property
    def rating(self) -> npt.NDArray[np.float32]:
        """Rating of each hit in the test part; float32, shape (hits,).

        Raises:
            ValueError: Nobody gave the ratings.
        """
        if self.truth.rating is None:
            raise ValueError("this metric needs the ratings of the test part; give Truth.of(..., rating=...)")
        pairs = self.truth.owner * self.truth.n_items + self.truth.item
        order = np.argsort(pairs)
        hit_pairs = self.row.astype(np.int64) * self.truth.n_items + self.items[self.row, self.rank]
        ratings: npt.NDArray[np.float32] = self.truth.rating[order[np.searchsorted(pairs[order], hit_pairs)]]
        return ratings

    @cached_property
    def first(self) -> npt.NDArray[np.int64]:
        """Rank of each user's first hit, from 0; the length of the lists where there is none. Shape (n,)."""
        first_ranks = np.full(len(self.users), self.matrix.shape[1], dtype=np.int64)
        first_ranks[self.row[::-1]] = self.rank[::-1]  # of several, numpy keeps the one that is written last
        return first_ranks

    @cached_property
    def reciprocal_rank(self) -> Values:
        """One divided by the rank (from 1) of each user's first hit, whatever the rank; shape (n,)."""
        return 1.0 / (self.first + 1)

    @cached_property
    def n_candidates(self) -> npt.NDArray[np.int64]:
        """Number of each user's candidates: unseen items known in training, and relevant items; shape (n,)."""
        unknown = ~self.required_training.is_candidate[self.truth.item]
        unseen: npt.NDArray[np.int64] = self.required_training.n_unseen[self.users]
        return unseen + np.add.reduceat(unknown, self.truth.starts[:-1], dtype=np.int64)

    def blocks(self) -> Iterator[tuple[slice, Hits]]:
        """Yield the hits of as many users at a time as fit into the cache, each with its slice of ``users``."""
        for begin in range(0, len(self.users), _BLOCK):
            end = min(begin + _BLOCK, len(self.users))
            yield slice(begin, end), self.part(begin, end)

    def part(self, begin: int, end: int) -> Hits:
        """Return the hits of ``users[begin:end]``."""
        truth = self.truth.part(begin, end)
        return Hits(truth, self.items[begin:end], self.matrix[begin:end], self.training)

    def count(self, k: int) -> Values:
        """Count the hits among each user's first k items, shape (n,)."""
        return self.total("count", k, None)

    def total(self, name: str, k: int, weight: Callable[[], Values] | None) -> Values:
        """Sum a weight over the hits among each user's first k items, shape (n,).

        Sums are kept, and a longer list's begins with a shorter one's, so that all metrics and all k together cost
        one pass over the hits.

        Args:
            name: The name under which the weight is known.
            k: The length of the lists.
            weight: Computes the weight of each hit, shape (hits,), when it is asked for the first time; None for 1.
        """
        sums = self._sums.setdefault(name, {})
        width = min(k, self.matrix.shape[1])
        if width not in sums:
            if weight is not None and -1 not in sums:
                sums[-1] = weight()
            prefix = max((shorter for shorter in sums if 0 <= shorter < width), default=0)
            start, end = self._by_rank[2][[prefix, width]]
            part = sums[-1][start:end] if weight is not None else None
            totals = np.bincount(self.row[start:end], weights=part, minlength=len(self.users)).astype(np.float64)
            sums[width] = totals + sums[prefix] if prefix in sums else totals
        return sums[width]


def mark_hits(truth: Truth, list_user: Ints, list_item: Ints, training: Training | None = None) -> Hits:
    """Mark the recommended items that are relevant.

    Args:
        truth: The relevant items.
        list_user: Codes of the users with recommendations, ascending; shape (r,).
        list_item: Their lists, best first, padded with -1, no item twice; int32, shape (r, length).
        training: The training facts, for the metrics that need them.
    """
    users, length = truth.users, list_item.shape[1]
    if np.array_equal(users, list_user):
        items = list_item
    else:
        row = np.searchsorted(users, list_user)
        has_truth = (row < len(users)) & (users[np.minimum(row, len(users) - 1)] == list_user)
        items = np.full((len(users), length), -1, dtype=np.int32)
        items[row[has_truth]] = list_item[has_truth]
    matrix = np.zeros(items.shape, dtype=bool)
    width = min(truth.n_items, _WIDEST)
    rows = max(1, min(_TABLE // width, len(users)))  # a table for few users is made in no time
    table = np.zeros(rows * width, dtype=np.uint8)
    every_offset = np.arange(0, rows * width, width)
    suspects = []
    for number, begin in enumerate(range(0, len(users), rows)):
        end = min(begin + rows, len(users))
        offsets = every_offset[: end - begin]
        mark = number % _MARKS + 1  # what is left of the users before has another mark
        if mark == 1:
            table.fill(0)
        first_pair, last_pair = truth.starts[begin], truth.starts[end]
        relevant_bytes = np.repeat(offsets, truth.relevant[begin:end])
        test_items = truth.item[first_pair:last_pair]
        relevant_bytes += test_items if width == truth.n_items else test_items & (width - 1)
        item_bytes = (items[begin:end] if width == truth.n_items else items[begin:end] & (width - 1)) + offsets[:, None]
        table[relevant_bytes] = mark
        np.equal(np.take(table, item_bytes, mode="wrap"), mark, out=matrix[begin:end])
        if width < truth.n_items:
            table[item_bytes] = _RECOMMENDED
            suspects.append(first_pair + np.flatnonzero(table[relevant_bytes] == _RECOMMENDED))
    matrix &= items >= 0
    if suspects:
        _remove_false_hits(truth, items, matrix, np.concatenate(suspects))
    return Hits(truth, items, matrix, training)


def _remove_false_hits(
    truth: Truth, items: Ints, matrix: npt.NDArray[np.bool_], positions: npt.NDArray[np.int64]
) -> None:
    """Unmark the items that only share a byte with a relevant one.

    Args:
        truth: The relevant items.
        items: The lists.
        matrix: The hits found so far; changed.
        positions: The places in ``truth.item`` that share a byte with a listed item.
    """
    owner = np.searchsorted(truth.starts, positions, side="right") - 1
    pairs = np.sort(owner * truth.n_items + truth.item[positions])
    row, rank = np.nonzero(matrix)
    hit_pairs = row * truth.n_items + items[row, rank]
    matrix[row, rank] = pairs[np.minimum(np.searchsorted(pairs, hit_pairs), len(pairs) - 1)] == hit_pairs

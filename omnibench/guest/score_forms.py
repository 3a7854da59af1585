"""Scores in fewer numbers than one for each user and item, where that is what a model has; they rank as dense ones do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .folds import NO_ITEM, Fold, Scores
from .parts import Ints
from .top_items import ranking_type, reached_by_row, top_k

SPARSE = 0.3
"""The share of all scores up to which ranking those that a model has costs less than ranking them among the others."""

_TOGETHER = 4096
"""Users whose lists of shared scores are made together."""

_CELLS = 1 << 22
"""Most users times items of which it is noted together whether a user may get one of the best."""

_DENSE = 8
"""Of so many scores one has to be there for all of them to be looked through: their order need not be found then."""


@dataclass(frozen=True, slots=True, eq=False)
class OtherItems:
    """The score of items without an entry, where a framework takes what it has no number for as that score, e.g. zero.

    Attributes:
        is_scored: Whether an item has it where it has no entry, shape (n_items,).
        score: The score for each user of the batch, NaN for none; shape (b,).
    """

    is_scored: npt.NDArray[np.bool_]
    score: npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class SparseScores:
    """The scores of some items for each user of a batch, as in a sparse matrix by rows.

    Attributes:
        starts: The first entry of each user, and the end; int64, shape (b + 1,).
        item: Item codes, int32, none twice for a user, in any order; shape (m,).
        score: Their scores, shape (m,); NaN or -inf for none.
        others: What other items have; without it, no score.
    """

    starts: npt.NDArray[np.int64]
    item: Ints
    score: npt.NDArray[Any]
    others: OtherItems | None = None

    @property
    def shape(self) -> tuple[int]:
        """The number of users."""
        return (len(self.starts) - 1,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the scores."""
        return self.score.dtype

    def top_k(self, begin: int, is_blocked: npt.NDArray[np.bool_], k: int) -> tuple[Ints, Scores]:
        """Return the k best items of some users, as ``top_items.top_k``.

        Args:
            begin: The first of the users; they are as many as ``is_blocked`` has rows.
            is_blocked: Whether an item must not be recommended to a user, shape (users, n_items).
            k: The length of the lists.
        """
        n_users = len(is_blocked)
        starts = self.starts[begin : begin + n_users + 1]
        item, score = (column[starts[0] : starts[-1]] for column in (self.item, self.score))
        score = score.astype(ranking_type(score.dtype), copy=False)
        row = np.repeat(np.arange(n_users), np.diff(starts))
        if len(item) * _DENSE >= is_blocked.size:
            return top_k(self._dense(slice(begin, begin + n_users), is_blocked, row, item, score), k)
        if ((item[1:] <= item[:-1]) & (row[1:] == row[:-1])).any():
            order = np.lexsort((item, row))
            item, score = item[order], score[order]
        allowed_score = np.where(is_blocked[row, item], -np.inf, score)
        codes, table = reached_by_row(n_users, row, item, allowed_score)
        columns, best = top_k(table, k)
        items = np.full(columns.shape, NO_ITEM, dtype=np.int32)
        ranked, rank = np.nonzero(columns != NO_ITEM)
        items[ranked, rank] = codes[ranked, columns[ranked, rank]]
        if self.others is not None:
            default = self.others.score[begin : begin + n_users].astype(score.dtype)
            with np.errstate(invalid="ignore"):
                n_above = ((items != NO_ITEM) & (best > default[:, None])).sum(axis=1)
            short = np.flatnonzero((n_above < k) & ~np.isnan(default))
            if len(short):
                position = np.full(n_users, -1)
                position[short] = np.arange(len(short))
                is_short = position[row] >= 0
                entries = position[row[is_short]], item[is_short], score[is_short]
                items[short], best[short] = top_k(self._dense(begin + short, is_blocked[short], *entries), k)
        return items, best

    def _dense(
        self,
        users: Any,
        is_blocked: npt.NDArray[np.bool_],
        row: npt.NDArray[np.int64],
        item: Ints,
        score: npt.NDArray[Any],
    ) -> Scores:
        """Return the scores of all items for some users, -inf for what must not be recommended."""
        dense: Scores = np.full(is_blocked.shape, -np.inf, dtype=score.dtype)
        if self.others is not None:
            default = self.others.score[users].astype(score.dtype)
            np.copyto(dense, default[:, None], where=self.others.is_scored & ~np.isnan(default)[:, None])
        dense[row, item] = score
        dense[is_blocked] = -np.inf
        return dense


@dataclass(frozen=True, slots=True, eq=False)
class SharedScores:
    """Scores that are the same for all users of a batch, such as an item's popularity.

    Attributes:
        is_scored: Whether a user has them, shape (b,); others have no scores.
        order: The codes of the items with a score, the best first, ties by item code; shape (m,).
        score: Their scores, shape (m,).
    """

    is_scored: npt.NDArray[np.bool_]
    order: Ints
    score: npt.NDArray[Any]

    @classmethod
    def of(cls, scores: npt.NDArray[Any], is_scored: npt.NDArray[np.bool_]) -> SharedScores:
        """Rank the scores of all items, shape (n_items,); NaN or -inf where an item has none."""
        scores = scores.astype(ranking_type(scores.dtype), copy=False)
        usable = np.where(np.isnan(scores), -np.inf, scores)
        order = np.argsort(-usable, kind="stable")
        order = order[usable[order] > -np.inf]
        return cls(is_scored, order.astype(np.int32), usable[order])

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of users."""
        return self.is_scored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the scores."""
        return self.score.dtype

    def lists(self, fold: Fold, users: Ints, k: int) -> Iterator[tuple[slice, Ints, Scores]]:
        """Yield the rows of the batch that come together, their k best unseen items and the items' scores, as ``top_k``.

        What users have seen is noted for the best items alone, as many as a list needs, not for all items.

        Args:
            fold: The fold.
            users: The codes of the batch's users, shape (b,).
            k: The length of the lists.
        """
        order = np.flatnonzero(fold.rankable[self.order])
        rank_of_item = np.full(fold.n_items, len(order), dtype=np.int32)
        rank_of_item[self.order[order]] = np.arange(len(order), dtype=np.int32)
        for start in range(0, len(users), _TOGETHER):
            rows = slice(start, min(start + _TOGETHER, len(users)))
            items = np.full((rows.stop - rows.start, k), NO_ITEM, dtype=np.int32)
            best: Scores = np.zeros(items.shape, dtype=self.score.dtype)
            pending, width = np.flatnonzero(self.is_scored[rows]), min(len(order), 2 * k)
            while len(pending) and width:  # most have seen few of the best items, and few have seen many
                short = [pending[:0]]
                for part in np.array_split(pending, -(-len(pending) * width // _CELLS)):
                    rank = self._ranks(fold, users[rows][part], rank_of_item, width)
                    row, column = np.nonzero((rank > 0) & (rank <= k))
                    entry = part[row], rank[row, column] - 1
                    items[entry], best[entry] = self.order[order[column]], self.score[order[column]]
                    short.append(part[rank.max(axis=1) < k])
                if width == len(order):
                    break
                pending, width = np.concatenate(short), min(len(order), 4 * width)
            yield rows, items, best

    @staticmethod
    def _ranks(fold: Fold, users: Ints, rank_of_item: Ints, width: int) -> Ints:
        """Return the rank that each of the best items has in each user's list, from 1, or 0 for what the user has seen.

        Args:
            fold: The fold.
            users: User codes, shape (b,).
            rank_of_item: The rank of each item among the best, shape (n_items,).
            width: How many of the best are looked at.
        """
        row, seen = fold.masked_pairs(users)
        column = rank_of_item[seen]
        is_near = column < width
        is_allowed = np.ones((len(users), width), dtype=bool)
        is_allowed[row[is_near], column[is_near]] = False
        rank: Ints = np.cumsum(is_allowed, axis=1, dtype=np.int32)
        rank[~is_allowed] = 0
        return rank

    def top_k(self, begin: int, is_blocked: npt.NDArray[np.bool_], k: int) -> tuple[Ints, Scores]:
        """Return the k best items of some users, as ``SparseScores.top_k``."""
        items = np.full((len(is_blocked), k), NO_ITEM, dtype=np.int32)
        best: Scores = np.zeros(items.shape, dtype=self.score.dtype)
        has_scores = self.is_scored[begin : begin + len(is_blocked)]
        width = k
        while True:  # most have seen few of the best items, and few have seen many
            width = min(len(self.order), 2 * width)
            is_allowed = ~is_blocked[:, self.order[:width]]
            is_allowed[~has_scores] = False
            rank = np.cumsum(is_allowed, axis=1)
            if width == len(self.order) or (rank[has_scores, -1] >= k).all():
                break
        row, column = np.nonzero(is_allowed & (rank <= k))
        items[row, rank[row, column] - 1] = self.order[column]
        best[row, rank[row, column] - 1] = self.score[column]
        return items, best

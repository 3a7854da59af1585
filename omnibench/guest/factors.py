"""Scores that are products of users' and items' factors: multiplied by tiles of items, of which only the best are kept.

A tile of scores stays in the processor's cache while it is masked and cut, so that the scores of all items are never
written to memory, nor read from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .candidates import CandidateSets
from .folds import NO_ITEM, Fold, Scores
from .parts import Ints
from .score_forms import SparseScores
from .top_items import block_bounds, reached_by_row, top_k

_USERS = 256
"""Users whose factors are multiplied together: with fewer, BLAS copies the items' factors too often."""
_TILE_BITS = 13
"""The bits of a tile's last item number."""
_TILE = 1 << _TILE_BITS
"""Items whose factors are multiplied together: so many scores of so many users fit into the cache of a processor."""
_MERGES = 3
"""Each merge of the best items so far comes after so many times the tiles of the one before: most of them change little."""
_PAIRS = 1 << 15
"""Pairs of users and candidates whose factors are gathered together: each pair has copies of both."""
_SPARE = 8
"""Items for each item of a list up to which a tile's items are kept as they are; of more, the best are looked for first."""

Factors = Any
"""Factors of shape (n, d): an array of numpy, or a tensor of PyTorch on the CPU, which multiplies in its own way."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemFactors:
    """What a model has learned of its items.

    Attributes:
        factor: The items' factors, shape (n, d).
        code: Their item codes, int32, ascending; items that may be recommended to nobody need not be among them.
        bias: What is added to an item's scores, shape (n,); None for nothing.
        zero_is_none: Whether a score of exactly zero stands for no score.
    """

    factor: Factors
    code: Ints
    bias: npt.NDArray[Any] | None = None
    zero_is_none: bool = False

    @classmethod
    def of(
        cls,
        factor: Factors,
        code: npt.NDArray[np.integer[Any]],
        fold: Fold,
        bias: npt.NDArray[Any] | None = None,
        *,
        zero_is_none: bool = False,
    ) -> ItemFactors:
        """Take the items that occur in training, in the order of their codes.

        Args:
            factor: The factors of all items of the model, shape (m, d).
            code: Their codes, in any order, shape (m,).
            fold: The fold.
            bias: As above, shape (m,).
            zero_is_none: As above.
        """
        order = np.argsort(code, kind="stable")
        order = order[fold.candidates[code[order]]]
        if not np.array_equal(order, np.arange(len(factor))):
            factor, code = factor[order], code[order]
            bias = None if bias is None else bias[order]
        return cls(factor, np.asarray(code, dtype=np.int32), bias, zero_is_none)


@dataclass(frozen=True, slots=True, eq=False)
class FactorScores:
    """The scores of a batch of users as products of factors, in the factors' precision.

    Attributes:
        user: The users' factors, shape (b, d); of the same library as the items'.
        items: The items' factors.
        is_scored: Whether a user has any, shape (b,); others have no scores.
        bias: What is added to a user's scores, shape (b,); None for nothing.
    """

    user: Factors
    items: ItemFactors
    is_scored: npt.NDArray[np.bool_]
    bias: npt.NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of users."""
        return self.is_scored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the scores."""
        return np.asarray(self.user[:0]).dtype

    def lists(
        self, fold: Fold, users: Ints, k: int, candidates: CandidateSets | None
    ) -> Iterator[tuple[slice, Ints, Scores]]:
        """Yield the rows of the batch that come together, their k best items and the items' scores, as ``top_k``.

        Args:
            fold: The fold.
            users: The codes of the batch's users, shape (b,).
            k: The length of the lists.
            candidates: What may be recommended, where not all unseen items may.
        """
        column = np.full(fold.n_items, -1, dtype=np.int32)
        column[self.items.code] = np.arange(len(self.items.code))
        table = np.empty((min(_USERS, len(users)), min(_TILE, len(self.items.code))), dtype=self.dtype)
        for start in range(0, len(users), _USERS):
            rows = slice(start, min(start + _USERS, len(users)))
            if candidates is None:
                items, scores = self._best(fold, users, rows, k, column, table)
            else:
                items, scores = self._best_candidates(fold, users, rows, k, column, candidates)
            items[~self.is_scored[rows]], scores[~self.is_scored[rows]] = NO_ITEM, 0
            yield rows, items, scores

    def _best(self, fold: Fold, users: Ints, rows: slice, k: int, column: Ints, table: Scores) -> tuple[Ints, Scores]:
        """Return the k best items of some users, of all that they have not seen."""
        n_users = rows.stop - rows.start
        row, item = fold.masked_pairs(users[rows])
        seen = column[item]
        tile = (seen >> _TILE_BITS).astype(np.int16)  # of what has no factors it is -1
        order = np.argsort(tile, kind="stable")
        row, seen = row[order], seen[order]
        n_items = len(self.items.code)
        tiles = range(0, n_items, _TILE)
        ends = np.cumsum(np.bincount(tile + 1, minlength=len(tiles) + 1))
        best = _Best(n_users, k, table, len(tiles))
        for number, first in enumerate(tiles):
            scores = table[:n_users, : min(_TILE, n_items - first)]
            self._multiply(rows, first, scores)
            masked = slice(ends[number], ends[number + 1])
            scores[row[masked], seen[masked] - first] = -np.inf
            best.add(scores, first)
        columns, scores = best.result()
        items = np.full(columns.shape, NO_ITEM, dtype=np.int32)
        is_filled = columns != NO_ITEM
        items[is_filled] = self.items.code[columns[is_filled]]
        return items, scores

    def _multiply(self, rows: slice, first: int, out: Scores) -> None:
        """Write the scores of some users for a tile of items."""
        columns = slice(first, first + out.shape[1])
        user, item = self.user[rows], self.items.factor[columns]
        if isinstance(user, np.ndarray):
            np.matmul(user, item.T, out=out)
        else:
            import torch

            torch.mm(user, item.T, out=torch.from_numpy(out))
        if self.items.bias is not None:
            out += self.items.bias[columns]
        if self.bias is not None:
            out += self.bias[rows, None]
        if self.items.zero_is_none:
            out[out == 0] = -np.inf

    def _best_candidates(
        self, fold: Fold, users: Ints, rows: slice, k: int, column: Ints, candidates: CandidateSets
    ) -> tuple[Ints, Scores]:
        """Return the k best candidates of some users; only theirs are multiplied."""
        is_blocked = np.empty((rows.stop - rows.start, fold.n_items), dtype=bool)
        fold.block(users[rows], is_blocked)
        row, item = candidates.pairs_of(users[rows])
        has_factors = column[item] >= 0
        row, item = row[has_factors], item[has_factors]
        columns = column[item]
        factors = [np.asarray(factor) for factor in (self.user[rows], self.items.factor)]
        scores = np.empty(len(row), dtype=self.dtype)
        for start in range(0, len(row), _PAIRS):
            pairs = slice(start, start + _PAIRS)
            np.einsum("ij,ij->i", factors[0][row[pairs]], factors[1][columns[pairs]], out=scores[pairs])
        if self.items.bias is not None:
            scores += self.items.bias[columns]
        if self.bias is not None:
            scores += self.bias[rows][row]
        if self.items.zero_is_none:
            scores[scores == 0] = -np.inf
        starts = np.searchsorted(row, np.arange(len(is_blocked) + 1))
        return SparseScores(starts, item, scores).top_k(0, is_blocked, k)


def _true_places(marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return where few marks are true, ascending, by looking at eight at a time."""
    n_words = len(marks) // 8
    words = np.flatnonzero(marks[: 8 * n_words].view(np.uint64) != 0)
    word, within = np.nonzero(marks[: 8 * n_words].reshape(n_words, 8)[words])
    return np.concatenate([8 * words[word] + within, 8 * n_words + np.flatnonzero(marks[8 * n_words :])])


def _order(scores: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the places of the scores of each row from the highest, ties from the left; none is NaN."""
    if scores.dtype != np.float32:
        return np.argsort(-scores, axis=1, kind="stable")
    # Whole numbers are sorted several times as fast as places are: these have the place in their lower half.
    bits = (-scores + np.float32(0)).view(np.int32)  # of the zeros only the one without a sign
    ascending = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)
    keys = (ascending << 32) | np.arange(scores.shape[1])
    keys.sort(axis=1)
    return keys & 0xFFFFFFFF


class _Best:
    """The best items of some users of all tiles so far.

    Args:
        n_users: The number of users.
        k: How many are looked for.
        table: The table that tiles are written to.
        n_tiles: How many tiles will come.
    """

    def __init__(self, n_users: int, k: int, table: Scores, n_tiles: int) -> None:
        self._k = k
        self._columns = np.full((n_users, k), NO_ITEM, dtype=np.int32)
        self._scores: npt.NDArray[Any] = np.full((n_users, k), -np.inf, dtype=table.dtype)
        self._bounds: npt.NDArray[Any] | None = None
        self._is_reached = np.empty(n_users * table.shape[1], dtype=bool)
        self._new: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[Any]]] = []
        """Rows, columns and scores of what has come since the last merge."""
        self._merge_after = {_MERGES**power for power in range(1, 20) if 2 * _MERGES**power < n_tiles}
        self._tiles = 0

    def add(self, scores: Scores, first: int) -> None:
        """Take what may be among the best of a tile.

        Args:
            scores: The scores of the tile, -inf or NaN for none; shape (users, items of the tile).
            first: The column of its first item.
        """
        if self._k == 0:
            return
        n_users, n_items = scores.shape
        with np.errstate(invalid="ignore"):
            if self._bounds is None and n_items >= self._k:
                self._bounds = block_bounds(scores, self._k)
            if self._bounds is None:
                self._bounds = np.full(n_users, np.finfo(scores.dtype).min, dtype=scores.dtype)
            is_reached = self._is_reached[: n_users * n_items]
            np.greater_equal(scores, self._bounds[:, None], out=is_reached.reshape(n_users, n_items))
        positions = _true_places(is_reached)
        if len(positions) > _SPARE * self._k * n_users:  # ties, or scores that rise from tile to tile
            items, best = top_k(scores, self._k)
            row, rank = np.nonzero(items != NO_ITEM)
            self._new.append((row, first + items[row, rank].astype(np.int64), best[row, rank]))
        else:
            row, column = np.divmod(positions, n_items)
            self._new.append((row, first + column, scores[row, column]))
        self._tiles += 1
        if self._tiles in self._merge_after:
            self._merge()

    def _merge(self) -> None:
        """Cut to the best; ties by column: what has come earlier has lower ones."""
        if not self._new:
            return
        row, column, score = (np.concatenate(parts) for parts in zip(*self._new, strict=True))
        self._new = []
        order = np.argsort(row.astype(np.int16), kind="stable")
        columns, scores = reached_by_row(len(self._columns), row[order], column[order], score[order])
        columns = np.concatenate([self._columns, columns], axis=1)
        scores = np.concatenate([self._scores, scores], axis=1)
        best = _order(scores)[:, : self._k]
        self._columns, self._scores = np.take_along_axis(columns, best, 1), np.take_along_axis(scores, best, 1)
        lowest = np.finfo(self._scores.dtype).min
        self._bounds = np.maximum(self._scores[:, -1], lowest)

    def result(self) -> tuple[Ints, Scores]:
        """Return the columns of the best items, ``NO_ITEM`` where there are no more, and their scores."""
        self._merge()
        is_filled = self._scores > -np.inf
        return np.where(is_filled, self._columns, NO_ITEM).astype(np.int32), np.where(is_filled, self._scores, 0)

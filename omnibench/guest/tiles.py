"""The best items of some users, whose scores come tile by tile: of a tile in the processor's cache only its best are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .folds import NO_ITEM, Scores
from .parts import Ints
from .top_items import block_maxima, reached_by_row, top_k

BLOCK = 32
"""Items whose maximum is taken: torch takes it by vector instructions, and few other items are looked at with a high one."""
_HIGH = 4
"""Of so many blocks one may be high: with more, all items are looked at."""
SPARE = 8
"""Items for each item of a list up to which a user's items are kept as they are; of more, the best are looked for."""

_RAISES = 9
"""Bounds are raised after so many times the tiles of the time before: most tiles change little."""
_UNRAISED_BYTES = 2**25
"""Bounds are also raised after so many bytes of maxima: of millions of items those take more than the scores of a tile."""
_MAXIMA = 4
"""Maxima for each item of a list from which on the higher of two stands for both: sorting more costs more than it saves."""

Cells = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Rows and columns."""
Entries = tuple[npt.NDArray[np.int64], Ints, npt.NDArray[Any]]
"""Rows, ascending, item codes, and scores."""


class Tile:
    """Scores of some users for some items, padded to whole blocks of items.

    Args:
        n_users: The number of users.
        width: The number of items of the widest tile.
        dtype: The type of the cells.
    """

    _none: Any = -np.inf
    """What stands in a cell without a score."""

    def __init__(self, n_users: int, width: int, dtype: Any) -> None:
        self._n_users = n_users
        self._buffer: npt.NDArray[Any] = np.empty(n_users * BLOCK * -(-width // BLOCK), dtype=dtype)
        self._cells: npt.NDArray[Any] = self._buffer[:0]

    def table(self, width: int) -> Any:
        """Return the table that the scores of the next items are to be written to; -inf or NaN for none.

        Args:
            width: The number of items.
        """
        padded = BLOCK * -(-width // BLOCK)
        self._cells = self._buffer[: self._n_users * padded].reshape(self._n_users, padded)
        self._cells[:, width:] = self._none
        return self._cells[:, :width]

    def block(self, row: npt.NDArray[np.int64], column: npt.NDArray[np.integer[Any]]) -> None:
        """Take scores out, by their users and places."""
        self._cells[row, column] = self._none

    def maxima(self) -> npt.NDArray[Any]:
        """Return the maxima of blocks of items, shape (users, blocks)."""
        maxima = block_maxima(self._cells, BLOCK)
        if np.isnan(maxima).any():
            self._cells[np.isnan(self._cells)] = self._none
            maxima = block_maxima(self._cells, BLOCK)
        return maxima

    def reaching(self, maxima: npt.NDArray[Any], bounds: npt.NDArray[Any]) -> Cells:
        """Return rows and columns of the scores that reach a bound for each user, in order; some may be of what pads.

        Args:
            maxima: What ``maxima`` has returned.
            bounds: The bounds, shape (users,).
        """
        n_blocks = maxima.shape[1]
        high = np.flatnonzero(maxima >= bounds[:, None])
        if len(high) > maxima.size // _HIGH:
            row, column = np.nonzero(self._cells >= bounds[:, None])
            return row, column
        row = high // n_blocks
        reached = np.flatnonzero(self._cells.reshape(-1, BLOCK)[high] >= bounds[row, None])
        number, within = np.divmod(reached, BLOCK)
        return row[number], (high % n_blocks * BLOCK)[number] + within

    def scores(self, row: npt.NDArray[np.int64], column: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return scores by their users and places."""
        return self._cells[row, column]

    def scores_of(self, rows: npt.NDArray[np.int64]) -> Scores:
        """Return the scores of some users, and what pads them."""
        return self._cells[rows]


class BestOfTiles:
    """The best items of some users of all tiles so far; ties by item code.

    As many blocks of items as a list is long have an item each that reaches the lowest of their maxima. So what does not
    reach it is in no list.

    Args:
        n_users: The number of users.
        k: How many are looked for.
        width: The number of items of the widest tile.
        dtype: The type of the scores.
    """

    def __init__(self, n_users: int, k: int, width: int, dtype: np.dtype[Any]) -> None:
        self._k, self._n_users = k, n_users
        self.tile = Tile(n_users, width, dtype)
        """What the scores of the next tile are to be written to."""
        self.bounds: npt.NDArray[Any] = np.full(n_users, np.finfo(dtype).min, dtype=dtype)
        """What a score has to reach to be among each user's best, as far as is known, shape (users,)."""
        self._maxima: list[npt.NDArray[Any]] = []
        """The highest maxima of blocks up to the last change of bounds, and all of those since."""
        self._raise_after, self._n_tiles = 1, 0
        self._unraised_bytes = 0
        """Of the maxima since the last change of bounds."""
        none = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=dtype)
        self._entries: list[Entries] = [none]
        """What may be among the best."""
        self._n_entries = self._n_settled = 0

    def add(self, codes: Ints) -> None:
        """Take what may be among the best of the tile.

        Args:
            codes: The item codes of its columns, ascending.
        """
        if self._k == 0:
            return
        maxima = self.tile.maxima()
        self._note_maxima(maxima)
        row, column = self.tile.reaching(maxima, self.bounds)
        counts = np.bincount(row, minlength=self._n_users)
        crowded = np.flatnonzero(counts > SPARE * self._k)
        is_kept = column < len(codes)
        if len(crowded):  # ties, or scores that rise from tile to tile
            is_kept &= (counts <= SPARE * self._k)[row]
            self._add_crowded(crowded, codes)
        row, column = row[is_kept], column[is_kept]
        self.take(row, codes[column], self.tile.scores(row, column))

    def take(self, row: npt.NDArray[np.int64], item: Ints, score: npt.NDArray[Any]) -> None:
        """Take what may be among the best from somewhere else.

        Args:
            row: Whose score it is, shape (m,).
            item: Of which item.
            score: The score.
        """
        counts = np.bincount(row, minlength=self._n_users)
        crowded = counts > SPARE * self._k
        if crowded.any():  # of one user alone, these would make the tables of all wide
            row, item, score = self._without_hopeless(crowded[row], row, item, score)
        self._entries.append((row, item, score))
        self._n_entries += len(row)
        if self._n_entries > SPARE * self._k * self._n_users:
            self.settle()

    def _without_hopeless(
        self, is_crowded: npt.NDArray[np.bool_], row: npt.NDArray[np.int64], item: Ints, score: npt.NDArray[Any]
    ) -> Entries:
        """Return entries without those which k others of the same user precede, of the users that are meant."""
        order = np.lexsort((item[is_crowded], -score[is_crowded], row[is_crowded]))
        entries = np.flatnonzero(is_crowded)[order]
        user = row[entries]
        is_first = np.ones(len(user), dtype=bool)
        is_first[1:] = user[1:] != user[:-1]
        rank = np.arange(len(user)) - np.maximum.accumulate(np.where(is_first, np.arange(len(user)), 0))
        kept = np.sort(np.concatenate([np.flatnonzero(~is_crowded), entries[rank < self._k]]))
        return row[kept], item[kept], score[kept]

    def settle(self) -> None:
        """Leave the best of what may be among the best, and raise the bounds to the last of them."""
        items, best_scores = self._merged()
        row, rank = np.nonzero(items != NO_ITEM)
        self._entries = [(row, items[row, rank], best_scores[row, rank])]
        self._n_entries = self._n_settled = len(row)
        if items.shape[1] == self._k > 0:
            self._raise_to(best_scores[:, -1])

    def settle_if_due(self) -> None:
        """Do so where about as many came since the last time as are left out by it."""
        if self._n_entries - self._n_settled > self._k * self._n_users // 2:
            self.settle()

    def _note_maxima(self, maxima: npt.NDArray[Any]) -> None:
        """Take the maxima of a tile's blocks, and raise the bounds when it is due."""
        self._n_tiles += 1
        self._maxima.append(maxima)
        self._unraised_bytes += maxima.nbytes
        is_due = self._n_tiles == self._raise_after
        if is_due:
            self._raise_after *= _RAISES
        if is_due or self._unraised_bytes > _UNRAISED_BYTES:
            self._raise_bounds()

    def _add_crowded(self, rows: npt.NDArray[np.int64], codes: Ints) -> None:
        """Take the best of the tile for the users of whom too many items reach the bound.

        Args:
            rows: The users, shape (c,).
            codes: The item codes of the tile.
        """
        best, scores_of_best = top_k(self.tile.scores_of(rows), self._k)
        row, rank = np.nonzero(best != NO_ITEM)
        self.take(rows[row], codes[best[row, rank]], scores_of_best[row, rank])

    def _raise_bounds(self) -> None:
        maxima = np.concatenate(self._maxima, axis=1)
        while maxima.shape[1] >= 2 * _MAXIMA * self._k:
            half = maxima.shape[1] // 2
            maxima = np.maximum(maxima[:, :half], maxima[:, half : 2 * half])
        n_lower = maxima.shape[1] - self._k
        if n_lower >= 0:
            highest = np.partition(maxima, n_lower, axis=1)[:, n_lower:]
            self._raise_to(highest[:, 0])
            maxima = highest
        self._maxima = [maxima]
        self._unraised_bytes = 0

    def _raise_to(self, scores: npt.NDArray[Any]) -> None:
        """Raise the bounds to scores that k items of each user reach; shape (users,)."""
        np.maximum(self.bounds, scores, out=self.bounds)

    def _merged(self) -> tuple[Ints, Scores]:
        """Return the k best of each user, or of fewer, with ``NO_ITEM`` and a score of -inf behind them."""
        return ordered(*reached_by_row(self._n_users, *self._by_user()), self._k)

    def _by_user(self) -> Entries:
        """Return what may be among the best, ascending by user."""
        row, item, score = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        order = np.argsort(row.astype(np.int16), kind="stable")
        return row[order], item[order], score[order]

    def result(self) -> tuple[Ints, Scores]:
        """Return the best items, ``NO_ITEM`` where there are no more, and their scores; both of shape (users, k)."""
        return best_of_entries(self._n_users, *self._by_user(), self._k)


def best_of_entries(
    n_rows: int, row: npt.NDArray[np.int64], item: npt.NDArray[np.integer[Any]], score: npt.NDArray[Any], k: int
) -> tuple[Ints, Scores]:
    """Return the k best items of each row, by score, ties by item code.

    Args:
        n_rows: The number of rows.
        row: The row of each entry, ascending.
        item: Its item code.
        score: Its score, not NaN.
        k: How many.

    Returns:
        Items, ``NO_ITEM`` where there are no more, and scores, 0 there; both of shape (n_rows, k).
    """
    some_items, some_scores = ordered(*reached_by_row(n_rows, row, item, score), k)
    items = np.full((n_rows, k), NO_ITEM, dtype=np.int32)
    scores: Scores = np.zeros(items.shape, dtype=some_scores.dtype)
    width = some_items.shape[1]
    items[:, :width], scores[:, :width] = some_items, np.where(some_items == NO_ITEM, 0, some_scores)
    return items, scores


def ordered(items: Ints, scores: npt.NDArray[Any], k: int) -> tuple[Ints, npt.NDArray[Any]]:
    """Return the first k of each row, from the highest score, ties by item code; none is NaN, and zeros lose their sign."""
    if scores.dtype != np.float32:
        by_code = np.argsort(items, axis=1)
        items, scores = np.take_along_axis(items, by_code, 1), np.take_along_axis(scores, by_code, 1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1)
    # Whole numbers are sorted several times as fast as places are: these have the item in their lower half.
    bits = (-scores + np.float32(0)).view(np.int32)
    keys = (_monotone(bits).astype(np.int64) << 32) | items.view(np.uint32)
    keys.sort(axis=1)
    keys = keys[:, :k]
    negated = _monotone((keys >> 32).astype(np.int32)).view(np.float32)
    return keys.astype(np.int32), np.float32(0) - negated


def _monotone(bits: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Turn the bits of float32 numbers into whole numbers of the same order, and back."""
    return np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits)

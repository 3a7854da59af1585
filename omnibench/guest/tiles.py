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

Entries = tuple[npt.NDArray[np.int64], Ints, npt.NDArray[Any]]
"""Rows, ascending, item codes, and scores."""


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
        self._buffer: npt.NDArray[Any] = np.empty(n_users * BLOCK * -(-width // BLOCK), dtype=dtype)
        self._padded: Scores = self._buffer[:0]
        self._bounds: npt.NDArray[Any] = np.full(n_users, np.finfo(dtype).min, dtype=dtype)
        self._maxima: list[npt.NDArray[Any]] = []
        """The highest maxima of blocks up to the last change of bounds, and all of those since."""
        self._raise_after, self._n_tiles = 1, 0
        self._unraised_bytes = 0
        """Of the maxima since the last change of bounds."""
        none = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=dtype)
        self._entries: list[Entries] = [none]
        """What may be among the best."""
        self._n_entries = 0

    def table(self, width: int) -> Scores:
        """Return the table that the scores of the next tile are to be written to; -inf or NaN for none.

        Args:
            width: The number of items of the tile.
        """
        padded = BLOCK * -(-width // BLOCK)
        self._padded = self._buffer[: self._n_users * padded].reshape(self._n_users, padded)
        self._padded[:, width:] = -np.inf
        return self._padded[:, :width]

    def block(self, row: npt.NDArray[np.int64], column: npt.NDArray[np.integer[Any]]) -> None:
        """Take scores out of the tile, by their users and places."""
        self._padded[row, column] = -np.inf

    def add(self, codes: Ints) -> None:
        """Take what may be among the best of the tile in the table.

        Args:
            codes: The item codes of its columns, ascending.
        """
        if self._k == 0:
            return
        scores = self._padded
        maxima = block_maxima(scores, BLOCK)
        if np.isnan(maxima).any():
            scores[np.isnan(scores)] = -np.inf
            maxima = block_maxima(scores, BLOCK)
        self._note_maxima(maxima)
        row, column = self._reaching(scores, maxima)
        self._take(codes, row, column, scores[row, column])

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

    def _take(
        self,
        codes: Ints,
        row: npt.NDArray[np.int64],
        column: npt.NDArray[np.int64],
        score: npt.NDArray[Any],
    ) -> None:
        """Keep what reaches the bounds in the tile, and of users of whom too much does the best.

        Args:
            codes: The item codes of its columns.
            row: Whose score it is, shape (m,).
            column: Of which item; beyond the codes it pads.
            score: The score.
        """
        counts = np.bincount(row, minlength=self._n_users)
        crowded = np.flatnonzero(counts > SPARE * self._k)
        is_kept = column < len(codes)
        if len(crowded):  # ties, or scores that rise from tile to tile
            is_kept &= (counts <= SPARE * self._k)[row]
            self._add_crowded(crowded, self._scores_of(crowded), codes)
        self._keep(row[is_kept], codes[column[is_kept]], score[is_kept])
        if self._n_entries > SPARE * self._k * self._n_users:
            self._cut_entries()

    def _scores_of(self, rows: npt.NDArray[np.int64]) -> Scores:
        """Return the scores of some users in the tile and in what pads it."""
        return self._padded[rows]

    def _add_crowded(self, rows: npt.NDArray[np.int64], scores: Scores, codes: Ints) -> None:
        """Take the best of a tile for the users of whom too many items reach the bound.

        Args:
            rows: The users, shape (c,).
            scores: Their scores, of whole blocks of items; shape (c, width).
            codes: The item codes, of which the last block may have fewer.
        """
        best, scores_of_best = top_k(scores, self._k)
        row, rank = np.nonzero(best != NO_ITEM)
        self._keep(rows[row], codes[best[row, rank]], scores_of_best[row, rank])

    def _cut_entries(self) -> None:
        """Leave the best of what may be among the best."""
        items, best_scores = self._merged()
        row, rank = np.nonzero(items != NO_ITEM)
        self._entries, self._n_entries = [], 0
        self._keep(row, items[row, rank], best_scores[row, rank])
        if items.shape[1] == self._k:
            self._raise_to(best_scores[:, -1])

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
        np.maximum(self._bounds, scores, out=self._bounds)

    def _reaching(
        self, scores: Scores, maxima: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return rows and columns of a tile's scores that reach the bounds, in order."""
        n_blocks = maxima.shape[1]
        high = np.flatnonzero(maxima >= self._bounds[:, None])
        if len(high) > maxima.size // _HIGH:
            row, column = np.nonzero(scores >= self._bounds[:, None])
            return row, column
        row = high // n_blocks
        reached = np.flatnonzero(scores.reshape(-1, BLOCK)[high] >= self._bounds[row, None])
        number, within = np.divmod(reached, BLOCK)
        return row[number], (high % n_blocks * BLOCK)[number] + within

    def _keep(self, row: npt.NDArray[np.int64], item: Ints, score: npt.NDArray[Any]) -> None:
        self._entries.append((row, item, score))
        self._n_entries += len(row)

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
        some_items, some_scores = self._merged()
        items = np.full((self._n_users, self._k), NO_ITEM, dtype=np.int32)
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

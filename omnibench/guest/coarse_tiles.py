"""The items of some users that may be among the best, by scores in bfloat16, which are compared as whole numbers.

Numbers above zero are ordered as their bits are, and whole numbers of 16 bits are compared several times as fast as bfloat16
is, or as float32 that it is copied to. Numbers below zero come in the opposite order, below all others: users whose bound is
not above zero are looked at by themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .parts import Ints
from .screening import ScreenedTiles
from .tiles import BLOCK

_HALVINGS = BLOCK.bit_length() - 1
_NONE = np.int16(-128)
"""The bits of -inf."""
_NOTHING = np.int16(2**15 - 1)
"""A bound that no score reaches: these are the bits of a number that is none."""

_Bits = npt.NDArray[np.int16]


class CoarseTiles(ScreenedTiles):
    """The same as ``ScreenedTiles`` of scores that are tensors of bfloat16, none of them NaN.

    Args:
        n_users: The number of users.
        k: How many are looked for.
        width: The number of items of the widest tile.
        error: By how much the scores of each user may be wrong, shape (users,).
    """

    def __init__(self, n_users: int, k: int, width: int, error: npt.NDArray[np.float64]) -> None:
        import torch

        super().__init__(n_users, k, 0, error)
        size = n_users * BLOCK * -(-width // BLOCK)
        self._torch: Any = torch
        self._scores = torch.empty(size, dtype=torch.bfloat16)
        self._halves = [torch.empty(size >> level, dtype=torch.int16) for level in range(1, _HALVINGS + 1)]
        self._tile: Any = None
        """Bits of the scores of the tile and of what pads it, shape (users, blocks * items of a block)."""

    def table(self, width: int) -> Any:
        """Return the tensor that the scores of the next tile are to be written to.

        Args:
            width: The number of items of the tile.
        """
        padded = BLOCK * -(-width // BLOCK)
        scores = self._scores[: self._n_users * padded].view(self._n_users, padded)
        scores[:, width:] = -np.inf
        self._tile = scores.view(self._torch.int16)
        return scores[:, :width]

    def block(self, row: npt.NDArray[np.int64], column: npt.NDArray[np.integer[Any]]) -> None:
        """Take scores out of the tile, by their users and places."""
        self._tile.numpy()[row, column] = _NONE

    def add(self, codes: Ints) -> None:
        """Take what may be among the best of the tile in the table.

        Args:
            codes: The item codes of its columns, ascending.
        """
        if self._k == 0:
            return
        maxima = self._block_maxima()
        self._note_maxima(_as_float32(maxima))
        tile: _Bits = self._tile.numpy()
        is_positive = self._bounds > 0
        row, column = _reaching(tile, maxima, np.where(is_positive, _bits_of(self._bounds), _NOTHING))
        low_users = np.flatnonzero(~is_positive)
        if len(low_users):
            other_row, other_column = np.nonzero(_as_float32(tile[low_users]) >= self._bounds[low_users, None])
            row, column = np.concatenate([row, low_users[other_row]]), np.concatenate([column, other_column])
        self._take(codes, row, column, _as_float32(tile[row, column]))

    def _scores_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return _as_float32(self._tile.numpy()[rows])

    def _block_maxima(self) -> _Bits:
        """Return the maxima of blocks of items that are far apart, shape (users, blocks); too low where all are below zero."""
        maxima = self._tile
        for room in self._halves:
            width = maxima.shape[1] // 2
            half = room[: self._n_users * width].view(self._n_users, width)
            maxima = self._torch.maximum(maxima[:, :width], maxima[:, width:], out=half)
        bits: _Bits = maxima.numpy()
        return bits


def _reaching(tile: _Bits, maxima: _Bits, bounds: _Bits) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return rows and columns of the scores that reach bounds, by blocks of columns that are as far apart as there are blocks."""
    n_users, n_blocks = maxima.shape
    row, block = np.divmod(np.flatnonzero(maxima >= bounds[:, None]), n_blocks)
    scores = tile.reshape(n_users, BLOCK, n_blocks)[row, :, block]
    number, within = np.divmod(np.flatnonzero(scores >= bounds[row, None]), BLOCK)
    return row[number], within * n_blocks + block[number]


def _bits_of(bounds: npt.NDArray[np.float32]) -> _Bits:
    """Return the bits of the lowest numbers in bfloat16 that reach bounds, which are above zero."""
    return ((bounds.view(np.int32) + 0xFFFF) >> 16).astype(np.int16)


def _as_float32(bits: _Bits) -> npt.NDArray[np.float32]:
    """Return the numbers in bfloat16 that have some bits."""
    return (bits.astype(np.int32) << 16).view(np.float32)

"""Scores in bfloat16 of some users for some items, which are compared as whole numbers.

Numbers above zero are ordered as their bits are, and whole numbers of 16 bits are compared several times as fast as bfloat16
is, or as float32 that it is copied to. Numbers below zero come in the opposite order, below all others: users whose bound is
not above zero are looked at by themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .tiles import BLOCK, Cells, Tile

_HALVINGS = BLOCK.bit_length() - 1
_NOTHING = np.int16(2**15 - 1)
"""A bound that no score reaches: these are the bits of a number that is none."""

_Bits = npt.NDArray[np.int16]


class CoarseTile(Tile):
    """The same as ``Tile`` of scores in bfloat16, none of them NaN; cells and maxima are their bits.

    Args:
        n_users: The number of users.
        width: The number of items of the widest tile.
    """

    _none = np.int16(-128)
    """The bits of -inf."""

    def __init__(self, n_users: int, width: int) -> None:
        import torch

        super().__init__(n_users, width, np.int16)
        self._torch: Any = torch
        self._halves = [torch.empty(self._buffer.size >> level, dtype=torch.int16) for level in range(1, _HALVINGS + 1)]

    def table(self, width: int) -> Any:
        """Return the tensor of bfloat16 that the scores of the next items are to be written to.

        Args:
            width: The number of items.
        """
        return self._torch.from_numpy(super().table(width)).view(self._torch.bfloat16)

    def maxima(self) -> _Bits:
        """Return the maxima of blocks of items that are far apart, shape (users, blocks); too low where all are below zero."""
        maxima = self._torch.from_numpy(self._cells)
        for room in self._halves:
            width = maxima.shape[1] // 2
            half = room[: self._n_users * width].view(self._n_users, width)
            maxima = self._torch.maximum(maxima[:, :width], maxima[:, width:], out=half)
        bits: _Bits = maxima.numpy()
        return bits

    def reaching(self, maxima: _Bits, bounds: npt.NDArray[np.float32]) -> Cells:
        """Return rows and columns of the scores that reach bounds, as ``Tile.reaching``, in any order."""
        is_positive = bounds > 0
        row, column = self._reaching(maxima, np.where(is_positive, _bits_of(bounds), _NOTHING))
        low_users = np.flatnonzero(~is_positive)
        if len(low_users) == 0:
            return row, column
        other_row, other_column = np.nonzero(_as_float32(self._cells[low_users]) >= bounds[low_users, None])
        return np.concatenate([row, low_users[other_row]]), np.concatenate([column, other_column])

    def _reaching(self, maxima: _Bits, bounds: _Bits) -> Cells:
        """Look only at the blocks whose maximum reaches the bound; their columns are as far apart as there are blocks."""
        n_blocks = maxima.shape[1]
        row, block = np.divmod(np.flatnonzero(maxima >= bounds[:, None]), n_blocks)
        scores = self._cells.reshape(self._n_users, BLOCK, n_blocks)[row, :, block]
        number, within = np.divmod(np.flatnonzero(scores >= bounds[row, None]), BLOCK)
        return row[number], within * n_blocks + block[number]


def _bits_of(bounds: npt.NDArray[np.float32]) -> _Bits:
    """Return the bits of the lowest numbers in bfloat16 that reach bounds, which are above zero."""
    return ((bounds.view(np.int32) + 0xFFFF) >> 16).astype(np.int16)


def _as_float32(bits: _Bits) -> npt.NDArray[np.float32]:
    """Return the numbers in bfloat16 that have some bits."""
    return (bits.astype(np.int32) << 16).view(np.float32)

"""Scores in half the precision that tell which items have to be scored in full: BLAS makes them in half the time.

Each differs from the score in full by no more than a bound that follows from the lengths of the factors. So an item that is
below the k-th best by more than twice that bound is in no list; the few that are not are scored again.

Factors of float64 are rounded to float32, and those of float32 to bfloat16 where the processor multiplies that (AVX-512 BF16
or AMX, by PyTorch); others are multiplied as they are.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .folds import Scores
from .parts import Ints
from .tiles import SPARE, BestOfTiles, Entries
from .top_items import reached_by_row

_EPSILON = 2.0**-23
"""Twice the largest relative error of a rounding to float32."""
_ROUNDINGS = 8
"""Roundings to float32 of a score beside those of a sum's terms: of both factors, of products, biases and bounds."""
_COARSE = 3.1 * 2.0**-9
"""The relative error of bfloat16: of both factors and of the sum, 2**-9 each, and a little for their products."""
_SMALLEST = 2.0**-126
"""Below it float32 and bfloat16 round by absolute errors, or to zero."""
_LARGEST = 2.0**120
"""Numbers from which on a sum in float32 might overflow."""
_FEWEST_FACTORS = 32
"""Factors of float32 from which on products are what takes the time."""
_NATIVE = {"avx512_bf16", "amx_bf16"}
"""What Linux calls the instructions that multiply bfloat16."""
_PROCESSOR = Path("/proc/cpuinfo")


@cache
def has_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 faster than float32; it is looked up once."""
    with contextlib.suppress(OSError):
        lines = _PROCESSOR.read_text(encoding="utf-8", errors="replace").splitlines()
        flags = next((line for line in lines if line.startswith("flags")), "")
        return not _NATIVE.isdisjoint(flags.split())
    return False


@dataclass(frozen=True, slots=True, eq=False)
class RoughFactors:
    """What a model has learned of its items, in half the precision.

    Attributes:
        factor: The items' factors, shape (n, d): an array of float32, or a tensor of bfloat16.
        bias: What is added to an item's scores, float32, shape (n,); None for nothing.
        length: The length of the longest factor.
        highest_bias: The largest absolute bias.
    """

    factor: Any
    bias: npt.NDArray[np.float32] | None
    length: float
    highest_bias: float

    @classmethod
    def of(cls, factor: Any, bias: npt.NDArray[Any] | None) -> RoughFactors | None:
        """Round factors and biases; None where products in half the precision are no faster.

        Args:
            factor: The items' factors, shape (n, d): an array, or a tensor on the CPU.
            bias: Their biases, shape (n,).
        """
        numbers = np.asarray(factor)
        torch: Any = sys.modules.get("torch")
        with np.errstate(over="ignore"):
            rough_bias = None if bias is None else bias.astype(np.float32)
            if numbers.dtype == np.float64 and isinstance(factor, np.ndarray):
                rough = numbers.astype(np.float32)
            elif numbers.dtype == np.float32 and numbers.shape[1] >= _FEWEST_FACTORS and torch and has_bfloat16():
                rough = torch.as_tensor(factor).bfloat16()
            else:
                return None
        length = float(np.linalg.norm(numbers, axis=1).max(initial=0))
        return cls(rough, rough_bias, length, 0.0 if bias is None else float(np.abs(bias).max(initial=0)))

    def error_for(self, user: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
        """Return by how much the scores of users may be wrong, shape (b,); None where numbers are out of range.

        N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1: a sum of d products is wrong by d
        roundings of the sum of their absolute values at most, and that is no larger than the product of the lengths.

        Args:
            user: The users' factors, shape (b, d).
        """
        length = np.linalg.norm(user.astype(np.float64, copy=False), axis=1)
        product = length * self.length
        size = product + self.highest_bias
        if not (np.maximum(length + self.length, size) < _LARGEST).all():  # NaN and infinity are not
            return None
        n_terms = user.shape[1]
        error: npt.NDArray[np.float64] = (n_terms + _ROUNDINGS) * _EPSILON * size
        error += n_terms * _SMALLEST * (1 + length + self.length)
        return error if isinstance(self.factor, np.ndarray) else error + _COARSE * product

    @property
    def gives_float32(self) -> bool:
        """Whether products come as arrays of float32, to which biases can be added; else as tensors of bfloat16."""
        return isinstance(self.factor, np.ndarray) or self.bias is not None

    def rounded(self, user: Any) -> Any:
        """Return the factors of users in the same precision, shape (b, d)."""
        if isinstance(self.factor, np.ndarray):
            return np.asarray(user).astype(np.float32)
        import torch

        return torch.as_tensor(user).bfloat16()

    def multiply(self, user: Any, columns: slice, out: Any) -> None:
        """Write the scores of users for some items.

        Args:
            user: The users' rounded factors, shape (b, d).
            columns: The items.
            out: Where to; shape (b, items): an array where they are float32, else a tensor.
        """
        item = self.factor[columns]
        if isinstance(item, np.ndarray):
            np.matmul(user, item.T, out=out)
        else:
            import torch

            if not self.gives_float32:
                torch.mm(user, item.T, out=out)
                return
            torch.from_numpy(out).copy_(torch.mm(user, item.T))
        if self.bias is not None:
            out += self.bias[columns]


class ScreenedTiles(BestOfTiles):
    """The items of some users that may be among the best, by scores that may be wrong.

    Args:
        n_users: The number of users.
        k: How many are looked for.
        width: The number of items of the widest tile.
        error: By how much the scores of each user may be wrong, shape (users,).
    """

    def __init__(self, n_users: int, k: int, width: int, error: npt.NDArray[np.float64]) -> None:
        super().__init__(n_users, k, width, np.dtype(np.float32))
        self._slack = (2 * error).astype(np.float32)
        self.is_crowded = False
        """Whether too many items are as good as the best, as far as can be told: then nothing else here is of use."""

    def _raise_to(self, scores: npt.NDArray[Any]) -> None:
        np.maximum(self._bounds, scores - self._slack, out=self._bounds)

    def _add_crowded(self, rows: npt.NDArray[np.int64], scores: Scores, codes: Ints) -> None:
        n_lower = scores.shape[1] - self._k
        if n_lower > 0:
            kth_best: npt.NDArray[Any] = np.partition(scores, n_lower, axis=1)[:, n_lower]
            bounds = kth_best - self._slack[rows]
            self._bounds[rows] = np.maximum(self._bounds[rows], bounds)
        row, column = np.nonzero(scores[:, : len(codes)] >= self._bounds[rows, None])
        self.is_crowded |= len(row) > SPARE * self._k * len(rows)
        self._keep(rows[row], codes[column], scores[row, column])

    def _cut_entries(self) -> None:
        entries = self.remaining()
        self.is_crowded |= len(entries[0]) > SPARE * self._k * self._n_users // 2
        self._entries, self._n_entries = [], 0
        self._keep(*entries)

    def remaining(self) -> Entries:
        """Return the users, the items and the scores that may be among the best, ascending by user."""
        row, item, score = self._by_user()
        _, table = reached_by_row(self._n_users, row, item, score)
        n_lower = table.shape[1] - self._k
        if n_lower >= 0:
            self._raise_to(np.partition(table, n_lower, axis=1)[:, n_lower])
        is_reaching = score >= self._bounds[row]
        return row[is_reaching], item[is_reaching], score[is_reaching]

"""Scores in half the precision that tell which items have to be scored in full: BLAS makes them in half the time.

Each differs from the score in full by no more than a bound that follows from the lengths of the factors, and of what rounding
took from them. So an item that is in no list even if all scores are as wrong as they may be need not be scored again.

Factors of float64 are rounded to float32, and those of float32 to bfloat16 where the processor multiplies that (AVX-512 BF16
or AMX, by PyTorch); others are multiplied as they are.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .coarse_tiles import CoarseTile
from .tiles import Cells, Tile

_EPSILON = 2.0**-23
"""Twice the largest relative error of a rounding to float32."""
_ROUNDINGS = 8
"""Roundings to float32 of a score beside those of a sum's terms: of products, biases and bounds."""
_SMALLEST = 2.0**-126
"""Below it float32 and bfloat16 round by absolute errors, or to zero."""
_LARGEST = 2.0**120
"""Numbers from which on a sum in float32 might overflow."""
_LOWEST = np.finfo(np.float32).min
_COARSE = 2.0**-8
"""The relative error of a rounding to bfloat16."""
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


class Sizes(NamedTuple):
    """What bounds the errors of scores; float64, of a number for each user, or for each tile of items.

    Attributes:
        rounded: The length of the rounded factors; of a tile's, of the longest.
        lost: The length of what rounding took from the factors; of a tile's likewise.
        bias: The largest absolute bias.
        lost_bias: The most that rounding took from a bias.
    """

    rounded: npt.NDArray[np.float64]
    lost: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    lost_bias: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RoughFactors:
    """What a model has learned of its items, in half the precision.

    Attributes:
        factor: The items' factors, shape (n, d): an array of float32; or a tensor of bfloat16, whose last two columns add up to
            the biases where there are any.
        bias: What is added to an item's scores beside, float32, shape (n,); None for nothing.
        sizes: What bounds the errors, for each tile of items.
    """

    factor: Any
    bias: npt.NDArray[np.float32] | None
    sizes: Sizes

    @classmethod
    def of(cls, factor: Any, bias: npt.NDArray[Any] | None, width: int) -> RoughFactors | None:
        """Round factors and biases; None where products in half the precision are no faster.

        Args:
            factor: The items' factors, shape (n, d): an array, or a tensor on the CPU.
            bias: Their biases, shape (n,).
            width: The number of items of each tile but the last.
        """
        numbers = np.asarray(factor)
        torch: Any = sys.modules.get("torch")
        rough_bias = near_bias = None
        with np.errstate(over="ignore", invalid="ignore"):
            if numbers.dtype == np.float64 and isinstance(factor, np.ndarray):
                rough = numbers.astype(np.float32)
                if bias is not None:
                    rough_bias = near_bias = bias.astype(np.float32)
            elif numbers.dtype == np.float32 and numbers.shape[1] >= _FEWEST_FACTORS and torch and has_bfloat16():
                rough = torch.as_tensor(factor).bfloat16()
                if bias is not None:
                    biases = torch.from_numpy(bias.astype(np.float32))
                    high = biases.bfloat16()
                    rough = torch.cat([rough, high[:, None], (biases - high)[:, None].bfloat16()], dim=1)
                    near_bias = rough[:, -2:].double().sum(1).numpy()
            else:
                return None
            return cls(rough, rough_bias, _sizes_of_tiles(numbers, rough, bias, near_bias, width))

    def rounded(self, user: Any) -> Any:
        """Return the factors of users in the same precision, shape (b, d), with a one for each column of biases."""
        if isinstance(self.factor, np.ndarray):
            with np.errstate(over="ignore"):
                return np.asarray(user).astype(np.float32)
        import torch

        rough = torch.ones((len(user), self.factor.shape[1]), dtype=torch.bfloat16)
        rough[:, : user.shape[1]] = torch.as_tensor(user)
        return rough

    def errors_for(self, user: npt.NDArray[Any], rounded: Any) -> npt.NDArray[np.float32] | None:
        """Return by how much scores may be wrong before they are rounded themselves; None where numbers are out of range.

        N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1: a sum of d products is wrong by d
        roundings of the sum of their absolute values at most, and that is no larger than the product of the lengths.

        Args:
            user: The users' factors, shape (b, d).
            rounded: The same, rounded.

        Returns:
            Of each user in each tile, shape (b, tiles).
        """
        tile, n_terms = self.sizes, self.factor.shape[1]
        with np.errstate(over="ignore", invalid="ignore"):
            length, lost = (size[:, None] for size in _lengths(user, rounded))
            size = length * tile.rounded + tile.bias
            if not (
                np.maximum(length + lost + tile.rounded + tile.lost, size) < _LARGEST
            ).all():  # NaN and infinity are not
                return None
            error = lost * tile.rounded + (length + lost) * tile.lost + tile.lost_bias
            error += (n_terms + _ROUNDINGS) * _EPSILON * size + n_terms * _SMALLEST * (1 + length + tile.rounded)
        return ((1 + 2 * _EPSILON) * error).astype(np.float32)

    def rounding_of(self, user: npt.NDArray[Any], bias: npt.NDArray[Any] | None) -> npt.NDArray[np.float64]:
        """Return by how much scores in full may differ where their terms are added up in another order, shape (b,).

        Each of the two sums is wrong by half as much at most, as for ``errors_for``.

        Args:
            user: The users' factors, shape (b, d).
            bias: What is added to their scores, shape (b,); None for nothing.
        """
        tile, limits = self.sizes, np.finfo(user.dtype)
        length = np.sqrt(np.einsum("ij,ij->i", user, user, dtype=np.float64))
        size = length * (tile.rounded + tile.lost).max(initial=0) + tile.bias.max(initial=0)
        if bias is not None:
            size += np.abs(bias)
        n_terms = user.shape[1] + _ROUNDINGS
        rounding: npt.NDArray[np.float64] = n_terms * (limits.eps * size + limits.smallest_normal)
        return rounding

    def multiply(self, user: Any, columns: slice, out: Any) -> None:
        """Write the scores of users for some items.

        Args:
            user: The users' rounded factors, shape (b, d).
            columns: The items.
            out: Where to; shape (b, items): an array of float32, or a tensor of bfloat16, as the factors are.
        """
        item = self.factor[columns]
        if isinstance(item, np.ndarray):
            np.matmul(user, item.T, out=out)
        else:
            import torch

            torch.mm(user, item.T, out=out)
        if self.bias is not None:
            out += self.bias[columns]


def _sizes_of_tiles(
    numbers: npt.NDArray[Any],
    rough: Any,
    bias: npt.NDArray[Any] | None,
    near_bias: npt.NDArray[Any] | None,
    width: int,
) -> Sizes:
    """Return what bounds the errors for each tile.

    Args:
        numbers: The items' factors, shape (n, d).
        rough: The same, rounded.
        bias: Their biases, shape (n,).
        near_bias: The same, rounded.
        width: The number of items of each tile but the last.
    """
    sizes = np.zeros((4, -(-len(numbers) // width)))
    for tile, first in enumerate(range(0, len(numbers), width)):  # so that no copy of all of them is made
        items = slice(first, first + width)
        sizes[:2, tile] = [lengths.max() for lengths in _lengths(numbers[items], rough[items])]
        if bias is not None and near_bias is not None:
            sizes[2:, tile] = np.abs(bias[items]).max(), np.abs(bias[items] - near_bias[items].astype(np.float64)).max()
    return Sizes(*sizes)


def _lengths(numbers: npt.NDArray[Any], rough: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the length of each rounded row, and that of what rounding took from it, without columns of biases.

    Args:
        numbers: float32 or float64, shape (n, d).
        rough: The same, rounded, an array or a tensor.
    """
    near = rough if isinstance(rough, np.ndarray) else rough[:, : numbers.shape[1]].float().numpy()
    near = near.astype(np.float64)
    lost = numbers - near
    return np.sqrt(np.einsum("ij,ij->i", near, near)), np.sqrt(np.einsum("ij,ij->i", lost, lost))


class Screen:
    """Tells which items of a tile may be among the best of some users.

    Args:
        rough: The items' factors.
        user: The users' rounded factors, shape (b, d).
        errors: By how much scores may be wrong before they are rounded themselves, shape (b, tiles).
        width: The number of items of each tile but the last.
    """

    def __init__(self, rough: RoughFactors, user: Any, errors: npt.NDArray[np.float32], width: int) -> None:
        self._rough, self._user, self._errors = rough, user, errors
        is_coarse = not isinstance(user, np.ndarray)
        self._tile = CoarseTile(len(user), width) if is_coarse else Tile(len(user), width, np.float32)
        # As large as the error of rounding a score is, of both the number that was rounded and the one that came out.
        self._relative = np.float32(4 * _EPSILON + (1.01 * _COARSE if is_coarse else 0))

    @classmethod
    def of(cls, rough: RoughFactors, user: Any, width: int) -> Screen | None:
        """Round the users' factors; None where numbers are out of range.

        Args:
            rough: The items' factors.
            user: The users' factors, shape (b, d).
            width: The number of items of each tile but the last.
        """
        rounded = rough.rounded(user)
        errors = rough.errors_for(np.asarray(user), rounded)
        return None if errors is None else cls(rough, rounded, errors, width)

    def reaching(
        self,
        tile: int,
        columns: slice,
        seen: tuple[npt.NDArray[np.int64], npt.NDArray[np.integer[Any]]],
        bounds: npt.NDArray[Any],
        bias: npt.NDArray[Any] | None,
    ) -> Cells:
        """Return which scores in full may reach bounds: the users, and the items' places in the tile.

        Args:
            tile: The number of the tile.
            columns: Its items.
            seen: The users and the places of scores that do not count.
            bounds: The bounds, shape (b,).
            bias: What full scores have beside, shape (b,).
        """
        width = columns.stop - columns.start
        self._rough.multiply(self._user, columns, self._tile.table(width))
        self._tile.block(*seen)
        error = self._errors[:, tile]
        with np.errstate(over="ignore"):  # where there is no bound yet
            if bias is not None:
                error = error + np.float32(2 * _EPSILON) * (np.abs(bounds) + np.abs(bias)).astype(np.float32)
                bounds = bounds - bias
            lowered = bounds.astype(np.float32)
            lowered = lowered - error - self._relative * (np.abs(lowered) + error)
        row, column = self._tile.reaching(self._tile.maxima(), np.maximum(lowered, _LOWEST))
        is_item = column < width
        return row[is_item], column[is_item]

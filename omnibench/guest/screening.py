"""Scores in float32 that tell which items have to be scored in float64: BLAS makes them in half the time.

Each differs from the score in float64 by no more than a bound that follows from the lengths of the factors. So an item that is
below the k-th best by more than twice that bound is in no list; the few that are not are scored again.
"""

from __future__ import annotations

from dataclasses import dataclass
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
"""Roundings of a score beside those of a sum's terms: of both factors, of products, biases and bounds; there are fewer."""
_SMALLEST = 2.0**-126
"""Below it float32 rounds by absolute errors, one for each term."""
_LARGEST = 2.0**120
"""Products from which on a sum in float32 might overflow."""


@dataclass(frozen=True, slots=True, eq=False)
class RoughFactors:
    """What a model has learned of its items, in float32.

    Attributes:
        factor: The items' factors, shape (n, d).
        bias: What is added to an item's scores, shape (n,); None for nothing.
        length: The length of the longest factor.
        highest_bias: The largest absolute bias.
    """

    factor: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32] | None
    length: float
    highest_bias: float

    @classmethod
    def of(cls, factor: npt.NDArray[np.float64], bias: npt.NDArray[Any] | None) -> RoughFactors:
        """Round factors and biases.

        Args:
            factor: The items' factors, shape (n, d).
            bias: Their biases, shape (n,).
        """
        with np.errstate(over="ignore"):
            rough = factor.astype(np.float32)
            rough_bias = None if bias is None else bias.astype(np.float32)
        length = float(np.linalg.norm(factor, axis=1).max(initial=0))
        return cls(rough, rough_bias, length, 0.0 if bias is None else float(np.abs(bias).max(initial=0)))

    def error_for(self, user: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
        """Return by how much the scores of users may be wrong, shape (b,); None where they cannot be told from float32 numbers.

        N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1: a sum of d products is wrong by d
        roundings of the sum of their absolute values at most, and that is no larger than the product of the lengths.

        Args:
            user: The users' factors, shape (b, d).
        """
        size = np.linalg.norm(user, axis=1) * self.length + self.highest_bias
        if not (size < _LARGEST).all():  # NaN and infinity among them
            return None
        n_terms = user.shape[1]
        error: npt.NDArray[np.float64] = (n_terms + _ROUNDINGS) * (_EPSILON * size + _SMALLEST)
        return error

    def multiply(self, user: npt.NDArray[np.float32], columns: slice, out: Scores) -> None:
        """Write the scores of users for some items.

        Args:
            user: The users' factors in float32, shape (b, d).
            columns: The items.
            out: Where to; shape (b, items).
        """
        np.matmul(user, self.factor[columns].T, out=out)
        if self.bias is not None:
            out += self.bias[columns]


class ScreenedTiles(BestOfTiles):
    """The items of some users that may be among the best, by scores in float32 that may be wrong.

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

"""Scores that are products of what users have and a dense matrix of weights: of some users at a time, of which the best are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .candidates import CandidateSets
from .folds import NO_ITEM, Fold, Scores
from .parts import Ints
from .top_items import ranking_type, top_k, top_k_without_zeros

_SCORES = 1 << 19
"""Most scores that are made together: they stay in the processor's cache while they are masked and cut."""

FULL = 0.5
"""The share of entries from which on a sparse matrix costs more than a dense one."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemWeights:
    """What each thing that a user may have adds to the scores of items.

    Attributes:
        matrix: float32 or float64, shape (m, n).
        column: The columns of items that occur in training, ordered by their codes; None for all of them, as they are.
        code: The codes of these items, int32, ascending.
        zero_is_none: Whether a score of exactly zero stands for no score.
    """

    matrix: npt.NDArray[Any]
    column: npt.NDArray[np.integer[Any]] | None
    code: Ints
    zero_is_none: bool = False

    @classmethod
    def of(
        cls, matrix: npt.NDArray[Any], code: npt.NDArray[np.integer[Any]], fold: Fold, *, zero_is_none: bool = False
    ) -> ItemWeights:
        """Take the items that occur in training.

        Args:
            matrix: The weights, shape (m, n).
            code: The item code of each column, in any order, -1 for a column of no item; shape (n,).
            fold: The fold.
            zero_is_none: As above.
        """
        column = np.argsort(code, kind="stable")
        column = column[(code[column] >= 0) & fold.candidates[code[column]]]
        is_whole = len(column) == len(code) and (np.diff(column) == 1).all()
        return cls(matrix, None if is_whole else column, np.asarray(code[column], dtype=np.int32), zero_is_none)


@dataclass(frozen=True, slots=True, eq=False)
class DenseProducts:
    """The scores of a batch of users as products with dense weights, in the precision of these.

    Attributes:
        left: What users have; a CSR matrix of shape (b, m).
        weights: What that adds to the scores of items.
        is_scored: Whether a user has any, shape (b,); others have no scores.
    """

    left: Any
    weights: ItemWeights
    is_scored: npt.NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of users."""
        return self.is_scored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the scores."""
        return np.result_type(self.left.dtype, self.weights.matrix.dtype)

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
        n_together = max(1, _SCORES // max(1, len(self.weights.code)))
        position = np.full(fold.n_items, -1, dtype=np.int32)
        position[self.weights.code] = np.arange(len(self.weights.code), dtype=np.int32)
        for start in range(0, len(users), n_together):
            rows = slice(start, min(start + n_together, len(users)))
            scores = self._scores(rows)
            row, item = fold.masked_pairs(users[rows])
            is_column = position[item] >= 0
            scores[row[is_column], position[item[is_column]]] = -np.inf
            if candidates is not None:
                _keep(scores, candidates, users[rows], position)
            columns, best = (top_k_without_zeros if self.weights.zero_is_none else top_k)(scores, k)
            is_missing = (columns == NO_ITEM) | ~self.is_scored[rows, None]
            best[is_missing] = 0
            items = np.full(columns.shape, NO_ITEM, dtype=np.int32)
            items[~is_missing] = self.weights.code[columns[~is_missing]]
            yield rows, items, best

    def _scores(self, rows: slice) -> Scores:
        """Return the scores of some users for the items with weights."""
        product = self.left[rows] @ self.weights.matrix
        if self.weights.column is not None:
            product = product.take(self.weights.column, axis=1)
        scores: Scores = product.astype(ranking_type(product.dtype), copy=False)
        return scores


def _keep(scores: Scores, candidates: CandidateSets, users: Ints, position: Ints) -> None:
    """Leave the scores of what some users may get, and set the others to -inf, in place."""
    row, item = candidates.pairs_of(users)
    is_column = position[item] >= 0
    pairs = row[is_column], position[item[is_column]]
    allowed = scores[pairs]
    scores[:] = -np.inf
    scores[pairs] = allowed

"""Scores that are products of two sparse matrices: added up for some users at a time, of which only the best items are kept.

Where a history reaches many items, its scores are added up in a row of all items, which stays in the processor's cache: that
takes half as long as SciPy's product, whose rows list what they have. The sums are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .candidates import CandidateSets, block_others
from .folds import Fold, Scores
from .parts import Ints
from .score_forms import OtherItems, SparseScores
from .top_items import ranking_type, top_k

_SCORES = 1 << 20
"""Most scores that are added up together, and most entries of which they are sums."""
_FEWEST_ROWS = 8
"""Least users whose scores are added up together: what is done once for all of them costs more than a larger table."""
_DENSE = 16
"""With fewer items for each number that is added up, rows of all items cost less than lists of those that are reached."""


class Limits(Protocol):
    """Puts sums right that are more than sums, e.g. of the highest numbers only."""

    def __call__(self, first: Ints, added: Any, table: Scores) -> None:
        """Change a table of sums in place.

        Args:
            first: For each user the first row in ``added``, and the end; shape (b + 1,).
            added: What was added up, a CSR matrix with a row for each thing that users have.
            table: The sums, shape (b, n_items).
        """


@dataclass(frozen=True, eq=False)
class ProductScores:
    """The scores of a batch of users as the product of what they have and what that says of items.

    Attributes:
        left: What users have; a CSR matrix of shape (b, m).
        right: What each of it adds to the scores of items; a CSR matrix of shape (m, n_items), by item codes.
        others: Which items of whom score zero where nothing is added to them, other items nothing at all; without it a score
            of exactly zero is none.
        limits: Puts sums right that are more than sums.
    """

    left: Any
    right: Any
    others: OtherItems | None = None
    limits: Limits | None = None

    @property
    def shape(self) -> tuple[int]:
        """The number of users."""
        return (self.left.shape[0],)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the scores."""
        return np.result_type(self.left.dtype, self.right.dtype)

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
        most_rows = max(_FEWEST_ROWS, _SCORES // max(1, fold.n_items))
        table = np.empty((min(most_rows, len(users)), fold.n_items), dtype=self.dtype)
        begin = 0
        while begin < len(users):
            rows = slice(begin, self._end(begin, most_rows))
            n_added = self._added[rows.stop] - self._added[begin]
            n_scores = (rows.stop - begin) * fold.n_items
            if self.limits is not None or (candidates is None and n_added * _DENSE >= n_scores):
                yield rows, *self._best(fold, users, rows, k, table[: rows.stop - begin], candidates)
            else:
                yield rows, *self._best_of_reached(fold, users, rows, k, candidates)
            begin = rows.stop

    @cached_property
    def _added(self) -> npt.NDArray[np.int64]:
        """How many numbers are added up for all users before each one, and for all; shape (b + 1,)."""
        counts = np.diff(self.right.indptr).astype(np.int64)[self.left.indices]
        added: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(counts)])[self.left.indptr]
        return added

    def _end(self, begin: int, most_rows: int) -> int:
        """Return the end of the users whose scores are added up together: one at least."""
        last = int(np.searchsorted(self._added, self._added[begin] + _SCORES, side="right")) - 1
        return max(begin + 1, min(last, begin + most_rows, len(self._added) - 1))

    def _best(
        self, fold: Fold, users: Ints, rows: slice, k: int, table: Scores, candidates: CandidateSets | None
    ) -> tuple[Ints, Scores]:
        """Return the k best items of some users by rows of all items."""
        self._add_up(rows, table)
        scores: Scores = table.astype(ranking_type(table.dtype), copy=False)
        if self.others is not None:
            scores[:, ~self.others.is_scored] = -np.inf
            scores[np.isnan(self.others.score[rows])] = -np.inf
        fold.mask(users[rows], scores)
        if candidates is not None:
            pairs = candidates.pairs_of(users[rows])
            allowed = scores[pairs]
            scores[:] = -np.inf
            scores[pairs] = allowed
        items, best = top_k(scores, k)
        if self.others is None and k > 0:
            has_zeros = np.flatnonzero(best[:, -1] <= 0)
            remaining = scores[has_zeros]
            remaining[remaining == 0] = -np.inf
            items[has_zeros], best[has_zeros] = top_k(remaining, k)
        return items, best

    def _add_up(self, rows: slice, out: Scores) -> None:
        """Write the scores of some users for all items."""
        left = self.left[rows]
        is_long = self._added[rows.stop] - self._added[rows.start] > _SCORES  # of one user
        if is_long and self.limits is None:
            (left @ self.right).toarray(out=out)
            return
        added = self.right[left.indices]
        numbers = added.data
        if (left.data != 1).any():
            numbers = np.repeat(left.data, np.diff(added.indptr)) * numbers
        # As one row for each user, with items that come several times: these are added in the order of SciPy's product.
        sums = sparse.csr_matrix((numbers, added.indices, added.indptr[left.indptr]), shape=out.shape)
        sums.toarray(out=out)
        if self.limits is not None:
            self.limits(left.indptr, added, out)

    def _best_of_reached(
        self, fold: Fold, users: Ints, rows: slice, k: int, candidates: CandidateSets | None
    ) -> tuple[Ints, Scores]:
        """Return the k best items of some users by lists of those that they reach."""
        product = self.left[rows] @ self.right
        is_blocked = np.empty(product.shape, dtype=bool)
        fold.block(users[rows], is_blocked)
        if candidates is not None:
            block_others(candidates, users[rows], is_blocked)
        scores, others = product.data, self.others
        if others is None:
            scores = np.where(scores == 0, np.nan, scores)
        else:
            others = OtherItems(others.is_scored, others.score[rows])
            has_scores = np.repeat(~np.isnan(others.score), np.diff(product.indptr))
            scores = np.where(others.is_scored[product.indices] & has_scores, scores, np.nan)
        starts, items = product.indptr.astype(np.int64), product.indices.astype(np.int32)
        return SparseScores(starts, items, scores, others).top_k(0, is_blocked, k)


def by_codes(matrix: Any, codes: npt.NDArray[np.integer[Any]], n_items: int) -> sparse.csr_matrix:
    """Return a matrix whose columns are items by their codes.

    Args:
        matrix: A sparse matrix, shape (m, columns).
        codes: The item code of each column, -1 for a column to leave out.
        n_items: The number of items.
    """
    rows = sparse.csr_matrix(matrix)
    item = np.asarray(codes, dtype=np.int32)[rows.indices]
    kept = item >= 0
    shape = (rows.shape[0], n_items)
    if kept.all():
        return sparse.csr_matrix((rows.data, item, rows.indptr), shape=shape)
    ends = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    return sparse.csr_matrix((rows.data[kept], item[kept], ends), shape=shape)

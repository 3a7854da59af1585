"""Scores that are products of two sparse matrices: added up for some users at a time, of which only the best items are kept.

Where a history reaches many items, its scores are added up in a row of all items, which stays in the processor's cache: that
takes half as long as SciPy's product, whose rows list what they have. The sums are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from .candidates import CandidateSets, block_others
from .folds import Fold, Scores
from .matrices import add_up, binary_histories, weighted
from .parts import Ints
from .reached_items import best_reached
from .score_forms import OtherItems, SparseScores
from .top_items import ranking_type, top_k, top_k_without_zeros

if TYPE_CHECKING:  # every guest imports this module, and one of a user's class does without SciPy, a sixth of its start
    from scipy import sparse

_SCORES = 1 << 20
"""Most scores that are added up together, and most entries of which they are sums."""
_FEWEST_ROWS = 8
"""Least users whose scores are added up together: what is done once for all of them costs more than a larger table."""
_LISTS = 1024
"""Most users whose lists of reached items are cut together."""
_LIMITED = 1 << 24
"""Most entries of which scores with limits are made together."""
_DENSE = 16
"""With fewer items for each number that is added up, rows of all items cost less than lists of those that are reached."""


AddedOf = Callable[[slice, Any], Any]
"""Takes the positions of some users and what they have, a CSR matrix of shape (u, m); returns a CSR matrix with a row for each entry of that."""


class Limits(Protocol):
    """Ranks sums that are more than sums, e.g. of the highest numbers only."""

    def best(self, sums: Sums, k: int) -> tuple[Ints, Scores]:
        """Return the k best items of some users and their scores, as ``top_k``."""

    @property
    def best_of_reached(self) -> BestOfReached | None:
        """Does so for users who reach few of all items; None where that needs all items."""


class BestOfReached(Protocol):
    """Ranks what some users reach."""

    def __call__(self, fold: Fold, users: Ints, left: Any, k: int, *, is_known: bool) -> tuple[Ints, Scores]:
        """Return their k best items and the scores, as ``top_k``.

        Args:
            fold: The fold.
            users: Their codes, shape (b,).
            left: What they have; a CSR matrix of shape (b, m).
            k: The length of the lists.
            is_known: Whether all items with scores are known in training.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """The sums of some users, which are made a few users at a time: so they stay in the processor's cache.

    Attributes:
        scores: The sums of a batch of users.
        fold: The fold.
        users: The codes of the batch's users, shape (b,).
        rows: Which of them.
        table: Where the sums are written.
        candidates: What may be recommended, where not all unseen items may.
    """

    scores: ProductScores
    fold: Fold
    users: Ints
    rows: slice
    table: Scores
    candidates: CandidateSets | None

    def __len__(self) -> int:
        """The number of users."""
        return int(self.rows.stop - self.rows.start)

    @property
    def histories(self) -> Any:
        """What the users have; a CSR matrix of shape (b, m)."""
        return self.scores.left[self.rows]

    def blocks(self, instead: AddedOf | None = None) -> Iterator[tuple[slice, Any, Any, Scores]]:
        """Yield all users.

        Args:
            instead: What is added up, where that is not the rows that a history has.

        Yields:
            The positions of users who come together; what they have, a CSR matrix of shape (u, m); what was added up, before
            any weights, a CSR matrix with a row for each entry of that; and the sums, shape (u, n_items), which may be
            changed: -inf for what must not be recommended.
        """
        begin = self.rows.start
        while begin < self.rows.stop:
            rows = slice(begin, min(self.rows.stop, self.scores._end(begin, len(self.table))))
            positions = slice(begin - self.rows.start, rows.stop - self.rows.start)
            yield positions, *self._of(rows, None if instead is None else partial(instead, positions))
            begin = rows.stop

    def made_again(self, chosen: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.int64], Any, Any, Scores]]:
        """Yield some users once more, by their positions, ascending; as ``blocks``."""
        most = max(1, _SCORES // max(1, int(self.scores._n_added[self.rows][chosen].max(initial=0))))
        step = min(len(self.table), most)
        for start in range(0, len(chosen), step):
            rows = chosen[start : start + step]
            yield rows, *self._of(self.rows.start + rows)

    def _of(self, rows: Any, instead: Callable[[Any], Any] | None = None) -> tuple[Any, Any, Scores]:
        left = self.scores.left[rows]
        table = self.table[: left.shape[0]]
        added = self.scores._add_up(left, table, is_long=False, added=None if instead is None else instead(left))
        return left, added, self.scores._ranked(self.fold, self.users[rows], rows, table, self.candidates)


@dataclass(frozen=True, eq=False)
class ProductScores:
    """The scores of a batch of users as the product of what they have and what that says of items.

    Attributes:
        left: What users have; a CSR matrix of shape (b, m).
        right: What each of it adds to the scores of items; a CSR matrix of shape (m, n_items), by item codes.
        others: Which items of whom score zero where nothing is added to them, other items nothing at all; without it a score
            of exactly zero is none.
        limits: Ranks sums that are more than sums.
        of_candidates: Whether something is added to items known in training alone.
    """

    left: Any
    right: Any
    others: OtherItems | None = None
    limits: Limits | None = None
    of_candidates: bool = False

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
        is_dense = self._added[-1] * _DENSE >= len(users) * fold.n_items
        is_of_reached = candidates is None and self.others is None
        best_of_reached = None if self.limits is None else self.limits.best_of_reached
        if self.limits is not None and (best_of_reached is None or not is_of_reached):
            is_dense = True
        most_rows = max(_FEWEST_ROWS, _SCORES // max(1, fold.n_items))
        table: Scores | None = None
        begin = 0
        while begin < len(users):
            if is_dense and (candidates is None or self.limits is not None):
                rows = slice(begin, self._end(begin, most_rows))
                if table is None:
                    table = np.empty((min(most_rows, len(users)), fold.n_items), dtype=self.dtype)
                if self.limits is None:
                    yield rows, *self._best(fold, users, rows, k, table[: rows.stop - begin], candidates)
                else:
                    most_lists = min(_LISTS, max(_FEWEST_ROWS, _SCORES // max(1, min(k, fold.n_items))))
                    rows = slice(begin, self._end(begin, most_lists, _LIMITED))
                    yield rows, *self.limits.best(Sums(self, fold, users, rows, table, candidates), k)
            elif is_of_reached:
                rows = slice(begin, self._end(begin, _LISTS))
                if best_of_reached is None:
                    histories = self.left[rows]
                    yield rows, *best_reached(fold, users[rows], histories, self.right, k, is_known=self.of_candidates)
                else:
                    yield rows, *best_of_reached(fold, users[rows], self.left[rows], k, is_known=self.of_candidates)
            else:
                rows = slice(begin, self._end(begin, most_rows))
                yield rows, *self._best_sparse(fold, users, rows, k, candidates)
            begin = rows.stop

    @property
    def _n_added(self) -> npt.NDArray[np.int64]:
        """How many numbers are added up for each user, shape (b,)."""
        return np.diff(self._added)

    @cached_property
    def _added(self) -> npt.NDArray[np.int64]:
        """How many numbers are added up for all users before each one, and for all; shape (b + 1,)."""
        counts = np.diff(self.right.indptr).astype(np.int64)[self.left.indices]
        added: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(counts)])[self.left.indptr]
        return added

    def _end(self, begin: int, most_rows: int, most_added: int | None = None) -> int:
        """Return the end of the users whose scores are added up together: one at least."""
        most_added = _SCORES if most_added is None else most_added
        last = int(np.searchsorted(self._added, self._added[begin] + most_added, side="right")) - 1
        return max(begin + 1, min(last, begin + most_rows, len(self._added) - 1))

    def _best(
        self, fold: Fold, users: Ints, rows: slice, k: int, table: Scores, candidates: CandidateSets | None
    ) -> tuple[Ints, Scores]:
        """Return the k best items of some users by rows of all items."""
        is_long = self._added[rows.stop] - self._added[rows.start] > _SCORES  # of one user
        self._add_up(self.left[rows], table, is_long=bool(is_long))
        scores = self._ranked(fold, users[rows], rows, table, candidates)
        return (top_k_without_zeros if self.others is None else top_k)(scores, k)

    def _ranked(self, fold: Fold, users: Ints, rows: Any, table: Scores, candidates: CandidateSets | None) -> Scores:
        """Return scores in the type that they are ranked in, -inf for what must not be recommended.

        Args:
            fold: The fold.
            users: The codes of some users, shape (u,).
            rows: Their positions in the batch.
            table: Their scores, shape (u, n_items), which may be changed.
            candidates: What may be recommended, where not all unseen items may.
        """
        scores: Scores = table.astype(ranking_type(table.dtype), copy=False)
        if self.others is not None:
            scores[:, ~self.others.is_scored] = -np.inf
            scores[np.isnan(self.others.score[rows])] = -np.inf
        fold.mask(users, scores)
        if candidates is not None:
            pairs = candidates.pairs_of(users)
            allowed = scores[pairs]
            scores[:] = -np.inf
            scores[pairs] = allowed
        return scores

    def _add_up(self, left: Any, out: Scores, *, is_long: bool, added: Any = None) -> Any:
        """Write the scores of some users for all items, and return what was added up.

        Args:
            left: What the users have.
            out: Where to, shape (u, n_items).
            is_long: Whether what is added up is too long to be kept; then nothing is returned.
            added: What is added up; the rows that the users have where none is given.
        """
        if is_long:
            (left @ self.right).toarray(out=out)
            return None
        if added is None:
            added = self.right[left.indices]
        add_up(weighted(left, added), left, added, out)  # in the order of SciPy's product
        return added

    def _best_sparse(
        self, fold: Fold, users: Ints, rows: slice, k: int, candidates: CandidateSets | None
    ) -> tuple[Ints, Scores]:
        """Return the k best items of some users by lists of those that they reach, where other items may be among the best."""
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


def scores_of_neighbours(similarity: Any, fold: Fold, batch: int) -> Iterator[tuple[Ints, ProductScores]]:
    """Yield batches of test users, and their scores as products of histories and similarities of items.

    Args:
        similarity: A sparse matrix, shape (n_items, n_items).
        fold: The fold.
        batch: Users whose histories are held in memory together.
    """
    from scipy import sparse

    by_code = sparse.csr_matrix(similarity)
    of_candidates = bool(fold.candidates[by_code.indices].all())
    if not of_candidates and fold.unknown:  # else other items are taken out of what is ranked
        by_code = by_codes(by_code, np.where(fold.candidates, np.arange(fold.n_items), -1), fold.n_items)
        of_candidates = True
    for start in range(0, len(fold.users), batch):
        users = fold.users[start : start + batch]
        yield users, ProductScores(binary_histories(fold, users), by_code, of_candidates=of_candidates)


def by_codes(matrix: Any, codes: npt.NDArray[np.integer[Any]], n_items: int) -> sparse.csr_matrix:
    """Return a matrix whose columns are items by their codes.

    Args:
        matrix: A sparse matrix, shape (m, columns).
        codes: The item code of each column, -1 for a column to leave out.
        n_items: The number of items.
    """
    from scipy import sparse

    rows = sparse.csr_matrix(matrix)
    item = np.asarray(codes, dtype=np.int32)[rows.indices]
    kept = item >= 0
    shape = (rows.shape[0], n_items)
    if kept.all():
        return sparse.csr_matrix((rows.data, item, rows.indptr), shape=shape)
    ends = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    return sparse.csr_matrix((rows.data[kept], item[kept], ends), shape=shape)

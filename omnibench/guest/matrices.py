"""The interactions of a fold as binary matrices, for frameworks that learn from one; a repeated pair counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import folds, parts

if TYPE_CHECKING:  # see ``products``
    from scipy.sparse import csr_matrix


def binary_matrix(fold: folds.Fold, part: parts.Part, users: parts.Ints | None = None) -> csr_matrix:
    """Return a part as a binary matrix of shape (n_users, n_items), in float64.

    Args:
        fold: The fold.
        part: The part.
        users: Whose rows are filled, ascending; by default everybody's.
    """
    from scipy.sparse import csr_matrix

    if users is None:
        bounds = np.searchsorted(part.user, np.arange(fold.n_users + 1, dtype=np.int32))
        item = part.item.copy()  # it is sorted below, and the part's own is the file
    else:
        start, end = np.searchsorted(part.user, users), np.searchsorted(part.user, users, side="right")
        bounds = np.zeros(fold.n_users + 1, dtype=np.int64)
        bounds[users + 1] = end - start
        np.cumsum(bounds, out=bounds)
        rows = [part.item[first:last] for first, last in zip(start.tolist(), end.tolist(), strict=True)]
        item = np.concatenate([part.item[:0], *rows])
    matrix = csr_matrix((np.ones(len(item)), item, bounds), shape=(fold.n_users, fold.n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def binary_histories(fold: folds.Fold, users: parts.Ints) -> csr_matrix:
    """Return the histories of some users as a binary matrix of shape (b, n_items), in float64."""
    from scipy.sparse import csr_matrix

    history = fold.history
    row, number = parts.entries_of(users, fold.first_rows_of_histories)
    matrix = csr_matrix((np.ones(len(row)), (row, history.item[number])), shape=(len(users), fold.n_items))
    matrix.data[:] = 1.0  # a repeated pair was summed
    return matrix


def weighted(left: Any, added: Any) -> npt.NDArray[Any]:
    """Return the numbers that SciPy's product of two matrices adds up, of its type: those of some rows, times their weights.

    Args:
        left: The weights; a CSR matrix with an entry for each row of ``added``.
        added: The rows; a CSR matrix.
    """
    dtype = np.result_type(left.dtype, added.dtype)
    numbers: npt.NDArray[Any] = added.data.astype(dtype, copy=False)
    if (left.data != 1).any():
        numbers = np.repeat(left.data.astype(dtype, copy=False), np.diff(added.indptr)) * numbers
    return numbers


def add_up(numbers: npt.NDArray[Any], left: Any, added: Any, out: npt.NDArray[Any]) -> None:
    """Add up a number for each entry of some rows, of several for each row of a table, in their order.

    Args:
        numbers: The numbers, shape (entries of ``added``,).
        left: Has an entry for each row of ``added``, in the row of the table that this belongs to; a CSR matrix of shape (b, m).
        added: Has the columns; a CSR matrix with a row for each entry of ``left``.
        out: The sums, of the type of the numbers, shape (b, columns).
    """
    from scipy.sparse import csr_matrix

    # One row for each row of the table, with columns that come several times. What SciPy checks in arguments takes as long as
    # half of the sums; these are parts of matrices that it has made.
    rows = csr_matrix(out.shape, dtype=numbers.dtype)
    rows.data, rows.indices, rows.indptr = numbers, added.indices, added.indptr[left.indptr]
    rows.toarray(out=out)

"""The sums of products of sparse matrices, without a place for what is not reached: in less time than SciPy's product.

SciPy counts what each row of its product reaches before it adds anything up. Here the numbers of some rows are added up in a table of all columns, which
is read and cleared only where something is added, so that its size costs nothing. The sums are the same to the last bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .matrices import weighted
from .parts import Ints

_CELLS = 1 << 19
"""Most numbers in the table, as long as one row has no more: with a few rows in it, calls of numpy cost little."""
_WIDEST = 8
"""Bytes of the numbers that are added up here: their places are noted where they lie, as whole numbers of as many."""
MOST_ADDED = 1 << 20
"""Most numbers that are added up here, which takes 43 bytes for each. Of more, which a single user may have, SciPy makes the product: it takes memory
for what is reached alone."""
ADDS_QUICKLY = np.lib.NumpyVersion(np.__version__) >= "1.25.0"
"""Whether ``numpy.add.at`` has a loop for numbers in memory; before it had not, and took ten times as long."""

RowsAndColumns = tuple[npt.NDArray[np.int64], Ints]
"""Pairs of a row and a column."""


class ReachedSums(NamedTuple):
    """The columns that rows reach, with their sums.

    Attributes:
        starts: The first entry of each row, and the end, shape (b + 1,).
        item: The column of each entry; shape (m,).
        total: Its sum; shape (m,). -inf for a column that is blocked in its row, and where a column comes several times in a row, for all but
            one of them.
        left_to_block: What is blocked and has its sum nevertheless.
    """

    starts: npt.NDArray[np.int64]
    item: Ints
    total: npt.NDArray[Any]
    left_to_block: RowsAndColumns


def n_added(left: Any, right: Any) -> int:
    """Return how many numbers are added up for a product of two CSR matrices."""
    return int(np.diff(right.indptr)[left.indices].sum(dtype=np.int64))


def reached_sums(left: Any, right: Any, blocked: RowsAndColumns) -> ReachedSums:
    """Multiply two sparse matrices.

    Args:
        left: A CSR matrix of shape (b, m).
        right: A CSR matrix of shape (m, n), float32, float64 or complex64.
        blocked: Rows and columns whose sums are not wanted.
    """
    dtype = np.result_type(left.dtype, right.dtype)
    is_long = n_added(left, right) > MOST_ADDED
    if not ADDS_QUICKLY or is_long or dtype.itemsize > _WIDEST:
        product = left.astype(dtype, copy=False) @ right
        return ReachedSums(product.indptr.astype(np.int64), product.indices, product.data, blocked)
    added = right[left.indices]
    starts = added.indptr[left.indptr].astype(np.int64)
    numbers = weighted(left, added)
    n_rows, n_columns = left.shape[0], right.shape[1]
    rows_together = max(1, min(n_rows, _CELLS // max(1, n_columns)))
    cell = np.repeat(np.arange(n_rows) % rows_together * n_columns, np.diff(starts))
    cell += added.indices
    order = np.argsort(blocked[0], kind="stable")
    blocked_row = blocked[0][order]
    blocked_cell = blocked_row % rows_together * n_columns + blocked[1][order]
    first_blocked = np.searchsorted(blocked_row, np.arange(0, n_rows + rows_together, rows_together)).tolist()
    table = np.empty(rows_together * n_columns, dtype=numbers.dtype)
    position_in_table = table.view(np.dtype(f"i{table.itemsize}"))
    position = np.arange(
        np.diff(starts[::rows_together], append=starts[-1]).max(initial=0), dtype=position_in_table.dtype
    )
    total = np.empty_like(numbers)
    is_repeated = np.empty(len(numbers), dtype=bool)
    for number, begin in enumerate(range(0, n_rows, rows_together)):
        entries = slice(starts[begin], starts[min(begin + rows_together, n_rows)])
        cells = cell[entries]
        table[cells] = 0
        np.add.at(table, cells, numbers[entries])  # in the order of SciPy's product
        table[blocked_cell[first_blocked[number] : first_blocked[number + 1]]] = -np.inf
        table.take(cells, out=total[entries], mode="clip")  # "clip" is what take() needs to write there directly
        position_in_table[cells] = position[: len(cells)]
        np.not_equal(position_in_table.take(cells), position[: len(cells)], out=is_repeated[entries])
    total[np.flatnonzero(is_repeated)] = -np.inf  # by places: a mask without order takes numpy four times as long
    return ReachedSums(starts, added.indices, total, (blocked[0][:0], blocked[1][:0]))

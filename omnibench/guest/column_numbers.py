"""The numbers of a sparse matrix that some rows have in some columns, looked up without reading all that the rows have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .parts import Ints, entries_of

_DENSE_BYTES = 96 << 20
"""Most memory of the columns that are dense."""
_LEAST_SAVED = 2
"""Numbers of a row for each item of a list from which on looking these up costs less than reading the rows."""
_TOGETHER = 1 << 20
"""Look-ups that are made together, as long as one pair does not need more."""
_CELLS = 1 << 24
"""Most rows times rows of histories of which it is noted together which of these they have."""

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ColumnNumbers:
    """A matrix by its columns: those that are looked at often are dense, which costs a look-up for each row of a history.

    Attributes:
        matrix: A CSR matrix of shape (m, n), without zeros.
        dense: The numbers of some columns, float32, shape (c, m).
        dense_column: The place of each column among those, -1 for others; shape (n,).
    """

    matrix: Any
    dense: Numbers
    dense_column: Ints

    @classmethod
    def of(cls, matrix: Any, column: Ints) -> ColumnNumbers | None:
        """Make some columns dense; None where these would take too much memory.

        Args:
            matrix: A CSR matrix of shape (m, n), float32.
            column: The columns, ascending.
        """
        n_rows, n_columns = matrix.shape
        if len(column) * n_rows * 4 > _DENSE_BYTES or not matrix.data.all():
            return None
        dense_column = np.full(n_columns, -1, dtype=np.int32)
        dense_column[column] = np.arange(len(column), dtype=np.int32)
        return cls(matrix, matrix[:, column].T.toarray(order="C"), dense_column)

    @cached_property
    def _by_column(self) -> Any:
        return self.matrix.tocsc()

    def saves_time(self, width: int) -> bool:
        """Whether looking up so many columns of a history costs less than reading all numbers of its rows."""
        return bool(width * _LEAST_SAVED * self.matrix.shape[0] <= self.matrix.nnz)

    def steps(self, left: Any, row: npt.NDArray[np.int64], column: Ints) -> Iterator[slice]:
        """Yield the pairs whose numbers should be looked up together, as ``of_pairs`` takes them."""
        lengths = np.diff(left.indptr)[row]
        of_column = self._lengths[column]
        ends = np.cumsum(np.where(self.dense_column[column] >= 0, lengths, of_column))
        begin = 0
        while begin < len(row):
            before = ends[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + _TOGETHER, side="right")))
            yield slice(begin, end)
            begin = end

    @cached_property
    def _lengths(self) -> npt.NDArray[np.int64]:
        return np.bincount(self.matrix.indices, minlength=self.matrix.shape[1])

    def of_pairs(self, left: Any, row: npt.NDArray[np.int64], column: Ints) -> tuple[Numbers, Ints]:
        """Return the numbers of some pairs of a history and a column.

        Args:
            left: The histories; a CSR matrix of shape (b, m), whose columns are in order.
            row: The history of each pair, ascending; shape (p,).
            column: The column of each pair.

        Returns:
            The numbers, those of a pair in the order of its history, and the pair of each, int32; both of shape (entries,).
        """
        dense_column = self.dense_column[column]
        is_dense = dense_column >= 0
        numbers, pair = self._of_dense(left, row[is_dense], dense_column[is_dense])
        if is_dense.all():
            return numbers, pair
        sparse_pairs = np.flatnonzero(~is_dense).astype(np.int32)
        parts = [(numbers, np.flatnonzero(is_dense).astype(np.int32)[pair])]
        step = max(1, _CELLS // self.matrix.shape[0])
        for start in range(0, len(sparse_pairs), step):
            pairs = sparse_pairs[start : start + step]
            number, pair = self._of_sparse(left, row[pairs], column[pairs])
            parts.append((number, pairs[pair]))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _of_dense(self, left: Any, row: npt.NDArray[np.int64], dense_column: Ints) -> tuple[Numbers, Ints]:
        # A pass over all look-ups costs little beside a call of numpy for each history. "clip" spares a check of each.
        starts, lengths = left.indptr[row], np.diff(left.indptr)[row]
        ends = np.cumsum(lengths, dtype=np.int64)
        place = np.repeat(starts - (ends - lengths), lengths)
        place += np.arange(len(place))
        cell = left.indices.astype(np.int64).take(place, mode="clip")
        cell += np.repeat(dense_column * np.int64(self.dense.shape[1]), lengths)
        numbers = self.dense.reshape(-1).take(cell, mode="clip")
        entry = np.flatnonzero(numbers != 0)
        pair = np.repeat(np.arange(len(row), dtype=np.int32), lengths)
        return numbers.take(entry, mode="clip"), pair.take(entry, mode="clip")

    def _of_sparse(self, left: Any, row: npt.NDArray[np.int64], column: Ints) -> tuple[Numbers, Ints]:
        rows, history = np.unique(row, return_inverse=True)
        has = np.zeros((len(rows), self.matrix.shape[0]), dtype=bool)
        number, entry = entries_of(rows, left.indptr)
        has[number, left.indices[entry]] = True
        pair, entry = entries_of(column, self._by_column.indptr)
        of_history = np.flatnonzero(has[history[pair], self._by_column.indices[entry]])
        return self._by_column.data[entry[of_history]], pair[of_history].astype(np.int32)

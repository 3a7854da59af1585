"""What RecPack's networks score for the users whom they are judged by: RecPack's own ``_predict``, in a third of its memory.

RecPack collects the scores of a batch, and those of all batches, as rows of SciPy's ``lil_matrix``: lists of Python's numbers, of which each
takes 86 bytes until there is a matrix of them. Here these rows are kept as arrays, 12 bytes for each number.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import recpack.algorithms.base
from recpack.algorithms.base import TorchMLAlgorithm
from scipy.sparse import csr_matrix, issparse

COLLECTED = "lil_matrix"
"""The name of what RecPack collects rows in."""


class RowMatrix:
    """Takes the place of a ``lil_matrix`` that gets rows, each of them once, and becomes a CSR matrix: the same one.

    Args:
        shape: How many rows and columns it has.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._parts: list[tuple[list[int], csr_matrix]] = []

    def __setitem__(self, rows: list[int], numbers: Any) -> None:
        """Set some rows to those of a dense or sparse matrix; zeros are no entries."""
        if issparse(numbers):
            part = csr_matrix(numbers, dtype=np.float64, copy=True)
            part.sum_duplicates()
            part.eliminate_zeros()
        else:
            part = _of_dense(np.asarray(numbers))
        self._parts.append((rows, part))

    def tocsr(self) -> csr_matrix:
        """Return the rows as a matrix in float64, and keep none of them."""
        counts = np.zeros(self.shape[0], dtype=np.int64)
        for rows, part in self._parts:
            counts[rows] = np.diff(part.indptr)
        starts = np.concatenate([[0], np.cumsum(counts)])
        numbers, columns = np.empty(starts[-1]), np.empty(starts[-1], dtype=np.int32)
        while self._parts:
            rows, part = self._parts.pop()
            for row, first, last in zip(rows, part.indptr[:-1], part.indptr[1:], strict=True):
                numbers[starts[row] : starts[row + 1]] = part.data[first:last]
                columns[starts[row] : starts[row + 1]] = part.indices[first:last]
        return csr_matrix((numbers, columns, starts), shape=self.shape)


def _of_dense(numbers: np.ndarray) -> csr_matrix:
    """Return a dense matrix as CSR in float64, without the numbers of rows and columns that SciPy makes for each of its cells."""
    is_entry = numbers != 0
    columns = np.broadcast_to(np.arange(numbers.shape[1], dtype=np.int32), numbers.shape)[is_entry]
    starts = np.concatenate([[0], np.cumsum(is_entry.sum(axis=1))])
    return csr_matrix((numbers[is_entry].astype(np.float64), columns, starts), shape=numbers.shape)


def predicts_by_batches(algorithm: Any) -> bool:
    """Whether an algorithm predicts as RecPack's networks do unless they say otherwise."""
    return type(algorithm)._predict is TorchMLAlgorithm._predict


def predict_by_batches(algorithm: TorchMLAlgorithm, histories: Any) -> csr_matrix:
    """Return what RecPack's own ``_predict`` returns, to the bit.

    Args:
        algorithm: The algorithm.
        histories: The users' interactions, shape (n_users, n_items); users without any get no scores.
    """
    with _collecting_arrays(type(algorithm).__module__):
        return TorchMLAlgorithm._predict(algorithm, histories)


@contextlib.contextmanager
def _collecting_arrays(module: str) -> Iterator[None]:
    """Have the module of an algorithm, and that of all networks, collect rows in ``RowMatrix``."""
    modules = [
        collecting for collecting in (recpack.algorithms.base, sys.modules[module]) if hasattr(collecting, COLLECTED)
    ]
    with contextlib.ExitStack() as stack:
        for collecting in modules:
            stack.callback(setattr, collecting, COLLECTED, getattr(collecting, COLLECTED))
            setattr(collecting, COLLECTED, RowMatrix)
        yield

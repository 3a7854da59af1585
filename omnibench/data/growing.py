"""Columns that grow block by block, while a file is read whose number of rows nobody knows yet."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_LARGEST_TABLE = 1 << 24
"""Entries of a table from ids to codes; ids beyond it are hashed."""


class CodedIds(NamedTuple):
    """A column of ids as codes.

    Attributes:
        codes: int32, shape (n,).
        ids: The ids by code, in the order in which they come.
    """

    codes: npt.NDArray[np.int32]
    ids: list[Hashable]


class GrowingColumn:
    """A column of numbers to which blocks are appended.

    Args:
        dtype: The type of its numbers.
        capacity: The number of rows that are expected; memory that is not used is never touched.
    """

    def __init__(self, dtype: Any, capacity: int) -> None:
        self._values: npt.NDArray[Any] = np.empty(max(capacity, 1), dtype=dtype)
        self._size = 0

    def room(self, size: int) -> npt.NDArray[Any]:
        """Return the entries of the next block, to be written into; shape (size,)."""
        end = self._size + size
        if end > len(self._values):
            larger = np.empty(max(end, len(self._values) * 3 // 2), dtype=self._values.dtype)
            larger[: self._size] = self._values[: self._size]
            self._values = larger
        block = self._values[self._size : end]
        self._size = end
        return block

    def cut(self, size: int) -> None:
        """Drop the last entries: a block turned out to have fewer."""
        self._size -= size

    @property
    def entries(self) -> npt.NDArray[Any]:
        """All rows so far, shape (n,)."""
        return self._values[: self._size]


class CodeTable:
    """Gives the next code to each number that has none yet.

    Args:
        size: Numbers are from 0 to one less.
        loop: ``number_fields.code_numbers``, where numbers come as int64 and loops are compiled.
    """

    def __init__(self, size: int, loop: Callable[..., int] | None = None) -> None:
        self._loop = loop
        self._table = np.full(size, -1, dtype=np.int32)
        self._numbers = GrowingColumn(np.int64, min(size, 1024))

    def __len__(self) -> int:
        return len(self._table)

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """The numbers by code, in the order in which they came."""
        return self._numbers.entries

    def enlarge(self, size: int) -> None:
        """Take larger numbers as well."""
        table = np.full(size, -1, dtype=np.int32)
        table[: len(self._table)] = self._table
        self._table = table

    def code(self, numbers: npt.NDArray[np.integer[Any]], codes: npt.NDArray[np.int32]) -> None:
        """Write the codes of numbers, shape (n,), into ``codes``."""
        if self._loop is not None:
            next_code = len(self.numbers)
            n_new = self._loop(numbers, self._table, codes, self._numbers.room(len(numbers)), next_code)
            self._numbers.cut(len(numbers) - n_new)
            return
        self._table.take(numbers, out=codes, mode="clip")
        if codes.min(initial=0) < 0:  # in few blocks but the first
            unknown = np.flatnonzero(codes < 0)
            codes[unknown] = self._with_codes(numbers[unknown])

    def _with_codes(self, numbers: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
        """Give the next codes to numbers that have none; return the codes of all of them, shape (n,)."""
        rows = np.arange(len(numbers), dtype=np.int32)
        self._table[numbers[::-1]] = rows[::-1]  # of several rows of a number, the first is written last
        first = numbers[self._table[numbers] == rows]
        next_code = len(self.numbers)
        self._numbers.room(len(first))[:] = first
        self._table[first] = np.arange(next_code, next_code + len(first), dtype=np.int32)
        codes: npt.NDArray[np.int32] = self._table[numbers]
        return codes


class IntegerCodes:
    """The codes of whole numbers, in the order in which they first come.

    Args:
        capacity: The number of rows that are expected.
        loop: See ``CodeTable``.
    """

    def __init__(self, capacity: int, loop: Callable[..., int] | None = None) -> None:
        self._capacity = capacity
        self._codes = GrowingColumn(np.int32, capacity)
        self._table = CodeTable(1024, loop)
        self._wide: GrowingColumn | None = None

    def append(self, numbers: npt.NDArray[np.integer[Any]]) -> None:
        """Code the next rows, shape (n,)."""
        if self._wide is None and not self._fits(numbers):
            self._wide = GrowingColumn(np.int64, self._capacity)
            codes = self._codes.entries
            self._table.numbers.take(codes, out=self._wide.room(len(codes)), mode="clip")
        if self._wide is None:
            self._table.code(numbers, self._codes.room(len(numbers)))
        else:
            self._wide.room(len(numbers))[:] = numbers

    def finish(self) -> CodedIds:
        """Return the codes of all rows, and the numbers that they stand for."""
        if self._wide is None:
            return CodedIds(self._codes.entries, self._table.numbers.tolist())
        import pandas as pd

        codes, ids = pd.factorize(self._wide.entries)
        return CodedIds(codes.astype(np.int32), ids.tolist())

    def _fits(self, numbers: npt.NDArray[np.integer[Any]]) -> bool:
        """Make the table large enough; return whether that is possible."""
        if len(numbers) == 0:
            return True
        largest = int(numbers.max())
        if int(numbers.min()) < 0 or largest >= _LARGEST_TABLE:
            return False
        if largest >= len(self._table):
            self._table.enlarge(min(_LARGEST_TABLE, max(largest + 1, 2 * len(self._table))))
        return True

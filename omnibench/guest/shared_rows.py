"""The rows that all folds of a prepared dataset share, and the parts that each fold takes out of them.

A fold has a byte for each row, which says in which of its parts the row is. A part reads the columns that it is asked for,
one by one and by blocks, so that no column is in memory twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .headers import read_header
from .parts import Ints, Part

PARTS = ("train", "validation", "test")
"""The names of the parts, by their numbers."""

OUTSIDE = 255
"""The number of rows that a fold does not have."""

MEMBERSHIP = "parts.npy"
"""The file of a fold that says in which part each row is."""

FIRST = "indptr.npy"
"""The file of a dataset that says where the rows of each user begin."""

Membership = npt.NDArray[np.uint8]

_BLOCK = 1 << 16
"""Rows that are read at once: what fits into a core's cache."""


def membership_of(parts: Mapping[str, npt.NDArray[np.integer[Any]]], n: int) -> Membership | None:
    """Return the part of each row; None where that does not say all, because a row is in several or they are not in order.

    Args:
        parts: The row numbers of each part.
        n: The number of rows.
    """
    membership = np.full(n, OUTSIDE, dtype=np.uint8)
    for number, name in enumerate(PARTS):
        rows = parts[name]
        if len(rows) and ((rows[1:] <= rows[:-1]).any() or rows[0] < 0 or (membership[rows] != OUTSIDE).any()):
            return None
        membership[rows] = number
    return membership


class SharedRows:
    """The columns of a prepared dataset's rows, which are in the order of users.

    Args:
        directory: The directory of the dataset.
        columns: The names of its columns.
    """

    def __init__(self, directory: Path, columns: list[str]) -> None:
        self.columns = columns
        self._directory = directory

    @cached_property
    def first(self) -> npt.NDArray[np.int64]:
        """The first row of each user, and at the end the number of rows; shape (users + 1,)."""
        return mapped(self._directory / FIRST)

    @cached_property
    def item(self) -> Ints:
        """The items of all rows."""
        return mapped(self._directory / "item.npy")

    def blocks(self, name: str) -> Iterator[npt.NDArray[Any]]:
        """Yield a column, some rows at a time; each block is overwritten by the next one.

        They are read and not mapped: what is gathered from them is to be in memory once.
        """
        with (self._directory / f"{name}.npy").open("rb") as file:
            (length,), dtype = read_header(file)
            buffer = np.empty(min(_BLOCK, length), dtype=dtype)
            for start in range(0, length, _BLOCK):
                block = buffer[: length - start]
                if file.readinto(block.data) < block.nbytes:
                    raise ValueError(f"{file.name} is shorter than it says")
                yield block


class SelectedPart(Part):
    """A part that takes its rows out of the shared ones; each column is gathered when it is asked for.

    Args:
        rows: The shared rows.
        membership: The part of each row.
        number: The number of this part.
    """

    def __init__(self, rows: SharedRows, membership: Membership, number: int) -> None:
        vars(self).update(_rows=rows, _membership=membership, _number=number)
        vars(self).update({name: None for name in ("rating", "timestamp") if name not in rows.columns})

    _rows: SharedRows
    _membership: Membership
    _number: int

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getattr__(self, name: str) -> Any:
        if name == "user":
            column: Any = np.repeat(np.arange(len(self._first) - 1, dtype=np.int32), np.diff(self._first))
        elif name in ("item", "rating", "timestamp"):
            column = self._gathered(name)
        else:
            raise AttributeError(f"a part has no {name!r}", name=name, obj=self)
        vars(self)[name] = column
        return column

    def first_rows(self, n_users: int) -> npt.NDArray[np.int64]:
        """Return the first row of each user, as those of all parts; the users are those of the dataset."""
        return self._first

    def items_occurring(self, n_items: int) -> npt.NDArray[np.bool_]:
        """Return whether each item is in a row, as that of all parts; the items are not kept."""
        if "item" in vars(self):
            return super().items_occurring(n_items)
        is_occurring = np.zeros(n_items, dtype=bool)
        for block, rows in zip(self._rows.blocks("item"), self._selected(), strict=True):
            is_occurring[block.take(rows)] = True
        return is_occurring

    def _selected(self) -> Iterator[npt.NDArray[np.intp]]:
        """Yield which rows of each block are in the part."""
        for start in range(0, len(self._membership), _BLOCK):
            yield np.flatnonzero(self._membership[start : start + _BLOCK] == self._number)

    def _gathered(self, name: str) -> npt.NDArray[Any]:
        column: npt.NDArray[Any] | None = None
        end = 0
        for block, rows in zip(self._rows.blocks(name), self._selected(), strict=True):
            if column is None:
                column = np.empty(len(self), dtype=block.dtype)
            start, end = end, end + len(rows)
            block.take(rows, out=column[start:end], mode="clip")  # without it, numpy would copy what it writes
        assert column is not None, "no dataset is without rows"
        return column

    @cached_property
    def _first(self) -> npt.NDArray[np.int64]:
        in_all = self._rows.first
        first = np.zeros(len(in_all), dtype=np.int64)
        begin = int(np.searchsorted(in_all, 0, side="right"))
        n_before = 0
        for start in range(0, len(self._membership), _BLOCK):
            counts = np.cumsum(self._membership[start : start + _BLOCK] == self._number, dtype=np.int32)
            end = int(np.searchsorted(in_all, start + len(counts), side="right"))
            first[begin:end] = n_before + counts[in_all[begin:end] - start - 1]
            begin, n_before = end, n_before + int(counts[-1])
        return first


_small: dict[str, tuple[tuple[int, ...], npt.NDArray[Any]]] = {}
"""Arrays of small files, by path, with the state of the file that they were read in."""
_SMALL_BYTES, _MOST_SMALL = 1 << 19, 16


def mapped(path: Path) -> npt.NDArray[Any]:
    """Return the array of a file, memory-mapped, or of a small file as it was read before, which nobody may write into.

    Mapping takes a quarter of a millisecond, several times per item: as long as some items take to compute.
    """
    status = path.stat()
    if status.st_size > _SMALL_BYTES:
        return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
    name, state = str(path), (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    known = _small.get(name)
    if known is not None and known[0] == state:
        return known[1]
    array = np.asarray(np.load(path, allow_pickle=False))
    array.flags.writeable = False
    if len(_small) >= _MOST_SMALL:
        _small.clear()
    _small[name] = state, array
    return array

"""A part of a prepared fold: its rows, and the file that holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """The interactions of one part (train, validation or test) of a fold, one entry per row.

    Attributes:
        user: int32 user codes, ascending.
        item: int32 item codes.
        rating: float32 ratings, or None when the dataset is implicit.
        timestamp: int64 seconds (ascending within a user), or None when the dataset has none.
    """

    user: Ints
    item: Ints
    rating: Floats | None
    timestamp: npt.NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.user)

    def first_rows(self, n_users: int) -> npt.NDArray[np.int64]:
        """Return the first row of each user, and at the end the number of rows; shape (n_users + 1,)."""
        return np.searchsorted(self.user, np.arange(n_users + 1, dtype=np.int32)).astype(np.int64, copy=False)

    def items_occurring(self, n_items: int) -> npt.NDArray[np.bool_]:
        """Return whether each item is in a row, shape (n_items,)."""
        is_occurring = np.zeros(n_items, dtype=bool)
        is_occurring[self.item] = True
        return is_occurring


def rows_of(part: Part, rows: Any) -> Part:
    """Return some rows of a part.

    Args:
        part: The part.
        rows: What selects them: a slice, a mask of shape (rows,), or row numbers.
    """
    rating = None if part.rating is None else part.rating[rows]
    timestamp = None if part.timestamp is None else part.timestamp[rows]
    return Part(part.user[rows], part.item[rows], rating, timestamp)


def joined(parts: Sequence[Part]) -> Part:
    """Return all rows of several parts of a fold, by user and time; rows of one user and time as the parts stand.

    Args:
        parts: The parts, which have the same columns.
    """
    user, item = (np.concatenate(column) for column in zip(*((part.user, part.item) for part in parts), strict=True))
    ratings = [part.rating for part in parts if part.rating is not None]
    timestamps = [part.timestamp for part in parts if part.timestamp is not None]
    rating = np.concatenate(ratings) if ratings else None
    timestamp = np.concatenate(timestamps) if timestamps else None
    order = np.argsort(user, kind="stable") if timestamp is None else np.lexsort((timestamp, user))
    return rows_of(Part(user, item, rating, timestamp), order)


def latest_rows(part: Part, n_items: int) -> npt.NDArray[np.int64]:
    """Return the row of each (user, item) pair of a part, the last one of those that are repeated; ascending."""
    pairs = part.user.astype(np.int64) * n_items + part.item
    from_the_end = np.unique(pairs[::-1], return_index=True)[1]
    return np.sort(len(pairs) - 1 - from_the_end)


def entries_of(
    owners: npt.NDArray[np.integer[Any]], first: npt.NDArray[np.integer[Any]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where the rows of some owners lie among rows that stand by owner.

    Args:
        owners: The owners, shape (b,).
        first: The first row of each owner there is, and at the end the number of rows.

    Returns:
        For each row the number of its owner, from 0 on and ascending, and its own number; both of shape (rows,).
    """
    starts, counts = first[owners], first[owners + 1] - first[owners]
    number = np.repeat(np.arange(len(owners)), counts)
    ends = np.cumsum(counts)
    return number, np.arange(len(number)) + np.repeat(starts - (ends - counts), counts)


_LAYOUT = {"timestamp": "<i8", "user": "<i4", "item": "<i4", "rating": "<f4"}
"""The columns of a part's file, one after the other: the widest first, so that each lies at a multiple of its width."""

_WORD = 4


def empty_part(names: Sequence[str]) -> Part:
    """Return a part without rows.

    Args:
        names: The names of its columns.
    """
    column = {name: np.zeros(0, dtype=_LAYOUT[name]) for name in names}
    return Part(column["user"], column["item"], column.get("rating"), column.get("timestamp"))


def columns_in(file: npt.NDArray[np.int32], names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Return views of the columns that ``save_columns`` wrote.

    Args:
        file: int32 words, shape (words of a row, rows).
        names: The names of the columns.
    """
    columns, start = {}, 0
    for name, dtype in _LAYOUT.items():
        if name in names:
            words = np.dtype(dtype).itemsize // _WORD
            columns[name] = np.asarray(file[start : start + words]).reshape(-1).view(dtype)
            start += words
    return columns


def save_columns(path: str | Path, columns: Mapping[str, npt.NDArray[Any]], rows: npt.NDArray[np.integer[Any]]) -> None:
    """Write rows of columns into one ``.npy`` file, column after column.

    Args:
        path: The file.
        columns: user, item, and rating and timestamp where there are.
        rows: The row numbers.

    Raises:
        OSError: It cannot be written to its end.
    """
    words = sum(np.dtype(_LAYOUT[name]).itemsize for name in columns) // _WORD
    header = {"descr": "<i4", "fortran_order": False, "shape": (words, len(rows))}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for name, dtype in _LAYOUT.items():
            if name in columns:
                file.write(columns[name].take(rows).astype(dtype, copy=False).data)

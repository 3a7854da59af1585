"""The items that users have seen, wherever a fold has them: in files of its own, or among the rows that all folds share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .parts import Ints, Part, entries_of
from .shared_rows import Membership, SharedRows

_TOGETHER = 1 << 22
"""Rows whose pairs are in memory together."""


class Seen(Protocol):
    """What the users of a fold have seen."""

    def pairs_of(self, users: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
        """Return what some users have seen, as pairs of a user's position among them and an item; some come several times."""

    def pairs(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield user and item codes, ascending by user, of several parts or of some users at a time."""


class SeenParts:
    """What users have seen, where that is in parts.

    Args:
        parts: The parts.
        n_users: The number of users.
    """

    def __init__(self, parts: Sequence[Part], n_users: int) -> None:
        self._parts = parts
        self._items = [(part.first_rows(n_users), part.item) for part in parts if len(part)]

    def pairs_of(self, users: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
        """Return the pairs of all parts, those of one part after those of another."""
        pairs = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32))]
        for first, items in self._items:
            position, rows = entries_of(users, first)
            pairs.append((position, items[rows]))
        positions, items_seen = zip(*pairs, strict=True)
        return np.concatenate(positions), np.concatenate(items_seen)

    def pairs(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield the codes of each part."""
        for part in self._parts:
            yield part.user, part.item


class SeenRows:
    """What users have seen, where that is in the shared rows.

    Args:
        rows: The shared rows.
        membership: The part of each row.
        numbers: The numbers of the parts whose items they have seen.
    """

    def __init__(self, rows: SharedRows, membership: Membership, numbers: Sequence[int]) -> None:
        self._rows, self._membership = rows, membership
        self._is_seen = np.isin(np.arange(1 << 8), numbers)

    def pairs_of(self, users: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
        """Return the pairs, ascending by position."""
        position, rows = entries_of(users, self._rows.first)
        is_seen = self._is_seen[self._membership[rows]]
        return position[is_seen], self._rows.item[rows[is_seen]]

    def pairs(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield the codes of as many users at a time as fit into some megabytes."""
        first, items = self._rows.first, self._rows.item
        begin, n_users = 0, len(first) - 1
        while begin < n_users:
            end = max(begin + 1, int(np.searchsorted(first, first[begin] + _TOGETHER, side="right")) - 1)
            rows = slice(int(first[begin]), int(first[end]))
            seen = np.flatnonzero(self._is_seen[self._membership[rows]])
            users = np.repeat(np.arange(begin, end, dtype=np.int32), np.diff(first[begin : end + 1]))
            yield users[seen], items[rows][seen]
            begin = end

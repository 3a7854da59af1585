"""The items that users have seen, wherever a fold has them: in files of its own, or among the rows that all folds share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from .parts import Ints, Part
from .shared_rows import Membership, SharedRows

_TOGETHER = 1 << 22
"""Rows whose pairs are in memory together."""


class Seen(Protocol):
    """What the users of a fold have seen."""

    def each(self, users: Ints) -> Iterator[tuple[int, Ints]]:
        """Yield what some users have seen: the position of each among them, and items; some come several times."""

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

    def each(self, users: Ints) -> Iterator[tuple[int, Ints]]:
        """Yield the items of each user in each part."""
        for first, items in self._items:
            for position, (start, end) in enumerate(zip(first[users].tolist(), first[users + 1].tolist(), strict=True)):
                yield position, items[start:end]

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

    def each(self, users: Ints) -> Iterator[tuple[int, Ints]]:
        """Yield the items of each user."""
        first, items = self._rows.first, self._rows.item
        for position, (start, end) in enumerate(zip(first[users].tolist(), first[users + 1].tolist(), strict=True)):
            yield position, items[start:end][self._is_seen[self._membership[start:end]]]

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

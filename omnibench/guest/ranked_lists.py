"""Lists of recommendations as columns: those of many users together, so that none is looked at by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .parts import Ints

RankedList = tuple[Ints, npt.NDArray[np.float64]]
"""Item codes, best first, and their scores, which never rise; both of shape (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class RankedLists:
    """The lists of a batch of users. Several users may have the same one, which then is there once.

    Attributes:
        begin: The first entry of each user's list, shape (b,).
        length: Its number of entries, shape (b,).
        item: Item codes, int32, of each list the best first, none twice; shape (m,).
        score: Their scores, float64, which never rise in a list; shape (m,).
    """

    begin: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    item: Ints
    score: npt.NDArray[np.float64]

    @classmethod
    def of(cls, lists: Sequence[RankedList]) -> RankedLists:
        """Join lists, one for each user."""
        distinct = {id(ranked): ranked for ranked in lists}  # many give the same list to everybody
        numbers = {key: number for number, key in enumerate(distinct)}
        number = np.array([numbers[id(ranked)] for ranked in lists], dtype=np.int64)
        length = np.array([len(items) for items, _ in distinct.values()], dtype=np.int64)
        begin = np.cumsum(length) - length
        items = [np.zeros(0, dtype=np.int32), *(items for items, _ in distinct.values())]
        scores = [np.zeros(0), *(scores for _, scores in distinct.values())]
        return cls(begin[number], length[number], np.concatenate(items), np.concatenate(scores))

    @property
    def shape(self) -> tuple[int]:
        """The number of users."""
        return (len(self.begin),)

    def first(
        self, start: int, is_blocked: npt.NDArray[np.bool_], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the first k entries of lists that may be recommended.

        Args:
            start: The first of the users; they are as many as ``is_blocked`` has rows.
            is_blocked: Whether an item must not be recommended to a user, shape (users, n_items).
            k: The length of the lists.

        Returns:
            The row of each entry, its rank from 0 on, and its number among all entries.
        """
        rows = np.arange(len(is_blocked))
        begin, length = self.begin[start : start + len(rows)], self.length[start : start + len(rows)]
        width = min(2 * k, int(length.max(initial=0)))
        chosen: list[tuple[npt.NDArray[np.int64], ...]] = []
        while len(rows):  # most have seen few of the best items, and few have seen many
            column = np.arange(width)
            is_entry = column < length[rows, None]
            entry = np.where(is_entry, begin[rows, None] + column, 0)
            is_allowed = is_entry & ~is_blocked[rows[:, None], self.item[entry]] if len(self.item) else is_entry
            rank = np.cumsum(is_allowed, axis=1)
            is_done = (length[rows] <= width) | (rank[:, -1] >= k) if width else np.ones(len(rows), dtype=bool)
            row, position = np.nonzero(is_allowed & (rank <= k) & is_done[:, None])
            chosen.append((rows[row], rank[row, position] - 1, entry[row, position]))
            rows, width = rows[~is_done], 2 * width
        chosen.append((rows, rows, rows))
        owners, ranks, entries = (np.concatenate(parts).astype(np.int64) for parts in zip(*chosen, strict=True))
        return owners, ranks, entries

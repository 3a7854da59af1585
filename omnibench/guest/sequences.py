"""The items of users in order, which next-item models read: "Next items" in docs/conventions.md says what is in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .folds import NO_ITEM, Fold
from .parts import Ints, Part

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """The items of each user, in order, where repeated items are as often as the user has had them.

    Attributes:
        first: Where the items of each user begin, and at the end how many there are; int64, shape (n_users + 1,).
        item: Item codes, int32.
    """

    first: Positions
    item: Ints

    def latest(self, users: Ints, length: int) -> tuple[Ints, Positions]:
        """Return the last items of some users, oldest first.

        Args:
            users: User codes, shape (b,).
            length: The largest length of a sequence.

        Returns:
            Item codes, padded with ``NO_ITEM`` at the end, shape (b, length); and how many each user has, shape (b,).
        """
        end = self.first[users + 1]
        return self.before(end, np.minimum(end - self.first[users], length), length)

    def before(self, end: Positions, counts: Positions, length: int) -> tuple[Ints, Positions]:
        """Return the items that stand before some positions.

        Args:
            end: Positions in ``item``, shape (b,).
            counts: How many items of each are wanted, at most ``length`` and not beyond the first of the user.
            length: The length of a sequence.

        Returns:
            Item codes, padded with ``NO_ITEM`` at the end, shape (b, length); and ``counts``.
        """
        offset = np.arange(length)
        is_there = offset < counts[:, None]
        items = np.full(is_there.shape, NO_ITEM, dtype=np.int32)
        items[is_there] = self.item[((end - counts)[:, None] + offset)[is_there]]
        return items, counts


def sequences_of(part: Part, n_users: int, is_known: npt.NDArray[np.bool_] | None = None) -> Sequences:
    """Return the sequences of a part's users.

    Args:
        part: The part, by user and time.
        n_users: The number of users.
        is_known: Whether an item may be in a sequence, shape (n_items,); None for all.

    Raises:
        ValueError: The part has no timestamps, so that nothing says what comes next.
    """
    return timed_sequences_of(part, n_users, is_known)[0]


def timed_sequences_of(
    part: Part, n_users: int, is_known: npt.NDArray[np.bool_] | None = None
) -> tuple[Sequences, Positions]:
    """Return the sequences of a part's users as ``sequences_of``, and when each item was: int64 seconds, shape (m,)."""
    if part.timestamp is None:
        raise ValueError("sequences need timestamps, and the data has none: add a column 'timestamp'")
    first = part.first_rows(n_users)
    if is_known is None:
        return Sequences(first, part.item), part.timestamp
    is_kept = is_known[part.item]
    kept_before = np.concatenate([[0], np.cumsum(is_kept, dtype=np.int64)])
    return Sequences(kept_before[first], part.item[is_kept]), part.timestamp[is_kept]


def input_sequences(fold: Fold) -> Sequences:
    """Return what users are recommended for by: their history and validation in order, without items unknown in training."""
    return sequences_of(fold.inputs, fold.n_users, fold.candidates)

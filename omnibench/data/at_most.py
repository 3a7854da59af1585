"""AtMost: how many interactions of a user, or of an item, are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnibench.arguments import checked_arguments
from omnibench.data.interactions import Interactions
from omnibench.data.order import Codes, Words, canonical_order, first_rows, ranks
from omnibench.data.shares import from_the_end
from omnibench.data.step import Preprocessing, is_int, random_keys
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_CHOICES = ("last", "first", "random")


@checked_arguments
@dataclass(frozen=True)
class AtMost(Preprocessing):
    """Keep at most so many interactions of every user, or of every item.

    Guarantees: a user with up to ``per_user`` interactions keeps all of them, every other one exactly as many; then the
    same of items, among what the users keep. With ``last`` (``first``), none that goes is later (earlier) than one of the
    same user, or item, that stays.

    Args:
        per_user: The largest number of interactions of a user, at least 1; None for no limit.
        per_item: The same for items.
        which: Those that stay: the ``last`` or ``first`` in time (in the order of the rows without timestamps, and where
            they are equal), or ``random`` ones.

    Raises:
        DataError: A limit is no such number, none is given, or there is no such choice.
    """

    per_user: int | None = None
    per_item: int | None = None
    which: str = "last"

    @property
    def needs_order(self) -> bool:
        return self.which != "random"

    def check(self) -> None:
        for name, limit in (("per_user", self.per_user), ("per_item", self.per_item)):
            if limit is not None and (not is_int(limit) or limit < 1):
                raise DataError(f"AtMost: {name} is {limit!r}; give an int of at least 1, or None for no limit.")
        if self.per_user is None and self.per_item is None:
            raise DataError("AtMost has no limit, so it would keep everything; give one, e.g. AtMost(per_user=100).")
        if self.which not in _CHOICES:
            raise DataError(f"AtMost: which is {self.which!r}; give one of {', '.join(map(repr, _CHOICES))}.")

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        rows = interactions
        if self.per_user is not None:
            keys = random_keys(len(rows), seed, position) if self.which == "random" else None
            rank = self._ranks(rows.user, len(rows.user_ids), rows.timestamp, keys)
            rows = rows.take(rank < self.per_user)
        if self.per_item is not None:
            keys = random_keys(len(rows), seed, position, 1) if self.which == "random" else None
            rank = self._ranks(rows.item, len(rows.item_ids), rows.timestamp, keys)
            rows = rows.take(rank < self.per_item)
        return rows

    def _ranks(
        self, codes: Codes, n_codes: int, timestamp: npt.NDArray[np.int64] | None, keys: Words | None
    ) -> npt.NDArray[np.int32]:
        """Rank each row among the rows of its code, from 0; the first ones stay.

        Args:
            codes: The users or items of the rows, shape (n,).
            n_codes: How many codes there are.
            timestamp: The rows' times, shape (n,), or None.
            keys: Random words where chance decides, shape (n,).
        """
        order = canonical_order(codes, timestamp, n_codes)
        starts = first_rows(codes if order is None else codes[order], n_codes)
        if keys is not None:
            rank = ranks(starts, keys if order is None else keys[order])
        elif self.which == "last":
            rank = from_the_end(starts)
        else:
            rank = (np.arange(len(codes)) - np.repeat(starts[:-1], np.diff(starts))).astype(np.int32)
        if order is None:
            return rank
        rank_of_row = np.empty_like(rank)
        rank_of_row[order] = rank
        return rank_of_row

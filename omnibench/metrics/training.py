"""What metrics beyond accuracy need to know from training: popularity, and what each user has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


Ints: TypeAlias = "npt.NDArray[np.int32]"
Counts: TypeAlias = "npt.NDArray[np.int64]"
Pairs = tuple[Ints, Ints]


@dataclass(frozen=True)
class Training:
    """The interactions before the test: no pair of user and item is there twice, nor in the test part.

    Each attribute is computed when it is first asked for.

    Attributes:
        read: Returns the training part, then the parts that hold what users have seen: their history (the training part
            itself, unless users are strangers to it) and validation. Each as user and item codes, int32, shape (rows,).
        n_users: Number of user codes.
        n_items: Number of item codes.
        read_item_ids: Returns the user's own item ids, by code.
    """

    read: Callable[[], tuple[Pairs, Sequence[Pairs]]]
    n_users: int
    n_items: int
    read_item_ids: Callable[[], Sequence[Any]] = tuple

    @cached_property
    def _parts(self) -> tuple[Pairs, Sequence[Pairs]]:
        return self.read()

    @cached_property
    def item_ids(self) -> Sequence[Any]:
        """The user's own item ids, by code."""
        return self.read_item_ids()

    @cached_property
    def popularity(self) -> Counts:
        """Number of training interactions of each item, which is its number of users; shape (n_items,)."""
        return np.bincount(self._parts[0][1], minlength=self.n_items)

    @cached_property
    def active_users(self) -> int:
        """Number of users with a training interaction."""
        return int(np.count_nonzero(np.bincount(self._parts[0][0], minlength=self.n_users)))

    @property
    def is_candidate(self) -> npt.NDArray[np.bool_]:
        """Whether an item is known in training, so that it can be recommended; shape (n_items,)."""
        return self.popularity > 0

    @cached_property
    def n_candidates(self) -> int:
        """Number of items known in training."""
        return int(np.count_nonzero(self.popularity))

    @cached_property
    def popularity_rank(self) -> Counts:
        """Place of each item from the most popular one, from 0, ties by item code; shape (n_items,)."""
        places = np.empty(self.n_items, dtype=np.int64)
        places[np.argsort(-self.popularity, kind="stable")] = np.arange(self.n_items)
        return places

    @cached_property
    def seen(self) -> Counts:
        """What users have in their history or validation, as ``user * n_items + popularity_rank``, ascending."""
        user, item = (np.concatenate(column) for column in zip(*self._parts[1], strict=True))
        return np.sort(user.astype(np.int64) * self.n_items + self.popularity_rank[item])

    @cached_property
    def n_unseen(self) -> Counts:
        """Number of items known in training that each user has neither in history nor validation; (n_users,)."""
        known = [user[self.is_candidate[item]] for user, item in self._parts[1]]
        return self.n_candidates - np.bincount(np.concatenate(known), minlength=self.n_users)

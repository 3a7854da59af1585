"""Training facts for the metrics beyond accuracy: popularity, and what each user has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from omnibench.guest.features import FeatureTable
else:
    from omnibench.lazy import np, npt


Ints: TypeAlias = "npt.NDArray[np.int32]"
Counts: TypeAlias = "npt.NDArray[np.int64]"
Pairs = tuple[Ints, Ints]


def _nothing(subject: str) -> FeatureTable | None:  # noqa: ARG001 - as whoever knows something takes it
    return None


@dataclass(frozen=True)
class Training:
    """The interactions before the test, each pair of user and item once, none of them in the test part.

    Each attribute is computed when it is first asked for.

    Attributes:
        read: Returns the training part, then the parts that hold what users have seen: their history (the training part
            itself, unless users are strangers to it) and validation. Each as user and item codes, int32, shape (rows,).
        n_users: Number of user codes.
        n_items: Number of item codes.
        read_item_ids: Returns the user's own item ids, by code.
        features: Returns what is known about ``items`` or ``users``; None for nothing.
    """

    read: Callable[[], tuple[Pairs, Sequence[Pairs]]]
    n_users: int
    n_items: int
    read_item_ids: Callable[[], Sequence[Any]] = tuple
    features: Callable[[str], FeatureTable | None] = _nothing

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
    def history_lengths(self) -> Counts:
        """Number of items in the history of each user, without validation; shape (n_users,)."""
        return np.bincount(self._parts[1][0][0], minlength=self.n_users)

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
        """Rank of each item by popularity, from 0 for the most popular, ties by item code; shape (n_items,)."""
        ranks = np.empty(self.n_items, dtype=np.int64)
        ranks[np.argsort(-self.popularity, kind="stable")] = np.arange(self.n_items)
        return ranks

    @cached_property
    def seen(self) -> Counts:
        """Each user's items in history and validation, as ``user * n_items + popularity_rank``, ascending."""
        user, item = (np.concatenate(column) for column in zip(*self._parts[1], strict=True))
        return np.sort(user.astype(np.int64) * self.n_items + self.popularity_rank[item])

    @cached_property
    def n_unseen(self) -> Counts:
        """Number of training items that each user has neither in history nor in validation; shape (n_users,)."""
        candidate_users = [user[self.is_candidate[item]] for user, item in self._parts[1]]
        return self.n_candidates - np.bincount(np.concatenate(candidate_users), minlength=self.n_users)

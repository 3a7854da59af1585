"""What metrics beyond accuracy need to know from training: popularity, and what each user has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Training:
    """The interactions before the test, each part computed when it is first asked for.

    Attributes:
        read: Returns user and item codes of training, then of validation; each int32, shape (rows of the part,).
        n_users: Number of user codes.
        n_items: Number of item codes.
        read_item_ids: Returns the user's own item ids, by code.
    """

    read: Callable[[], tuple[Ints, Ints, Ints, Ints]]
    n_users: int
    n_items: int
    read_item_ids: Callable[[], Sequence[Any]] = tuple

    @cached_property
    def _parts(self) -> tuple[Ints, Ints, Ints, Ints]:
        return self.read()

    @cached_property
    def item_ids(self) -> Sequence[Any]:
        """The user's own item ids, by code."""
        return self.read_item_ids()

    @cached_property
    def popularity(self) -> Counts:
        """Number of training interactions of each item, which is its number of users; shape (n_items,)."""
        return np.bincount(self._parts[1], minlength=self.n_items)

    @cached_property
    def active_users(self) -> int:
        """Number of users with a training interaction."""
        return int(np.count_nonzero(np.bincount(self._parts[0], minlength=self.n_users)))

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
        """What users have in training or validation, as ``user * n_items + popularity_rank``, ascending, once each."""
        user = np.concatenate(self._parts[0::2]).astype(np.int64)
        return np.unique(user * self.n_items + self.popularity_rank[np.concatenate(self._parts[1::2])])

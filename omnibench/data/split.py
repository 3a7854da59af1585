"""Random splits: which rows are training, validation and test.

Every split works on canonical rows (sorted by user, then time) and returns row numbers. Fractions are of
all interactions of the user (or of the dataset for the Random splits), not of what another part left over.
A part with a size above zero gets at least one row per user; where users have too few rows, the error names them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_arguments
from omnibench.data.interactions import Interactions
from omnibench.data.order import Words, deal, first_rows, ranks
from omnibench.data.parts import Folds, Mask, Parts, Split, parts_of
from omnibench.data.shares import (
    Counts,
    check_fold_sizes,
    check_sizes,
    hold_out_first,
    needed_by_user,
    refuse_short_data,
    refuse_short_users,
    share,
)
from omnibench.data.step import random_keys

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_LAST = 2**64 - 1
"""The key of rows that must not be drawn."""


@checked_arguments
@dataclass(frozen=True)
class UserHoldout(Split):
    """Hold out a random share of every user's interactions.

    Guarantees: every user has at least one interaction in training and in each part whose size is above zero, and
    exactly the share that was asked for in validation and test.

    Args:
        validation_size: Per user: a float below 1 is a fraction, an int a number of interactions.
        test_size: The same for the test part; above zero.
    """

    validation_size: int | float = 0.1
    test_size: int | float = 0.2

    def check(self) -> None:
        check_sizes(self, self.validation_size, self.test_size)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        starts = first_rows(interactions.user, len(interactions.user_ids))
        refuse_short_users(self, interactions, starts, self._needed_counts)
        rank = ranks(starts, random_keys(len(interactions), seed, position))
        return [hold_out_first(starts, rank, self.validation_size, self.test_size)]

    def _needed_counts(self, counts: Counts) -> Counts:
        return needed_by_user(counts, self.validation_size, self.test_size)


@checked_arguments
@dataclass(frozen=True)
class RandomHoldout(Split):
    """Hold out a random share of all interactions, regardless of user.

    Guarantees: validation and test have exactly the share that was asked for, training at least one interaction; a
    user may be missing in any part.

    Args:
        validation_size: A float below 1 is a fraction, an int a number of interactions.
        test_size: The same for the test part; above zero.
    """

    validation_size: int | float = 0.1
    test_size: int | float = 0.2

    def check(self) -> None:
        check_sizes(self, self.validation_size, self.test_size)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        n = np.array([len(interactions)])
        test, validation = int(share(self.test_size, n)[0]), int(share(self.validation_size, n)[0])
        refuse_short_data(self, len(interactions), test + validation + 1)
        rank = _overall_ranks(random_keys(len(interactions), seed, position))
        return [parts_of(rank < test, (rank >= test) & (rank < test + validation))]


@dataclass(frozen=True)
class _CrossValidation(Split):
    """Cut interactions into folds; each is the test part once, and validation is drawn from the rest."""

    num_folds: int = 5
    validation_size: int | float = 0.0

    def check(self) -> None:
        check_fold_sizes(self, self.num_folds, self.validation_size)

    @property
    def folds(self) -> int:
        return self.num_folds

    def _make_folds(
        self, fold_of_row: npt.NDArray[Any], seed: int, position: int, draw: Callable[[Words], Mask]
    ) -> Folds:
        """Return the parts of each fold, validation drawn anew for each.

        Args:
            fold_of_row: The fold that tests each row, shape (n,).
            seed: The dataset's seed.
            position: The step's position in the recipe.
            draw: Called with a random key for each row, that of a tested row being the highest; returns which rows
                have the lowest, as many as are validated.
        """

        def make(fold: int) -> Parts:
            is_test = fold_of_row == fold
            if self.validation_size == 0:
                return parts_of(is_test)
            keys = random_keys(len(fold_of_row), seed, position, 2, fold)
            keys[is_test] = np.uint64(_LAST)
            return parts_of(is_test, draw(keys) & ~is_test)

        return Folds(self.num_folds, make)


@checked_arguments
@dataclass(frozen=True)
class UserCrossValidation(_CrossValidation):
    """Cut every user's interactions into folds; each is the test part once.

    Where a user's surplus goes is random, so that the folds are of about equal size overall.

    Guarantees: every interaction is in the test part of exactly one fold; every user has interactions in every test
    part and in training, and as many in one fold as in another, or one more.

    Args:
        num_folds: How many folds, at least 2.
        validation_size: What each fold takes out of training for validation, per user: a float below 1 is a
            fraction of all interactions of the user, an int a number.
    """

    def split(self, interactions: Interactions, seed: int, position: int) -> Folds:
        starts = first_rows(interactions.user, len(interactions.user_ids))
        refuse_short_users(self, interactions, starts, self._needed_counts)
        counts = np.diff(starts)
        first_hand = (random_keys(len(counts), seed, position, 1) % np.uint64(self.num_folds)).astype(np.int64)
        fold_of_row = deal(starts, random_keys(len(interactions), seed, position), first_hand, self.num_folds)
        validation = share(self.validation_size, counts)
        return self._make_folds(
            fold_of_row, seed, position, lambda keys: ranks(starts, keys) < np.repeat(validation, counts)
        )

    def _needed_counts(self, counts: Counts) -> Counts:
        """Return how many interactions the folds need of users with these counts, one for training included."""
        largest_fold = -(-counts // self.num_folds)
        needed_counts: Counts = np.maximum(self.num_folds, largest_fold + share(self.validation_size, counts) + 1)
        return needed_counts


@checked_arguments
@dataclass(frozen=True)
class RandomCrossValidation(_CrossValidation):
    """Cut all interactions into folds, regardless of user; each is the test part once.

    Guarantees: every interaction is in the test part of exactly one fold; the sizes of folds differ by at most one; a
    user may be missing in any part.

    Args:
        num_folds: How many folds, at least 2.
        validation_size: What each fold takes out of training for validation: a float below 1 is a fraction
            of all interactions, an int a number.
    """

    def split(self, interactions: Interactions, seed: int, position: int) -> Folds:
        n = len(interactions)
        validation = int(share(self.validation_size, np.array([n]))[0])
        refuse_short_data(self, n, max(self.num_folds, -(-n // self.num_folds) + validation + 1))
        fold_of_row = (_overall_ranks(random_keys(n, seed, position)) % self.num_folds).astype(
            np.min_scalar_type(self.num_folds)
        )
        return self._make_folds(fold_of_row, seed, position, lambda keys: _overall_ranks(keys) < validation)


def _overall_ranks(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the rank of each key among all keys, from 0."""
    rank = np.empty(len(keys), dtype=np.int64)
    rank[np.argsort(keys, kind="stable")] = np.arange(len(keys))
    return rank

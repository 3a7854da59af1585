"""Splits: which rows are training, validation and test.

Every split works on canonical rows (sorted by user, then time) and returns row numbers. Fractions are of
all interactions of the user (or of the dataset for the Random splits), not of what another part left over.
A part with a size above zero gets at least one row per user; what cannot be done is refused with the users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from omnibench.data.interactions import Interactions
from omnibench.data.order import Rows, deal, first_rows, ranks
from omnibench.data.step import Step, is_int, is_number, random_keys
from omnibench.errors import DataError

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_FEWEST_FOLDS = 2
_LAST = np.uint64(2**64 - 1)
"""The key of a row that is not to be drawn."""
_NAMED_USERS = 5
"""How many users an error names."""


class Parts(NamedTuple):
    """Ascending row numbers of the parts of one fold; together they are all rows, none of them twice."""

    train: Rows
    validation: Rows
    test: Rows


class Folds(Sequence[Parts]):
    """The parts of each fold, made when they are looked at: together they would be larger than the interactions.

    Args:
        number: How many folds.
        make: Called with a fold's number.
    """

    def __init__(self, number: int, make: Callable[[int], Parts]) -> None:
        self._folds = range(number)
        self._make = make

    def __len__(self) -> int:
        return len(self._folds)

    @overload
    def __getitem__(self, fold: int) -> Parts: ...
    @overload
    def __getitem__(self, fold: slice) -> list[Parts]: ...
    def __getitem__(self, fold: int | slice) -> Parts | list[Parts]:
        if isinstance(fold, slice):
            return [self._make(one) for one in self._folds[fold]]
        return self._make(self._folds[fold])


@dataclass(frozen=True)
class Split(Step):
    """A step from interactions to folds.

    What each split guarantees, it guarantees for any interactions that it does not refuse.
    """

    @property
    def folds(self) -> int | None:
        """The number of folds, or None for a single split."""
        return None

    def split(self, interactions: Interactions, seed: int, position: int) -> Sequence[Parts]:
        """Return the parts of each fold.

        Args:
            interactions: Canonical rows.
            seed: The dataset's seed.
            position: The step's position in the recipe.
        """
        raise NotImplementedError


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

    def __post_init__(self) -> None:
        check_sizes(self, self.validation_size, self.test_size)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        first = first_rows(interactions.user, len(interactions.user_ids))
        refuse_short_users(self, interactions, first, self._needed)
        rank = ranks(first, random_keys(len(interactions), seed, position))
        return [hold_out_first(first, rank, self.validation_size, self.test_size)]

    def _needed(self, counts: Counts) -> Counts:
        return needed_by_user(counts, self.validation_size, self.test_size)


@dataclass(frozen=True)
class RandomHoldout(Split):
    """Hold out a random share of all interactions, whoever's they are.

    Guarantees: validation and test have exactly the share that was asked for, training at least one interaction; a
    user may be missing in any part.

    Args:
        validation_size: A float below 1 is a fraction, an int a number of interactions.
        test_size: The same for the test part; above zero.
    """

    validation_size: int | float = 0.1
    test_size: int | float = 0.2

    def __post_init__(self) -> None:
        check_sizes(self, self.validation_size, self.test_size)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        n = np.array([len(interactions)])
        test, validation = int(share(self.test_size, n)[0]), int(share(self.validation_size, n)[0])
        refuse_short_data(self, len(interactions), test + validation + 1)
        rank = _order(random_keys(len(interactions), seed, position))
        return [parts_of(rank < test, (rank >= test) & (rank < test + validation))]


@dataclass(frozen=True)
class UserCrossValidation(Split):
    """Cut every user's interactions into folds; each is the test part once.

    Where a user's surplus goes is random, so that the folds are of about equal size overall.

    Guarantees: every interaction is in the test part of exactly one fold; every user has interactions in every test
    part and in training, and as many in one fold as in another, or one more.

    Args:
        num_folds: How many folds, at least 2.
        validation_size: What each fold takes out of training for validation, per user: a float below 1 is a
            fraction of all interactions of the user, an int a number.
    """

    num_folds: int = 5
    validation_size: int | float = 0.0

    def __post_init__(self) -> None:
        _check_folds(self, self.num_folds)
        _check_size(self, "validation_size", self.validation_size, zero=True)
        _check_sum(self, self.validation_size, 1 / self.num_folds)

    @property
    def folds(self) -> int:
        return self.num_folds

    def split(self, interactions: Interactions, seed: int, position: int) -> Folds:
        first = first_rows(interactions.user, len(interactions.user_ids))
        refuse_short_users(self, interactions, first, self._needed)
        counts = np.diff(first)
        start = (random_keys(len(counts), seed, position, 1) % np.uint64(self.num_folds)).astype(np.int64)
        fold_of_row = deal(first, random_keys(len(interactions), seed, position), start, self.num_folds)
        validation = share(self.validation_size, counts)

        def make(fold: int) -> Parts:
            tested = fold_of_row == fold
            if self.validation_size == 0:
                return parts_of(tested)
            keys = random_keys(len(interactions), seed, position, 2, fold)
            keys[tested] = _LAST
            return parts_of(tested, (ranks(first, keys) < np.repeat(validation, counts)) & ~tested)

        return Folds(self.num_folds, make)

    def _needed(self, counts: Counts) -> Counts:
        """Return how many interactions every part takes of users with so many; training takes at least one."""
        largest_fold = -(-counts // self.num_folds)
        needed: Counts = np.maximum(self.num_folds, largest_fold + share(self.validation_size, counts) + 1)
        return needed


@dataclass(frozen=True)
class RandomCrossValidation(Split):
    """Cut all interactions into folds, whoever's they are; each is the test part once.

    Guarantees: every interaction is in the test part of exactly one fold; the sizes of folds differ by at most one; a
    user may be missing in any part.

    Args:
        num_folds: How many folds, at least 2.
        validation_size: What each fold takes out of training for validation: a float below 1 is a fraction
            of all interactions, an int a number.
    """

    num_folds: int = 5
    validation_size: int | float = 0.0

    def __post_init__(self) -> None:
        _check_folds(self, self.num_folds)
        _check_size(self, "validation_size", self.validation_size, zero=True)
        _check_sum(self, self.validation_size, 1 / self.num_folds)

    @property
    def folds(self) -> int:
        return self.num_folds

    def split(self, interactions: Interactions, seed: int, position: int) -> Folds:
        n = len(interactions)
        validation = int(share(self.validation_size, np.array([n]))[0])
        refuse_short_data(self, n, max(self.num_folds, -(-n // self.num_folds) + validation + 1))
        fold_of_row = (_order(random_keys(n, seed, position)) % self.num_folds).astype(
            np.min_scalar_type(self.num_folds)
        )

        def make(fold: int) -> Parts:
            tested = fold_of_row == fold
            if validation == 0:
                return parts_of(tested)
            keys = random_keys(n, seed, position, 2, fold)
            keys[tested] = _LAST
            return parts_of(tested, (_order(keys) < validation) & ~tested)

        return Folds(self.num_folds, make)


def share(size: float, counts: Counts) -> Counts:
    """Return how many rows a size means for each count: a fraction rounded half up, but at least one.

    Args:
        size: A float is a fraction, an int a number.
        counts: Shape (n,).
    """
    if is_int(size):
        return np.full(len(counts), size, dtype=np.int64)
    if size == 0:
        return np.zeros(len(counts), dtype=np.int64)
    rounded: Counts = np.floor(size * counts + 0.5).astype(np.int64)
    return np.maximum(1, rounded)


def _order(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The rank of each key among all."""
    rank = np.empty(len(keys), dtype=np.int64)
    rank[np.argsort(keys, kind="stable")] = np.arange(len(keys))
    return rank


def hold_out_first(first: Rows, rank: npt.NDArray[np.int32], validation_size: float, test_size: float) -> Parts:
    """Return the rows that rank first within their user as the test part, those after them as validation.

    Args:
        first: The first row of each user, shape (n_users + 1,).
        rank: The rank of each row within its user, shape (n,).
        validation_size: Per user, a fraction or a number.
        test_size: The same.
    """
    counts = np.diff(first)
    test, validation = share(test_size, counts), share(validation_size, counts)
    tested = rank < np.repeat(test, counts)
    return parts_of(tested, ~tested & (rank < np.repeat(test + validation, counts)))


def needed_by_user(counts: Counts, validation_size: float, test_size: float) -> Counts:
    """Return how many interactions a holdout takes of users with so many; training takes at least one."""
    return share(test_size, counts) + share(validation_size, counts) + 1


def parts_of(tested: Mask, validated: Mask | None = None) -> Parts:
    """Return the parts that masks of the rows tell; what is in neither is training."""
    if validated is None:
        return Parts(np.flatnonzero(~tested), np.empty(0, dtype=np.int64), np.flatnonzero(tested))
    return Parts(np.flatnonzero(~tested & ~validated), np.flatnonzero(validated), np.flatnonzero(tested))


def check_sizes(split: Split, validation_size: object, test_size: object) -> None:
    """Refuse sizes that no data could have.

    Raises:
        DataError: A size is neither a fraction nor a number, or they leave nothing to train on.
    """
    _check_size(split, "validation_size", validation_size, zero=True)
    _check_size(split, "test_size", test_size, zero=False)
    _check_sum(split, validation_size, test_size)


def _check_size(split: Split, name: str, size: Any, *, zero: bool) -> None:
    if not is_number(size):
        raise DataError(
            f"{type(split).__name__}: {name} is {size!r}; give a float below 1 (a fraction) or an int (a number)."
        )
    smallest_fits = size >= 0 if zero else size > 0
    if not (smallest_fits and (is_int(size) or size < 1)):
        raise DataError(
            f"{type(split).__name__}: {name} is {size!r}; give a fraction {'from' if zero else 'above'} 0 and "
            "below 1 as a float, or a number of interactions as an int."
        )


def _check_sum(split: Split, *sizes: Any) -> None:
    if sum(size for size in sizes if not is_int(size)) >= 1:
        raise DataError(f"{type(split).__name__}: test and validation take everything; nothing is left to train on.")


def _check_folds(split: Split, num_folds: int) -> None:
    if not is_int(num_folds) or num_folds < _FEWEST_FOLDS:
        raise DataError(f"{type(split).__name__}: num_folds is {num_folds!r}; give an int of at least 2.")


def refuse_short_users(
    split: Split, interactions: Interactions, first: Rows, needed: Callable[[Counts], Counts]
) -> None:
    """Refuse a split that users have too few interactions for.

    Args:
        split: What was asked for.
        interactions: Canonical rows.
        first: The first row of each user, shape (n_users + 1,).
        needed: How many interactions the split needs of users with so many.

    Raises:
        DataError: There are such users; it names them, and the way out.
    """
    counts = np.diff(first)
    short = np.flatnonzero(counts < needed(counts))
    if len(short) == 0:
        return
    named = ", ".join(f"{interactions.user_ids[user]!r} has {counts[user]}" for user in short[:_NAMED_USERS])
    more = f", and {len(short) - _NAMED_USERS} more" if len(short) > _NAMED_USERS else ""
    # What a fraction takes grows with the user, so enough for these users may be too few for the next larger ones.
    sizes = np.arange(1, max(1000, 2 * int(needed(counts).max())))
    enough = int(sizes[sizes < needed(sizes)].max()) + 1
    raise DataError(
        f"{split}: {len(short)} of {len(counts)} users have too few interactions for every part: user {named}{more}; "
        f"this split needs {enough}. Pipe CorePruning({enough}) before it, or choose fewer folds or smaller parts."
    )


def refuse_short_data(split: Split, n: int, needed: int) -> None:
    """Refuse a split that needs more interactions than there are.

    Raises:
        DataError: It does; it names both numbers.
    """
    if n < needed:
        raise DataError(
            f"{split}: the dataset has {n} interactions, but this split needs at least {needed}. "
            "Choose fewer folds or smaller parts, or prune less before it."
        )

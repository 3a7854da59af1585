"""Splits: which rows are training, validation and test.

Every split works on canonical rows (sorted by user, then time) and returns row numbers. Fractions are of
all interactions of the user (or of the dataset for the Random splits), not of what another part left over.
A part with a size above zero gets at least one row per user; what cannot be done is refused with the users.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from omnibench.data.interactions import Interactions
from omnibench.data.preprocess import Step, is_int, is_number, random_keys
from omnibench.errors import DataError

Rows = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]

_FEWEST_FOLDS = 2
_NAMED_USERS = 5
"""How many users an error names."""


class Parts(NamedTuple):
    """Ascending row numbers of the parts of one fold; together they are all rows, none of them twice."""

    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class Split(Step):
    """A step from interactions to folds."""

    @property
    def folds(self) -> int | None:
        """The number of folds, or None for a single split."""
        return None

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
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

    Every user has at least one interaction in training and in each part whose size is above zero.

    Args:
        validation_size: Per user: a float below 1 is a fraction, an int a number of interactions.
        test_size: The same for the test part; above zero.
    """

    validation_size: int | float = 0.1
    test_size: int | float = 0.2

    def __post_init__(self) -> None:
        _check_size(self, "validation_size", self.validation_size, zero=True)
        _check_size(self, "test_size", self.test_size, zero=False)
        _check_sum(self, self.validation_size, self.test_size)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        counts = _counts(interactions)
        test, validation = _share(self.test_size, counts), _share(self.validation_size, counts)
        _refuse_short_users(self, interactions, self._needed)
        rank = _ranks(interactions, random_keys(len(interactions), seed, position))
        tested = rank < test[interactions.user]
        validated = ~tested & (rank < (test + validation)[interactions.user])
        return [_parts(tested, validated)]

    def _needed(self, counts: Counts) -> Counts:
        """Return how many interactions every part takes of users with so many; training takes at least one."""
        return _share(self.test_size, counts) + _share(self.validation_size, counts) + 1


@dataclass(frozen=True)
class RandomHoldout(Split):
    """Hold out a random share of all interactions, whoever's they are.

    Args:
        validation_size: A float below 1 is a fraction, an int a number of interactions.
        test_size: The same for the test part; above zero.
    """

    validation_size: int | float = 0.1
    test_size: int | float = 0.2

    def __post_init__(self) -> None:
        _check_size(self, "validation_size", self.validation_size, zero=True)
        _check_size(self, "test_size", self.test_size, zero=False)
        _check_sum(self, self.validation_size, self.test_size)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        n = np.array([len(interactions)])
        test, validation = int(_share(self.test_size, n)[0]), int(_share(self.validation_size, n)[0])
        _refuse_short_data(self, len(interactions), test + validation + 1)
        rank = _order(random_keys(len(interactions), seed, position))
        return [_parts(rank < test, (rank >= test) & (rank < test + validation))]


@dataclass(frozen=True)
class UserCrossValidation(Split):
    """Cut every user's interactions into folds; each is the test part once.

    Every user has interactions in every test part, and fold sizes differ by at most one per user; where a
    user's surplus goes is random, so that the folds are of equal size overall.

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

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        counts = _counts(interactions)
        validation = _share(self.validation_size, counts)
        _refuse_short_users(self, interactions, self._needed)
        rank = _ranks(interactions, random_keys(len(interactions), seed, position))
        start = random_keys(len(counts), seed, position, 1) % np.uint64(self.num_folds)
        fold_of_row: Rows = (rank + start[interactions.user].astype(np.int64)) % self.num_folds
        folds = []
        for fold in range(self.num_folds):
            tested = fold_of_row == fold
            validated = _draw(interactions, ~tested, validation, seed, position, 2, fold)
            folds.append(_parts(tested, validated))
        return folds

    def _needed(self, counts: Counts) -> Counts:
        """Return how many interactions every part takes of users with so many; training takes at least one."""
        largest_fold = -(-counts // self.num_folds)
        needed: Counts = np.maximum(self.num_folds, largest_fold + _share(self.validation_size, counts) + 1)
        return needed


@dataclass(frozen=True)
class RandomCrossValidation(Split):
    """Cut all interactions into folds, whoever's they are; each is the test part once.

    Fold sizes differ by at most one.

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

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        n = len(interactions)
        validation = int(_share(self.validation_size, np.array([n]))[0])
        _refuse_short_data(self, n, max(self.num_folds, -(-n // self.num_folds) + validation + 1))
        fold_of_row = _order(random_keys(n, seed, position)) % self.num_folds
        folds = []
        for fold in range(self.num_folds):
            tested = fold_of_row == fold
            keys = random_keys(n, seed, position, 2, fold)
            keys[tested] = np.iinfo(np.uint64).max
            validated = (_order(keys) < validation) & ~tested
            folds.append(_parts(tested, validated))
        return folds


def _counts(interactions: Interactions) -> Counts:
    return np.bincount(interactions.user, minlength=len(interactions.user_ids))


def _share(size: float, counts: Counts) -> Counts:
    """How many rows a size means for each count: a fraction rounded half up, but at least one."""
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


def _ranks(interactions: Interactions, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The rank of each row's key among the rows of the same user, from 0."""
    order = np.lexsort((keys, interactions.user))
    starts = np.concatenate([[0], np.cumsum(_counts(interactions))])
    rank = np.empty(len(keys), dtype=np.int64)
    rank[order] = np.arange(len(keys)) - starts[interactions.user[order]]
    return rank


def _draw(
    interactions: Interactions, among: npt.NDArray[np.bool_], sizes: npt.NDArray[np.int64], *entropy: int
) -> npt.NDArray[np.bool_]:
    """Mark ``sizes[u]`` random rows of each user u among the marked rows."""
    keys = random_keys(len(interactions), *entropy)
    keys[~among] = np.iinfo(np.uint64).max
    return (_ranks(interactions, keys) < sizes[interactions.user]) & among


def _parts(tested: npt.NDArray[np.bool_], validated: npt.NDArray[np.bool_]) -> Parts:
    return Parts(np.flatnonzero(~tested & ~validated), np.flatnonzero(validated), np.flatnonzero(tested))


def _check_size(split: Split, name: str, size: float, *, zero: bool) -> None:
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


def _check_sum(split: Split, *sizes: float) -> None:
    if sum(size for size in sizes if not is_int(size)) >= 1:
        raise DataError(f"{type(split).__name__}: test and validation take everything; nothing is left to train on.")


def _check_folds(split: Split, num_folds: int) -> None:
    if not is_int(num_folds) or num_folds < _FEWEST_FOLDS:
        raise DataError(f"{type(split).__name__}: num_folds is {num_folds!r}; give an int of at least 2.")


def _refuse_short_users(split: Split, interactions: Interactions, needed: Callable[[Counts], Counts]) -> None:
    counts = _counts(interactions)
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


def _refuse_short_data(split: Split, n: int, needed: int) -> None:
    if n < needed:
        raise DataError(
            f"{split}: the dataset has {n} interactions, but this split needs at least {needed}. "
            "Choose fewer folds or smaller parts, or prune less before it."
        )

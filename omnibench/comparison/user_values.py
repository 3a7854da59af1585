"""A metric's values of users, with one seed or several, and their means over folds on the users of both sides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from omnibench.errors import StatisticsError, StoreError
from omnibench.statistics.samples import Sample
from omnibench.store.evaluations import has_user_values
from omnibench.store.per_user import read_per_user
from omnibench.store.schema import Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

UserCodes: TypeAlias = "npt.NDArray[np.int32]"
"""User codes, ascending; shape (n,)."""


class FoldValues(NamedTuple):
    """A metric's values of one fold's users, with every seed of a configuration.

    Attributes:
        users: The codes of the users of whom all seeds have a value, ascending; shape (n,).
        values: Finite, float64, shape (seeds, n).
    """

    users: UserCodes
    values: npt.NDArray[np.float64]


class UserValues(NamedTuple):
    """A metric's values of one fold's users.

    Attributes:
        users: Their codes, ascending; shape (n,).
        values: Finite, float64, shape (n,).
    """

    users: UserCodes
    values: Sample


def user_values_of(evaluation: Record, root: Path) -> UserValues | None:
    """Return a metric's values of the users for whom it is defined.

    Args:
        evaluation: An evaluation's record.
        root: The store's directory.

    Returns:
        None for a metric that has no values per user.

    Raises:
        StatisticsError: A file is missing, or is not what was recorded.
    """
    if not has_user_values(evaluation):
        return None
    try:
        return UserValues(*read_per_user(root, evaluation))
    except StoreError as error:
        raise StatisticsError(f"{evaluation['item']}: {error}") from error


def user_values_of_all(evaluations: Sequence[Record], root: Path) -> list[UserValues | None]:
    """Return what ``user_values_of`` does, of several evaluations; those behind each other that have the same users share them."""
    all_values: list[UserValues | None] = []
    latest: UserValues | None = None
    for evaluation in evaluations:
        values = user_values_of(evaluation, root)
        if values is not None and latest is not None and np.array_equal(values.users, latest.users):
            values = UserValues(latest.users, values.values)
        latest = values or latest
        all_values.append(values)
    return all_values


def values_of_seeds(of_seeds: Sequence[UserValues]) -> FoldValues:
    """Return a fold's values of those users of whom every seed has one.

    Args:
        of_seeds: The values of each seed.
    """
    users = of_seeds[0].users
    if all(seed.users is users or np.array_equal(seed.users, users) for seed in of_seeds[1:]):
        return FoldValues(users, np.array([seed.values for seed in of_seeds]))
    for seed in of_seeds[1:]:
        users = np.intersect1d(users, seed.users, assume_unique=True)
    return FoldValues(users, np.array([seed.values[np.searchsorted(seed.users, users)] for seed in of_seeds]))


def paired_seed_means(
    dataset: str, first: Sequence[FoldValues], second: Sequence[FoldValues]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Average the values of each user over the folds in which both sides define one.

    Args:
        dataset: Its name, for messages.
        first: The first side's values, by fold; of at least one fold.
        second: The second side's values, of the same folds.

    Returns:
        The means of each side, in the order of the users' codes; both of shape (seeds, n).

    Raises:
        StatisticsError: There is no user of whom both are defined.
    """
    folds = [_common_users(*sides) for sides in zip(first, second, strict=True)]
    means = means_over_folds(dataset, folds)
    return means[: len(first[0].values)], means[len(first[0].values) :]


def means_over_folds(dataset: str, folds: Sequence[FoldValues]) -> npt.NDArray[np.float64]:
    """Average the values of each user over the folds in which all seeds define one.

    Args:
        dataset: Its name, for messages.
        folds: The values by fold; of at least one fold.

    Returns:
        The means, in the order of the users' codes; shape (seeds, n).

    Raises:
        StatisticsError: There is no user of whom all are defined.
    """
    users = np.concatenate([fold.users for fold in folds])
    if len(users) == 0:
        raise StatisticsError(f"on {dataset}, there is no user of whom both values are defined.")
    if len(folds) == 1:
        return folds[0].values
    counts = np.bincount(users)
    present = counts > 0
    values = np.concatenate([fold.values for fold in folds], axis=1)
    means: npt.NDArray[np.float64] = np.array([np.bincount(users, of_seed)[present] for of_seed in values])
    return means / counts[present]


def _common_users(first: FoldValues, second: FoldValues) -> FoldValues:
    """Return the values of the users of both sides, the first side's seeds before the second one's."""
    if first.users is second.users or np.array_equal(first.users, second.users):
        return FoldValues(first.users, np.concatenate([first.values, second.values]))
    users, in_first, in_second = np.intersect1d(first.users, second.users, assume_unique=True, return_indices=True)
    return FoldValues(users, np.concatenate([first.values[:, in_first], second.values[:, in_second]]))

"""What a store has measured, per user: read when it is needed, and paired."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from omnibench.errors import StatisticsError, StoreError, nearest
from omnibench.guest import folds as data
from omnibench.statistics.paired import Values
from omnibench.store.per_user import read_per_user
from omnibench.store.schema import Record, Status

Fold = int | None
Users = npt.NDArray[np.int32]


class Paired(NamedTuple):
    """What two configurations have in common.

    Attributes:
        first: The first one's values, shape (n,).
        second: The second one's, of the same users or folds, shape (n,).
        units: What they are: ``users`` or ``folds``.
        test_to_train: Test rows divided by training rows, where these are folds of a cross-validation, else 0.
    """

    first: Values
    second: Values
    units: str
    test_to_train: float


class PerUser(NamedTuple):
    """A metric's values of one fold's users.

    Attributes:
        users: Their codes, ascending; shape (n,).
        values: Finite, float64, shape (n,).
    """

    users: Users
    values: Values


def per_user_of(record: Record, root: Path) -> PerUser | None:
    """Return a metric's values of the users for whom it is defined.

    Args:
        record: An evaluation's record.
        root: The store's directory.

    Returns:
        None for a metric that has no values per user.

    Raises:
        StatisticsError: A file is missing, or is not what was recorded.
    """
    if not record.get("per_user") or ("place" in record and record["place"] is None):
        return None
    try:
        return PerUser(*read_per_user(root, record))
    except StoreError as error:
        raise StatisticsError(f"{record['item']}: {error}") from error


class Measured:
    """The metrics of done items, by dataset, label, configuration and fold.

    Args:
        root: The store's directory.
        records: Its records.
        items: The names of the items to look at; all by default.
    """

    def __init__(self, root: Path, records: Mapping[str, Record], items: Collection[str] | None = None) -> None:
        self._root = root
        self._records = records
        self._found: dict[str, dict[str, dict[str, dict[Fold, Record]]]] = {}
        self._data_keys: dict[str, str | None] = {}
        for key, item in records.items():
            if (
                not key.startswith("item/")
                or item["status"] != Status.DONE
                or (items is not None and item["item"] not in items)
            ):
                continue
            self._data_keys[item["dataset"]] = item.get("data_key")  # store format 1 has none
            labels = self._found.setdefault(item["dataset"], {})
            for label, metric in item["metrics"].items():
                evaluation = records.get(f"eval/{metric['key']}")
                if evaluation is not None:
                    labels.setdefault(label, {}).setdefault(item["algorithm"], {})[item["fold"]] = evaluation
        self._values = lru_cache(maxsize=2)(self._read_values)  # the one that all others are compared with

    @property
    def datasets(self) -> list[str]:
        """The datasets' names, sorted."""
        return sorted(self._found)

    def labels(self, dataset: str) -> list[str]:
        """The metrics that were measured on a dataset, e.g. ``["NDCG@10", "HR@10"]``."""
        return list(self._known(dataset))

    def means(self, dataset: str, label: str) -> dict[str, float]:
        """Return a metric's mean over folds of each configuration, as tables show it.

        Raises:
            StatisticsError: It was not measured there.
        """
        configurations = self._configurations(dataset, label)
        return {
            name: statistics.fmean(record["value"] for record in folds.values())
            for name, folds in sorted(configurations.items())
        }

    def in_common(self, dataset: str, label: str, first: str, second: str) -> tuple[Fold, ...]:
        """Return the folds in which two configurations were both measured, ascending."""
        configurations = self._found.get(dataset, {}).get(label, {})
        one, other = configurations.get(first, {}), configurations.get(second, {})
        return tuple(sorted((fold for fold in one if fold in other), key=lambda fold: fold or 0))

    def paired(self, dataset: str, label: str, first: str, second: str) -> Paired:
        """Return what two configurations have in common, paired.

        Pairs are users wherever the metric has values per user: of several folds each user's mean over those in which
        both configurations were measured, because a user's values in different folds are not independent, whether the
        split is by user or random (each user counts once, as a topic does in Smucker et al., CIKM 2007, and a
        dataset in Demšar, JMLR 7, 2006, section 3.1.1). A user whose value is undefined for one of them in a fold does
        not count there. Other metrics (coverage, Gini) have one value per fold.

        Raises:
            StatisticsError: They have no fold in common, or a file is missing or damaged.
        """
        sides = [self._of(dataset, label, name) for name in (first, second)]
        folds = self.in_common(dataset, label, first, second)
        if not folds:
            raise StatisticsError(
                f"{first} and {second} have no fold of {dataset} in common where {label} was measured."
            )
        other, one = (self._values(dataset, label, name, folds) for name in (second, first))
        if one is not None and other is not None:
            return Paired(*over_users(dataset, one, other), "users", 0.0)
        per_fold = [np.array([side[fold]["value"] for fold in folds], dtype=np.float64) for side in sides]
        overlap = self._test_to_train(dataset, folds) if len(folds) > 1 else 0.0
        return Paired(per_fold[0], per_fold[1], "folds", overlap)

    def _known(self, dataset: str) -> dict[str, dict[str, dict[Fold, Record]]]:
        if dataset not in self._found:
            raise StatisticsError(f"nothing was measured on {dataset!r}{nearest(dataset, self._found) or '.'}")
        return self._found[dataset]

    def _configurations(self, dataset: str, label: str) -> dict[str, dict[Fold, Record]]:
        known = self._known(dataset)
        if label not in known:
            raise StatisticsError(f"{label!r} was not measured on {dataset}; there are {', '.join(known)}.")
        return known[label]

    def _of(self, dataset: str, label: str, name: str) -> dict[Fold, Record]:
        configurations = self._configurations(dataset, label)
        if name not in configurations:
            raise StatisticsError(
                f"{label} of {name!r} was not measured on {dataset}{nearest(name, configurations) or '.'}"
            )
        return configurations[name]

    def _read_values(self, dataset: str, label: str, name: str, folds: tuple[Fold, ...]) -> list[PerUser] | None:
        """Read a configuration's values per user of several folds."""
        records = self._of(dataset, label, name)
        found = [per_user_of(records[fold], self._root) for fold in folds]
        known = [one for one in found if one is not None]
        return known if len(known) == len(found) else None

    def _test_to_train(self, dataset: str, folds: Sequence[Fold]) -> float:
        record = self._records.get(f"data/{self._data_keys[dataset]}")
        if record is None:
            raise StatisticsError(f"{dataset} is not recorded as prepared; run its benchmark again.")
        return test_to_train(self._root / record["directory"], [fold or 0 for fold in folds])


def test_to_train(dataset: Path, folds: Sequence[int]) -> float:
    """Return the test rows of some folds of a prepared dataset, divided by their training rows.

    Raises:
        StatisticsError: It cannot be read.
    """
    try:
        parts = [data.Fold(dataset, fold) for fold in folds]
        return sum(len(one.test) for one in parts) / sum(len(one.train) for one in parts)
    except (OSError, ValueError) as error:
        raise StatisticsError(
            f"{dataset} cannot be read ({error}); the next run that needs it makes it anew."
        ) from error


def over_users(dataset: str, one: Sequence[PerUser], other: Sequence[PerUser]) -> tuple[Values, Values]:
    """Average the values of the same users over the folds in which both are defined.

    Args:
        dataset: Its name, for messages.
        one: The first one's values, by fold; at least one.
        other: The second one's, of the same folds.

    Returns:
        The means of each side, in the order of the users' codes; both of shape (n,).

    Raises:
        StatisticsError: There is no user of whom both are defined.
    """
    folds = [_of_both(mine, theirs) for mine, theirs in zip(one, other, strict=True)]
    users, first, second = (np.concatenate(column) for column in zip(*folds, strict=True))
    if len(users) == 0:
        raise StatisticsError(f"on {dataset}, there is no user of whom both values are defined.")
    if len(folds) == 1:
        return first, second
    counts = np.bincount(users)
    used = counts > 0
    sums = [np.bincount(users, side)[used] for side in (first, second)]
    return sums[0] / counts[used], sums[1] / counts[used]


def _of_both(mine: PerUser, theirs: PerUser) -> tuple[Users, Values, Values]:
    if mine.users is theirs.users or np.array_equal(mine.users, theirs.users):
        return mine.users, mine.values, theirs.values
    users, here, there = np.intersect1d(mine.users, theirs.users, assume_unique=True, return_indices=True)
    return users, mine.values[here], theirs.values[there]

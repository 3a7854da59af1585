"""The measurements of a store: means over folds, and values per user, which are read when needed and paired."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from omnibench.errors import StatisticsError, StoreError, nearest
from omnibench.keys import canonical
from omnibench.metrics.labels import alternatives
from omnibench.statistics.samples import Sample
from omnibench.store.per_user import read_per_user
from omnibench.store.schema import Record, RecordType, Status, configuration_in
from omnibench.tables.names import DisplayNames, recorded_names

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

FoldNumber = int | None
"""The number of a fold, or None for a single split."""

UserCodes: TypeAlias = "npt.NDArray[np.int32]"
"""User codes, ascending; shape (n,)."""


class PairedSample(NamedTuple):
    """A metric's values of two configurations, on the same users or folds.

    Attributes:
        first: The first configuration's values, shape (n,).
        second: The second one's, of the same users or folds, shape (n,).
        units: ``users`` or ``folds``: what a value belongs to.
        test_to_train: Test rows divided by training rows, where these are folds of a cross-validation, else 0.
    """

    first: Sample
    second: Sample
    units: str
    test_to_train: float


class UserValues(NamedTuple):
    """A metric's values of one fold's users.

    Attributes:
        users: Their codes, ascending; shape (n,).
        values: Finite, float64, shape (n,).
    """

    users: UserCodes
    values: Sample


def has_user_values(evaluation: Record) -> bool:
    """Whether an evaluation has values per user; store formats 1 and 2 did not record where they are in the file."""
    return bool(evaluation.get("per_user")) and evaluation.get("place", True) is not None


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


class Measured:
    """The metrics of done items, by dataset, label, configuration and fold.

    Args:
        root: The store's directory.
        records: Its records.
        items: The names of the items to look at; all by default.
            left_out: The sentence about items that are left out, without what has them.

    Attributes:
        left_out: As above.
        items: The records of the done items that are looked at, by name.
    """

    def __init__(
        self, root: Path, records: Mapping[str, Record], items: Collection[str] | None = None, left_out: str = ""
    ) -> None:
        self._root = root
        self.left_out = left_out
        self._records = records
        self._evaluations: dict[str, dict[str, dict[str, dict[FoldNumber, Record]]]] = {}
        self._data_keys: dict[str, str | None] = {}
        self.items: dict[str, Record] = {}
        for key, item in records.items():
            if (
                not RecordType.ITEM.has(key)
                or item["status"] != Status.DONE
                or (items is not None and item["item"] not in items)
            ):
                continue
            self.items[item["item"]] = item
            self._data_keys[item["dataset"]] = item.get("data_key")  # store format 1 has none
            labels = self._evaluations.setdefault(item["dataset"], {})
            for label, metric in item["metrics"].items():
                evaluation = records.get(RecordType.EVAL.key(metric["key"]))
                if evaluation is not None:
                    labels.setdefault(label, {}).setdefault(item["algorithm"], {})[item["fold"]] = evaluation
        # Two, because all configurations are compared with the same one, which is then read once.
        self._user_values = lru_cache(maxsize=2)(self._read_user_values)

    def of_all_items(self) -> Measured:
        """Return the measurements of all items, also of those that are left out here."""
        return Measured(self._root, self._records)

    @cached_property
    def names(self) -> DisplayNames:
        """What people call the datasets and configurations."""
        return recorded_names(self.items.values())

    def other_seeds(self, names: Iterable[str], best: str) -> dict[str, str]:
        """Return the configurations that differ from another one in the seed alone, and that other one.

        Of several the best of the dataset counts, or the one with the lowest seed.

        Args:
            names: The configurations that are shown.
            best: The best of them.
        """
        by_name = {item["algorithm"]: item for item in self.items.values()}
        alike: dict[str, list[tuple[bool, int, str]]] = {}
        for name in names:
            configuration = configuration_in(by_name.get(name, {}))
            if configuration:
                seed = configuration.pop("seed", 0)
                alike.setdefault(canonical(configuration), []).append((name != best, seed, name))
        return {name: min(group)[2] for group in alike.values() for *_, name in sorted(group)[1:] if len(group) > 1}

    @property
    def datasets(self) -> list[str]:
        """The datasets' names, sorted."""
        return sorted(self._evaluations)

    def labels(self, dataset: str) -> list[str]:
        """Return the labels of the metrics that were measured on a dataset, e.g. ``["NDCG@10", "HR@10"]``."""
        return list(self._metrics_of(dataset))

    def means(self, dataset: str, label: str) -> dict[str, float]:
        """Return a metric's mean over folds of each configuration, as tables show it.

        Raises:
            StatisticsError: It was not measured there.
        """
        configurations = self._configurations_of(dataset, label)
        return {
            name: statistics.fmean(record["value"] for record in folds.values())
            for name, folds in sorted(configurations.items())
        }

    def common_folds(self, dataset: str, label: str, first: str, second: str) -> tuple[FoldNumber, ...]:
        """Return the folds in which two configurations were both measured, ascending."""
        configurations = self._evaluations.get(dataset, {}).get(label, {})
        first_folds, second_folds = configurations.get(first, {}), configurations.get(second, {})
        return tuple(sorted((fold for fold in first_folds if fold in second_folds), key=lambda fold: fold or 0))

    def paired_sample(self, dataset: str, label: str, first: str, second: str) -> PairedSample:
        """Return the values of two configurations, paired.

        Pairs are users wherever the metric has values per user: of several folds each user's mean over those in which
        both configurations were measured, because a user's values in different folds are not independent, whether the
        split is by user or random (each user counts once, as a topic does in Smucker et al., CIKM 2007, and a
        dataset in Demšar, JMLR 7, 2006, section 3.1.1). A user whose value is undefined for one of them in a fold does
        not count there. Other metrics (coverage, Gini) have one value per fold.

        Raises:
            StatisticsError: They have no fold in common, or a file is missing or damaged.
        """
        evaluations = [self._evaluations_of(dataset, label, name) for name in (first, second)]
        folds = self.common_folds(dataset, label, first, second)
        if not folds:
            raise StatisticsError(
                f"{first} and {second} have no fold of {dataset} in common where {label} was measured."
            )
        second_values, first_values = (self._user_values(dataset, label, name, folds) for name in (second, first))
        if first_values is not None and second_values is not None:
            return PairedSample(*paired_user_means(dataset, first_values, second_values), "users", 0.0)
        per_fold = [np.array([side[fold]["value"] for fold in folds], dtype=np.float64) for side in evaluations]
        overlap = self._test_to_train(dataset, folds) if len(folds) > 1 else 0.0
        return PairedSample(per_fold[0], per_fold[1], "folds", overlap)

    def _metrics_of(self, dataset: str) -> dict[str, dict[str, dict[FoldNumber, Record]]]:
        if dataset not in self._evaluations:
            raise StatisticsError(f"nothing was measured on {dataset!r}{nearest(dataset, self._evaluations) or '.'}")
        return self._evaluations[dataset]

    def _configurations_of(self, dataset: str, label: str) -> dict[str, dict[FoldNumber, Record]]:
        metrics = self._metrics_of(dataset)
        if label not in metrics:
            raise StatisticsError(f"{label!r} was not measured on {dataset}; {alternatives(label, metrics)}")
        return metrics[label]

    def _evaluations_of(self, dataset: str, label: str, name: str) -> dict[FoldNumber, Record]:
        configurations = self._configurations_of(dataset, label)
        if name not in configurations:
            raise StatisticsError(
                f"{label} of {name!r} was not measured on {dataset}{nearest(name, configurations) or '.'}"
            )
        return configurations[name]

    def _read_user_values(
        self, dataset: str, label: str, name: str, folds: tuple[FoldNumber, ...]
    ) -> list[UserValues] | None:
        """Read a configuration's values per user of several folds; None when a fold has none."""
        evaluations = self._evaluations_of(dataset, label, name)
        read = [user_values_of(evaluations[fold], self._root) for fold in folds]
        values = [fold for fold in read if fold is not None]
        return values if len(values) == len(read) else None

    def _test_to_train(self, dataset: str, folds: Sequence[FoldNumber]) -> float:
        data_key = self._data_keys[dataset]
        record = None if data_key is None else self._records.get(RecordType.DATA.key(data_key))
        if record is None:
            raise StatisticsError(f"{dataset} is not recorded as prepared; run its benchmark again.")
        return test_to_train(self._root / record["directory"], [fold or 0 for fold in folds])


def test_to_train(dataset: Path, folds: Sequence[int]) -> float:
    """Return the test rows of some folds of a prepared dataset, divided by their training rows.

    Raises:
        StatisticsError: It cannot be read.
    """
    from omnibench.guest.folds import Fold  # which imports numpy

    try:
        parts = [Fold(dataset, number) for number in folds]
        return sum(len(fold.test) for fold in parts) / sum(len(fold.train) for fold in parts)
    except (OSError, ValueError) as error:
        raise StatisticsError(
            f"{dataset} cannot be read ({error}); the next run that needs it makes it anew."
        ) from error


def paired_user_means(dataset: str, first: Sequence[UserValues], second: Sequence[UserValues]) -> tuple[Sample, Sample]:
    """Average the values of each user over the folds in which both sides define one.

    Args:
        dataset: Its name, for messages.
        first: The first side's values, by fold; of at least one fold.
        second: The second side's values, of the same folds.

    Returns:
        The means of each side, in the order of the users' codes; both of shape (n,).

    Raises:
        StatisticsError: There is no user of whom both are defined.
    """
    folds = [_common_users(*sides) for sides in zip(first, second, strict=True)]
    users, first_values, second_values = (np.concatenate(column) for column in zip(*folds, strict=True))
    if len(users) == 0:
        raise StatisticsError(f"on {dataset}, there is no user of whom both values are defined.")
    if len(folds) == 1:
        return first_values, second_values
    counts = np.bincount(users)
    present = counts > 0
    sums = [np.bincount(users, values)[present] for values in (first_values, second_values)]
    return sums[0] / counts[present], sums[1] / counts[present]


def _common_users(first: UserValues, second: UserValues) -> tuple[UserCodes, Sample, Sample]:
    """Return the users of both sides with their values on each."""
    if first.users is second.users or np.array_equal(first.users, second.users):
        return first.users, first.values, second.values
    users, in_first, in_second = np.intersect1d(first.users, second.users, assume_unique=True, return_indices=True)
    return users, first.values[in_first], second.values[in_second]

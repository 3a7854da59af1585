"""The measurements of a store: means over folds, and values per user, which are read when needed and paired."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

from omnibench.comparison.user_values import FoldValues, paired_seed_means, user_values_of, values_of_seeds
from omnibench.errors import StatisticsError, nearest
from omnibench.method_caches import cached_method
from omnibench.metrics.labels import alternatives
from omnibench.results import Result
from omnibench.runners.randomness import is_deterministic
from omnibench.statistics.exact_means import exact_mean
from omnibench.statistics.samples import Sample
from omnibench.store.beneath import tree
from omnibench.store.evaluations import Evaluations, EvaluationsByLookup
from omnibench.store.item_names import asks_once, seed_of, seedless_key
from omnibench.store.item_records import result_of
from omnibench.store.schema import Record, RecordType, Status
from omnibench.tables.conditional import algorithm_of
from omnibench.tables.names import DisplayNames, recorded_names
from omnibench.tables.seeds import distinct, with_seeds

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

FoldNumber = int | None
"""The number of a fold, or None for a single split."""


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


class SeedSample(NamedTuple):
    """A metric's values of two configurations with their seeds, on the same users or folds.

    Attributes:
        first: The first configuration's values, shape (seeds, n).
        second: The second one's, of the same users or folds, shape (its seeds, n); seeds are not paired.
        units: ``users`` or ``folds``: what a column belongs to.
        test_to_train: As in ``PairedSample``.
    """

    first: npt.NDArray[np.float64]
    second: npt.NDArray[np.float64]
    units: str
    test_to_train: float

    @property
    def paired(self) -> PairedSample:
        """The sample of two configurations with one seed each."""
        return PairedSample(self.first[0], self.second[0], self.units, self.test_to_train)


class MeasuredFold(NamedTuple):
    """A metric of one fold of a configuration: its value, and the key of its evaluation."""

    value: float
    key: str


class Measured:
    """The metrics of done items, by dataset, label, configuration and fold.

    Evaluations are looked up when values of users are asked for: of a hundred thousand items, few are compared.

    Args:
        root: The store's directory.
        records: Its records; those of evaluations may be left out.
        items: The names of the items to look at; all by default.
        left_out: The sentence about items that are left out, without what has them.
        evaluations: The evaluations; those among ``records`` by default.

    Attributes:
        left_out: As above.
        items: The records of the done items that are looked at, by name.
    """

    def __init__(
        self,
        root: Path,
        records: Mapping[str, Record],
        items: Collection[str] | None = None,
        left_out: str = "",
        *,
        evaluations: Evaluations | None = None,
    ) -> None:
        self._root = root
        self.left_out = left_out
        self._records = records
        self._evaluations = EvaluationsByLookup(records.get) if evaluations is None else evaluations
        self._done: dict[str, dict[str, list[Record]]] = {}
        self._labels: dict[str, dict[str, None]] = {}
        self._unrecorded: set[str] = set()
        self._data_keys: dict[str, str | None] = {}
        self.items: dict[str, Record] = {}
        done = [
            item
            for key, item in records.items()
            if RecordType.ITEM.has(key) and item["status"] == Status.DONE and (items is None or item["item"] in items)
        ]
        # A dataset that was renamed keeps the results that it has under its earlier name; store format 1 has no keys.
        latest_name = {item.get("data_key") or item["dataset"]: item["dataset"] for item in done}
        for item in done:
            name = latest_name[item.get("data_key") or item["dataset"]]
            self.items[item["item"]] = item if name == item["dataset"] else {**item, "dataset": name}
            configurations = self._done[item["dataset"]] = self._done.setdefault(name, {})
            labels = self._labels[item["dataset"]] = self._labels.setdefault(name, {})
            self._data_keys[item["dataset"]] = self._data_keys[name] = item.get("data_key")
            configurations.setdefault(item["algorithm"], []).append(item)
            for label, metric in item["metrics"].items():
                if self._evaluations.has_users(metric["key"]) is None:
                    self._unrecorded.add(metric["key"])
                else:
                    labels.setdefault(intern(label))
        names_by_group = _seed_groups(self._examples)
        self._members = {name: group for group in names_by_group for name in group}
        self._unmoved: dict[tuple[str, ...], bool] = {}
        # Two, because all configurations are compared with the same one, which is then read once.
        self._fold_values = cached_method(self._read_fold_values, 2)

    def of_all_items(self) -> Measured:
        """Return the measurements of all items, also of those that are left out here."""
        return Measured(self._root, self._records, evaluations=self._evaluations)

    @cached_property
    def names(self) -> DisplayNames:
        """What people call the datasets and configurations."""
        return recorded_names(self.items.values())

    def members(self, name: str) -> tuple[str, ...]:
        """Return the names of a configuration with each of its seeds, the lowest seed's first."""
        return self._members.get(name, (name,))

    def described(self, members: Sequence[str]) -> str:
        """Return what people call a configuration, with the number of its seeds where it has several.

        Args:
            members: Its names, one for each seed that is looked at.
        """
        label = self.names.configuration(members[0])
        if members[0] in self._fitted_once or (len(members) > 1 and self.is_unmoved(members[0])):
            return with_seeds(label, 0)
        if len(members) > 1:
            return with_seeds(label, len(members))
        return f"{label} (seed {seed_of(self._examples[members[0]])})" if len(self.members(members[0])) > 1 else label

    @cached_property
    def _fitted_once(self) -> frozenset[str]:
        """The configurations that are fitted with one seed although several are asked for, because that is enough."""
        return frozenset(item["algorithm"] for item in self.items.values() if asks_once(item))

    def is_unmoved(self, name: str) -> bool:
        """Whether a configuration has several seeds, and all of them have made equal predictions."""
        members = self.members(name)
        if members not in self._unmoved:
            rows: dict[str, list[Result]] = {}
            for item in self.items.values():
                if item["algorithm"] in members:
                    rows.setdefault(item["dataset"], []).append(result_of(item))
            self._unmoved[members] = len(members) > 1 and all(
                len({row.seed for row in of_dataset}) == 1 or len(distinct(of_dataset)) < len(of_dataset)
                for of_dataset in rows.values()
            )
        return self._unmoved[members]

    def is_deterministic(self, members: Sequence[str]) -> bool:
        """Whether a configuration is known to make the same model whatever the seed.

        Args:
            members: Its names, one for each seed.
        """
        example = result_of(self._examples[members[0]])
        return is_deterministic(algorithm_of(example), example.deterministic)

    @cached_property
    def _examples(self) -> dict[str, Record]:
        """An item of every configuration."""
        return {item["algorithm"]: item for item in self.items.values()}

    @property
    def datasets(self) -> list[str]:
        """The datasets' names, sorted; of a renamed one the latest."""
        return sorted({item["dataset"] for item in self.items.values()})

    def labels(self, dataset: str) -> list[str]:
        """Return the labels of the metrics that were measured on a dataset, e.g. ``["NDCG@10", "HR@10"]``."""
        return list(self._labels_of(dataset))

    def means(self, dataset: str, label: str) -> dict[str, float]:
        """Return a metric's mean over folds and seeds of each configuration, as tables show it.

        Configurations that differ by the seed alone are one, under the name of that with the lowest seed.

        Raises:
            StatisticsError: It was not measured there.
        """
        values: dict[str, list[float]] = {}
        for name, folds in self._configurations_with(dataset, label):
            values.setdefault(self.members(name)[0], []).extend(metric.value for metric in folds.values())
        return {name: exact_mean(of_name) for name, of_name in values.items()}

    def common_folds(self, dataset: str, label: str, first: str, second: str) -> tuple[FoldNumber, ...]:
        """Return the folds in which two configurations were both measured, with all of their seeds; ascending."""
        members = [
            [member for member in self.members(name) if self._folds(dataset, label, member)] or [name]
            for name in (first, second)
        ]
        return self._folds_of(dataset, label, [*members[0], *members[1]])

    def _folds_of(self, dataset: str, label: str, members: Sequence[str]) -> tuple[FoldNumber, ...]:
        folds = [self._folds(dataset, label, member).keys() for member in members]
        return tuple(sorted(set(folds[0]).intersection(*folds[1:]), key=lambda fold: fold or 0))

    def paired_sample(self, dataset: str, label: str, first: str, second: str) -> PairedSample:
        """Return the values of two configurations with one seed each, paired; see ``seed_sample``."""
        return self.seed_sample(dataset, label, (first,), (second,)).paired

    def seed_sample(self, dataset: str, label: str, first: Sequence[str], second: Sequence[str]) -> SeedSample:
        """Return the values of two configurations with their seeds, on the same users or folds.

        Pairs are users wherever the metric has values per user: of several folds each user's mean over those in which
        both configurations were measured, because a user's values in different folds are not independent, whether the
        split is by user or random (each user counts once, as a topic does in Smucker et al., CIKM 2007, and a
        dataset in Demšar, JMLR 7, 2006, section 3.1.1). A user whose value is undefined for one of them in a fold does
        not count there. Other metrics (coverage, Gini) have one value per fold.

        Args:
            dataset: The dataset's name.
            label: The metric's label.
            first: The names of the first configuration, one for each seed; see ``members``.
            second: Those of the second one.

        Raises:
            StatisticsError: They have no fold in common, or a file is missing or damaged.
        """
        measured = [self._measured_of(dataset, label, names) for names in (first, second)]
        sides = [[self._measured_folds(dataset, label, name) for name in names] for names in measured]
        folds = self._folds_of(dataset, label, [*measured[0], *measured[1]])
        if not folds:
            raise StatisticsError(
                f"{first[0]} and {second[0]} have no fold of {dataset} in common where {label} was measured."
            )
        second_values, first_values = (self._fold_values(dataset, label, names, folds) for names in reversed(measured))
        if first_values is not None and second_values is not None:
            return SeedSample(*paired_seed_means(dataset, first_values, second_values), "users", 0.0)
        first_folds, second_folds = (
            np.array([[metrics[fold].value for fold in folds] for metrics in side], dtype=np.float64) for side in sides
        )
        overlap = self._test_to_train(dataset, folds) if len(folds) > 1 else 0.0
        return SeedSample(first_folds, second_folds, "folds", overlap)

    def fold_values(self, dataset: str, label: str, name: str) -> list[FoldValues] | None:
        """Return a configuration's values per user with all of its seeds, by fold; None where there are none.

        Raises:
            StatisticsError: It was not measured, or a file is missing or damaged.
        """
        members = self._measured_of(dataset, label, self.members(name))
        folds = self._folds_of(dataset, label, members)
        return self._fold_values(dataset, label, members, folds) if folds else None

    def _measured_of(self, dataset: str, label: str, names: Sequence[str]) -> tuple[str, ...]:
        """Return those of several names that were measured; all where none was."""
        self._check_label(dataset, label)
        return tuple(name for name in names if self._folds(dataset, label, name)) or tuple(names)

    def _labels_of(self, dataset: str) -> Collection[str]:
        if dataset not in self._labels:
            raise StatisticsError(f"nothing was measured on {dataset!r}{nearest(dataset, self._labels) or '.'}")
        return self._labels[dataset]

    def _check_label(self, dataset: str, label: str) -> None:
        labels = self._labels_of(dataset)
        if label not in labels:
            raise StatisticsError(f"{label!r} was not measured on {dataset}; {alternatives(label, labels)}")

    def _configurations_with(self, dataset: str, label: str) -> Iterator[tuple[str, dict[FoldNumber, MeasuredFold]]]:
        """Yield the configurations of which a metric was measured, with its folds, by their names."""
        self._check_label(dataset, label)
        for name in sorted(self._done[dataset]):
            folds = self._folds(dataset, label, name)
            if folds:
                yield name, folds

    def _folds(self, dataset: str, label: str, name: str) -> dict[FoldNumber, MeasuredFold]:
        """Return a metric of a configuration by fold; nothing where it was not measured."""
        folds: dict[FoldNumber, MeasuredFold] = {}
        for item in self._done.get(dataset, {}).get(name, ()):
            metric = item["metrics"].get(label)
            if metric is not None and metric["key"] not in self._unrecorded:
                folds[item["fold"]] = MeasuredFold(metric["value"], metric["key"])
        return folds

    def _measured_folds(self, dataset: str, label: str, name: str) -> dict[FoldNumber, MeasuredFold]:
        self._check_label(dataset, label)
        folds = self._folds(dataset, label, name)
        if not folds:
            names = [measured_name for measured_name, _ in self._configurations_with(dataset, label)]
            raise StatisticsError(f"{label} of {name!r} was not measured on {dataset}{nearest(name, names) or '.'}")
        return folds

    def _read_fold_values(
        self, dataset: str, label: str, names: tuple[str, ...], folds: tuple[FoldNumber, ...]
    ) -> list[FoldValues] | None:
        """Read a configuration's values per user of several folds, of every seed; None when a fold has none."""
        of_names = [self._measured_folds(dataset, label, name) for name in names]
        keys = [of_seed[fold].key for fold in folds for of_seed in of_names]
        evaluations = iter(self._evaluations.records(keys))
        values = []
        for _ in folds:
            read = [user_values_of(_recorded(next(evaluations), dataset), self._root) for _ in of_names]
            of_seeds = [user_values for user_values in read if user_values is not None]
            if len(of_seeds) < len(read):
                return None
            values.append(values_of_seeds(of_seeds))
        return values

    def _test_to_train(self, dataset: str, folds: Sequence[FoldNumber]) -> float:
        data_key = self._data_keys[dataset]
        record = None if data_key is None else self._records.get(RecordType.DATA.key(data_key))
        if record is None:
            raise StatisticsError(f"{dataset} is not recorded as prepared; run its benchmark again.")
        return test_to_train(tree(self._root, record["directory"]), [fold or 0 for fold in folds])


def _recorded(evaluation: Record | None, dataset: str) -> Record:
    if evaluation is None:  # it was when the items were looked at
        raise StatisticsError(f"an evaluation on {dataset} was removed, or damaged, just now; ask again.")
    return evaluation


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


def _seed_groups(examples: Mapping[str, Record]) -> list[tuple[str, ...]]:
    """Return the configurations that differ by the seed alone together, each group by its seeds.

    Args:
        examples: An item of every configuration, by the configuration's name.
    """
    groups: dict[str, list[tuple[int, str]]] = {}
    for name, item in examples.items():
        groups.setdefault(seedless_key(item) or name, []).append((seed_of(item) or 0, name))
    return [tuple(name for _, name in sorted(group)) for group in groups.values()]

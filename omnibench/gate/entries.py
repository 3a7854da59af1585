"""The entries that the gate compares, one per configuration and dataset, and how they are gathered from a store."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from omnibench.comparison.measured import test_to_train
from omnibench.comparison.user_values import UserValues, user_values_of
from omnibench.errors import BaselineError, StatisticsError
from omnibench.experiment.circumstances import USUAL_THREADS
from omnibench.keys import canonical, digest
from omnibench.metrics.directions import direction
from omnibench.metrics.labels import for_groups
from omnibench.naming import tuned_label, value_text
from omnibench.store.beneath import tree
from omnibench.store.evaluations import Evaluations, EvaluationsByLookup
from omnibench.store.schema import SEARCHED, Record, RecordLookup, RecordType, Status, configuration_in

MetricDirections: TypeAlias = Mapping[str, Mapping[str, bool]]
"""By an item's fit key and a metric's label, whether larger values are better."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The dataset of an entry.

    Attributes:
        name: What the user calls it, e.g. ``MovieLens100K``.
        display_name: As tables show it, e.g. ``MovieLens100K-609e34c9``.
        key: Identifies the recipe.
        tests: The digest of each fold's test part; values of users can be paired where these are equal. Empty while the
            dataset is not prepared.
    """

    name: str
    display_name: str
    key: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return self.display_name


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of an entry.

    Attributes:
        identity: The canonical text of what was computed: name, parameters, version, convention.
        higher_is_better: Whether larger values are better, or None where nobody has said.
        folds: The value of each fold, as tables have it; none where it was asked for, and is not defined.
        per_user: Whether there are values per user.
    """

    identity: str
    higher_is_better: bool | None
    folds: Mapping[int, float]
    per_user: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A configuration on a dataset, with what was measured of it.

    Attributes:
        dataset: The dataset.
        algorithm: E.g. ``RecPack.EASE``.
        display_name: As tables show it, e.g. ``RecPack.EASE-4f0b8a3c``.
        configuration: The fields of its key: explicit parameters, seed, framework's version, code and so on.
        scores: Its metrics, by label; none where nothing of it is done.
        finished: When the last of its folds was done, as an ISO timestamp in UTC.
        index: Its position among the entries of its source.
        sources: The bench functions and scripts that it comes from, as far as that is recorded.
        deterministic: Whether it states that its lists do not depend on the seed.
        chosen: The hyperparameters that the search of a tuned one has chosen, by fold.
        user_label: The user's label of a tuned one, which tells it from others of its algorithm; empty where there is none.
        series_key: Identifies dataset and configuration but for the seed.
    """

    dataset: Dataset
    algorithm: str
    display_name: str
    configuration: Mapping[str, Any]
    scores: Mapping[str, Score]
    finished: str
    index: int
    sources: tuple[str, ...] = ()
    deterministic: bool = False
    chosen: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    user_label: str = ""
    series_key: str = field(init=False)

    def __post_init__(self) -> None:
        seedless = {name: value for name, value in self.configuration.items() if name != "seed"}
        object.__setattr__(self, "series_key", digest([self.dataset.key, seedless]))

    def __str__(self) -> str:
        return self.label

    @property
    def seed(self) -> int | None:
        """The seed that it was fitted with; None where there is none."""
        return self.configuration.get("seed")

    @property
    def key(self) -> str:
        """Identifies dataset and configuration."""
        return f"{self.series_key}/{self.seed}"

    @property
    def is_tuned(self) -> bool:
        """Whether a search has chosen its hyperparameters, but for those that the plan gives."""
        return bool(self.configuration.get("search"))

    @property
    def label(self) -> str:
        """The names for people, with all hyperparameters that were given.

        E.g. ``MovieLens100K/RecPack.EASE(l2=500.0)``, or ``MovieLens100K/RecBole.BPR (tuned, epochs=50)``.
        """
        values = dict(self.configuration["parameters"])
        if self.configuration.get("refit"):
            values.setdefault("refit", self.configuration["refit"])
        arguments = [f"{name}={value_text(value)}" for name, value in values.items()]
        if self.is_tuned:
            return f"{self.dataset.name}/{tuned_label(self.user_label or self.algorithm, arguments)}"
        return f"{self.dataset.name}/{self.algorithm}{'(' + ','.join(arguments) + ')' if arguments else ''}"

    @property
    def name(self) -> str:
        """The names of dataset and configuration as directories have them."""
        return f"{self.dataset.display_name}/{self.display_name}"

    @property
    def parameters(self) -> str:
        """The canonical text of the explicitly given hyperparameters."""
        return canonical(self.configuration["parameters"])


ValuesByFold: TypeAlias = dict[tuple[str, int], UserValues]
"""By a metric's label and a fold's number, the metric's values of the fold's users."""


class EntrySource(Protocol):
    """A source of entries and of their values per user: a store, or a baseline."""

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries, one per configuration and dataset."""
        ...

    def values(self, entry: Entry) -> ValuesByFold:
        """Return the values per user of all metrics that have some.

        Raises:
            OmnibenchError: A file is missing or damaged.
        """
        ...


class JudgedSource(EntrySource, Protocol):
    """A source of entries that are judged: a store."""

    def test_to_train(self, entry: Entry, folds: Sequence[int]) -> float:
        """Return test rows divided by training rows, of several folds.

        Raises:
            StatisticsError: The prepared dataset cannot be read.
        """
        ...


_Columns: TypeAlias = tuple[tuple[str, int], ...]
"""Metrics' labels and folds' numbers."""


class _EvaluationKeys(NamedTuple):
    """The keys of an entry's evaluations, with what they are of."""

    columns: _Columns
    keys: tuple[str, ...]


class Measurements:
    """The entries of a store.

    Args:
        root: The store's directory.
        lookup: Its records; not used after this, but for evaluations where these are not given.
        items: The records of the items to take.
        metrics: The metrics to take of each item, and whether larger values are better; by default all of them.
        sources: By an item's fit key, the bench functions and scripts that declare it.
        deselected: The fit keys of items that nobody asked for; their results are not looked at.
        evaluations: The evaluations, which are read again when values of users are asked for; those of ``lookup`` by default.

    Attributes:
        entries: The entries of which something is done.
        without_results: The entries of which nothing is.
        deselected: By an entry's key, the folds of it that nobody asked for.

    Raises:
        BaselineError: An item was recorded by a version of omnibench that did not note what is needed.
    """

    def __init__(
        self,
        root: Path,
        lookup: RecordLookup,
        items: Iterable[Record],
        metrics: MetricDirections | None = None,
        *,
        sources: Mapping[str, Collection[str]] | None = None,
        deselected: Collection[str] = (),
        evaluations: Evaluations | None = None,
    ) -> None:
        self._root = root
        self._evaluations = EvaluationsByLookup(lookup) if evaluations is None else evaluations
        self._keys: list[_EvaluationKeys] = []
        self._columns: dict[_Columns, _Columns] = {}
        self._data: dict[str, Record] = {}
        self._sources = sources or {}
        groups: dict[tuple[str, str], list[Record]] = {}
        idle: dict[tuple[str, str], list[Record]] = {}
        unasked: dict[tuple[str, str], set[int]] = {}
        for item in items:
            is_deselected = item["fit_key"] in deselected
            is_done = item["status"] == Status.DONE and not is_deselected
            if not is_done and not (item.get("identity") and item.get("data_key")):
                continue  # of store format 1
            configuration = json.dumps(_configuration(item), sort_keys=True)  # as JSON keeps it, and quickly
            group = _required(item, "data_key"), configuration
            (groups if is_done else idle).setdefault(group, []).append(item)
            if is_deselected:
                unasked.setdefault(group, set()).add(item["fold"] or 0)
        entries = {group: self._entry(lookup, members, metrics) for group, members in groups.items()}
        idle_entries = {
            group: self._entry_without_results(lookup, members)
            for group, members in idle.items()
            if group not in entries
        }
        self.entries: list[Entry] = list(entries.values())
        self.without_results: list[Entry] = list(idle_entries.values())
        self.deselected: dict[str, set[int]] = {
            (entries.get(group) or idle_entries[group]).key: folds for group, folds in unasked.items()
        }

    def _entry_without_results(self, lookup: RecordLookup, items: Sequence[Record]) -> Entry:
        first_item = items[0]
        key = first_item["data_key"]
        data = lookup(RecordType.DATA.key(key))
        if data is None:
            dataset = Dataset(first_item["dataset"].rpartition("-")[0], first_item["dataset"], key, ())
        else:
            dataset = Dataset(data["name"], first_item["dataset"], key, tuple(data["test"]))
        configuration = _configuration(first_item)
        return Entry(
            dataset,
            _algorithm_of(configuration),
            first_item["algorithm"],
            configuration,
            {},
            "",
            len(self._keys),  # of no evaluation
            self._sources_of(items),
            bool(first_item.get("deterministic")),
            user_label=_label_of_tuned(first_item),
        )

    def _sources_of(self, items: Iterable[Record]) -> tuple[str, ...]:
        return tuple(sorted({source for item in items for source in self._sources.get(item["fit_key"], ())}))

    def _entry(self, lookup: RecordLookup, items: Sequence[Record], metrics: MetricDirections | None) -> Entry:
        first_item = items[0]
        data = self._data_of(lookup, first_item)
        folds: dict[str, dict[int, float]] = {}
        identities: dict[str, str] = {}
        directions: dict[str, bool | None] = {}
        keys: dict[tuple[str, int], str] = {}
        with_users: dict[tuple[str, int], bool] = {}
        for item in items:
            item_directions = None if metrics is None else for_groups(metrics[item["fit_key"]], item["metrics"])
            directions |= item_directions or {}
            for label, metric in item["metrics"].items():
                if item_directions is not None and label not in item_directions:
                    continue
                has_users = self._evaluations.has_users(metric["key"])
                if has_users is None:
                    continue
                identity, fold = _required(metric, "metric", item["item"]), item["fold"] or 0
                # A fold that was measured by an earlier meaning of the metric does not go with the others.
                if identities.setdefault(label, identity) == identity:
                    folds.setdefault(label, {})[fold] = metric["value"]
                    keys[label, fold], with_users[label, fold] = metric["key"], has_users
                    directions.setdefault(label, direction(label))
        columns = tuple(sorted(keys, key=lambda column: column[1]))  # the metrics of a fold share a file
        columns = self._columns.setdefault(columns, columns)  # most entries have the same
        self._keys.append(_EvaluationKeys(columns, tuple(keys[column] for column in columns)))
        configuration = _configuration(first_item)
        return Entry(
            Dataset(data["name"], first_item["dataset"], first_item["data_key"], tuple(data["test"])),
            _algorithm_of(configuration),
            first_item["algorithm"],
            configuration,
            {
                label: Score(
                    identities.get(label, ""),
                    higher,
                    dict(sorted(folds.get(label, {}).items())),
                    label in folds and all(with_users[label, fold] for fold in folds[label]),
                )
                for label, higher in directions.items()
            },
            max(item["finished"] for item in items),
            len(self._keys) - 1,
            self._sources_of(items),
            bool(first_item.get("deterministic")),
            {item["fold"] or 0: item["chosen"]["parameters"] for item in items if item.get("chosen")},
            _label_of_tuned(first_item),
        )

    def _data_of(self, lookup: RecordLookup, item: Record) -> Record:
        key = item["data_key"]
        if key not in self._data:
            record = lookup(RecordType.DATA.key(key))
            if record is None:
                raise BaselineError(f"{item['dataset']} is not recorded as prepared; run its benchmark again.")
            self._data[key] = record
        return self._data[key]

    def values(self, entry: Entry) -> ValuesByFold:
        """Read the values per user of an entry, each file once."""
        columns, keys = self._keys[entry.index]
        values_by_fold = {}
        for column, record in zip(columns, self._evaluations.records(keys), strict=True):
            if record is None:  # it was when the entries were made
                raise StatisticsError(f"an evaluation of {entry} was removed, or damaged, just now; ask again.")
            values = user_values_of(record, self._root)
            if values is not None:
                values_by_fold[column] = values
        return values_by_fold

    def test_to_train(self, entry: Entry, folds: Sequence[int]) -> float:
        """Return test rows divided by training rows; see ``JudgedSource``."""
        return test_to_train(tree(self._root, self._data[entry.dataset.key]["directory"]), folds)


def newest(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return the entry of each algorithm with its hyperparameters that was finished last, and the older ones.

    A store keeps what was measured before the code of an algorithm, or the version of a framework, has changed.
    """
    latest: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        settings = canonical([entry.configuration.get(name) for name in ("seed", "device", "salt", "refit")])
        threads = str(entry.configuration.get("threads", USUAL_THREADS))  # keys did not name them in earlier releases
        # Of a tuned one, what is searched stands for the hyperparameters; with which effort does not.
        searched = canonical([(entry.configuration.get("search") or {}).get("space"), entry.user_label])
        series = (entry.dataset.key, entry.algorithm, entry.parameters, searched, settings, threads)
        if series not in latest or entry.finished >= latest[series].finished:
            latest[series] = entry
    latest_ids = {id(entry) for entry in latest.values()}
    return list(latest.values()), [entry for entry in entries if id(entry) not in latest_ids]


def _algorithm_of(configuration: Mapping[str, Any]) -> str:
    """Return the name of a configuration's algorithm with its framework; a user's own class has none."""
    framework = "" if configuration["runner"] == "Own" else f"{configuration['runner']}."
    return f"{framework}{configuration['algorithm']}"


def _label_of_tuned(item: Record) -> str:
    """Return the user's label of a tuned item; of others it does not matter, since hyperparameters tell them apart."""
    return str(item.get("user_label", "")) if item.get(SEARCHED) else ""


def _configuration(item: Record) -> dict[str, Any]:
    """Return the fields that the key of an item's configuration is made of."""
    _required(item, "identity")
    return configuration_in(item)


def _required(record: Record, name: str, item: str = "") -> Any:
    """Return a field that records have since the gate exists.

    Raises:
        BaselineError: The record is older.
    """
    value = record.get(name)
    if value is None:
        raise BaselineError(
            f"{item or record['item']} was recorded by an earlier omnibench, which did not note its {name}; "
            "`omnibench reset ITEM --what Eval`, and the next run notes it."
        )
    return value

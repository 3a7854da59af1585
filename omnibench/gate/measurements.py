"""The measurements of a store, gathered from the records of its items: an entry per configuration and dataset."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from omnibench.comparison.measured import test_to_train
from omnibench.comparison.user_values import user_values_of_all
from omnibench.errors import BaselineError, StatisticsError
from omnibench.gate.entries import Dataset, Entry, ValuesByFold
from omnibench.gate.scores import Score
from omnibench.metrics.directions import direction
from omnibench.metrics.labels import for_groups
from omnibench.store.beneath import tree
from omnibench.store.evaluations import Evaluations, EvaluationsByLookup
from omnibench.store.identity_forms import DIGEST
from omnibench.store.schema import SEARCHED, Record, RecordLookup, RecordType, Status, configuration_in

MetricDirections: TypeAlias = Mapping[str, Mapping[str, bool]]
"""By an item's fit key and a metric's label, whether larger values are better."""

_Columns: TypeAlias = tuple[tuple[str, int], ...]
"""Metrics' labels and folds' numbers."""


class _EvaluationKeys(NamedTuple):
    """The keys of an entry's evaluations, with what they are of.

    Attributes:
        columns: What each is of.
        packed: The keys, in a quarter of the memory of their texts; None where one is no digest.
        texts: The keys where they are not packed.
    """

    columns: _Columns
    packed: bytes | None
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, columns: _Columns, keys: Sequence[str]) -> _EvaluationKeys:
        """Return the keys of evaluations, packed where they are digests."""
        if all(map(DIGEST.fullmatch, keys)):
            return cls(columns, bytes.fromhex("".join(keys)))
        return cls(columns, None, tuple(keys))

    @property
    def keys(self) -> Sequence[str]:
        """The keys as texts."""
        if self.packed is None:
            return self.texts
        return [self.packed[start : start + _KEY_BYTES].hex() for start in range(0, len(self.packed), _KEY_BYTES)]


_KEY_BYTES = 32


class _Fold(NamedTuple):
    """What an entry takes of the record of one of its items, of which a store may have a hundred thousand."""

    fit_key: str
    item: str
    fold: int
    finished: str
    metrics: Mapping[str, Mapping[str, Any]]
    chosen: Mapping[str, Any] | None

    @classmethod
    def of(cls, item: Record) -> _Fold:
        """Return that part of an item's record."""
        chosen = item["chosen"]["parameters"] if item.get("chosen") else None
        return cls(
            item["fit_key"],
            item["item"],
            item["fold"] or 0,
            item.get("finished") or "",
            item.get("metrics") or {},
            chosen,
        )


class _Group(NamedTuple):
    """The items of one entry: the record of the first of them, which says what they have alike, and all of their folds."""

    first: Record
    folds: list[_Fold]


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
        self._datasets: dict[Dataset, Dataset] = {}
        self._shared_sources: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._direction = cache(direction)
        self._sources = sources or {}
        groups: dict[tuple[str, str], _Group] = {}
        idle: dict[tuple[str, str], _Group] = {}
        unasked: dict[tuple[str, str], set[int]] = {}
        for item in items:
            is_deselected = item["fit_key"] in deselected
            is_done = item["status"] == Status.DONE and not is_deselected
            if not is_done and not (item.get("identity") and item.get("data_key")):
                continue  # of store format 1
            configuration = json.dumps(_configuration(item), sort_keys=True)  # as JSON keeps it, and quickly
            group = _required(item, "data_key"), configuration
            members = groups if is_done else idle
            if group not in members:
                members[group] = _Group(item, [])
            members[group].folds.append(_Fold.of(item))
            if is_deselected:
                unasked.setdefault(group, set()).add(item["fold"] or 0)
        idle = {group: members for group, members in idle.items() if group not in groups}
        keys: dict[tuple[str, str], str] = {}

        def entries_of(groups: dict[tuple[str, str], _Group], make: Callable[[_Group], Entry]) -> list[Entry]:
            entries = []
            for group in list(groups):
                entries.append(make(groups.pop(group)))  # whose records are let go
                if group in unasked:
                    keys[group] = entries[-1].key
            return entries

        self.entries: list[Entry] = entries_of(groups, lambda group: self._entry(lookup, group, metrics))
        self.without_results: list[Entry] = entries_of(idle, lambda group: self._entry_without_results(lookup, group))
        self.deselected: dict[str, set[int]] = {keys[group]: folds for group, folds in unasked.items()}

    def _entry_without_results(self, lookup: RecordLookup, group: _Group) -> Entry:
        first_item = group.first
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
            self._sources_of(group.folds),
            bool(first_item.get("deterministic")),
            user_label=_label_of_tuned(first_item),
        )

    def _sources_of(self, folds: Iterable[_Fold]) -> tuple[str, ...]:
        sources = tuple(sorted({source for fold in folds for source in self._sources.get(fold.fit_key, ())}))
        return self._shared_sources.setdefault(sources, sources)

    def _entry(self, lookup: RecordLookup, group: _Group, metrics: MetricDirections | None) -> Entry:
        first_item = group.first
        data = self._data_of(lookup, first_item)
        folds: dict[str, dict[int, float]] = {}
        identities: dict[str, str] = {}
        directions: dict[str, bool | None] = {}
        keys: dict[tuple[str, int], str] = {}
        with_users: dict[tuple[str, int], bool] = {}
        for fold in group.folds:
            fold_directions = None if metrics is None else for_groups(metrics[fold.fit_key], fold.metrics)
            directions |= fold_directions or {}
            for label, metric in fold.metrics.items():
                if fold_directions is not None and label not in fold_directions:
                    continue
                has_users = self._evaluations.has_users(metric["key"])
                if has_users is None:
                    continue
                identity = _required(metric, "metric", fold.item)
                # A fold that was measured by an earlier meaning of the metric does not go with the others.
                if identities.setdefault(label, identity) == identity:
                    folds.setdefault(label, {})[fold.fold] = metric["value"]
                    keys[label, fold.fold], with_users[label, fold.fold] = metric["key"], has_users
                    if label not in directions:
                        directions[label] = self._direction(label)
        columns = tuple(sorted(keys, key=lambda column: column[1]))  # the metrics of a fold share a file
        columns = self._columns.setdefault(columns, columns)  # most entries have the same
        self._keys.append(_EvaluationKeys.of(columns, [keys[column] for column in columns]))
        configuration = _configuration(first_item)
        return Entry(
            self._dataset(data, first_item),
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
            max(fold.finished for fold in group.folds),
            len(self._keys) - 1,
            self._sources_of(group.folds),
            bool(first_item.get("deterministic")),
            {fold.fold: fold.chosen for fold in group.folds if fold.chosen is not None},
            _label_of_tuned(first_item),
        )

    def _dataset(self, data: Record, item: Record) -> Dataset:
        """Return the dataset of an item, the same object for all that call it alike."""
        dataset = Dataset(data["name"], item["dataset"], item["data_key"], tuple(data["test"]))
        return self._datasets.setdefault(dataset, dataset)

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
        keys = self._keys[entry.index]
        records = self._evaluations.user_files(keys.keys)
        if None in records:  # they were there when the entries were made
            raise StatisticsError(f"an evaluation of {entry} was removed, or damaged, just now; ask again.")
        values = user_values_of_all([record for record in records if record is not None], self._root)
        return {column: of_users for column, of_users in zip(keys.columns, values, strict=True) if of_users is not None}

    def test_to_train(self, entry: Entry, folds: Sequence[int]) -> float:
        """Return test rows divided by training rows; see ``JudgedSource``."""
        return test_to_train(tree(self._root, self._data[entry.dataset.key]["directory"]), folds)


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


def _required(record: Mapping[str, Any], name: str, item: str = "") -> Any:
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

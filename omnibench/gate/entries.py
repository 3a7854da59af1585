"""What the gate compares: a configuration on a dataset, with what was measured of it; here as a store has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from omnibench.comparison.measured import PerUser, per_user_of, test_to_train
from omnibench.errors import BaselineError
from omnibench.gate.verdicts import count
from omnibench.keys import canonical, digest
from omnibench.metrics.labels import direction
from omnibench.store.schema import Record, Status

RecordLookup: TypeAlias = Callable[[str], Record | None]
"""From a record's key to the record, or None."""

Wanted: TypeAlias = Mapping[str, Mapping[str, bool]]
"""By the fit keys of items, the columns that are wanted of them, and whether more of each is better."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The data of an entry.

    Attributes:
        name: What the user calls it, e.g. ``MovieLens100K``.
        shown: As tables show it, e.g. ``MovieLens100K-609e34c9``.
        key: Identifies the recipe.
        tests: The digest of each fold's test part; values of users can be paired where these are equal.
    """

    name: str
    shown: str
    key: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of an entry.

    Attributes:
        identity: The canonical text of what was computed: name, parameters, version, convention.
        higher_is_better: Whether more of it is better, or None where nobody has said.
        folds: The value of each fold, as tables have it; none where it was wanted, and is not defined.
        per_user: Whether there are values per user.
    """

    identity: str
    higher_is_better: bool | None
    folds: Mapping[int, float]
    per_user: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A configuration on a dataset.

    Attributes:
        dataset: The dataset.
        algorithm: E.g. ``RecPack.EASE``.
        shown: As tables show it, e.g. ``RecPack.EASE-4f0b8a3c``.
        configuration: What its key is made of: explicit parameters, seed, framework's version, code and so on.
        scores: Its metrics, by label.
        finished: When the last of its folds was done, as an ISO timestamp in UTC.
        place: Where its source of values finds it.
        key: Identifies dataset and configuration.
    """

    dataset: Dataset
    algorithm: str
    shown: str
    configuration: Mapping[str, Any]
    scores: Mapping[str, Score]
    finished: str
    place: int
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", digest([self.dataset.key, self.configuration]))

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Dataset and configuration as tables show them."""
        return f"{self.dataset.shown}/{self.shown}"

    @property
    def parameters(self) -> str:
        """The canonical text of the explicitly given hyperparameters."""
        return canonical(self.configuration["parameters"])


Values: TypeAlias = dict[tuple[str, int], PerUser]
"""A metric's values of a fold's users, by label and fold."""


class Source(Protocol):
    """Where entries come from: a store, or a baseline."""

    @property
    def entries(self) -> Sequence[Entry]:
        """What was measured."""
        ...

    def values(self, entry: Entry) -> Values:
        """Return the values per user of all metrics that have some.

        Raises:
            OmnibenchError: A file is missing or damaged.
        """
        ...


class Present(Source, Protocol):
    """What is judged: a store, or what stands for one."""

    def test_to_train(self, entry: Entry, folds: Sequence[int]) -> float:
        """Return test rows divided by training rows, of several folds.

        Raises:
            StatisticsError: The prepared dataset cannot be read.
        """
        ...


class Measurements:
    """What a store has measured.

    Args:
        root: The store's directory.
        get: Its records; not used after this.
        items: The records of the items to take; those that are not done are left out.
        wanted: The columns to take of each item, and which direction of them is good; by default all of them.

    Raises:
        BaselineError: An item was recorded by a version of omnibench that did not note what is needed.
    """

    def __init__(self, root: Path, get: RecordLookup, items: Iterable[Record], wanted: Wanted | None = None) -> None:
        self._root = root
        self._evaluations: list[dict[tuple[str, int], Record]] = []
        self._data: dict[str, Record] = {}
        groups: dict[tuple[str, str], list[Record]] = {}
        for item in items:
            if item["status"] == Status.DONE:
                configuration = json.dumps(_configuration(item), sort_keys=True)  # as JSON keeps it, and quickly
                groups.setdefault((_noted(item, "data_key"), configuration), []).append(item)
        self.entries: list[Entry] = [self._entry(get, some, wanted) for some in groups.values()]

    def _entry(self, get: RecordLookup, items: Sequence[Record], wanted: Wanted | None) -> Entry:
        first = items[0]
        data = self._data_of(get, first)
        folds: dict[str, dict[int, float]] = {}
        identities: dict[str, str] = {}
        directions: dict[str, bool | None] = {}
        evaluations: dict[tuple[str, int], Record] = {}
        for item in items:
            columns = None if wanted is None else wanted[item["fit_key"]]
            directions |= columns or {}
            for label, metric in item["metrics"].items():
                evaluation = get(f"eval/{metric['key']}")
                if evaluation is None or (columns is not None and label not in columns):
                    continue
                identity, fold = _noted(metric, "metric", item["item"]), item["fold"] or 0
                # A fold that was measured by an earlier meaning of the metric does not go with the others.
                if identities.setdefault(label, identity) == identity:
                    folds.setdefault(label, {})[fold] = metric["value"]
                    evaluations[label, fold] = evaluation
                    directions.setdefault(label, direction(label))
        self._evaluations.append(evaluations)
        configuration = _configuration(first)
        framework = "" if configuration["runner"] == "Own" else f"{configuration['runner']}."
        return Entry(
            Dataset(data["name"], first["dataset"], first["data_key"], tuple(data["test"])),
            f"{framework}{configuration['algorithm']}",
            first["algorithm"],
            configuration,
            {
                label: Score(
                    identities.get(label, ""),
                    higher,
                    dict(sorted(folds.get(label, {}).items())),
                    label in folds and all(_has_users(evaluations[label, fold]) for fold in folds[label]),
                )
                for label, higher in directions.items()
            },
            max(item["finished"] for item in items),
            len(self._evaluations) - 1,
        )

    def _data_of(self, get: RecordLookup, item: Record) -> Record:
        key = item["data_key"]
        if key not in self._data:
            record = get(f"data/{key}")
            if record is None:
                raise BaselineError(f"{item['dataset']} is not recorded as prepared; run its benchmark again.")
            self._data[key] = record
        return self._data[key]

    def values(self, entry: Entry) -> Values:
        """Read the values per user of an entry, each file once."""
        records = self._evaluations[entry.place]
        found = {}
        for label, fold in sorted(records, key=lambda one: one[1]):  # the metrics of a fold share a file
            values = per_user_of(records[label, fold], self._root)
            if values is not None:
                found[label, fold] = values
        return found

    def test_to_train(self, entry: Entry, folds: Sequence[int]) -> float:
        """Return test rows divided by training rows; see ``Present``."""
        return test_to_train(self._root / self._data[entry.dataset.key]["directory"], folds)


def newest(source: Measurements) -> tuple[list[Entry], list[Entry]]:
    """Return the entries of each algorithm with its parameters that were finished last, and the others.

    A store keeps what was measured before the code of an algorithm, or the version of a framework, has changed.
    """
    latest: dict[tuple[str, ...], Entry] = {}
    for entry in source.entries:
        alike = canonical([entry.configuration.get(name) for name in ("seed", "device", "salt")])
        kind = (entry.dataset.key, entry.algorithm, entry.parameters, alike)
        if kind not in latest or entry.finished >= latest[kind].finished:
            latest[kind] = entry
    chosen = {id(entry) for entry in latest.values()}
    return list(latest.values()), [entry for entry in source.entries if id(entry) not in chosen]


def _configuration(item: Record) -> dict[str, Any]:
    """Return what the key of an item's configuration is made of."""
    identity = _noted(item, "identity")
    return dict(identity[1]["configuration"][1])


def _noted(record: Record, name: str, item: str = "") -> Any:
    found = record.get(name)
    if found is None:
        raise BaselineError(
            f"{item or record['item']} was recorded by an earlier omnibench, which did not note its {name}; "
            "`omnibench reset ITEM --what Eval`, and the next run notes it."
        )
    return found


def _has_users(evaluation: Record) -> bool:
    return bool(evaluation.get("per_user")) and evaluation.get("place", True) is not None


def summary(entries: Sequence[Entry]) -> str:
    """Return e.g. ``1 dataset, 8 configurations, 3 metrics``."""
    counts = (
        (len({entry.dataset.key for entry in entries}), "dataset"),
        (len(entries), "configuration"),
        (len({label for entry in entries for label in entry.scores}), "metric"),
    )
    return ", ".join(count(*one) for one in counts)

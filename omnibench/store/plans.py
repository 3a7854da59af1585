"""The plan of a store: which items bench functions and scripts have declared, as each was collected last.

A store keeps what was ever computed; its plan is what somebody still asks for. There is a record for each source (a
bench function, or a script), so that two runs of different files never overwrite each other's part. It has all items
that the source declares, also those that a run has deselected, and is written only when it has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

from omnibench.store.schema import Record, RecordType, configuration_in, timestamp

INTERACTIVE = "<interactive>"
"""The source of what was declared in a notebook or at a prompt."""

STEADY_DATA = (
    "Results are found again by the content of their data, so give a seed to what draws at random (e.g. "
    "numpy.random.default_rng(42)), sort what comes out of a set, or write the data into a file once and read that with from_file."
)
"""What to do about data that differs from process to process."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The items that one source declares.

    Attributes:
        source: The node id of a bench function, e.g. ``benchmarks/bench_shop.py::bench_baselines``, or a script's path.
        root: The directory that the source is relative to.
        columns: The columns that are measured, and whether larger values are better; without what a fit costs.
        items: The fit keys of its items.
        datasets: What people call its datasets, by display name.
        configurations: What the user calls its configurations, by display name; without those that have no label.
        seeds: How many seeds it asks for, by the display name of each configuration of which that is more than one.
        fitted_once: The display names of those that are fitted with the first of several seeds only.
        unsteady: What people call the datasets that differed from process to process when it was collected last.
    """

    source: str
    root: str
    columns: Mapping[str, bool]
    items: frozenset[str]
    datasets: Mapping[str, str] = field(default_factory=dict)
    configurations: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    fitted_once: frozenset[str] = frozenset()
    unsteady: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The source's file, relative to the root."""
        return file_of(self.source)

    @property
    def key(self) -> str:
        """The key of its record."""
        # SQLite takes no half characters, which names of files that are not UTF-8 have in Python.
        return RecordType.PLAN.key(self.source.encode(errors="backslashreplace").decode())

    @property
    def record(self) -> Record:
        """Its record, noted now."""
        return {
            "source": self.source,
            "root": self.root,
            "columns": dict(self.columns),
            "items": sorted(self.items),
            "datasets": dict(self.datasets),
            "configurations": dict(self.configurations),
            **({"seeds": dict(self.seeds), "fitted_once": sorted(self.fitted_once)} if self.seeds else {}),
            "noted": timestamp(),
            **({"unsteady": list(self.unsteady)} if self.unsteady else {}),
        }


def file_of(source: str) -> str:
    """Return the file in a node id, or the script itself."""
    return source.partition("::")[0]


def unsteady_in(records: Mapping[str, Record]) -> dict[str, str]:
    """Return the datasets that differed from process to process when a run was refused last, with who declares them.

    Args:
        records: All records.
    """
    plan = (record for key, record in records.items() if RecordType.PLAN.has(key))
    return {label: part["source"] for part in plan for label in part.get("unsteady", ())}


def plan_of(records: Iterable[tuple[str, Record]]) -> list[Planned]:
    """Return the plan that records hold; records of other types are passed over.

    Args:
        records: Keys and records.
    """
    return [
        Planned(
            record["source"],
            record["root"],
            record["columns"],
            frozenset(record["items"]),
            record.get("datasets", {}),
            record.get("configurations", {}),
            record.get("seeds", {}),
            frozenset(record.get("fitted_once", ())),
            tuple(record.get("unsteady", ())),
        )
        for key, record in records
        if RecordType.PLAN.has(key)
    ]


_UNNAMED = {"dataset_label": "", "user_label": "", "seeds": 1, "seed": None}
"""How items are called of which neither the plan nor their record says anything."""


_AT_HAND = 1024
"""Configurations of which is kept what a plan calls them: their folds mostly follow each other."""


class PlannedLabels:
    """What the plan calls its items now.

    Neither a label nor the number of seeds is part of a key, so an item that is done is not touched when they change.

    Args:
        records: Keys and records; those of other types are passed over.
    """

    def __init__(self, records: Iterable[tuple[str, Record]]) -> None:
        plans = [record for key, record in records if RecordType.PLAN.has(key) and "datasets" in record]
        self._plans = [
            (plan, {key: key for key in plan["items"]}, frozenset(plan.get("fitted_once", ())))
            for plan in sorted(plans, key=lambda plan: str(plan["noted"]))
        ]
        # Of no method: an object that holds a bound method of its own is freed by the garbage collector alone, some time later.
        self._called = lru_cache(maxsize=_AT_HAND)(partial(_called_by, self._plans))

    @property
    def fit_keys(self) -> Iterator[str]:
        """The keys of the items that the plan names."""
        return (fit_key for _, items, _ in self._plans for fit_key in items)

    @property
    def labels(self) -> frozenset[str]:
        """What the plan calls datasets and configurations."""
        names = (
            plan.get(member, {}).values() for plan, _, _ in self._plans for member in ("datasets", "configurations")
        )
        return frozenset(str(name) for labels in names for name in labels)

    def known_key(self, fit_key: str) -> str:
        """Return a fit key as the text that a plan has of it, which takes no memory beside; one that none has as it is."""
        for _, items, _ in self._plans:
            planned_key: str | None = items.get(fit_key)
            if planned_key is not None:
                return planned_key
        return fit_key

    def called_alike(self, fit_keys: Sequence[str]) -> list[list[int]]:
        """Return the positions of items that the same parts of the plan name, of each such group in a list.

        Args:
            fit_keys: The keys of items of a configuration on a dataset.
        """
        if fit_keys and all(all(map(items.__contains__, fit_keys)) for _, items, _ in self._plans):  # most
            return [list(range(len(fit_keys)))]
        groups: dict[tuple[bool, ...], list[int]] = {}
        for number, fit_key in enumerate(fit_keys):
            groups.setdefault(tuple([fit_key in items for _, items, _ in self._plans]), []).append(number)
        return list(groups.values())

    def labelled(self, item: Record) -> Record:
        """Return the record of an item, called as the plan calls it; one that it does not name as it is."""
        changed = None
        fit_key, name = item["fit_key"], (item["dataset"], item["algorithm"])
        for number, (_, items, _) in enumerate(self._plans):
            if fit_key not in items:
                continue
            *called, named = self._called(number, *name)
            labels = (*called, configuration_in(item).get("seed") if named else None)
            if (
                changed
                or (item.get("dataset_label", ""), item.get("user_label", ""), item.get("seeds", 1), item.get("seed"))
                != labels
            ):
                changed = {**item, **dict(zip(_UNNAMED, labels, strict=True))}
        return changed or item


def _called_by(
    plans: Sequence[tuple[Record, Mapping[str, str], frozenset[str]]], number: int, dataset: str, algorithm: str
) -> tuple[str, str, int, bool]:
    """Return what a plan calls a dataset and a configuration, for how many seeds it asks, and whether they are named.

    Args:
        plans: The plans, each with its keys and what it has fitted once.
        number: Which of them it is.
        dataset: The dataset's name.
        algorithm: The configuration's.
    """
    plan, _, fitted_once = plans[number]
    seeds = plan.get("seeds", {}).get(algorithm, 1)
    names = plan.get("datasets", {}).get(dataset, ""), plan.get("configurations", {}).get(algorithm, "")
    return *names, seeds, seeds > 1 and algorithm not in fitted_once


def with_planned_labels(records: dict[str, Record]) -> dict[str, Record]:
    """Return records in which items are called as the plan calls them now, not as when they were first computed.

    Args:
        records: All records of a store.
    """
    plan = PlannedLabels(records.items())
    keys = {RecordType.ITEM.key(fit_key) for fit_key in plan.fit_keys} & records.keys()
    changed = {key: plan.labelled(records[key]) for key in keys}
    return {**records, **changed} if changed else records


def differing_labels(earlier: Planned | None, part: Planned) -> list[str]:
    """Return the datasets that have their labels from a source's last run, and another content.

    Args:
        earlier: The source's plan in the last run, if there was one.
        part: Its plan now.
    """
    if earlier is None or earlier.datasets == part.datasets:
        return []
    labels_before, labels_now = (
        {label: {name for name in plan.datasets if plan.datasets[name] == label} for label in plan.datasets.values()}
        for plan in (earlier, part)
    )
    return [label for label, names in labels_now.items() if label in labels_before and labels_before[label] != names]


def plan_changes(
    recorded: Iterable[Planned], planned: Sequence[Planned], is_gone: Callable[[Planned], bool]
) -> tuple[dict[str, Record], list[str]]:
    """Return the records to be written, by key, and the keys to be forgotten; nothing where all is as recorded.

    Args:
        recorded: The plan that is recorded.
        planned: What was collected now.
        is_gone: Whether a recorded source that was not collected does not exist any more.
    """
    by_source = {part.source: part for part in recorded}
    new = {part.key: part.record for part in planned if by_source.get(part.source) != part}
    collected = {part.source for part in planned}
    gone = [part.key for part in by_source.values() if part.source not in collected and is_gone(part)]
    return new, gone

"""What goes into exported files, gathered from the records of a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from omnibench.comparison.current import current_items, names_of
from omnibench.errors import ExportError, StoreError
from omnibench.metrics.directions import direction
from omnibench.metrics.labels import chosen_labels, unmeasured
from omnibench.report.contents import Contents, MissingItem, Recorded, contents_of, missing_of
from omnibench.report.folds import FoldedResults, RecordedItems, examples_of, ordered
from omnibench.report.impersonal import hider
from omnibench.report.item_facts import FactsByKey
from omnibench.report.recorded_items import RecordedItem
from omnibench.results import Result
from omnibench.store.choices import with_choices
from omnibench.store.item_records import results_of
from omnibench.store.light_records import light_records_in
from omnibench.store.lookups import Lookups
from omnibench.store.packed_metrics import labels_of
from omnibench.store.plain_items import PlainItems
from omnibench.store.plans import INTERACTIVE, plan_of
from omnibench.store.queries import Store
from omnibench.store.reader import Reader
from omnibench.store.schema import Record, RecordType, Status
from omnibench.store.selection import select, select_datasets
from omnibench.tables.seeds import rows_with_seeds_together

_ALIKE = ("dataset", "algorithm", "parameters")

_LOOK_UPS_PER_PASS = 3
"""How many items' facts cost as much to read in a pass over all records as those of one to look up by their keys."""

_TIMES_ASKED = 4
"""How often documents ask for the facts about what they show, which are not kept where they are many."""


class Chosen(NamedTuple):
    """What was chosen to be exported; see ``export.export_results``.

    Attributes:
        datasets: The texts that datasets have to be named by; all without one.
        algorithms: The texts that items have to be named by; likewise.
        metrics: The labels of metrics; likewise.
        better: Which values are better of metrics that are not omnibench's own.
        all_items: Whether also what is not current.
        shown_configurations: Of how many configurations of a dataset the files say more than their metrics; all without a limit.
    """

    datasets: Sequence[str] = ()
    algorithms: Sequence[str] = ()
    metrics: Sequence[str] = ()
    better: str | None = None
    all_items: bool = False
    shown_configurations: int | None = None


def gathered(
    store: Store, reader: Reader, chosen: Chosen, *, paths: bool
) -> tuple[Contents, Callable[[str], str], str]:
    """Return what is to be written, what takes directories, users and hosts out of texts, and the sentence about what is left out.

    Args:
        store: The store.
        reader: Reads its records.
        chosen: What was chosen.
        paths: Whether texts keep directories, users and hosts.
    """
    folded = _Folded.of(store, reader, chosen) if _may_be_folded(reader, chosen) else None
    if folded is not None:
        hide = str if paths else hider(folded.runs, store.root)
        return _contents(store, reader, folded.results, folded.missing, chosen), hide, folded.notice
    # Where nothing is folded after all, items are read again: of two with one name the one that was written last counts, and plain items
    # are no longer in that order. It takes an item in two versions, as after a change of a class or of data, or a damaged plan.
    light = light_records_in(reader, with_costs=False, with_metrics=True).records
    notice, names = "", None
    if not chosen.all_items:
        current = current_items(light)
        notice, names = current.notice(), names_of(current.items)
        del current
    hide = str if paths else hider(_runs_in(light), store.root)
    done, missing = _items_to_write(store, light, names, chosen)
    total = sum(map(RecordType.ITEM.has, light))
    del light, names  # of a hundred thousand items these are 150 megabytes, which go as their results are made
    recorded = _recorded_results(done, Lookups(reader), total, chosen.metrics)
    return _contents(store, reader, recorded, missing, chosen), hide, notice


def _runs_in(records: Mapping[str, Record]) -> list[Record]:
    return [record for key, record in records.items() if RecordType.RUN.has(key)]


class _Recorded(NamedTuple):
    """Results, and what the records of their items say.

    Attributes:
        results: The results.
        items: What the records of their items say, by key.
        data_keys: What identifies each dataset, by its name; empty where the records of items do not say it.
        measured: The labels of their metrics, chosen or not.
        finished: When the last of the items was done, or nothing.
        total: How many items the store has.
    """

    results: Sequence[Result]
    items: Mapping[str, RecordedItem]
    data_keys: Mapping[str, tuple[str, str]]
    measured: Collection[str]
    finished: str
    total: int


def _recorded_results(done: list[Record], lookups: Lookups, total: int, metrics: Sequence[str]) -> _Recorded:
    """Return the results of items.

    Args:
        done: The items that have results, the last one first; they are taken away as their results are made.
        lookups: Looks up whole records.
        total: How many items there are in all.
        metrics: The chosen metrics; all by default.
    """
    measured, finished = dict[str, None](), ""
    labels_before: tuple[str, ...] = ()
    recorded_items: dict[str, RecordedItem] = {}

    def records() -> Iterator[Record]:
        nonlocal finished, labels_before
        while done:
            item = done.pop()
            record = item if "metrics" in item else _whole(item, lookups)
            finished = max(finished, record.get("finished") or "")
            if (labels := labels_of(record["metrics"])) is not labels_before:
                measured.update(dict.fromkeys(labels))
                labels_before = labels
            recorded_items[record["fit_key"]] = RecordedItem.of(record)
            yield _with_metrics(record, metrics)

    results = list(results_of(records()))
    data_keys = {result.dataset: (recorded_items[result.fit_key].data_key, result.fit_key) for result in results}
    return _Recorded(results, recorded_items, data_keys, measured, finished, total)


def _may_be_folded(reader: Reader, chosen: Chosen) -> bool:
    """Whether what is chosen can be told without the record of each item: all metrics of the whole plan, or of all items."""
    if chosen.datasets or chosen.algorithms or chosen.metrics:
        return False
    plans = list(reader.keys(RecordType.PLAN.prefix))
    # What was declared in a notebook is current in its latest version, which is looked for among all items.
    return chosen.all_items or (bool(plans) and RecordType.PLAN.key(INTERACTIVE) not in plans)


class _Folded(NamedTuple):
    """All results of a store, of which most are kept as folds of configurations.

    Attributes:
        results: The results.
        missing: The items that have none.
        runs: The records of runs.
        notice: The sentence about what is left out.
    """

    results: _Recorded
    missing: list[MissingItem]
    runs: list[Record]
    notice: str

    @classmethod
    def of(cls, store: Store, reader: Reader, chosen: Chosen) -> _Folded | None:
        """Return them; None where that takes the record of each item, as where two have one name.

        Args:
            store: The store.
            reader: Reads its records.
            chosen: What was chosen: all datasets, algorithms and metrics.
        """
        light = light_records_in(reader, with_costs=False, with_metrics=True, takes_plain=True)
        records, plain = light.records, list(light.plain)
        del light
        items = store.items_in(records)
        if _are_named_alike(plain, items):
            return None
        total, notice = len(items) + sum(map(len, plain)), ""
        if not chosen.all_items:
            plan = plan_of(records.items())
            if not plan:  # its record is damaged
                return None
            current = current_items(records)
            plain, left_out = _planned(plain, frozenset().union(*(part.items for part in plan)))
            notice = current._replace(left_out=current.left_out + left_out).notice()
            names = names_of(current.items)
            items = {name: item for name, item in items.items() if name in names}
        missing = [missing_of(item, records.get) for item in items.values() if item["status"] != Status.DONE]
        done = [item for item in items.values() if item["status"] == Status.DONE]
        runs = _runs_in(records)
        del records, items
        lookups = Lookups(reader)
        unplain = _recorded_results(done[::-1], lookups, total, ())
        folds = ordered(plain, with_choices(unplain.results, lookups.get))
        if folds is None:
            return None
        del plain
        results = FoldedResults(rows_with_seeds_together(folds, lambda alike_folds: alike_folds.alike))
        data_keys = {
            folds_of_one.alike.dataset: (folds_of_one.data_key, folds_of_one.alike.fit_key) for folds_of_one in folds
        }
        data_keys |= {name: unplain.data_keys[name] for name, (key, _) in data_keys.items() if not key}
        measured = dict.fromkeys(label for folds_of_one in folds for label in folds_of_one.labels)
        times = (
            time for folds_of_one in folds if folds_of_one.items is not None for time in folds_of_one.items.finished
        )
        recorded = _Recorded(
            results,
            RecordedItems(results, unplain.items),
            data_keys,
            measured,
            max(chain([unplain.finished], times)),
            total,
        )
        return cls(recorded, missing, runs, notice)


def _planned(plain: Iterable[PlainItems], fit_keys: Collection[str]) -> tuple[list[PlainItems], int]:
    """Return the items that a plan names, and how many others there are.

    Args:
        plain: Items.
        fit_keys: The keys of those that it names.
    """
    planned, left_out = list[PlainItems](), 0
    for items in plain:
        numbers = [number for number, fit_key in enumerate(items.fit_keys) if fit_key in fit_keys]
        left_out += len(items) - len(numbers)
        if len(numbers) == len(items):
            planned.append(items)
        elif numbers:
            planned.append(items.part(numbers))
    return planned, left_out


def _are_named_alike(plain: Iterable[PlainItems], names: Iterable[str]) -> bool:
    """Whether two of all items have the same name.

    Args:
        plain: Items, which are named by dataset, configuration and fold.
        names: The names of others.
    """
    folds_by_prefix: dict[str, set[int | None]] = {}
    for items in plain:
        folds = folds_by_prefix.setdefault(f"{items.example['dataset']}/{items.example['algorithm']}", set())
        expected = len(folds) + len(items)
        folds.update(items.folds)
        if len(folds) != expected:
            return True
    for name in names:
        prefix, _, fold = name.rpartition("/fold_")
        if None in folds_by_prefix.get(name, ()) or (fold.isdecimal() and int(fold) in folds_by_prefix.get(prefix, ())):
            return True
    return False


def _items_to_write(
    store: Store,
    light: dict[str, Record],
    current_names: Collection[str] | None,
    chosen: Chosen,
) -> tuple[list[Record], list[MissingItem]]:
    """Return the chosen items that are done, the last one of their order first, and those that have no results.

    Args:
        store: The store.
        light: Its light records.
        current_names: The names of the items to choose from; of all where that is None.
        chosen: What was chosen.
    """
    items = everything = store.items_in(light)
    if current_names is not None:
        items = {name: item for name, item in everything.items() if name in current_names}
    for texts, names_in in ((chosen.datasets, _items_of_dataset), (chosen.algorithms, select)):
        items, everything = _chosen(texts, names_in, items, everything)
    done = [item for item in items.values() if item["status"] == Status.DONE]
    missing = [missing_of(item, light.get) for item in items.values() if item["status"] != Status.DONE]
    done.sort(key=lambda item: (item["dataset"], item["algorithm"], -1 if item["fold"] is None else item["fold"]))
    done.reverse()
    return done, missing


def _contents(
    store: Store, reader: Reader, recorded: _Recorded, missing: list[MissingItem], chosen: Chosen
) -> Contents:
    """Return the contents of files.

    Args:
        store: The store.
        reader: Reads its records.
        recorded: The results.
        missing: The items that have none.
        chosen: What was chosen.
    """
    lookups = Lookups(reader)
    facts = FactsByKey(recorded.items, lookups)
    data_keys = {name: key or facts[fit_key].dataset_key for name, (key, fit_key) in recorded.data_keys.items()}
    if _facts_to_ask(recorded, chosen.shown_configurations) * _LOOK_UPS_PER_PASS > recorded.total:
        lookups.read_phases(RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)
    for label in chosen.metrics:
        if not chosen_labels(recorded.measured, [label]):
            raise ExportError(unmeasured(label, recorded.measured))
    stated_direction = None if chosen.better is None else chosen.better == "higher"
    labels = dict.fromkeys(label for of_result in _different_labels(recorded.results) for label in of_result)
    directions = {label: stated_direction if (higher := direction(label)) is None else higher for label in labels}
    series = {RecordType.SERIES.identity(key) for key in reader.keys(RecordType.SERIES.prefix)}
    return contents_of(
        lookups.get,
        recorded.results,
        missing,
        {label for label, higher in directions.items() if higher is False},
        {label for label, higher in directions.items() if higher is None},
        root=store.root,
        recorded=Recorded(recorded.measured, recorded.finished, series, facts, data_keys),
    )


def _facts_to_ask(recorded: _Recorded, shown_configurations: int | None) -> float:
    """Return about how many times the facts of an item will be asked for.

    Args:
        recorded: The results.
        shown_configurations: Of how many configurations of a dataset these are asked for; of all without a limit.
    """
    results = recorded.results
    if shown_configurations is None or not results:
        return len(results)
    configurations = {(result.dataset, result.algorithm) for result in examples_of(results)}
    share = min(1, shown_configurations * len(recorded.data_keys) / len(configurations))
    return min(1, share * _TIMES_ASKED) * len(results)


def _different_labels(results: Iterable[Result]) -> list[tuple[str, ...]]:
    """Return the labels of results, each tuple of them once, in the order in which they come."""
    return list(dict.fromkeys(labels_of(result.metrics) for result in examples_of(results)))


def _whole(item: Record, lookups: Lookups) -> Record:
    """Return the whole record of an item that lacks its metrics."""
    record = lookups.get(RecordType.ITEM.key(item["fit_key"])) or {"metrics": {}}
    # The members that many items have alike are kept once, which those of light records are.
    return {**record, **{name: item[name] for name in _ALIKE}}


def _with_metrics(item: Record, metrics: Sequence[str]) -> Record:
    """Return an item's record with some of its metrics only, in this order; with all of them when none is named."""
    if not metrics:
        return item
    measured: Mapping[str, Any] = item["metrics"]
    return {**item, "metrics": {label: measured[label] for label in chosen_labels(measured, metrics)}}


def _chosen(
    texts: Sequence[str],
    names_in: Callable[[str, dict[str, Record]], list[str]],
    items: dict[str, Record],
    everything: dict[str, Record],
) -> tuple[dict[str, Record], dict[str, Record]]:
    """Return the items that one of several texts stands for; all without a text.

    Args:
        texts: The texts.
        names_in: Returns the names of the items that a text stands for, among some.
        items: The items to choose from, by name.
        everything: The items to choose from where a text means none of the unplain.

    Returns:
        The chosen items, and all of ``everything`` that one of the texts means.

    Raises:
        ExportError: A text means none at all.
    """
    if not texts:
        return items, everything
    chosen: dict[str, Record] = {}
    all_chosen: dict[str, Record] = {}
    for text in texts:
        try:
            all_names = names_in(text, everything)
        except StoreError as error:
            raise ExportError(str(error)) from error
        all_chosen |= {name: everything[name] for name in all_names}
        names = [name for name in all_names if name in items] or all_names
        chosen |= {name: everything[name] for name in names}
    return chosen, all_chosen


def _items_of_dataset(text: str, items: dict[str, Record]) -> list[str]:
    """Return the items of the datasets that a text stands for."""
    datasets = select_datasets(text, items)
    return [name for name, item in items.items() if item["dataset"] in datasets]

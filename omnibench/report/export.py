"""Export the results of a store into files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omnibench.comparison.current import current_items, names_of
from omnibench.errors import ExportError, StatisticsError, StoreError
from omnibench.metrics.directions import direction
from omnibench.metrics.labels import alternatives, chosen_labels, unmeasured
from omnibench.report.comparisons import TESTS
from omnibench.report.contents import Contents, MissingItem, Recorded, contents_of, missing_of
from omnibench.report.files import check_files, replace
from omnibench.report.frames import nested
from omnibench.report.impersonal import hider, impersonal
from omnibench.report.item_facts import FactsByKey, RecordedItem
from omnibench.report.latex import latex
from omnibench.report.markdown import markdown
from omnibench.report.page.html import html
from omnibench.report.parquet_file import parquet
from omnibench.report.row_files import csv
from omnibench.report.sections import DEFAULT_LIMIT, Choices, report_of
from omnibench.results import Result
from omnibench.statistics.paired import DEFAULT_TEST, check_alpha
from omnibench.store.item_records import results_of
from omnibench.store.light_records import light_records_in
from omnibench.store.lookups import Lookups
from omnibench.store.packed_metrics import labels_of
from omnibench.store.queries import Store, open_store
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType, Status
from omnibench.store.selection import select, select_datasets

_ALIKE = ("dataset", "algorithm", "parameters")

_LOOK_UPS_PER_PASS = 3
"""How many items' facts cost as much to look up by their keys as that of a single item in a pass over all records."""

_DATA_WRITERS = {".csv": csv, ".parquet": parquet, ".json": nested}
_DOCUMENT_WRITERS = {".md": markdown, ".tex": latex, ".html": html}


def export_results(
    store: Store | str | os.PathLike[str],
    *files: str | os.PathLike[str],
    datasets: Sequence[str] = (),
    algorithms: Sequence[str] = (),
    metrics: Sequence[str] = (),
    sort: str = "",
    top: int | None = DEFAULT_LIMIT,
    alpha: float = 0.05,
    test: str = DEFAULT_TEST,
    better: str | None = None,
    all_items: bool = False,
    paths: bool = False,
    notify: Callable[[str], None] | None = None,
) -> list[str]:
    """Write the results of a store into files; the ending of a file decides its format.

    ``.csv``, ``.parquet`` (a row per dataset, configuration, fold and metric) and ``.json`` (the same, nested) have
    every digit (pandas 2 reads CSV to the last bit with ``float_precision="round_trip"``). ``.md``, ``.tex`` and
    ``.html`` have a table per dataset and the statistics, and say what is missing.

    Args:
        store: A store, or its directory.
        *files: Where to write; a file that is there is replaced.
        datasets: Only these, by their names, with or without the hash.
        algorithms: Only what these texts stand for, e.g. ``RecPack``, ``ItemKNN(K=100)`` or ``RecPack.EASE-4f0b8a3c``;
            see ``docs/store.md``, "Naming items".
        metrics: Only these, in this order, e.g. ``["NDCG@10", "HR@10"]``; ``NDCG@10 by gender`` are those of all groups.
        sort: The metric by whose mean tables are sorted, best first; by name without one.
        top: How many configurations of a dataset tables show, the best ones by ``sort`` or the first metric; None for
            all. Only these are tested. The other files always have all.
        alpha: The level of the tests of each column.
        test: ``t``, ``randomisation`` or ``wilcoxon``.
        better: ``higher`` or ``lower``: which values are better of metrics that are not omnibench's own.
        all_items: Also what is not in the last plan, and earlier versions of own classes; without it they are there
            only where ``datasets`` or ``algorithms`` name them and nothing else.
        paths: Whether the reasons of missing items keep directories and the names of users and hosts.
        notify: Called with the sentence about what was left out, if anything was; a warning by default.

    Returns:
        What could not be tested, a sentence each.

    Raises:
        ExportError: A file cannot be written, or an option chooses nothing.
        StatisticsError: There is no such test or level.
        StoreError: There is no store, or it cannot be read.
    """
    check_alpha(alpha)
    for option, value, choices in (("test", test, TESTS), ("better", better, (None, "higher", "lower"))):
        if value not in choices:
            raise StatisticsError(f"{option} is {value!r}; choose from {', '.join(filter(None, choices))}.")
    if top is not None and top < 1:
        raise ExportError(f"top is {top!r}; give the number of configurations that tables show, 1 or more.")
    checked = check_files(Path(file) for file in files)
    opened = store if isinstance(store, Store) else open_store(store)
    notices: list[str] = []

    def take(reader: Reader) -> list[str]:
        contents, hide, notice = _gathered(
            opened, reader, datasets, algorithms, metrics, better, all_items=all_items, paths=paths
        )
        if sort and sort not in contents.labels:
            raise ExportError(f"there is no {sort!r} to sort by; {alternatives(sort, contents.labels)}")
        if notice and not notices:  # only once, even where reading has to begin anew
            notices.append(notice)
            (notify or _warn)(notice)
        return write_files(checked, contents, opened.root, Choices(sort, top, alpha, test, "--top"), hide)

    # Files are written while the store is open: facts about items are looked up as they are written.
    return read(opened.root / "store", take)


def _gathered(
    store: Store,
    reader: Reader,
    datasets: Sequence[str],
    algorithms: Sequence[str],
    metrics: Sequence[str],
    better: str | None,
    *,
    all_items: bool,
    paths: bool,
) -> tuple[Contents, Callable[[str], str], str]:
    """Return what is to be written, what takes directories, users and hosts out of texts, and the sentence about what is left out."""
    light = light_records_in(reader, with_costs=False, with_metrics=True).records
    notice, names = "", None
    if not all_items:
        current = current_items(light)
        notice, names = current.notice(), names_of(current.items)
        del current
    runs = (record for key, record in light.items() if RecordType.RUN.has(key))
    hide = str if paths else hider(runs, store.root)
    done, missing = _items_to_write(store, light, names, datasets, algorithms)
    total = sum(map(RecordType.ITEM.has, light))
    del light, names  # of a hundred thousand items these are 150 megabytes, which go as their results are made
    return (
        _contents(store, reader, done, missing, metrics, better, looks_up=len(done) * _LOOK_UPS_PER_PASS <= total),
        hide,
        notice,
    )


def _warn(sentence: str) -> None:
    warnings.warn(f"{sentence}; all_items=True takes them too", UserWarning, stacklevel=6)


def write_files(
    files: Iterable[Path], contents: Contents, root: Path, choices: Choices, hide: Callable[[str], str]
) -> list[str]:
    """Write results into files that ``check_files`` has returned, each whole or not at all.

    Args:
        files: The files.
        contents: The results.
        root: The store that has the values per user.
        choices: The choices of the user.
        hide: Takes directories, users and hosts out of a text; see ``impersonal.hider``.

    Returns:
        What could not be tested, a sentence each.

    Raises:
        ExportError: A file could not be written, or its format has no form for one of the values; those before it were.
    """
    contents, report = impersonal(contents, hide), None
    trouble: list[str] = []
    for file in files:
        suffix = file.suffix.lower()
        if suffix in _DATA_WRITERS:
            _write_values(file, _DATA_WRITERS[suffix](contents))
        else:
            if report is None:
                report = report_of(contents, root, choices)
                trouble, report.trouble[:] = [*report.trouble], map(hide, report.trouble)
            replace(file, _DOCUMENT_WRITERS[suffix](report))
    return [*contents.trouble, *trouble]


def _write_values(file: Path, parts: Iterable[bytes]) -> None:
    """Write a file whose parts are made as it is written.

    Raises:
        ExportError: It could not be written, or its format has no form for a value.
    """
    try:
        replace(file, parts)
    except (ValueError, OverflowError) as error:  # e.g. an integer of more than 64 bits in Parquet
        raise ExportError(
            f"{str(file)!r} could not be written: its format has no form for one of the values ({error}); "
            "choose another format."
        ) from error


def _items_to_write(
    store: Store,
    light: dict[str, Record],
    current_names: Collection[str] | None,
    datasets: Sequence[str],
    algorithms: Sequence[str],
) -> tuple[list[Record], list[MissingItem]]:
    """Return the chosen items that are done, the last one of their order first, and those that have no results.

    Args:
        store: The store.
        light: Its light records.
        current_names: The names of the items to choose from; of all where that is None.
        datasets: The texts that datasets have to be named by.
        algorithms: The texts that items have to be named by.
    """
    items = everything = store.items_in(light)
    if current_names is not None:
        items = {name: item for name, item in everything.items() if name in current_names}
    for texts, names_in in ((datasets, _items_of_dataset), (algorithms, select)):
        items, everything = _chosen(texts, names_in, items, everything)
    done = [item for item in items.values() if item["status"] == Status.DONE]
    missing = [missing_of(item, light.get) for item in items.values() if item["status"] != Status.DONE]
    done.sort(key=lambda item: (item["dataset"], item["algorithm"], -1 if item["fold"] is None else item["fold"]))
    done.reverse()
    return done, missing


def _contents(
    store: Store,
    reader: Reader,
    done: list[Record],
    missing: list[MissingItem],
    metrics: Sequence[str],
    better: str | None,
    *,
    looks_up: bool,
) -> Contents:
    """Return the contents of files.

    Args:
        store: The store.
        reader: Reads its records.
        done: The items that have results, the last one first; they are taken away as their results are made.
        missing: Those that have none.
        metrics: The chosen metrics; all by default.
        better: Which values are better of metrics that are not omnibench's own.
        looks_up: Whether the items are so few that records of phases are looked up one at a time.
    """
    lookups = Lookups(reader)
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
    facts = FactsByKey(recorded_items, lookups)
    data_keys = {
        result.dataset: recorded_items[result.fit_key].data_key or facts[result.fit_key].dataset_key
        for result in results
    }
    if not looks_up:
        lookups.read_phases(RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)
    for label in metrics:
        if not chosen_labels(measured, [label]):
            raise ExportError(unmeasured(label, measured))
    stated_direction = None if better is None else better == "higher"
    labels = dict.fromkeys(label for of_result in _different_labels(results) for label in of_result)
    directions = {label: stated_direction if (higher := direction(label)) is None else higher for label in labels}
    series = {RecordType.SERIES.identity(key) for key in reader.keys(RecordType.SERIES.prefix)}
    return contents_of(
        lookups.get,
        results,
        missing,
        {label for label, higher in directions.items() if higher is False},
        {label for label, higher in directions.items() if higher is None},
        root=store.root,
        recorded=Recorded(measured, finished, series, facts, data_keys),
    )


def _different_labels(results: Iterable[Result]) -> list[tuple[str, ...]]:
    """Return the labels of results, each tuple of them once, in the order in which they come."""
    return list(dict.fromkeys(labels_of(result.metrics) for result in results))


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
        everything: The items to choose from where a text means none of the others.

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

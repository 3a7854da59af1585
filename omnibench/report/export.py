"""Export the results of a store into files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from omnibench.errors import ExportError, StatisticsError, StoreError, nearest
from omnibench.metrics.directions import direction
from omnibench.report.contents import Contents, contents_of, missing_of, result_of
from omnibench.report.files import check_files, replace
from omnibench.report.frames import csv, nested, parquet
from omnibench.report.latex import latex
from omnibench.report.markdown import markdown
from omnibench.report.page.html import html
from omnibench.report.sections import DEFAULT_LIMIT, TESTS, Choices, report_of
from omnibench.statistics.paired import check_alpha
from omnibench.store.queries import Store, open_store
from omnibench.store.schema import Record, Status
from omnibench.store.selection import select_all, select_datasets

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
    test: str = "t",
    better: str | None = None,
) -> list[str]:
    """Write the results of a store into files; the ending of a file decides its format.

    ``.csv``, ``.parquet`` (a row per dataset, configuration, fold and metric) and ``.json`` (the same, nested) have every
    digit (pandas 2 reads CSV to the last bit with ``float_precision="round_trip"``). ``.md``, ``.tex`` and ``.html`` have a
    table per dataset and the statistics, and say what is missing.

    Args:
        store: A store, or its directory.
        *files: Where to write; a file that is there is replaced.
        datasets: Only these, by their names, with or without the hash.
        algorithms: Only what these texts stand for, e.g. ``RecPack``, ``ItemKNN(K=100)`` or ``RecPack.EASE-4f0b8a3c``; see
            ``docs/store.md``, "Naming items".
        metrics: Only these, in this order, e.g. ``["NDCG@10", "HR@10"]``.
        sort: The metric by whose mean tables are sorted, best first; by name without one.
        top: How many configurations of a dataset tables show, the best ones by ``sort`` or the first metric; None for
            all. Only these are tested. The other files always have all.
        alpha: The level of the tests of each column.
        test: ``t``, ``randomisation`` or ``wilcoxon``.
        better: ``higher`` or ``lower``: which values are better of metrics that are not omnibench's own.

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
    contents = _contents(opened, datasets, algorithms, metrics, better)
    if sort and sort not in contents.labels:
        raise ExportError(
            f"there is no {sort!r} to sort by{nearest(sort, contents.labels)}; there are {', '.join(contents.labels)}."
        )
    return write_files(checked, contents, opened.root, Choices(sort, top, alpha, test, "--top"))


def write_files(files: Iterable[Path], contents: Contents, root: Path, choices: Choices) -> list[str]:
    """Write results into files that ``check_files`` has returned, each whole or not at all.

    Args:
        files: The files.
        contents: The results.
        root: The store that has the values per user.
        choices: The choices of the user.

    Returns:
        What could not be tested, a sentence each.

    Raises:
        ExportError: A file could not be written; those before it were.
    """
    report = None
    for file in files:
        suffix = file.suffix.lower()
        if suffix in _DATA_WRITERS:
            replace(file, _DATA_WRITERS[suffix](contents))
        else:
            report = report or report_of(contents, root, choices)
            replace(file, _DOCUMENT_WRITERS[suffix](report))
    return report.trouble if report else []


def _contents(
    store: Store, datasets: Sequence[str], algorithms: Sequence[str], metrics: Sequence[str], better: str | None
) -> Contents:
    records = store.records()
    items = _chosen(store.items_in(records), datasets, algorithms)
    done = [item for item in items if item["status"] == Status.DONE]
    if metrics:
        measured = dict.fromkeys(label for item in done for label in item["metrics"])
        for label in metrics:
            if label not in measured:
                raise ExportError(
                    f"{label!r} was not measured{nearest(label, measured)}; there are {', '.join(measured) or 'none'}."
                )
    results = [result_of(_with_metrics(item, metrics)) for item in done]
    results.sort(key=lambda result: (result.dataset, result.algorithm, -1 if result.fold is None else result.fold))
    stated_direction = None if better is None else better == "higher"
    labels = dict.fromkeys(label for result in results for label in result.metrics)
    directions = {label: stated_direction if (higher := direction(label)) is None else higher for label in labels}
    return contents_of(
        records.get,
        results,
        [missing_of(item) for item in items if item["status"] != Status.DONE],
        {label for label, higher in directions.items() if higher is False},
        {label for label, higher in directions.items() if higher is None},
    )


def _with_metrics(item: Record, metrics: Sequence[str]) -> Record:
    """Return an item's record with some of its metrics only, in this order; with all of them when none is named."""
    measured: dict[str, Any] = item["metrics"]
    return {**item, "metrics": {label: measured[label] for label in metrics or measured if label in measured}}


def _chosen(items: dict[str, Record], datasets: Sequence[str], algorithms: Sequence[str]) -> list[Record]:
    """Return the items of some datasets and algorithms; without any, of all."""
    try:
        if datasets:
            names = {name for text in datasets for name in select_datasets(text, items)}
            items = {name: item for name, item in items.items() if item["dataset"] in names}
        chosen = select_all(algorithms, items) if algorithms else items
    except StoreError as error:
        raise ExportError(str(error)) from error
    return [items[name] for name in chosen]

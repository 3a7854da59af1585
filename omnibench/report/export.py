"""Export the results of a store into files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.arguments import checked_call
from omnibench.caller_warnings import warn_caller
from omnibench.errors import ExportError, StatisticsError
from omnibench.metrics.labels import alternatives
from omnibench.report.choices import DEFAULT_LIMIT, Choices
from omnibench.report.comparisons import TESTS
from omnibench.report.contents import Contents
from omnibench.report.files import check_files, replace
from omnibench.report.frames import nested
from omnibench.report.gathering import Chosen, gathered
from omnibench.report.impersonal import impersonal
from omnibench.report.parquet_file import parquet
from omnibench.report.row_files import csv
from omnibench.statistics.paired import DEFAULT_TEST, check_alpha
from omnibench.store.queries import Store, open_store
from omnibench.store.reader import Reader
from omnibench.store.reading import read

if TYPE_CHECKING:
    from omnibench.report.sections import Report

_DATA_WRITERS = {".csv": csv, ".parquet": parquet, ".json": nested}


@checked_call
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
    shown_configurations = None if any(file.suffix.lower() in _DATA_WRITERS for file in checked) else top
    opened = store if isinstance(store, Store) else open_store(store)
    notices: list[str] = []

    def take(reader: Reader) -> list[str]:
        contents, hide, notice = gathered(
            opened, reader, Chosen(datasets, algorithms, metrics, better, all_items, shown_configurations), paths=paths
        )
        if sort and sort not in contents.labels:
            raise ExportError(f"there is no {sort!r} to sort by; {alternatives(sort, contents.labels)}")
        if notice and not notices:  # only once, even where reading has to begin anew
            notices.append(notice)
            (notify or _warn)(notice)
        return write_files(checked, contents, opened.root, Choices(sort, top, alpha, test, "--top"), hide)

    # Files are written while the store is open: facts about items are looked up as they are written.
    return read(opened.root / "store", take)


def _warn(sentence: str) -> None:
    warn_caller(f"{sentence}; all_items=True takes them too")


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
                from omnibench.report.sections import report_of  # what tests take, and files of values do not

                # Documents go over all results many times.
                report = report_of(changed(contents, results=list(contents.results)), root, choices)
                trouble, report.trouble[:] = [*report.trouble], map(hide, report.trouble)
            replace(file, _document_of(report, suffix))
    return [*contents.trouble, *trouble]


def _document_of(report: Report, suffix: str) -> bytes:
    """Return a report as a document, by the ending of its file; what makes other documents is not imported."""
    if suffix == ".md":
        from omnibench.report.markdown import markdown

        return markdown(report)
    if suffix == ".tex":
        from omnibench.report.latex import latex

        return latex(report)
    from omnibench.report.page.html import html

    return html(report)


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

"""The tables at the end of a script's run, as pytest prints them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from omnibench.errors import OmnibenchError, StoreError
from omnibench.notebooks import display, in_notebook
from omnibench.results import Result
from omnibench.store.schema import Record
from omnibench.tables.layout import Layout, NotWorse, ResultTable, tables
from omnibench.tables.terminal import render

MOST_ALGORITHMS = 100
"""Default number of algorithms of a dataset that are shown; if there are more, their folds are not shown."""


def default_layout(
    results: Sequence[Result], lower_is_better: Collection[str], width: int | None, detail: str = "", sort: str = ""
) -> Layout:
    """Return the layout of tables at the end of a run: of many configurations the best ones, without their folds.

    Args:
        results: All results.
        lower_is_better: The columns where the smallest value is the best.
        width: Characters per line.
        detail: ``folds`` or ``mean`` where the user has chosen, which shows everything.
        sort: The column to sort by, or nothing.
    """
    is_shortened = not detail and len({(result.dataset, result.algorithm) for result in results}) > MOST_ALGORITHMS
    chosen = detail or ("mean" if is_shortened else "folds")
    return Layout(lower_is_better, width, chosen, sort, MOST_ALGORITHMS if is_shortened else None)


def show_tables(
    directory: Path,
    results: Sequence[Result],
    lower_is_better: Collection[str],
    remember: Callable[[dict[str, Record]], None],
    notify: Callable[[str], None],
) -> None:
    """Print a table per dataset to stdout, or display it in a notebook.

    Args:
        directory: The checkpoint directory, whose values per user say what is significantly worse.
        results: The results in the order of their rows.
        lower_is_better: The columns where the smallest value is the best.
        remember: Called with what the next run need not test again.
        notify: Called with a sentence when that could not be tested.
    """
    if not results:
        return

    def not_worse(results: Sequence[Result]) -> NotWorse:
        from omnibench.comparison import marks

        try:
            return marks.not_worse(directory, results, lower_is_better, remember=partial(_remember, remember))
        except OmnibenchError as error:
            notify(f"what is not significantly worse than the best is not marked: {error}")
            return {}

    width = None if in_notebook() else shutil.get_terminal_size().columns
    layout = replace(default_layout(results, lower_is_better, width), all_shown_by="evaluator.get_tables()")
    for table in tables(results, layout, not_worse):
        _show(table)


def _remember(commit: Callable[[dict[str, Record]], None], records: Mapping[str, Record]) -> None:
    with suppress(StoreError, OSError):  # the next run tests again
        commit(dict(records))


def _show(table: ResultTable) -> None:
    if in_notebook():
        from omnibench.markup import written
        from omnibench.tables.notebook import notebook_table

        forms = {"text/html": written(notebook_table(table)), "text/plain": render(table, colour=False)}
        display(forms)
        return
    encoding = sys.stdout.encoding or "utf-8"
    print(f"\n{render(table, colour=sys.stdout.isatty(), encoding=encoding)}", flush=True)  # noqa: T201 - a script's results

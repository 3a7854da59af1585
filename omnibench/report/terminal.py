"""The results as tables for a terminal: a row per algorithm and fold, a column per metric."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnibench.evaluation import Result

_DECIMALS = 4
_MARKS = {"*": "bold green", "~": "green"}
"""Of the best of a column, and of what is not significantly worse."""
_GAP = 3
"""Characters between columns."""
_UNLIMITED = 10_000


def tables(
    results: Sequence[Result],
    lower_is_better: Collection[str] = (),
    width: int | None = None,
    not_worse: Mapping[tuple[str, str], Collection[str]] | None = None,
) -> list[Table]:
    """Return one table per dataset, titled e.g. ``MovieLens100K-a3f8e2c1: Evaluation Results``.

    The fold column is there when the dataset has folds; rows of mean and standard deviation then follow an
    algorithm's folds. The best value of each column (over means where there are any) is marked.

    Args:
        results: All results, in the order of their rows.
        lower_is_better: The columns where the smallest value is the best.
        width: Characters per line; a dataset with more metrics than fit gets several tables, because a number
            that is cut off is worse than none. Without it every dataset gets one.
        not_worse: By dataset and column, the algorithms that are not significantly worse than the best, where somebody
            has tested that; see ``statistics.marks``.
    """
    found = []
    for dataset in dict.fromkeys(result.dataset for result in results):
        rows = [result for result in results if result.dataset == dataset]
        labels = list(dict.fromkeys(label for result in rows for label in result.metrics))
        near = {label: (not_worse or {}).get((dataset, label)) for label in labels}
        for group in _groups(rows, labels, width):
            title = f"{dataset}: Evaluation Results"
            found.append(_table(title, rows, group, lower_is_better, near, legend=group[-1:] == labels[-1:]))
    return found


def _groups(rows: list[Result], labels: list[str], width: int | None) -> list[list[str]]:
    """Cut the metric columns into groups that fit beside the algorithm and fold columns."""
    if width is None:
        return [labels]
    taken = max(len("Algorithm"), *(len(row.algorithm) for row in rows)) + len("Fold") + 4 * _GAP
    groups: list[list[str]] = [[]]
    left = width - taken
    for label in labels:
        needed = max(len(label), _DECIMALS + len("*0.")) + _GAP
        if needed > left and groups[-1]:
            groups.append([])
            left = width - taken
        groups[-1].append(label)
        left -= needed
    return groups


def _table(
    title: str,
    results: list[Result],
    labels: list[str],
    lower_is_better: Collection[str],
    near: Mapping[str, Collection[str] | None],
    *,
    legend: bool,
) -> Table:
    by_algorithm: dict[str, list[Result]] = {}
    for result in results:
        by_algorithm.setdefault(result.algorithm, []).append(result)
    folded = any(result.fold is not None for result in results)
    marks = {label: dict.fromkeys(near[label] or (), "~") for label in labels}
    for label in labels:
        marks[label] |= dict.fromkeys(_best(by_algorithm, label, label not in lower_is_better), "*")
    # As a Text, because a dataset's name may hold brackets, and never wrapped, because people search for it.
    named = Text(title, style="italic")
    table = Table(title=named, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, min_width=named.cell_len)
    table.add_column("Algorithm", no_wrap=True)
    if folded:
        table.add_column("Fold", justify="right", no_wrap=True)
    for label in labels:
        table.add_column(label, justify="right", no_wrap=True)
    for algorithm, rows in by_algorithm.items():
        rows.sort(key=lambda result: -1 if result.fold is None else result.fold)
        for number, row in enumerate(rows):
            cells = [Text(algorithm if number == 0 else "")]
            if folded:
                cells.append(Text(str(row.fold)))
            cells += [
                _cell(row.metrics.get(label), "" if folded else marks[label].get(algorithm, "")) for label in labels
            ]
            table.add_row(*cells)
        if folded:
            means = [_mean_cell(rows, label, marks[label].get(algorithm, "")) for label in labels]
            table.add_row(Text(""), Text("mean"), *means)
            table.add_row(Text(""), Text("std"), *(_spread_cell(rows, label) for label in labels), end_section=True)
    if legend:
        tested = any(names is not None for names in near.values())
        table.caption = Text("\n".join(_notes(results, folded=folded, tested=tested)), style="dim")
        table.caption_justify = "left"
    return table


def _notes(results: list[Result], *, folded: bool, tested: bool) -> list[str]:
    notes = ["* best of its column" + (" (of the means); std is over folds, n - 1" if folded else "")]
    if tested:
        notes.append("~ not significantly worse than the best (paired t test, Holm-corrected, 0.05)")
    configurations = {row.algorithm: row.configuration.partition("(")[2].removesuffix(")") for row in results}
    return notes + [f"{algorithm}: {given}" for algorithm, given in configurations.items() if given]


def _best(by_algorithm: dict[str, list[Result]], label: str, higher: bool) -> set[str]:
    """The algorithms whose mean of a column is the best; several when they print alike."""
    means = {
        algorithm: round(statistics.fmean(values), _DECIMALS)
        for algorithm, rows in by_algorithm.items()
        if (values := _values(rows, label))
    }
    if len(means) < 2:  # noqa: PLR2004 - the best of one is no news
        return set()
    top = max(means.values()) if higher else min(means.values())
    return {algorithm for algorithm, mean in means.items() if mean == top}


def _cell(value: float | None, mark: str = "") -> Text:
    return Text("-") if value is None else Text(f"{mark}{value:.{_DECIMALS}f}", style=_MARKS.get(mark, ""))


def _values(rows: list[Result], label: str) -> list[float]:
    return [row.metrics[label] for row in rows if label in row.metrics]


def _mean_cell(rows: list[Result], label: str, mark: str) -> Text:
    values = _values(rows, label)
    return _cell(statistics.fmean(values) if values else None, mark)


def _spread_cell(rows: list[Result], label: str) -> Text:
    values = _values(rows, label)
    return _cell(statistics.stdev(values) if len(values) > 1 else None)


def render(table: Table, *, colour: bool) -> str:
    """Return a table as text, as wide as it is.

    Args:
        table: One of ``tables``.
        colour: Whether to use colour.
    """
    options: dict[str, Any] = {"force_terminal": colour, "no_color": not colour}
    console = Console(width=_UNLIMITED, **options)
    notes, table.caption = table.caption, None  # rich would wrap it to the table's width
    console = Console(width=console.measure(table).maximum, color_system="standard" if colour else None, **options)
    with console.capture() as capture:
        console.print(table)
    table.caption = notes
    lines = [line.rstrip() for line in capture.get().rstrip().splitlines()]
    return "\n".join([*lines, *str(notes or "").splitlines()])

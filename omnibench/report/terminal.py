"""The results as tables for a terminal: a row per algorithm and fold, a column per metric."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnibench.evaluation import Result

_DECIMALS = 4
_BEST = "bold green"


def tables(results: Sequence[Result], lower_is_better: Collection[str] = ()) -> list[Table]:
    """Return one table per dataset, titled e.g. ``MovieLens100K-a3f8e2c1: Evaluation Results``.

    The fold column is there when the dataset has folds; rows of mean and standard deviation then follow an
    algorithm's folds. The best value of each column (over means where there are any) is marked.

    Args:
        results: All results, in the order of their rows.
        lower_is_better: The columns where the smallest value is the best.
    """
    return [
        _table(dataset, [result for result in results if result.dataset == dataset], lower_is_better)
        for dataset in dict.fromkeys(result.dataset for result in results)
    ]


def _table(dataset: str, results: list[Result], lower_is_better: Collection[str]) -> Table:
    labels = list(dict.fromkeys(label for result in results for label in result.metrics))
    by_algorithm: dict[str, list[Result]] = {}
    for result in results:
        by_algorithm.setdefault(result.algorithm, []).append(result)
    folded = any(result.fold is not None for result in results)
    best = {label: _best(by_algorithm, label, label not in lower_is_better) for label in labels}
    table = Table(title=f"{dataset}: Evaluation Results", box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
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
            cells += [_cell(row.metrics.get(label), marked=not folded and algorithm in best[label]) for label in labels]
            table.add_row(*cells)
        if folded:
            means = [_mean_cell(rows, label, marked=algorithm in best[label]) for label in labels]
            table.add_row(Text(""), Text("mean"), *means)
            table.add_row(Text(""), Text("std"), *(_spread_cell(rows, label) for label in labels), end_section=True)
    legend = "* best of its column" + (" (of the means); std is over folds, n - 1" if folded else "")
    table.caption, table.caption_justify = legend, "left"
    return table


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


def _cell(value: float | None, *, marked: bool) -> Text:
    return Text("-") if value is None else _marked(f"{value:.{_DECIMALS}f}", marked=marked)


def _values(rows: list[Result], label: str) -> list[float]:
    return [row.metrics[label] for row in rows if label in row.metrics]


def _mean_cell(rows: list[Result], label: str, *, marked: bool) -> Text:
    values = _values(rows, label)
    return _cell(statistics.fmean(values) if values else None, marked=marked)


def _spread_cell(rows: list[Result], label: str) -> Text:
    values = _values(rows, label)
    return _cell(statistics.stdev(values) if len(values) > 1 else None, marked=False)


def _marked(text: str, *, marked: bool) -> Text:
    return Text(f"*{text}", style=_BEST) if marked else Text(text)


def render(table: Table, width: int, *, colour: bool) -> str:
    """Return a table as text, as wide as it needs to be but never losing a digit to a narrow terminal.

    Args:
        table: One of ``tables``.
        width: The terminal's width in characters.
        colour: Whether to use colour.
    """
    console = Console(width=max(width, 20), force_terminal=colour, no_color=not colour, color_system="standard")
    needed = console.measure(table).maximum
    console = Console(
        width=max(width, needed), force_terminal=colour, no_color=not colour, color_system="standard" if colour else None
    )
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")

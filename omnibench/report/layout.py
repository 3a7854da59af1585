"""What stands in the tables of results: which rows, which columns, which marks. How it looks is others' business."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeGuard

from omnibench.evaluation import Result

FOLDS = "folds"

_DECIMALS = 4
GAP = 3
"""Characters between columns."""

_BEST, _TIED = "*", "~"

NotWorse = Mapping[tuple[str, str], Collection[str]]
"""By dataset and column, where somebody has tested that: who is not significantly worse than the best."""


class Cell(NamedTuple):
    """A cell's text, and its mark: ``*``, ``~`` or nothing."""

    text: str
    mark: str = ""

    def __str__(self) -> str:
        return self.mark + self.text


@dataclass
class ResultTable:
    """A table of results.

    Attributes:
        title: The dataset, and what this is.
        header: The columns' names; the first is the algorithm's.
        sections: Groups of rows of cells, one group per algorithm when the dataset has folds.
        notes: What stands below the table, a line each.
    """

    title: str
    header: list[str]
    sections: list[list[list[Cell]]]
    notes: list[str] = field(default_factory=list)

    def widths(self) -> list[int]:
        """Return the width of each column in characters."""
        columns = zip(*(row for section in self.sections for row in section), strict=True)
        widest = [max(len(cell.text) + len(cell.mark) for cell in column) for column in columns]
        return [max(len(name), width) for name, width in zip(self.header, widest, strict=True)]


@dataclass(frozen=True)
class Layout:
    """How results are laid out.

    Attributes:
        lower_is_better: The columns where the smallest value is the best.
        width: Characters per line; a dataset with more metrics than fit gets several tables, because a number that is
            cut off is worse than none. None: every dataset gets one.
        detail: ``folds`` for a row per fold and the mean and standard deviation below them, ``mean`` for one row.
        sort: The column by whose mean the algorithms are sorted, best first; as they come without one.
        most: How many algorithms of a dataset are shown; all without a limit.
    """

    lower_is_better: Collection[str] = ()
    width: int | None = None
    detail: str = FOLDS
    sort: str = ""
    most: int | None = None


def tables(
    results: Iterable[Result],
    layout: Layout = Layout(),
    test: Callable[[list[Result]], NotWorse] = lambda _: {},
) -> list[ResultTable]:
    """Return a table per dataset, titled e.g. ``MovieLens100K-a3f8e2c1: Evaluation Results``.

    Args:
        results: All results, in the order of their rows.
        layout: How they are laid out.
        test: From what is shown to who is not significantly worse than the best; see ``statistics.marks``.
    """
    datasets: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        datasets.setdefault(result.dataset, {}).setdefault(result.algorithm, []).append(result)
    found = []
    for dataset, algorithms in datasets.items():
        found += _tables_of(dataset, Means(algorithms, layout.lower_is_better), layout, test)
    return found


class Means:
    """The results of one dataset with what is computed over folds.

    Args:
        algorithms: The results of each algorithm, by its display name.
        lower_is_better: The columns where the smallest value is the best.
    """

    def __init__(self, algorithms: Mapping[str, list[Result]], lower_is_better: Collection[str] = ()) -> None:
        self.algorithms = {
            name: sorted(rows, key=lambda row: -1 if row.fold is None else row.fold)
            for name, rows in algorithms.items()
        }
        self.labels = list(
            dict.fromkeys(label for rows in algorithms.values() for row in rows for label in row.metrics)
        )
        self._lower = lower_is_better
        self._folds = {name: tuple([row.fold for row in rows]) for name, rows in self.algorithms.items()}
        self._values: dict[tuple[str, str], list[float]] = {}

    @property
    def folded(self) -> bool:
        """Whether there are folds."""
        return any(row.fold is not None for rows in self.algorithms.values() for row in rows)

    def values(self, algorithm: str, label: str) -> list[float]:
        """Return the values of a metric over folds, those that there are."""
        found = self._values.get((algorithm, label))
        if found is None:
            rows = self.algorithms[algorithm]
            found = self._values[algorithm, label] = [row.metrics[label] for row in rows if label in row.metrics]
        return found

    def mean(self, algorithm: str, label: str) -> float | None:
        """Return the mean over folds, or None without a value."""
        values = self.values(algorithm, label)
        try:
            return statistics.fmean(values) if values else None
        except (ValueError, OverflowError):  # infinities of both signs, or more than a float holds
            return math.nan

    def spread(self, algorithm: str, label: str) -> float | None:
        """Return the sample standard deviation over folds, or None for fewer than two."""
        values = self.values(algorithm, label)
        if len(values) < 2:  # noqa: PLR2004 - as the docstring says
            return None
        return statistics.stdev(values) if all(map(math.isfinite, values)) else math.nan

    def compared(self, label: str) -> set[str]:
        """Return the algorithms that have a metric on every fold that any has; others' means are of something else."""
        folds = dict(self._folds)
        for name, rows in self.algorithms.items():
            if len(self.values(name, label)) < len(rows):
                folds[name] = tuple([row.fold for row in rows if label in row.metrics])
        every = {fold for some in set(folds.values()) for fold in some}
        return {name for name, some in folds.items() if len(some) == len(every)}

    def best(self, label: str, compared: Collection[str]) -> set[str]:
        """Return the compared algorithms with the best mean; several when they print alike, none of less than two."""
        means = {name: round(mean, _DECIMALS) for name in compared if _is_number(mean := self.mean(name, label))}
        if len(means) < 2:  # noqa: PLR2004 - the best of one is no news
            return set()
        top = min(means.values()) if label in self._lower else max(means.values())
        return {name for name, mean in means.items() if mean == top}

    def ranked(self, label: str) -> list[str]:
        """Return the algorithms, the best mean first, those without one last."""
        sign = 1 if label in self._lower else -1
        means = {name: mean for name in self.algorithms if _is_number(mean := self.mean(name, label))}
        return [
            *sorted(means, key=lambda name: sign * means[name]),
            *(name for name in self.algorithms if name not in means),
        ]


def _is_number(value: float | None) -> TypeGuard[float]:
    """Whether there is a value to compare: NaN is larger than nothing and smaller than nothing."""
    return value is not None and not math.isnan(value)


def _tables_of(
    dataset: str, means: Means, layout: Layout, test: Callable[[list[Result]], NotWorse]
) -> list[ResultTable]:
    shown = means.ranked(layout.sort) if layout.sort in means.labels else list(means.algorithms)
    hidden = 0
    if layout.most is not None and len(shown) > layout.most:
        best_first = shown if layout.sort in means.labels else means.ranked(means.labels[0])
        hidden = len(shown) - layout.most
        shown = best_first[: layout.most]
    compared = {label: means.compared(label) for label in means.labels}
    best = {label: means.best(label, compared[label]) for label in means.labels}
    not_worse = test([_restricted(row, compared) for name in shown for row in means.algorithms[name]])
    tied = {label: names for (of, label), names in not_worse.items() if of == dataset}
    marks = {
        label: {**dict.fromkeys(tied.get(label, ()), _TIED), **dict.fromkeys(best[label], _BEST)}
        for label in means.labels
    }
    if means.folded and layout.detail == FOLDS:
        header = ["Algorithm", "Fold"]
        sections = [_fold_rows(means, name, marks) for name in shown]
    else:
        header = ["Algorithm"]
        sections = [[_mean_row(means, name, marks) for name in shown]]
    whole = ResultTable(f"{dataset}: Evaluation Results", [*header, *means.labels], sections)
    found = _cut(whole, len(header), layout.width)
    partial = any(means.values(name, label) for label in means.labels for name in {*shown} - compared[label])
    found[-1].notes += _notes(means, shown, hidden, layout, tested=bool(tied), partial=partial)
    return found


def _restricted(row: Result, compared: Mapping[str, Collection[str]]) -> Result:
    """Return a result with those of its metrics in which its algorithm is compared with others."""
    metrics = {label: value for label, value in row.metrics.items() if row.algorithm in compared[label]}
    return row if len(metrics) == len(row.metrics) else replace(row, metrics=metrics)


def _cut(table: ResultTable, kept: int, width: int | None) -> list[ResultTable]:
    """Cut a table's columns into tables that fit the width, each with the first columns that are to be kept."""
    widths = table.widths()
    if width is None or len(widths) == kept:
        return [table]
    room = width - sum(one + GAP for one in widths[:kept]) + GAP - 1
    groups: list[list[int]] = [[]]
    left = room
    for column in range(kept, len(widths)):
        needed = widths[column] + GAP
        if needed > left and groups[-1]:
            groups.append([])
            left = room
        groups[-1].append(column)
        left -= needed

    def part(row: list[Any], columns: list[int]) -> list[Any]:
        return [*row[:kept], *(row[column] for column in columns)]

    return [
        ResultTable(
            table.title,
            part(table.header, columns),
            [[part(row, columns) for row in section] for section in table.sections],
        )
        for columns in groups
    ]


Marks = Mapping[str, Mapping[str, str]]


def _fold_rows(means: Means, name: str, marks: Marks) -> list[list[Cell]]:
    labels = means.labels
    rows = [
        [Cell(name if number == 0 else ""), Cell(str(row.fold)), *(_value(row.metrics.get(label)) for label in labels)]
        for number, row in enumerate(means.algorithms[name])
    ]
    mean = [_value(means.mean(name, label), marks[label].get(name, "")) for label in labels]
    spread = [_value(means.spread(name, label)) for label in labels]
    return [*rows, [Cell(""), Cell("mean"), *mean], [Cell(""), Cell("std"), *spread]]


def _mean_row(means: Means, name: str, marks: Marks) -> list[Cell]:
    cells = [Cell(name)]
    for label in means.labels:
        mean, spread = _value(means.mean(name, label), marks[label].get(name, "")), means.spread(name, label)
        text = mean.text if spread is None else f"{mean.text} ±{spread:.{_DECIMALS}f}"
        cells.append(Cell(text, mean.mark))
    return cells


def _value(value: float | None, mark: str = "") -> Cell:
    return Cell("-") if value is None else Cell(f"{value:.{_DECIMALS}f}", mark)


def _notes(
    means: Means, shown: Sequence[str], hidden: int, layout: Layout, *, tested: bool, partial: bool
) -> list[str]:
    notes = []
    if hidden:
        by = layout.sort if layout.sort in means.labels else means.labels[0]
        notes.append(f"... and {hidden} more with a worse {by}; --omnirec-table=mean or =folds shows all")
    notes.append(f"{_BEST} best of its column" + (" (of the means); std is over folds, n - 1" if means.folded else ""))
    if partial and len(shown) > 1:
        notes.append("  an algorithm that lacks a fold which others have is not compared with them")
    if tested:
        notes.append(f"{_TIED} not significantly worse than the best (paired t test, Holm-corrected, 0.05)")
    for name in shown:
        given = means.algorithms[name][0].configuration.partition("(")[2].removesuffix(")")
        if given:
            notes.append(f"{name}: {given}")
    return notes

"""What stands in the tables of results: which rows, which columns, which marks. How it looks is others' business."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from omnibench.results import Result
from omnibench.tables.means import DECIMALS, Means

FOLDS = "folds"

GAP = 3
"""Characters between columns."""

BEST, TIED = "*", "~"

SPREAD = " ±"
"""Between a mean and its standard deviation."""

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
        undirected: The columns of which nobody knows which values are better; nothing is best there.
    """

    lower_is_better: Collection[str] = ()
    width: int | None = None
    detail: str = FOLDS
    sort: str = ""
    most: int | None = None
    undirected: Collection[str] = ()


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
    return [table for one in shown(results, layout, test) for table in _tables_of(one, layout)]


@dataclass(frozen=True)
class Shown:
    """What is shown of a dataset's results, and what is marked.

    Attributes:
        dataset: The dataset's display name.
        means: Its results, those that are not shown among them.
        names: The algorithms that are shown, in the order of their rows.
        hidden: How many are not.
        by: The column by which those were found to be worse.
        best: By column, the algorithms with the best mean.
        tied: By column that was tested, those that are not significantly worse.
        compared: By column, the algorithms that have every fold which any has; the others are compared with nobody.
    """

    dataset: str
    means: Means
    names: list[str]
    hidden: int
    by: str
    best: Mapping[str, Collection[str]]
    tied: Mapping[str, Collection[str]]
    compared: Mapping[str, Collection[str]]

    def mark(self, name: str, label: str) -> str:
        """Return ``*`` for the best of a column, ``~`` for one that is not significantly worse, else nothing."""
        if name in self.best[label]:
            return BEST
        return TIED if name in self.tied.get(label, ()) else ""

    @property
    def results(self) -> list[Result]:
        """The results of the algorithms that are shown."""
        return [row for name in self.names for row in self.means.algorithms[name]]

    @property
    def comparable(self) -> list[Result]:
        """The same, with those of their metrics in which their algorithm is compared with others."""
        return [_restricted(row, self.compared) for row in self.results]

    @property
    def partial(self) -> bool:
        """Whether one that is shown lacks folds which others have."""
        means = self.means
        return any(
            means.values(name, label) for label in means.labels for name in {*self.names} - {*self.compared[label]}
        )

    @property
    def legend(self) -> dict[str, str]:
        """The hyperparameters of the algorithms that are shown, of those that were given some."""
        given = {name: hyperparameters(self.means.algorithms[name][0]) for name in self.names}
        return {name: text for name, text in given.items() if text}


def hyperparameters(result: Result) -> str:
    """Return the hyperparameters that were given, e.g. ``max_nbrs=20``."""
    return result.configuration.partition("(")[2].removesuffix(")")


def shown(
    results: Iterable[Result],
    layout: Layout = Layout(),
    test: Callable[[list[Result]], NotWorse] = lambda _: {},
) -> list[Shown]:
    """Return what is shown of each dataset; see ``tables``."""
    datasets: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        datasets.setdefault(result.dataset, {}).setdefault(result.algorithm, []).append(result)
    return [
        _shown_of(dataset, Means(algorithms, layout.lower_is_better), layout, test)
        for dataset, algorithms in datasets.items()
    ]


def _shown_of(dataset: str, means: Means, layout: Layout, test: Callable[[list[Result]], NotWorse]) -> Shown:
    is_sorted = layout.sort in means.labels
    names = means.ranked(layout.sort) if is_sorted else list(means.algorithms)
    hidden, by = 0, layout.sort if is_sorted else next(iter(means.labels), "")
    if layout.most is not None and len(names) > layout.most:
        hidden = len(names) - layout.most
        names = (names if is_sorted else means.ranked(by))[: layout.most]
    best = {label: set() if label in layout.undirected else means.best(label) for label in means.labels}
    compared = {label: means.compared(label) for label in means.labels}
    untested = Shown(dataset, means, names, hidden, by, best, {}, compared)
    not_worse = test(untested.comparable)
    return replace(untested, tied={label: tied for (of, label), tied in not_worse.items() if of == dataset})


def _restricted(row: Result, compared: Mapping[str, Collection[str]]) -> Result:
    """Return a result with those of its metrics in which its algorithm is compared with others."""
    metrics = {label: value for label, value in row.metrics.items() if row.algorithm in compared[label]}
    return row if len(metrics) == len(row.metrics) else replace(row, metrics=metrics)


def _tables_of(one: Shown, layout: Layout) -> list[ResultTable]:
    if one.means.folded and layout.detail == FOLDS:
        header = ["Algorithm", "Fold"]
        sections = [_fold_rows(one, name) for name in one.names]
    else:
        header = ["Algorithm"]
        sections = [[_mean_row(one, name) for name in one.names]]
    whole = ResultTable(f"{one.dataset}: Evaluation Results", [*header, *one.means.labels], sections)
    found = _cut(whole, len(header), layout.width)
    found[-1].notes += _notes(one)
    return found


def _cut(table: ResultTable, kept: int, width: int | None) -> list[ResultTable]:
    """Cut a table's columns into tables that fit the width, each with the first columns that are to be kept."""
    widths = table.widths()
    if width is None or len(widths) == kept:
        return [table]
    room = width - sum(one + GAP for one in widths[:kept]) + GAP - 1

    def part(row: list[Any], columns: list[int]) -> list[Any]:
        return [*row[:kept], *(row[column] for column in columns)]

    return [
        ResultTable(
            table.title,
            part(table.header, columns),
            [[part(row, columns) for row in section] for section in table.sections],
        )
        for columns in fitting(range(kept, len(widths)), lambda column: widths[column] + GAP, room)
    ]


Column = TypeVar("Column")


def fitting(columns: Iterable[Column], needed: Callable[[Column], float], room: float) -> list[list[Column]]:
    """Cut columns into groups that fit into a width; one that is too wide by itself gets a group of its own."""
    groups: list[list[Column]] = [[]]
    left = room
    for column in columns:
        width = needed(column)
        if width > left and groups[-1]:
            groups.append([])
            left = room
        groups[-1].append(column)
        left -= width
    return groups


def _fold_rows(one: Shown, name: str) -> list[list[Cell]]:
    means, labels = one.means, one.means.labels
    rows = [
        [Cell(name if number == 0 else ""), Cell(str(row.fold)), *(_value(row.metrics.get(label)) for label in labels)]
        for number, row in enumerate(means.algorithms[name])
    ]
    mean = [_value(means.mean(name, label), one.mark(name, label)) for label in labels]
    spread = [_value(means.spread(name, label)) for label in labels]
    return [*rows, [Cell(""), Cell("mean"), *mean], [Cell(""), Cell("std"), *spread]]


def _mean_row(one: Shown, name: str) -> list[Cell]:
    cells = [Cell(name)]
    for label in one.means.labels:
        mean, spread = _value(one.means.mean(name, label), one.mark(name, label)), one.means.spread(name, label)
        text = mean.text if spread is None else f"{mean.text}{SPREAD}{printed(spread)}"
        cells.append(Cell(text, mean.mark))
    return cells


def _value(value: float | None, mark: str = "") -> Cell:
    return Cell(printed(value), "" if value is None else mark)


def printed(value: float | None) -> str:
    """Return a value as tables print it."""
    return "-" if value is None else f"{value:.{DECIMALS}f}"


def _notes(one: Shown) -> list[str]:
    notes = []
    if one.hidden:
        notes.append(f"... and {one.hidden} more with a worse {one.by}; --omnirec-table=mean or =folds shows all")
    folded = one.means.folded
    notes.append(f"{BEST} best of its column" + (" (of the means); std is over folds, n - 1" if folded else ""))
    if one.partial and len(one.names) > 1:
        notes.append("  an algorithm that lacks a fold which others have is not compared with them")
    if one.tied:
        notes.append(f"{TIED} not significantly worse than the best (paired t test, Holm-corrected, 0.05)")
    return notes + [f"{name}: {given}" for name, given in one.legend.items()]

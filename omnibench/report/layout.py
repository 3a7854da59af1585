"""What stands in the tables of results: which rows, which columns, which marks. How it looks is others' business."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from omnibench.evaluation import Result

FOLDS = "folds"

_DECIMALS = 4
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

    @property
    def folded(self) -> bool:
        """Whether there are folds."""
        return any(row.fold is not None for rows in self.algorithms.values() for row in rows)

    def values(self, algorithm: str, label: str) -> list[float]:
        """Return the values of a metric over folds, those that there are."""
        return [row.metrics[label] for row in self.algorithms[algorithm] if label in row.metrics]

    def mean(self, algorithm: str, label: str) -> float | None:
        """Return the mean over folds, or None without a value."""
        values = self.values(algorithm, label)
        return statistics.fmean(values) if values else None

    def spread(self, algorithm: str, label: str) -> float | None:
        """Return the sample standard deviation over folds, or None for fewer than two."""
        values = self.values(algorithm, label)
        return statistics.stdev(values) if len(values) > 1 else None

    def best(self, label: str) -> set[str]:
        """Return the algorithms with the best mean; several when they print alike, none when there is one only."""
        means = {
            name: round(mean, _DECIMALS) for name in self.algorithms if (mean := self.mean(name, label)) is not None
        }
        if len(means) < 2:  # noqa: PLR2004 - the best of one is no news
            return set()
        top = min(means.values()) if label in self._lower else max(means.values())
        return {name for name, mean in means.items() if mean == top}

    def ranked(self, label: str) -> list[str]:
        """Return the algorithms, the best mean first, those without one last."""
        sign = 1 if label in self._lower else -1
        means = {name: self.mean(name, label) for name in self.algorithms}
        return sorted(means, key=lambda name: (means[name] is None, sign * (means[name] or 0.0)))


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
    """

    dataset: str
    means: Means
    names: list[str]
    hidden: int
    by: str
    best: Mapping[str, Collection[str]]
    tied: Mapping[str, Collection[str]]

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
    not_worse = test([row for name in names for row in means.algorithms[name]])
    tied = {label: tied for (of, label), tied in not_worse.items() if of == dataset}
    return Shown(dataset, means, names, hidden, by, best, tied)


def _tables_of(one: Shown, layout: Layout) -> list[ResultTable]:
    with_folds = one.means.folded and layout.detail == FOLDS
    found = []
    for labels in _groups(one, layout, with_folds=with_folds):
        header = ["Algorithm", *(["Fold"] if with_folds else []), *labels]
        rows = [_fold_rows(one, name, labels) if with_folds else [_mean_row(one, name, labels)] for name in one.names]
        sections = rows if with_folds else [[row for section in rows for row in section]]
        found.append(ResultTable(f"{one.dataset}: Evaluation Results", header, sections))
    found[-1].notes += _notes(one)
    return found


def _groups(one: Shown, layout: Layout, *, with_folds: bool) -> list[list[str]]:
    """Cut the metric columns into groups that fit beside the algorithm and fold columns."""
    means = one.means
    if layout.width is None:
        return [means.labels]
    spread = means.folded and not with_folds
    taken = max(len("Algorithm"), *(len(name) for name in one.names)) + 1
    room = layout.width - taken - (len("Fold") + GAP if with_folds else 0)

    def needed(label: str) -> float:
        widest = max(len(_value(means.mean(name, label)).text) for name in one.names) + 1
        return max(len(label), widest + (len(f"{SPREAD}0.0000") if spread else 0)) + GAP

    return fitting(means.labels, needed, room)


def fitting(labels: Iterable[str], needed: Callable[[str], float], room: float) -> list[list[str]]:
    """Cut columns into groups that fit into a width; one that is too wide by itself gets a group of its own."""
    groups: list[list[str]] = [[]]
    left = room
    for label in labels:
        width = needed(label)
        if width > left and groups[-1]:
            groups.append([])
            left = room
        groups[-1].append(label)
        left -= width
    return groups


def _fold_rows(one: Shown, name: str, labels: Sequence[str]) -> list[list[Cell]]:
    means = one.means
    rows = [
        [Cell(name if number == 0 else ""), Cell(str(row.fold)), *(_value(row.metrics.get(label)) for label in labels)]
        for number, row in enumerate(means.algorithms[name])
    ]
    mean = [_value(means.mean(name, label), one.mark(name, label)) for label in labels]
    spread = [_value(means.spread(name, label)) for label in labels]
    return [*rows, [Cell(""), Cell("mean"), *mean], [Cell(""), Cell("std"), *spread]]


def _mean_row(one: Shown, name: str, labels: Sequence[str]) -> list[Cell]:
    cells = [Cell(name)]
    for label in labels:
        mean, spread = _value(one.means.mean(name, label), one.mark(name, label)), one.means.spread(name, label)
        text = mean.text if spread is None else f"{mean.text}{SPREAD}{printed(spread)}"
        cells.append(Cell(text, mean.mark))
    return cells


def _value(value: float | None, mark: str = "") -> Cell:
    return Cell(printed(value), "" if value is None else mark)


def printed(value: float | None) -> str:
    """Return a value as tables print it."""
    return "-" if value is None else f"{value:.{_DECIMALS}f}"


def _notes(one: Shown) -> list[str]:
    notes = []
    if one.hidden:
        notes.append(f"... and {one.hidden} more with a lower {one.by}; --omnirec-table=mean or =folds shows all")
    folded = one.means.folded
    notes.append(f"{BEST} best of its column" + (" (of the means); std is over folds, n - 1" if folded else ""))
    if one.tied:
        notes.append(f"{TIED} not significantly worse than the best (paired t test, Holm-corrected, 0.05)")
    return notes + [f"{name}: {given}" for name, given in one.legend.items()]

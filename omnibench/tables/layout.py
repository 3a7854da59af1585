"""The layout of tables of results: which rows, which columns, which marks; how they are drawn is not decided here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from omnibench.naming import LABELS
from omnibench.results import Result
from omnibench.tables.choices import choice_notes
from omnibench.tables.conditional import conditional_note
from omnibench.tables.fitting import fitting
from omnibench.tables.legend import LegendRow, fitted_on, indented, legend_lines
from omnibench.tables.means import DECIMALS, Means
from omnibench.tables.names import DisplayNames, display_names, unsaid_parameters
from omnibench.tables.picking import Picking, picking
from omnibench.tables.seeds import ONCE, is_fitted_once, seed_groups, seed_notes, seeds_of, with_seeds
from omnibench.terminal import terminal_line

FOLDS = "folds"

GAP = 3
"""Characters between columns."""

BEST, TIED = "*", "~"

SPREAD = " ±"
"""Stands between a mean and its standard deviation."""

NotWorse = Mapping[tuple[str, str], Collection[str]]
"""By dataset and column that was tested, the algorithms that are not significantly worse than the best."""


class Cell(NamedTuple):
    """A cell's text, and its mark: ``*``, ``~`` or nothing."""

    text: str
    mark: str = ""

    def __str__(self) -> str:
        return self.mark + self.text


@dataclass(slots=True)
class ResultTable:
    """A table of results.

    Attributes:
        title: The dataset, and what this is.
        header: The columns' names; the first is the algorithm's.
        sections: Groups of rows of cells, one group per algorithm when the dataset has folds, or algorithms have seeds.
        notes: The lines below the table.
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


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of results.

    Attributes:
        lower_is_better: The columns where the smallest value is the best.
        width: Characters per line; a dataset with more metrics than fit gets several tables, because a number that is
            cut off is worse than none. None: every dataset gets one.
        detail: ``folds`` for a row per fold (and seed) and the mean and standard deviation below them, ``mean`` for one
            row.
        sort: The column by whose mean the algorithms are sorted, best first; as they come without one.
        limit: How many algorithms of a dataset are shown; all without a limit.
        undirected: The columns of which nobody knows which values are better; nothing is best there.
        all_shown_by: What shows all algorithms where there is a limit, for the note that says how many are not shown.
        names: What configurations and datasets are called: by readable ``labels``, or by ``hash``, as directories are.
    """

    lower_is_better: Collection[str] = ()
    width: int | None = None
    detail: str = FOLDS
    sort: str = ""
    limit: int | None = None
    undirected: Collection[str] = ()
    all_shown_by: str = "--omnirec-table=mean or =folds"
    names: str = LABELS


def tables(
    results: Iterable[Result],
    layout: Layout = Layout(),
    test: Callable[[list[Result]], NotWorse] = lambda _: {},
) -> list[ResultTable]:
    """Return a table per dataset, titled e.g. ``MovieLens100K: Evaluation Results``.

    Args:
        results: All results, in the order of their rows.
        layout: The layout.
        test: From the results that are shown to the algorithms that are not significantly worse than the best; see
            ``comparison.marks``.
    """
    return [table for marked in marked_results(results, layout, test) for table in _tables_of(marked, layout)]


@dataclass(frozen=True, slots=True)
class MarkedResults:
    """The results of a dataset: which are shown, and which are marked.

    Attributes:
        dataset: The dataset's display name.
        display: What people read instead of display names.
        means: All of its results, also those that are not shown.
        names: The algorithms that are shown, in the order of their rows.
        hidden: How many algorithms are not shown.
        ranked_by: The column by whose mean the hidden ones are worse.
        best: By column, the algorithms with the best mean.
        tied: By column that was tested, the algorithms that are not significantly worse.
        compared: By column, the algorithms that have every fold which any has; the others are not compared.
    """

    dataset: str
    display: DisplayNames
    means: Means
    names: list[str]
    hidden: int
    ranked_by: str
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
        """The results of the algorithms that are shown, also those of seeds that changed nothing."""
        return [row for name in self.names for row in self.means.all_rows[name]]

    @property
    def comparable(self) -> list[Result]:
        """The results of the algorithms that are shown, without the metrics in which an algorithm is not compared."""
        return [_restricted(row, name, self.compared) for name in self.names for row in self.means.all_rows[name]]

    @property
    def partial(self) -> bool:
        """Whether an algorithm that is shown lacks folds which others have."""
        means = self.means
        return any(
            means.values(name, label) for label in means.labels for name in {*self.names} - {*self.compared[label]}
        )

    @property
    def title(self) -> str:
        """What people call the dataset."""
        return self.display.dataset(self.dataset)

    def label(self, name: str) -> str:
        """Return what people call an algorithm."""
        return self.display.configuration(name)

    def is_seedless(self, name: str) -> bool:
        """Whether an algorithm is known, or was found, to make the same of every seed."""
        counted = self.means.algorithms[name]
        return is_fitted_once(counted) or len(counted) < len(self.means.all_rows[name])

    def seeds(self, name: str) -> str:
        """Return how many seeds an algorithm has, or ``once`` where one is enough."""
        return ONCE if self.is_seedless(name) else str(self._number_of_seeds(name))

    def described(self, name: str) -> str:
        """Return what people call an algorithm, with the number of its seeds where it has several, or that one is enough."""
        return with_seeds(self.label(name), 0 if self.is_seedless(name) else self._number_of_seeds(name))

    def _number_of_seeds(self, name: str) -> int:
        return len(seeds_of(self.means.algorithms[name])) or 1  # of results that do not say it

    @property
    def seed_notes(self) -> list[str]:
        """Which of the algorithms that are shown were not fitted with every seed, a line each reason."""
        counted, all_rows = (
            {self.label(name): rows[name] for name in self.names}
            for rows in (self.means.algorithms, self.means.all_rows)
        )
        return seed_notes(counted, all_rows)

    def unsaid(self, name: str) -> tuple[str, ...]:
        """Return the hyperparameters of an algorithm that its label does not say."""
        return unsaid_parameters(self.means.algorithms[name][0], self.label(name))

    @property
    def legend(self) -> dict[str, str]:
        """The hyperparameters of the algorithms that are shown, as far as their labels do not say them."""
        return {name: ", ".join(unsaid) for name in self.names if (unsaid := self.unsaid(name))}

    @property
    def fitted_on(self) -> str:
        """Which parts the models that are shown are fitted on, where not all of them are fitted on training alone."""
        return fitted_on({self.label(name): self.means.algorithms[name][0].refit for name in self.names})

    @property
    def picking(self) -> Picking | None:
        """What there is to say of several configurations of one algorithm; see ``tables.picking``."""
        examples = {name: rows[0] for name, rows in self.means.algorithms.items()}
        return picking((examples[name] for name in self.names), examples.values())

    def family(self, name: str) -> str:
        """Return what people call an algorithm and its kin with other hyperparameters."""
        label = self.label(name)
        text = self.means.algorithms[name][0].configuration if label == name else label
        return text if self.means.algorithms[name][0].tuned else text.partition("(")[0]


def marked_results(
    results: Iterable[Result],
    layout: Layout = Layout(),
    test: Callable[[list[Result]], NotWorse] = lambda _: {},
) -> list[MarkedResults]:
    """Return the results of each dataset with their marks; see ``tables``."""
    datasets: dict[str, dict[str, list[Result]]] = {}
    all_results = list(results)
    groups = seed_groups(all_results)
    for result in all_results:
        name = groups.get(result.algorithm, result.algorithm) if groups else result.algorithm
        datasets.setdefault(result.dataset, {}).setdefault(name, []).append(result)
    display = display_names(all_results, layout.names)
    return [
        _marked_results_of(dataset, display, Means(algorithms, layout.lower_is_better), layout, test)
        for dataset, algorithms in datasets.items()
    ]


def _marked_results_of(
    dataset: str, display: DisplayNames, means: Means, layout: Layout, test: Callable[[list[Result]], NotWorse]
) -> MarkedResults:
    is_sorted = layout.sort in means.labels
    names = means.ranked(layout.sort) if is_sorted else list(means.algorithms)
    hidden, ranked_by = 0, layout.sort if is_sorted else next(iter(means.labels), "")
    if layout.limit is not None and len(names) > layout.limit:
        hidden = len(names) - layout.limit
        names = (names if is_sorted else means.ranked(ranked_by))[: layout.limit]
    best = {label: set() if label in layout.undirected else means.best(label) for label in means.labels}
    compared = {label: means.compared(label) for label in means.labels}
    untested = MarkedResults(dataset, display, means, names, hidden, ranked_by, best, {}, compared)
    not_worse = test(untested.comparable)
    tied = {label: names for (tested_dataset, label), names in not_worse.items() if tested_dataset == dataset}
    return replace(untested, tied=tied)


def _restricted(row: Result, name: str, compared: Mapping[str, Collection[str]]) -> Result:
    """Return a result of an algorithm without the metrics in which that is not compared with others."""
    metrics = {label: value for label, value in row.metrics.items() if label in compared and name in compared[label]}
    return row if len(metrics) == len(row.metrics) else replace(row, metrics=metrics)


def _tables_of(marked: MarkedResults, layout: Layout) -> list[ResultTable]:
    means = marked.means
    if (means.folded or means.seeded) and layout.detail == FOLDS:
        header = ["Algorithm", *(["Fold"] if means.folded else []), *(["Seed"] if means.seeded else [])]
        sections = [_fold_rows(marked, name) for name in marked.names]
        if not means.averaged:  # a row each, which need no space between them
            sections = [[row for section in sections for row in section]]
    else:
        header = ["Algorithm", *(["Seeds"] if means.seeded else [])]
        sections = [[_mean_row(marked, name) for name in marked.names]]
    whole = ResultTable(
        f"{marked.title}: Evaluation Results", [*header, *map(terminal_line, marked.means.labels)], sections
    )
    parts = _cut(whole, len(header), layout.width)
    parts[-1].notes += map(terminal_line, _notes(marked, layout))
    return parts


def _cut(table: ResultTable, fixed: int, width: int | None) -> list[ResultTable]:
    """Cut a table into tables that fit the width; each repeats the first columns, as many as are fixed."""
    widths = table.widths()
    if width is None or len(widths) == fixed:
        return [table]
    room = width - sum(fixed_width + GAP for fixed_width in widths[:fixed]) + GAP - 1

    def part(row: list[Any], columns: list[int]) -> list[Any]:
        return [*row[:fixed], *(row[column] for column in columns)]

    return [
        ResultTable(
            table.title,
            part(table.header, columns),
            [[part(row, columns) for row in section] for section in table.sections],
        )
        for columns in fitting(range(fixed, len(widths)), lambda column: widths[column] + GAP, room)
    ]


def _fold_rows(marked: MarkedResults, name: str) -> list[list[Cell]]:
    means, labels = marked.means, marked.means.labels
    leading_cells = _leading_cells(marked, name)
    if len(leading_cells) == 1:  # nothing is averaged, so the fold's values are what is compared
        (row,) = means.algorithms[name]
        values = [_value(row.metrics.get(label), marked.mark(name, label)) for label in labels]
        return [[Cell(marked.label(name)), *leading_cells[0], *values]]
    rows = [
        [
            Cell(marked.label(name) if number == 0 else ""),
            *leading_cells[number],
            *(_value(row.metrics.get(label)) for label in labels),
        ]
        for number, row in enumerate(means.algorithms[name])
    ]
    mean = [_value(means.mean(name, label), marked.mark(name, label)) for label in labels]
    spread = [_value(means.spread(name, label)) for label in labels]
    blank = [Cell("")] * len(leading_cells[0])  # instead of the algorithm and all but the last of these cells
    return [*rows, [*blank, Cell("mean"), *mean], [*blank, Cell("std"), *spread]]


def _leading_cells(marked: MarkedResults, name: str) -> list[list[Cell]]:
    """Return the cells of an algorithm's rows that say the fold, once for all of its seeds, and the seed."""
    means = marked.means
    rows, previous = means.algorithms[name], None
    leading_cells = []
    for row in rows:
        fold = Cell("" if previous is not None and previous.fold == row.fold else str(row.fold))
        seed = Cell(ONCE if marked.is_seedless(name) else str(row.seed))
        leading_cells.append([*([fold] if means.folded else []), *([seed] if means.seeded else [])])
        previous = row
    return leading_cells


def _mean_row(marked: MarkedResults, name: str) -> list[Cell]:
    cells = [Cell(marked.label(name)), *([Cell(marked.seeds(name))] if marked.means.seeded else [])]
    for label in marked.means.labels:
        mean = _value(marked.means.mean(name, label), marked.mark(name, label))
        spread = marked.means.spread(name, label)
        text = mean.text if spread is None else f"{mean.text}{SPREAD}{printed(spread)}"
        cells.append(Cell(text, mean.mark))
    return cells


def _value(value: float | None, mark: str = "") -> Cell:
    return Cell(printed(value), "" if value is None else mark)


def printed(value: float | None) -> str:
    """Return a value as tables print it."""
    return "-" if value is None else f"{value:.{DECIMALS}f}"


def _hidden_values(marked: MarkedResults) -> str:
    """Say how the algorithms that are not shown compare with those that are; some may be as good as the last of these."""
    means = {name: printed(mean) for name, mean in marked.means.means(marked.ranked_by).items()}
    listed = {*marked.names}
    ties = {means[name] for name in listed} & {mean for name, mean in means.items() if name not in listed}
    return "no better" if ties else "a worse"


def _notes(marked: MarkedResults, layout: Layout) -> list[str]:
    notes = []
    if marked.hidden:
        notes.append(
            f"... and {marked.hidden} more with {_hidden_values(marked)} {marked.ranked_by}; {layout.all_shown_by} shows all"
        )
    averaged = marked.means.averaged
    over = marked.means.averaged_over
    notes.append(f"{BEST} best of its column" + (f" (of the means); std is over {over}, n - 1" if averaged else ""))
    if layout.detail != FOLDS and marked.means.only_fold is not None:
        notes.append(f"  all values are of fold {marked.means.only_fold}")
    if marked.partial and len(marked.names) > 1:
        notes.append("  an algorithm that lacks a fold which others have is not compared with them")
    if marked.tied:
        test = "seeds as a random factor" if "seeds" in over else "paired bootstrap test"
        notes.append(f"{TIED} not significantly worse than the best ({test}, Holm-corrected, 0.05)")
        notes += indented(conditional_note(marked.results, hint=True), layout.width)
    notes += [f"  {note}" for note in marked.seed_notes]
    notes += indented(marked.fitted_on, layout.width)
    rows = [LegendRow(marked.label(name), marked.family(name), marked.unsaid(name)) for name in marked.names]
    for sentence in choice_notes({marked.label(name): marked.means.algorithms[name] for name in marked.names}):
        notes += indented(sentence, layout.width)
    notes += legend_lines(rows, layout.width)
    if (picked := marked.picking) is not None:
        notes += [*indented(f"{picked.sentence}:", layout.width), f"    {picked.call}"]  # uncut, to be copied
    return notes

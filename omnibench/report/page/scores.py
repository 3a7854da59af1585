"""The page's table of a dataset: sortable, with the values of folds below each row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from omnibench.markup import breakable, element, words
from omnibench.metrics.labels import has_label
from omnibench.report.contents import Contents
from omnibench.report.item_facts import ItemFacts
from omnibench.report.sections import Section
from omnibench.results import Result
from omnibench.statistics.exact_means import exact_mean
from omnibench.tables.fitting import fitting
from omnibench.tables.layout import BEST, SPREAD, TIED, MarkedResults, printed
from omnibench.tables.seeds import ONCE

_MIB = 1 << 20
_FIT = "Fit, s"
_COSTS: dict[str, Callable[[ItemFacts], float | None]] = {
    _FIT: lambda facts: facts.fit_seconds,
    "Predict, s": lambda facts: facts.predict_seconds,
    "Memory, MiB": lambda facts: None if facts.peak_memory is None else facts.peak_memory / _MIB,
}
_ROOM = 1030
"""Pixels of a page of 1280 that its columns may take together, beside that of the algorithms."""

_LEAST_WIDTH, _LETTER, _PADDING = 66, 8, 13
"""Pixels of a column of values, of a letter of a heading, and between columns."""

_CSS_CLASSES = {BEST: "best", TIED: "tied", "": None}


class _Column(NamedTuple):
    """A column of a dataset's table: of a metric, or of a cost.

    Attributes:
        heading: Its heading.
        first: The direction in which a first click sorts it.
        cost_of: The cost that it shows; None of a metric, whose label the heading is.
    """

    heading: str
    first: str
    cost_of: Callable[[ItemFacts], float | None] | None = None

    @property
    def width(self) -> int:
        """The width that it needs, in pixels: its heading breaks, a value does not."""
        return max(_LEAST_WIDTH, _LETTER * max(map(len, words(self.heading))) + _PADDING)


def score_tables(section: Section, contents: Contents, name: str) -> list[Element]:
    """Return a dataset's tables: a body per configuration, its means in the first row, its folds in the others.

    There is one table unless it would be wider than a page of 1280 pixels; each repeats the configurations.

    Args:
        section: The dataset.
        contents: All results and facts.
        name: The id of the first table; that of the others has a number behind it.
    """
    marked = section.marked
    metrics = [
        [_Column(label, "ascending" if has_label(contents.lower_is_better, label) else "descending")]
        for label in section.labels
    ]
    costs = [
        _Column(heading, "ascending", cost_of)
        for heading, cost_of in _COSTS.items()
        if any(cost_of(contents.facts_of(row)) is not None for row in marked.results)
    ]
    together = [*metrics, costs]  # what an item costs stays side by side
    parts = fitting(together, lambda columns: sum(column.width for column in columns), _ROOM)
    groups = [[column for columns in part for column in columns] for part in parts]
    names = [name, *(f"{name}-{number}" for number in range(2, len(groups) + 1))]
    return [_score_table(section, contents, group, table) for group, table in zip(groups, names, strict=True)]


def _score_table(section: Section, contents: Contents, columns: Sequence[_Column], name: str) -> Element:
    marked = section.marked
    head = [_head("Algorithm", "ascending"), *(_column_head(column) for column in columns)]
    return element(
        "table",
        element("thead", element("tr", *head)),
        *(_body(section, contents, algorithm, columns) for algorithm in marked.names),
        id=name,
        class_="sortable folded" if unfolds(marked) else "sortable",
    )


def _column_head(column: _Column) -> Element:
    return _head(column.heading, column.first, None if column.cost_of is None else "cost")


def _head(name: str, first: str, css_class: str | None = None) -> Element:
    button = element("button", *breakable(name), type="button")
    return element("th", button, scope="col", data_first=first, class_=css_class)


def _body(section: Section, contents: Contents, algorithm: str, columns: Sequence[_Column]) -> Element:
    marked = section.marked
    rows = marked.means.algorithms[algorithm]
    label, unsaid = marked.label(algorithm), ", ".join((*_seed_words(marked, algorithm), *marked.unsaid(algorithm)))
    unfold = element(
        "button",
        class_="folds",
        type="button",
        aria_expanded="false",
        aria_label=f"Values per {values_per(marked)} of {label}",
    )
    mean_row = element(
        "tr",
        element(
            "th",
            unfold if unfolds(marked) else None,
            *breakable(label),
            element("span", unsaid, class_="given") if unsaid else None,
            scope="row",
            data_value=label,
        ),
        *(_mean_cell(section, contents, algorithm, column) for column in columns),
    )
    folds = (_fold(contents, marked, algorithm, row, columns) for row in rows if unfolds(marked))
    return element("tbody", mean_row, *folds)


def _mean_cell(section: Section, contents: Contents, algorithm: str, column: _Column) -> Element:
    marked, label, cost_of = section.marked, column.heading, column.cost_of
    if cost_of is not None:
        rows = marked.means.algorithms[algorithm]
        facts = [contents.facts_of(row) for row in rows]
        return _cost(_average(map(cost_of, facts)), label, _attempts_text(facts, label))
    mean, spread, mark = (
        marked.means.mean(algorithm, label),
        marked.means.spread(algorithm, label),
        marked.mark(algorithm, label),
    )
    if mean is None:
        return element("td", printed(mean), data_label=label)
    return element(
        "td",
        printed(mean) + ("†" if mark == TIED else ""),
        None if spread is None else element("span", f"{SPREAD}{printed(spread)}", class_="spread"),
        class_=_CSS_CLASSES[mark],
        data_label=label,
        data_value=repr(mean) if math.isfinite(mean) else None,
    )


def unfolds(marked: MarkedResults) -> bool:
    """Whether configurations have values below their means: of folds, or of seeds."""
    return marked.means.folded or marked.means.seeded


def values_per(marked: MarkedResults) -> str:
    """Return what the values below a mean are of, e.g. ``fold and seed``."""
    means = marked.means
    return " and ".join([*(["fold"] if means.folded else []), *(["seed"] if means.seeded else [])])


def _seed_words(marked: MarkedResults, algorithm: str) -> tuple[str, ...]:
    """Return the number of an algorithm's seeds, where some algorithm of its dataset has several."""
    if not marked.means.seeded:
        return ()
    return ("deterministic",) if marked.is_seedless(algorithm) else (f"seeds={marked.seeds(algorithm)}",)


def _fold(
    contents: Contents, marked: MarkedResults, algorithm: str, row: Result, columns: Sequence[_Column]
) -> Element:
    seeded = marked.means.seeded and not marked.is_seedless(algorithm)
    words = [*([] if row.fold is None else [f"fold {row.fold}"]), *([f"seed {row.seed}"] if seeded else [])]
    cells = (
        element("td", printed(row.metrics.get(heading)), data_label=heading)
        if cost_of is None
        else _cost(cost_of(facts := contents.facts_of(row)), heading, _attempts_text([facts], heading))
        for heading, _, cost_of in columns
    )
    return element("tr", element("th", ", ".join(words) or ONCE, scope="row"), *cells, class_="fold")


def _cost(value: float | None, heading: str, remark: str | None = None) -> Element:
    text = "-" if value is None else _three_digits(value)
    return element("td", text, class_="cost", data_value=value, data_label=heading, title=remark)


def _attempts_text(items: Sequence[ItemFacts], heading: str) -> str | None:
    """Return what to say of the attempts that the time of Fit is that of, e.g. ``2 attempts: 95.0 s and 405 s``."""
    several = [facts.attempts for facts in items if len(facts.attempts) > 1]
    if not several or heading != _FIT:
        return None
    if len(items) > 1:
        return f"{len(several)} of {len(items)} in several attempts, all of which count"
    seconds = [_three_digits(attempt["seconds"] or 0.0) for attempt in several[0]]
    return f"{len(seconds)} attempts: {', '.join(f'{text} s' for text in seconds[:-1])} and {seconds[-1]} s"


def _three_digits(value: float) -> str:
    return f"{value:#.3g}" if value < 99.95 else f"{value:,.0f}"  # noqa: PLR2004 - from where on there are three before the point


def _average(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return exact_mean(present) if present else None

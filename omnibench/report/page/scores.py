"""The page's table of a dataset: sortable, with the values of folds below each row."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from xml.etree.ElementTree import Element

from omnibench.markup import breakable, element
from omnibench.report.contents import Contents, ItemFacts
from omnibench.report.sections import Section
from omnibench.results import Result
from omnibench.tables.layout import BEST, SPREAD, TIED, printed

_MIB = 1 << 20
_COSTS: dict[str, Callable[[ItemFacts], float | None]] = {
    "Fit, s": lambda facts: facts.fit_seconds,
    "Predict, s": lambda facts: facts.predict_seconds,
    "Memory, MiB": lambda facts: None if facts.peak_memory is None else facts.peak_memory / _MIB,
}
_CSS_CLASSES = {BEST: "best", TIED: "tied", "": None}


def score_table(section: Section, contents: Contents, name: str) -> Element:
    """Return a dataset's table: a body per configuration, its means in the first row, its folds in the others.

    Args:
        section: The dataset.
        contents: All results and facts.
        name: The table's id.
    """
    marked = section.marked
    costs = [
        (heading, cost_of)
        for heading, cost_of in _COSTS.items()
        if any(cost_of(contents.facts_of(row)) is not None for row in marked.results)
    ]
    head = [
        _head("Algorithm", "ascending"),
        *(_head(label, "ascending" if label in contents.lower_is_better else "descending") for label in section.labels),
        *(_head(heading, "ascending", "cost") for heading, _ in costs),
    ]
    return element(
        "table",
        element("thead", element("tr", *head)),
        *(_body(section, contents, algorithm, [cost_of for _, cost_of in costs]) for algorithm in marked.names),
        id=name,
        class_="sortable folded" if marked.means.folded else "sortable",
    )


def _head(name: str, first: str, css_class: str | None = None) -> Element:
    return element("th", element("button", name, type="button"), scope="col", data_first=first, class_=css_class)


def _body(
    section: Section, contents: Contents, algorithm: str, costs: list[Callable[[ItemFacts], float | None]]
) -> Element:
    marked = section.marked
    rows = marked.means.algorithms[algorithm]
    parameters = marked.legend.get(algorithm)
    unfold = element(
        "button", class_="folds", type="button", aria_expanded="false", aria_label=f"Values per fold of {algorithm}"
    )
    mean_row = element(
        "tr",
        element(
            "th",
            unfold if marked.means.folded else None,
            *breakable(algorithm),
            element("span", parameters, class_="given") if parameters else None,
            scope="row",
            data_value=algorithm,
        ),
        *(_mean(section, algorithm, label) for label in section.labels),
        *(_cost(_average(cost_of(contents.facts_of(row)) for row in rows)) for cost_of in costs),
    )
    folds = (_fold(section, contents, row, costs) for row in rows if row.fold is not None)
    return element("tbody", mean_row, *folds)


def _mean(section: Section, algorithm: str, label: str) -> Element:
    marked = section.marked
    mean, spread, mark = (
        marked.means.mean(algorithm, label),
        marked.means.spread(algorithm, label),
        marked.mark(algorithm, label),
    )
    if mean is None:
        return element("td", printed(mean))
    return element(
        "td",
        printed(mean) + ("†" if mark == TIED else ""),
        None if spread is None else element("span", f"{SPREAD}{printed(spread)}", class_="spread"),
        class_=_CSS_CLASSES[mark],
        data_value=repr(mean) if math.isfinite(mean) else None,
    )


def _fold(
    section: Section, contents: Contents, row: Result, costs: list[Callable[[ItemFacts], float | None]]
) -> Element:
    return element(
        "tr",
        element("th", f"fold {row.fold}", scope="row"),
        *(element("td", printed(row.metrics.get(label))) for label in section.labels),
        *(_cost(cost_of(contents.facts_of(row))) for cost_of in costs),
        class_="fold",
    )


def _cost(value: float | None) -> Element:
    return element("td", "-" if value is None else _three_digits(value), class_="cost", data_value=value)


def _three_digits(value: float) -> str:
    return f"{value:#.3g}" if value < 99.95 else f"{value:,.0f}"  # noqa: PLR2004 - from where on there are three before the point


def _average(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return statistics.fmean(present) if present else None

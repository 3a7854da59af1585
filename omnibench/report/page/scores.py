"""The page's table of a dataset: sortable, with the values of folds below each row."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from xml.etree.ElementTree import Element

from omnibench.report.contents import Contents, Facts
from omnibench.report.page.elements import breakable, element
from omnibench.report.sections import Section
from omnibench.results import Result
from omnibench.tables.layout import BEST, SPREAD, TIED, printed

_MIB = 1 << 20
_COSTS: dict[str, Callable[[Facts], float | None]] = {
    "Fit, s": lambda facts: facts.fit_seconds,
    "Predict, s": lambda facts: facts.predict_seconds,
    "Memory, MiB": lambda facts: None if facts.peak_memory is None else facts.peak_memory / _MIB,
}
_KINDS = {BEST: "best", TIED: "tied", "": None}


def score_table(section: Section, contents: Contents, name: str) -> Element:
    """Return the table: a body per configuration, its means in the first row, its folds in the others.

    Args:
        section: The dataset.
        contents: What is known of the items.
        name: The table's id.
    """
    one = section.shown
    costs = [
        (what, of) for what, of in _COSTS.items() if any(of(contents.facts_of(row)) is not None for row in one.results)
    ]
    head = [
        _head("Algorithm", "ascending"),
        *(_head(label, "ascending" if label in contents.lower_is_better else "descending") for label in section.labels),
        *(_head(what, "ascending", "cost") for what, _ in costs),
    ]
    return element(
        "table",
        element("thead", element("tr", *head)),
        *(_body(section, contents, algorithm, [of for _, of in costs]) for algorithm in one.names),
        id=name,
        class_="sortable folded" if one.means.folded else "sortable",
    )


def _head(name: str, first: str, kind: str | None = None) -> Element:
    return element("th", element("button", name, type="button"), scope="col", data_first=first, class_=kind)


def _body(
    section: Section, contents: Contents, algorithm: str, costs: list[Callable[[Facts], float | None]]
) -> Element:
    one = section.shown
    rows = one.means.algorithms[algorithm]
    given = one.legend.get(algorithm)
    unfold = element(
        "button", class_="folds", type="button", aria_expanded="false", aria_label=f"Values per fold of {algorithm}"
    )
    first = element(
        "tr",
        element(
            "th",
            unfold if one.means.folded else None,
            *breakable(algorithm),
            element("span", given, class_="given") if given else None,
            scope="row",
            data_value=algorithm,
        ),
        *(_mean(section, algorithm, label) for label in section.labels),
        *(_cost(_average(of(contents.facts_of(row)) for row in rows)) for of in costs),
    )
    folds = (_fold(section, contents, row, costs) for row in rows if row.fold is not None)
    return element("tbody", first, *folds)


def _mean(section: Section, algorithm: str, label: str) -> Element:
    one = section.shown
    mean, spread, mark = (
        one.means.mean(algorithm, label),
        one.means.spread(algorithm, label),
        one.mark(algorithm, label),
    )
    if mean is None:
        return element("td", printed(mean))
    return element(
        "td",
        printed(mean) + ("†" if mark == TIED else ""),
        None if spread is None else element("span", f"{SPREAD}{printed(spread)}", class_="spread"),
        class_=_KINDS[mark],
        data_value=repr(mean) if math.isfinite(mean) else None,
    )


def _fold(section: Section, contents: Contents, row: Result, costs: list[Callable[[Facts], float | None]]) -> Element:
    return element(
        "tr",
        element("th", f"fold {row.fold}", scope="row"),
        *(element("td", printed(row.metrics.get(label))) for label in section.labels),
        *(_cost(of(contents.facts_of(row))) for of in costs),
        class_="fold",
    )


def _cost(value: float | None) -> Element:
    return element("td", "-" if value is None else _three_digits(value), class_="cost", data_value=value)


def _three_digits(value: float) -> str:
    return f"{value:#.3g}" if value < 99.95 else f"{value:,.0f}"  # noqa: PLR2004 - from where on there are three before the point


def _average(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None

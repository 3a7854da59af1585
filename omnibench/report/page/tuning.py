"""The page's part about searches: spaces and choices as a table, their history, hyperparameters and time as plots."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from omnibench.markup import breakable, element
from omnibench.report.page.plots import Axis, Point, Steps, legend, line_class, plot
from omnibench.report.tuning import (
    TUNING,
    Race,
    TunedRow,
    best_by_trial,
    hyperparameters,
    races,
    tuning_notes,
    tuning_table,
    value_of,
)
from omnibench.store.schema import Record
from omnibench.store.search_words import short_value
from omnibench.store.tuned_items import TunedItem, parameters_text

_MOST_CATEGORIES = 12
"""Values of a hyperparameter without an order that a plot has room for."""


def tuning_parts(
    rows: Sequence[TunedRow], dataset: str, scrolled: Callable[[Element, str], Element]
) -> Iterator[Element]:
    """Yield what a page says of the searches of a dataset; nothing where no row is tuned.

    Args:
        rows: The tuned rows.
        dataset: What people call the dataset.
        scrolled: Puts a table with a name into a part that scrolls.
    """
    if not rows:
        return
    yield element("h3", TUNING)
    yield scrolled(_table(rows), f"{TUNING} on {dataset}")
    notes = tuning_notes(rows)
    if notes:
        yield element("ul", *(element("li", note) for note in notes), class_="notes")
    all_races = [race for race in races(rows) if race.lines]
    if all_races:
        yield element("h3", "Quality against the seconds of tuning")
        yield element(
            "p",
            "The best value on validation data after so many seconds of trials (Fit, Predict and Eval, as they were "
            "recorded; what several folds have is averaged).",
            class_="notes",
        )
        yield element("div", *(_race_figure(race, dataset, scrolled) for race in all_races), class_="charts")
    yield element("h3", "Trials")
    explanation = (
        "Each point is a trial, each line the best value so far of a fold, each cross at the bottom a trial without a value: "
        "pruned or failed. Filled green points were chosen. The algorithm's defaults are trial 0."
    )
    yield element("p", explanation, class_="notes")
    for row in rows:
        figures = [_history_figure(row), *_parameter_figures(row)]
        yield element("div", *figures, class_="charts trials")


def _table(rows: Sequence[TunedRow]) -> Element:
    head, table_rows = tuning_table(rows)
    return element(
        "table",
        element("thead", element("tr", *(element("th", *breakable(name), scope="col") for name in head))),
        element("tbody", *(_table_row(head, cells) for cells in table_rows)),
        class_="words",
    )


def _table_row(head: Sequence[str], cells: Sequence[Sequence[str]]) -> Element:
    boxes = [
        element("td", *(element("div", *breakable(line)) for line in lines), data_label=heading)
        for heading, lines in zip(head[1:], cells[1:], strict=True)
    ]
    return element("tr", element("th", *breakable(cells[0][0]), scope="row"), *boxes)


def _race_figure(race: Race, dataset: str, scrolled: Callable[[Element, str], Element]) -> Element:
    first = min(steps[0].at for steps in race.lines.values())
    last = max(race.ends.values())
    logarithmic = first > 0 and last > 10 * first
    lines = [
        Steps(
            [(step.at, step.value) for step in steps],
            race.ends[label],
            line_class(number),
            f"{label}: {steps[-1].value:.4f}",
        )
        for number, (label, steps) in enumerate(race.lines.items())
    ]
    axis = Axis("seconds of trials per fold", [first, last], logarithmic=logarithmic)
    title = f"{dataset}, {race.metric} on validation data against seconds"
    head, table_rows = race.table()
    return element(
        "figure",
        element("figcaption", element("strong", race.metric), " on validation data against the seconds of trials"),
        plot([], lines, axis, race.metric, title, "The numbers are in the table below."),
        legend(list(race.lines)),
        element("details", element("summary", "As a table"), scrolled(plain_table(head, table_rows), title)),
    )


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Element:
    """Return a table of texts.

    Args:
        head: The headings of its columns.
        rows: The cells of its rows.
    """
    return element(
        "table",
        element("thead", element("tr", *(element("th", *breakable(name), scope="col") for name in head))),
        element(
            "tbody",
            *(
                element(
                    "tr",
                    element("th", row[0], scope="row"),
                    *(element("td", cell, data_label=name) for name, cell in zip(head[1:], row[1:], strict=True)),
                )
                for row in rows
            ),
        ),
    )


def _is_chosen(search: TunedItem, trial: Record) -> bool:
    return search.best is not None and trial["number"] == search.best["number"]


def _point(x: float, search: TunedItem, trial: Record) -> Point:
    value = value_of(trial)
    css_class = "best" if _is_chosen(search, trial) else "trial"
    fold = "" if search.search_record.get("fold") is None else f"fold {search.search_record['fold']}, "
    outcome = str(trial["status"]) if value is None else f"{search.metric} {value:.4f}"
    parameters = parameters_text(trial["parameters"], search.search_record)
    return Point(x, value, css_class, f"{fold}trial {trial['number']}: {parameters}; {outcome}")


def _history_figure(row: TunedRow) -> Element:
    points = [_point(trial["number"], search, trial) for search in row.distinct for trial in search.finished]
    last = max((point.x for point in points), default=0)
    lines = []
    for search in row.distinct:
        steps = best_by_trial(search)
        if steps:
            fold = "" if search.search_record.get("fold") is None else f"fold {search.search_record['fold']}, "
            end = max(trial["number"] for trial in search.finished)
            lines.append(
                Steps([(step.at, step.value) for step in steps], end, "so-far", f"{fold}best {steps[-1].value:.4f}")
            )
    points.sort(key=lambda point: point.css_class == "best")  # on top of the others
    metric = row.searches[0].metric
    title = f"{row.label}: {metric} on validation data by trial"
    return element(
        "figure",
        element("figcaption", element("strong", row.label), f": {metric} by trial"),
        plot(points, lines, Axis("trial", [0, last], whole=True), metric, title, "Points are trials."),
    )


def _parameter_figures(row: TunedRow) -> Iterator[Element]:
    words, metric = row.searches[0].words, row.searches[0].metric
    for name, tried in hyperparameters(row).items():
        settings = [setting for setting, _, _, _ in tried]
        numbers = [setting for setting in settings if _is_number(setting)]
        if len(numbers) < len(settings) or name in words.categories:
            categories = list(dict.fromkeys(map(short_value, _sorted(settings))))
            if len(categories) > _MOST_CATEGORIES:
                continue
            axis = Axis(name, [], categories=categories)
            positions = {category: number for number, category in enumerate(categories)}
            points = [_point(positions[short_value(setting)], search, trial) for setting, _, trial, search in tried]
        else:
            logarithmic = name in words.logarithmic and min(numbers) > 0
            axis = Axis(name, numbers, logarithmic=logarithmic)
            points = [_point(float(setting), search, trial) for setting, _, trial, search in tried]
        points.sort(key=lambda point: point.css_class == "best")
        title = f"{row.label}: {metric} on validation data against {name}"
        yield element(
            "figure",
            element("figcaption", element("strong", *breakable(name)), f": {metric} of {row.label}"),
            plot(points, [], axis, metric, title, "Points are trials."),
        )


def _is_number(setting: Any) -> bool:
    return type(setting) in (int, float) and abs(setting) < 1e300 and math.isfinite(setting)  # noqa: PLR2004 - a float's end


def _sorted(settings: Sequence[Any]) -> list[Any]:
    """Return values of a hyperparameter, numbers by size and before all others, which are by name."""
    return sorted(settings, key=lambda value: (not _is_number(value), value if _is_number(value) else 0, str(value)))

"""The page's part about training: losses and validation values by epoch, a plot per configuration and a line per fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from omnibench.markup import breakable, element
from omnibench.report.page.plots import Axis, Curve, legend, line_class, plot
from omnibench.report.page.tuning import plain_table
from omnibench.results import Result
from omnibench.store.series import Epoch, number_names, thinned
from omnibench.tables.layout import MarkedResults

_TITLE = "Losses and validation by epoch"

_MOST_CONFIGURATIONS = 25
"""Configurations that have plots; the page of a large study stays of a size that a browser likes."""

_MOST_NUMBERS = 4
"""Numbers of an epoch that have plots, losses and validation values first."""

_MOST_POINTS = 150
"""Points of a line: more of them than there is room for."""

_MOST_ROWS = 25
"""Epochs in the table behind a plot."""

_MOST_COLOURS = 8
"""Lines of a plot that have colours and names of their own."""


class _Fit(NamedTuple):
    """A fit of a configuration: what tells it from the others, and its series."""

    name: str
    series: Sequence[Epoch]


def epoch_parts(
    marked: MarkedResults, series: Mapping[str, Sequence[Epoch]], scrolled: Callable[[Element, str], Element]
) -> Iterator[Element]:
    """Yield what a page says of the training on a dataset; nothing where no fit has reported its epochs.

    Args:
        marked: The results on the dataset.
        series: The series of fits, by their keys.
        scrolled: Puts a table with a name into a part that scrolls.
    """
    fits = {marked.label(name): _fits(marked.means.algorithms[name], series) for name in marked.names}
    fits_by_label = {label: of_label for label, of_label in fits.items() if of_label}
    if not fits_by_label:
        return
    yield element("h3", _TITLE)
    explanation = (
        "A line is a fit. Losses, and whatever else an algorithm reports, are its own: those of different algorithms cannot be "
        "compared. Validation is what the training was judged by on the validation part, if it was."
    )
    yield element("p", explanation, class_="notes")
    labels = list(fits_by_label)
    figures = [
        _figure(label, name, fits_by_label[label], marked.title, scrolled)
        for label in labels[:_MOST_CONFIGURATIONS]
        for name in number_names(epoch for fit in fits_by_label[label] for epoch in fit.series)[:_MOST_NUMBERS]
    ]
    yield element("div", *figures, class_="charts trials")
    hidden = len(labels) - _MOST_CONFIGURATIONS
    if hidden > 0:
        yield element("p", f"{hidden:,} more have series, which the view epochs of the store has.", class_="notes")


def _fits(results: Sequence[Result], series: Mapping[str, Sequence[Epoch]]) -> list[_Fit]:
    """Return the fits of a configuration that have series, by fold and seed."""
    has_seeds = len({result.seed for result in results}) > 1
    fits = []
    for result in results:
        names = [] if result.fold is None else [f"fold {result.fold}"]
        names += [f"seed {result.seed}"] if has_seeds else []
        if epochs := series.get(result.fit_key):
            fits.append(_Fit(", ".join(names), epochs))
    return fits


def _figure(
    label: str, name: str, fits: Sequence[_Fit], dataset: str, scrolled: Callable[[Element, str], Element]
) -> Element:
    points = {
        fit: [(float(epoch.number), epoch.numbers[name]) for epoch in epochs]
        for fit, series in fits
        if (epochs := thinned([epoch for epoch in series if name in epoch.numbers], _MOST_POINTS))
    }
    has_colours = len(points) <= _MOST_COLOURS
    curves = [
        Curve(
            fit_points,
            line_class(number) if has_colours else "many",
            f"{fit or label}: {name} {fit_points[-1][1]:.4g} in epoch {fit_points[-1][0]:.0f}",
        )
        for number, (fit, fit_points) in enumerate(points.items())
    ]
    positions = [position for curve in curves for position, _ in curve.points]
    title = f"{label} on {dataset}: {name} by epoch"
    return element(
        "figure",
        element("figcaption", element("strong", *breakable(label)), f": {name} by epoch"),
        plot([], curves, Axis("epoch", positions, whole=True), name, title, "The numbers are in the table below."),
        legend(list(points)) if has_colours and len(points) > 1 else None,
        element("details", element("summary", "As a table"), scrolled(_table(name, points), title)),
    )


def _table(name: str, points: Mapping[str, Sequence[tuple[float, float]]]) -> Element:
    """Return the numbers of a plot: a row per epoch, a column per fit; of many epochs some."""
    by_epoch: dict[int, dict[str, float]] = {}
    for fit, fit_points in points.items():
        for position, value in fit_points:
            by_epoch.setdefault(int(position), {})[fit] = value
    rows = thinned([Epoch(number, by_epoch[number]) for number in sorted(by_epoch)], _MOST_ROWS)
    cells = [
        [str(row.number), *(f"{row.numbers[fit]:.4g}" if fit in row.numbers else "" for fit in points)] for row in rows
    ]
    return plain_table(["Epoch", *(fit or name for fit in points)], cells)

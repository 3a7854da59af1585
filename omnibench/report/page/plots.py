"""Plots as inline SVG: points, steps and curves over two axes, legible at every width."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple
from xml.etree.ElementTree import Element

from omnibench.markup import element
from omnibench.report.page.charts import Scale

_HEIGHT, _AXIS, _TOP = 190, 34, 8
"""Heights in pixels: of the plot, of the horizontal axis with its name below, of what is free above."""

_BOTTOM = 22
"""Pixels at the bottom of the plot that are left to points without a value."""

_LEFT = 13.0
"""Per cent of the width that belong to the numbers of the vertical axis."""

_COLOURS = 8
"""Colours of lines that the page has; further ones begin again, dashed."""

_UNITS = 1000
"""Units of a curve across the width of the plot."""

_LABEL_LENGTH = 14
"""Letters of a category that there is room for."""


class Point(NamedTuple):
    """A point of a plot.

    Attributes:
        x: Its horizontal position as a value of the axis.
        y: Its vertical one, or None for a cross at the bottom.
        css_class: The class of its mark.
        hover: Everything about it, in one line.
    """

    x: float
    y: float | None
    css_class: str
    hover: str


class Steps(NamedTuple):
    """A line that only goes up (or down) in steps.

    Attributes:
        corners: Where it changes: position and value, by position.
        end: Where it ends.
        css_class: The class of the line.
        hover: What it is.
    """

    corners: Sequence[tuple[float, float]]
    end: float
    css_class: str
    hover: str


class Curve(NamedTuple):
    """A line through values.

    Attributes:
        points: Position and value of each, by position.
        css_class: The class of the line.
        hover: What it is.
    """

    points: Sequence[tuple[float, float]]
    css_class: str
    hover: str


class Axis:
    """A horizontal axis, with numbers, orders of magnitude, or categories.

    Args:
        name: What it shows.
        values: The values that it has to cover.
        logarithmic: Whether each order of magnitude takes the same room; all values are above 0 then.
        categories: What stands at 0, 1, 2, ...; none for numbers.
        whole: Whether only whole numbers make sense.
    """

    def __init__(
        self,
        name: str,
        values: Iterable[float],
        *,
        logarithmic: bool = False,
        categories: Sequence[str] = (),
        whole: bool = False,
    ) -> None:
        self.name = name
        self.logarithmic = logarithmic
        self._categories = categories
        self._whole = whole
        covered = [-0.5, len(categories) - 0.5] if categories else list(values)
        self._scale = Scale([math.log10(value) if logarithmic else value for value in covered])

    def position(self, value: float) -> float:
        """Return the position of a value, in per cent of the width."""
        share = self._scale.position(math.log10(value) if self.logarithmic else value)
        return _LEFT + share * (100 - _LEFT) / 100

    def ticks(self) -> list[tuple[float, str]]:
        """Return the values that have a number, or a name, with that."""
        if self._categories:
            return [(number, _cut(name)) for number, name in enumerate(self._categories)]
        if self.logarithmic:
            return [(value, f"{value:.4g}") for value in _magnitudes(self._scale.low, self._scale.high)]
        ticks = self._scale.ticks()
        return [(tick, f"{tick + 0.0:.4g}") for tick in ticks if not self._whole or tick == round(tick)]


def _cut(name: str) -> str:
    return name if len(name) <= _LABEL_LENGTH else f"{name[: _LABEL_LENGTH - 1]}\N{HORIZONTAL ELLIPSIS}"


def _magnitudes(low: float, high: float) -> list[float]:
    """Return powers of ten between two logarithms; of less than two orders also 2 and 5, of many only some."""
    exponents = range(math.floor(low), math.ceil(high) + 1)
    factors = (1, 2, 5) if high - low < 2 else (1,)  # noqa: PLR2004 - explained above
    step = max(1, len(exponents) // 6)
    values = [factor * 10.0**exponent for exponent in exponents[::step] for factor in factors]
    return [value for value in values if low - 1e-9 <= math.log10(value) <= high + 1e-9]


def line_class(number: int) -> str:
    """Return the class of a line by its number, which says its colour."""
    return f"line{number % _COLOURS}{'' if number < _COLOURS else ' dashed'}"


def legend(labels: Sequence[str]) -> Element:
    """Return what the lines of a plot are called, with the colours of ``line_class``."""
    lines = (element("span", "\N{BOX DRAWINGS HEAVY HORIZONTAL}", class_=line_class(n)) for n in range(len(labels)))
    named = (element("span", line, f" {label}") for line, label in zip(lines, labels, strict=True))
    return element("p", *named, class_="legend")


def plot(
    points: Sequence[Point], lines: Sequence[Steps | Curve], axis: Axis, value_name: str, title: str, description: str
) -> Element:
    """Return a plot as SVG.

    Horizontal positions are per cent of the width and texts keep their size, so it fits any width.

    Args:
        points: Its points.
        lines: Its lines, which lie below the points.
        axis: The horizontal axis.
        value_name: What the vertical axis shows.
        title: The title, for screen readers.
        description: How to read it, for screen readers.
    """
    values = [point.y for point in points if point.y is not None]
    values += [value for line in lines for _, value in (line.points if isinstance(line, Curve) else line.corners)]
    scale = Scale(values)
    has_crosses = any(point.y is None for point in points)

    def height_of(value: float) -> float:
        room = _HEIGHT - _TOP - (_BOTTOM if has_crosses else 0)
        return _TOP + room * (1 - scale.position(value) / 100)

    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *(_value_tick(tick, height_of(tick)) for tick in scale.ticks()),
        *(part for value, text in axis.ticks() for part in _tick(axis.position(value), text)),
        *(_line(line, axis, height_of) for line in lines),
        *(_mark(point, axis, height_of) for point in points),
        element("text", value_name, x="0", y=_HEIGHT + _AXIS - 4, class_="tick"),
        element("text", axis.name, x="100%", y=_HEIGHT + _AXIS - 4, text_anchor="end", class_="tick"),
        role="img",
        aria_label=f"{title}. {description}",
        width="100%",
        height=_HEIGHT + _AXIS,
        class_="plot",
    )


def _value_tick(tick: float, height: float) -> Element:
    line = element("line", x1=f"{_LEFT:.3f}%", x2="100%", y1=f"{height:.2f}", y2=f"{height:.2f}", class_="grid")
    return element("g", line, element("text", f"{tick + 0.0:.4g}", x="0", y=f"{height + 4:.2f}", class_="tick"))


def _tick(position: float, text: str) -> Iterable[Element]:
    yield element("line", x1=f"{position:.3f}%", x2=f"{position:.3f}%", y1=_TOP, y2=_HEIGHT + 4, class_="grid")
    anchor = "end" if position > 94 else "middle"  # noqa: PLR2004 - a number in the middle would be cut off
    yield element("text", text, x=f"{position:.3f}%", y=_HEIGHT + 17, text_anchor=anchor, class_="tick")


def _line(line: Steps | Curve, axis: Axis, height_of: Callable[[float], float]) -> Element:
    return _curve(line, axis, height_of) if isinstance(line, Curve) else _steps(line, axis, height_of)


def _steps(line: Steps, axis: Axis, height_of: Callable[[float], float]) -> Element:
    group = element("g", element("title", line.hover), class_=f"steps {line.css_class}")
    ends = [*(position for position, _ in line.corners[1:]), line.end]
    for (start, value), end in zip(line.corners, ends, strict=True):
        left, right, height = axis.position(start), axis.position(max(start, end)), height_of(value)
        group.append(element("line", x1=f"{left:.3f}%", x2=f"{right:.3f}%", y1=f"{height:.2f}", y2=f"{height:.2f}"))
    for (_, before), (position, after) in pairwise(line.corners):
        x = f"{axis.position(position):.3f}%"
        group.append(element("line", x1=x, x2=x, y1=f"{height_of(before):.2f}", y2=f"{height_of(after):.2f}"))
    return group


def _curve(line: Curve, axis: Axis, height_of: Callable[[float], float]) -> Element:
    """Return a curve as a part that is stretched to the width: positions along a curve cannot be per cent."""
    if len(line.points) == 1:
        ((x, value),) = line.points
        circle = element("circle", cx=f"{axis.position(x):.3f}%", cy=f"{height_of(value):.2f}", r=3.5)
        return element("g", element("title", line.hover), circle, class_=f"curve {line.css_class}")
    points = " ".join(f"{axis.position(x) * _UNITS / 100:.1f},{height_of(value):.1f}" for x, value in line.points)
    part = element(
        "svg",
        element("title", line.hover),
        element("polyline", points=points, vector_effect="non-scaling-stroke"),
        width="100%",
        height=_HEIGHT,
        class_=f"curve {line.css_class}",
    )
    part.attrib.update({"viewBox": f"0 0 {_UNITS} {_HEIGHT}", "preserveAspectRatio": "none"})
    return part


def _mark(point: Point, axis: Axis, height_of: Callable[[float], float]) -> Element:
    x = f"{axis.position(point.x):.3f}%"
    if point.y is None:
        cross = element("text", "\N{MULTIPLICATION SIGN}", x=x, y=_HEIGHT - 5, text_anchor="middle")
        return element("g", element("title", point.hover), cross, class_=f"cross {point.css_class}")
    circle = element("circle", cx=x, cy=f"{height_of(point.y):.2f}", r=3.5, class_=point.css_class)
    return element("g", element("title", point.hover), circle)

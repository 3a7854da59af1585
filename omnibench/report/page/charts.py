"""Charts as inline SVG: per configuration a row with a point and its interval, legible at every width."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from omnibench.markup import element, words

_ROW, _LINE, _AXIS = 38, 15, 26
"""Heights in pixels: of a row whose name takes one line, of each further line, of the axis."""

_NAME_LENGTH = 36
"""Letters of a name per line: on a telephone of 375 pixels there is room for so many beside the value."""

_MARGIN = 2.0
"""Per cent of the width that stay free at both sides, so that no point is cut."""


class ChartRow(NamedTuple):
    """A row of a chart: a point with its interval.

    Attributes:
        name: The name of the configuration.
        text: Its value as it is printed.
        value: The value at which its point stands, or None for no point.
        interval: Its interval, or None.
        css_class: The class of its point: ``best``, ``tied``, ``worse`` or ``unsaid``.
        hover: Everything about it, in one line.
    """

    name: str
    text: str
    value: float | None
    interval: tuple[float, float] | None
    css_class: str
    hover: str


def chart(rows: Sequence[ChartRow], title: str, description: str, *, reference: float | None, signed: bool) -> Element:
    """Return a chart as SVG.

    Positions are per cent of the width and texts keep their size, so it fits any width.

    Args:
        rows: The rows, from above.
        title: The title, for screen readers.
        description: How to read the chart, for screen readers.
        reference: The value at which a line goes through all rows, or None.
        signed: Whether the axis shows signs.
    """
    scale = Scale([reference, *(row.value for row in rows), *(end for row in rows for end in row.interval or ())])
    names = [_name_lines(row.name) for row in rows]
    tops = list(itertools.accumulate((_ROW + _LINE * (len(lines) - 1) for lines in names), initial=0))
    height = tops[-1] + _AXIS
    ticks = scale.ticks()
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *(_line(scale.position(tick), scale.position(tick), 0, height - _AXIS + 4, "grid") for tick in ticks),
        *(
            []
            if reference is None
            else [_line(scale.position(reference), scale.position(reference), 0, height - _AXIS + 4, "reference")]
        ),
        *(_row(row, lines, scale, top) for row, lines, top in zip(rows, names, tops, strict=False)),
        *(_tick(tick, scale, height, signed=signed) for tick in ticks),
        role="img",
        aria_label=f"{title}. {description}",
        width="100%",
        height=height,
    )


class Scale:
    """The scale of an axis, from values to per cent of the width.

    Args:
        values: The values that the axis has to cover; None and values that are not finite are ignored.
    """

    def __init__(self, values: Iterable[float | None]) -> None:
        finite = [value for value in values if value is not None and math.isfinite(value)] or [0.0]
        self.low, self.high = min(finite), max(finite)
        if self.high == self.low:
            margin = abs(self.high) / 2 or 1.0
            self.low, self.high = self.low - margin, self.high + margin

    def position(self, value: float) -> float:
        """Return the position of a value, in per cent of the width."""
        return _MARGIN + (100 - 2 * _MARGIN) * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Return three to six round values within the range."""
        size = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(size))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= size * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def _name_lines(name: str) -> list[str]:
    """Return a name in lines, broken behind a comma, a dot or a bracket where it can be."""
    lines = [""]
    for part in words(name):
        pieces = [part[start : start + _NAME_LENGTH] for start in range(0, len(part), _NAME_LENGTH)]
        for piece in pieces:
            if len(lines[-1]) + len(piece) > _NAME_LENGTH and lines[-1]:
                lines.append("")
            lines[-1] += piece
    return lines


def _name(row: ChartRow, lines: Sequence[str], top: float) -> Element:
    first, *rest = lines
    following = (element("tspan", line, x="0", dy=_LINE) for line in rest)
    return element("text", first, *following, x="0", y=top + 14, class_=f"name {row.css_class}")


def _row(row: ChartRow, lines: Sequence[str], scale: Scale, top: float) -> Element:
    middle = top + 27 + _LINE * (len(lines) - 1)
    marks: list[Element] = []
    if row.interval is not None:
        left, right = (scale.position(end) for end in row.interval)
        marks.append(_line(left, right, middle, middle, "interval"))
        marks += [_line(end, end, middle - 4, middle + 4, "interval") for end in (left, right)]
    if row.value is not None:
        marks.append(element("circle", cx=f"{scale.position(row.value):.3f}%", cy=middle, r=5, class_=row.css_class))
    return element(
        "g",
        element("title", row.hover),
        _name(row, lines, top),
        element("text", row.text, x="100%", y=top + 14, text_anchor="end", class_=f"told {row.css_class}"),
        *marks,
    )


def _line(left: float, right: float, top: float, bottom: float, css_class: str) -> Element:
    return element("line", x1=f"{left:.3f}%", x2=f"{right:.3f}%", y1=top, y2=bottom, class_=css_class)


def _tick(tick: float, scale: Scale, height: float, *, signed: bool) -> Element:
    position = scale.position(tick)
    # Within 8 per cent of either end, a number in the middle of its tick would be cut off.
    anchor = "start" if position < 8 else "end" if position > 92 else "middle"  # noqa: PLR2004 - explained above
    text = f"{tick:+.4g}" if signed and abs(tick) > 1e-12 else f"{tick + 0.0:.4g}"  # noqa: PLR2004 - zero, but for rounding
    return element("text", text, x=f"{position:.3f}%", y=height - 8, text_anchor=anchor, class_="tick")

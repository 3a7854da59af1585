"""Charts as inline SVG: a row per configuration, a point and its interval, legible at every width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from omnibench.report.page.elements import element

_ROW, _AXIS = 38, 26
"""Heights in pixels."""

_MARGIN = 2.0
"""Per cent of the width that stay free at both sides, so that no point is cut."""


class Bar(NamedTuple):
    """A row.

    Attributes:
        name: What it is about.
        told: Its value as it is printed.
        at: Where its point stands, or None for none.
        interval: Its interval, or None.
        kind: The class of its point: ``best``, ``tied``, ``worse`` or ``unsaid``.
        hover: Everything about it, in one line.
    """

    name: str
    told: str
    at: float | None
    interval: tuple[float, float] | None
    kind: str
    hover: str


def chart(bars: Sequence[Bar], title: str, described: str, *, reference: float | None, signed: bool) -> Element:
    """Return a chart. Positions are per cent of the width and texts keep their size, so it fits any width.

    Args:
        bars: The rows, from above.
        title: What it shows; screen readers say it.
        described: How to read it; likewise.
        reference: Where a line goes through all rows, or None.
        signed: Whether the axis shows signs.
    """
    scale = Scale([reference, *(bar.at for bar in bars), *(end for bar in bars for end in bar.interval or ())])
    height = _ROW * len(bars) + _AXIS
    ticks = scale.ticks()
    return element(
        "svg",
        element("title", title),
        element("desc", described),
        *(_line(scale.at(tick), scale.at(tick), 0, height - _AXIS + 4, "grid") for tick in ticks),
        *(
            []
            if reference is None
            else [_line(scale.at(reference), scale.at(reference), 0, height - _AXIS + 4, "reference")]
        ),
        *(_row(bar, scale, number * _ROW) for number, bar in enumerate(bars)),
        *(_tick(tick, scale, height, signed=signed) for tick in ticks),
        role="img",
        aria_label=f"{title}. {described}",
        width="100%",
        height=height,
    )


class Scale:
    """From values to per cent of the width.

    Args:
        values: What has to find room; what is None or not finite needs none.
    """

    def __init__(self, values: Iterable[float | None]) -> None:
        known = [value for value in values if value is not None and math.isfinite(value)] or [0.0]
        self.low, self.high = min(known), max(known)
        if self.high == self.low:
            room = abs(self.high) / 2 or 1.0
            self.low, self.high = self.low - room, self.high + room

    def at(self, value: float) -> float:
        """Return where a value stands, in per cent of the width."""
        return _MARGIN + (100 - 2 * _MARGIN) * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Return three to six round values within the range."""
        size = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(size))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= size * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def _row(bar: Bar, scale: Scale, top: float) -> Element:
    middle = top + 27
    drawn: list[Element] = []
    if bar.interval is not None:
        left, right = (scale.at(end) for end in bar.interval)
        drawn.append(_line(left, right, middle, middle, "interval"))
        drawn += [_line(end, end, middle - 4, middle + 4, "interval") for end in (left, right)]
    if bar.at is not None:
        drawn.append(element("circle", cx=f"{scale.at(bar.at):.3f}%", cy=middle, r=5, class_=bar.kind))
    return element(
        "g",
        element("title", bar.hover),
        element("text", bar.name, x="0", y=top + 14, class_=f"name {bar.kind}"),
        element("text", bar.told, x="100%", y=top + 14, text_anchor="end", class_=f"told {bar.kind}"),
        *drawn,
    )


def _line(left: float, right: float, top: float, bottom: float, kind: str) -> Element:
    return element("line", x1=f"{left:.3f}%", x2=f"{right:.3f}%", y1=top, y2=bottom, class_=kind)


def _tick(tick: float, scale: Scale, height: float, *, signed: bool) -> Element:
    at = scale.at(tick)
    anchor = "start" if at < 8 else "end" if at > 92 else "middle"  # noqa: PLR2004 - per cent in which a number has no room
    told = f"{tick:+.4g}" if signed and abs(tick) > 1e-12 else f"{tick + 0.0:.4g}"  # noqa: PLR2004 - zero, but for rounding
    return element("text", told, x=f"{at:.3f}%", y=height - 8, text_anchor=anchor, class_="tick")

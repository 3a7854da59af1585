"""Charts: everything in its place, whatever the numbers."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from omnibench.report.page.charts import ChartRow, Scale, chart

NUMBERS = st.floats(-1e6, 1e6).map(lambda value: round(value, 9))


@given(st.lists(NUMBERS, min_size=1))
def test_a_scale_keeps_order_and_bounds(values: list[float]) -> None:
    """Every value is within the chart, and farther right when it is larger."""
    scale = Scale(values)
    placed = [scale.position(value) for value in sorted(values)]
    assert placed == sorted(placed)
    assert all(0 <= position <= 100 for position in placed)


@given(st.lists(NUMBERS, min_size=1))
def test_ticks_are_few_and_round(values: list[float]) -> None:
    """Two to six of them, evenly spaced, within the range."""
    scale = Scale(values)
    ticks = scale.ticks()
    slack = 1e-6 * (scale.high - scale.low)
    assert 2 <= len(ticks) <= 6
    assert all(scale.low - slack <= tick <= scale.high + slack for tick in ticks)
    step = ticks[1] - ticks[0]
    assert any(
        math.isclose(step / 10 ** round(math.log10(step / factor)), factor, rel_tol=1e-4) for factor in (1, 2, 2.5, 5)
    )


def test_what_has_no_value_needs_no_room() -> None:
    """None and infinity do not move the others; with nothing at all there is a scale all the same."""
    assert (Scale([None, 1.0, math.inf, 2.0]).low, Scale([None, 1.0, math.inf, 2.0]).high) == (1.0, 2.0)
    assert Scale([]).low < Scale([]).high


def test_a_chart_says_what_it_shows() -> None:
    """A title and a description for screen readers, a title per row for the mouse, and a point where it belongs."""
    rows = [
        ChartRow("A-1", "0.5", 0.0, None, "best", "A-1: all of it"),
        ChartRow("B-1", "0.4", -0.1, (-0.2, 0.1), "worse", "B-1: all of it"),
        ChartRow("C-1", "0.3", None, None, "unsaid", "C-1: nothing"),
    ]
    svg = chart(rows, "NDCG@10", "how to read it", reference=0.0, signed=True)
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == "NDCG@10. how to read it"
    assert [child.text for child in svg if child.tag in ("title", "desc")] == ["NDCG@10", "how to read it"]
    groups = svg.findall("g")
    assert [row.findtext("title") for row in groups] == [row.hover for row in rows]
    assert [[child.text for child in row.findall("text")] for row in groups] == [[row.name, row.text] for row in rows]
    points = [[child.get("cx") for child in row.findall("circle")] for row in groups]
    assert points == [["66.000%"], ["34.000%"], []]  # from -0.2 to 0.1, with 2 % free at both sides
    (line, *_) = groups[1].findall("line")
    assert (line.get("x1"), line.get("x2")) == ("2.000%", "98.000%")
    assert {child.text for child in svg.findall("text")} == {"-0.2", "-0.1", "0", "+0.1"}

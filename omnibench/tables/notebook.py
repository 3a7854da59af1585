"""Tables of results as HTML for notebooks."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from omnibench.markup import element
from omnibench.tables.layout import Cell, ResultTable

_STYLES = {"*": "color: #0a7a3d; font-weight: bold", "~": "color: #0a7a3d"}
_LEFT = "text-align: left; white-space: nowrap"
_RIGHT = "text-align: right; white-space: nowrap"
_NOTES = "opacity: 0.75; white-space: pre; margin: 0.3em 0 1em"


def notebook_table(table: ResultTable) -> Element:
    """Return a table as HTML that fits a notebook's light and dark theme; it scrolls where it is too wide."""
    head = element(
        "tr", *(element("th", name, style=_RIGHT if number else _LEFT) for number, name in enumerate(table.header))
    )
    bodies = (
        element("tbody", *(element("tr", *(_cell(cell, number) for number, cell in enumerate(row))) for row in section))
        for section in table.sections
    )
    return element(
        "div",
        element("div", element("i", table.title)),
        element("div", element("table", element("thead", head), *bodies), style="overflow-x: auto"),
        element("div", "\n".join(table.notes), style=f"{_NOTES}; overflow-x: auto") if table.notes else None,
    )


def _cell(cell: Cell, number: int) -> Element:
    if number == 0:
        return element("th", cell.text, style=_LEFT)
    return element("td", str(cell), style="; ".join(filter(None, [_RIGHT, _STYLES.get(cell.mark, "")])))

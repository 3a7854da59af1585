"""Tables of results as text for a terminal, and as rich tables for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnibench.tables.layout import GAP, Cell, ResultTable

if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {"*": ("\x1b[1;32m", "bold green"), "~": ("\x1b[32m", "green")}
_END = "\x1b[0m"
_ITALIC, _BOLD, _DIM = "\x1b[3m", "\x1b[1m", "\x1b[2m"


def render(table: ResultTable, *, colour: bool, encoding: str = "utf-8") -> str:
    """Return a table as text, as wide as it is.

    Written by hand, because rich takes seconds for the tables of thousands of configurations.

    Args:
        table: The table.
        colour: Whether to use colour.
        encoding: The terminal's; where it has no lines and plus-minus signs, ASCII characters stand for them.
    """
    widths = table.widths()
    gap = " " * GAP

    def styled(text: str, code: str) -> str:
        return f"{code}{text}{_END}" if colour and text else text

    def line(cells: list[str]) -> str:
        first = cells[0].ljust(widths[0])
        return " " + gap.join([first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))])

    def row(cells: list[Cell]) -> str:
        plain = line([str(cell) for cell in cells]).rstrip()
        if not colour or not any(cell.mark for cell in cells):
            return plain
        padded = [cells[0].text.ljust(widths[0])]
        for cell, width in zip(cells[1:], widths[1:], strict=True):
            blank = " " * (width - len(str(cell)))
            padded.append(blank + (styled(str(cell), _STYLES[cell.mark][0]) if cell.mark else cell.text))
        return " " + gap.join(padded)

    lines = [styled(table.title, _ITALIC), "", styled(line(table.header).rstrip(), _BOLD)]
    lines.append(" " + "─" * (sum(widths) + GAP * (len(widths) - 1)))
    for number, section in enumerate(table.sections):
        if number:
            lines.append("")
        lines += [row(cells) for cells in section]
    text = "\n".join([*lines, *(styled(note, _DIM) for note in table.notes)])
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.replace("─", "-").replace(" ±", "+-").encode(encoding, "backslashreplace").decode(encoding)
    return text


def rich_table(table: ResultTable) -> Table:
    """Return a table as a rich table, for notebooks."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # As Texts, because names may hold brackets, which rich takes for markup; and never wrapped, because people search for it.
    title = Text(table.title, style="italic")
    rendered = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, min_width=title.cell_len)
    for number, name in enumerate(table.header):
        rendered.add_column(Text(name), justify="right" if number else "left", no_wrap=True)
    for section in table.sections:
        for number, cells in enumerate(section, start=1):
            texts = [Text(str(cell), style=_STYLES[cell.mark][1] if cell.mark else "") for cell in cells]
            rendered.add_row(*texts, end_section=number == len(section) and len(table.sections) > 1)
    rendered.caption, rendered.caption_justify = Text("\n".join(table.notes), style="dim"), "left"
    return rendered

"""The appendix of a paper: search spaces, budgets and chosen values as LaTeX tables, as reproducibility checklists ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from omnibench.markup import words
from omnibench.report.tuning import TUNING, TunedRow, tuning_notes, tuning_table

_LINES = 42
"""Lines that fit on a page beside a caption."""

_SHARES = (0.18, 0.24, 0.22, 0.3)
"""The columns' shares of the text's width."""

_LONGEST_TOKEN = 12
"""Letters up to which a name is never broken."""

_LETTERS = 88
"""Letters of ``\\footnotesize`` in a line of the text's width, at least."""

_Cells = Sequence[Sequence[str]]
"""A row of the table: its cells, each as lines."""


def tuning_tables(rows: Sequence[TunedRow], title: str, anchor: str, escaped: Callable[[str], str]) -> Iterator[str]:
    """Yield the tables of a dataset's searches; none where no row is tuned.

    Args:
        rows: The tuned rows.
        title: What people call the dataset, as LaTeX.
        anchor: What the first table is referred to by.
        escaped: Returns a text with LaTeX's special characters escaped.
    """
    notes = " ".join(escaped(note) for note in tuning_notes(rows))
    head, table_rows = tuning_table(rows)
    for number, part in enumerate(_pages(table_rows)):
        caption = f"{title}: {escaped(TUNING[0].lower() + TUNING[1:])}{' (continued)' if number else ''}."
        caption += f" {notes}" if notes and not number else ""
        yield _table(head, part, caption, "" if number else anchor, escaped)


def _pages(rows: Sequence[_Cells]) -> Iterator[list[_Cells]]:
    """Yield the rows in groups that fit on a page, by an estimate of how their cells are broken into lines."""
    page: list[_Cells] = []
    free = _LINES
    for row in rows:
        height = max(_height(lines, share) for lines, share in zip(row, _SHARES, strict=True))
        if page and height > free:
            yield page
            page, free = [], _LINES
        page.append(row)
        free -= height
    if page:
        yield page


def _height(lines: Sequence[str], share: float) -> int:
    return sum(-(-len(line) // int(share * _LETTERS)) or 1 for line in lines)


def _table(
    head: Sequence[str], rows: Sequence[_Cells], caption: str, anchor: str, escaped: Callable[[str], str]
) -> str:
    columns = "".join(f"p{{{share:g}\\linewidth}}" for share in _SHARES)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{caption}}}",
        *([rf"  \label{{tab:{anchor}}}"] if anchor else []),
        r"  \footnotesize\setlength{\tabcolsep}{3pt}",
        rf"  \begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"    \toprule",
        f"    {' & '.join(_box([name], escaped) for name in head)} \\\\",
        r"    \midrule",
        *_lines(rows, escaped),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _lines(rows: Sequence[_Cells], escaped: Callable[[str], str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        if number:
            yield r"    \addlinespace"
        boxes = (_box(lines, escaped) for lines in row)
        yield f"    {' & '.join(boxes)} \\\\"


def _box(lines: Sequence[str], escaped: Callable[[str], str]) -> str:
    """Return the lines of a cell, flush left, in a box as wide as its column."""
    text = r"\newline ".join(_breakable(line, escaped) for line in lines)
    return rf"\parbox[t]{{\linewidth}}{{\raggedright {text}\strut}}"


def _breakable(line: str, escaped: Callable[[str], str]) -> str:
    """Return a line as LaTeX in which long names may be broken behind dots, commas, brackets and underscores."""
    return " ".join(_token(token, escaped) for token in line.split(" "))


def _token(token: str, escaped: Callable[[str], str]) -> str:
    if len(token) <= _LONGEST_TOKEN:
        return escaped(token)
    return r"\allowbreak{}".join(map(escaped, words(token))).replace(r"\_", r"\_\allowbreak{}")

"""Raw files that are tables: what separates their fields, what is no row, and whether the columns have names."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from omnibench.data.catalogue.guessed_columns import Guess, columns_in_order, named_columns
from omnibench.data.numbers import is_numeral
from omnibench.data.usual_names import usual_columns

_SEPARATORS = ("::", "\t", ";", "|", ",", " ")
_WHITESPACE = "whitespace"
_COMMENTS = ("#", "%")
_FEWEST_FIELDS = 2
_MOST_SKIPPED = 3
"""Lines at the beginning that may be of another form."""

_WIDE = 20
"""Columns of numbers from which on a file without names is a matrix."""

_LONG = 4
"""Numbers with blanks between them from which on a line is a list of items: user, item, rating and timestamp are fewer."""


class _Form(NamedTuple):
    separator: str
    quote: str
    skipped: int
    rows: list[list[str]]


def of_table(lines: Sequence[str]) -> Guess | None:
    """Guess a table: every line has as many fields as the others, at least two."""
    values: dict[str, Any] = {"format": "table"}
    comment = next((mark for mark in _COMMENTS if lines and lines[0].startswith(mark)), None)
    if comment is not None:
        values["comment"] = comment
        lines = [line for line in lines if not line.startswith(comment)]
    form = next(_forms(lines), None)
    if form is None:
        return None
    rows = form.rows
    width, numeric = len(rows[0]), [sum(map(is_numeral, row)) for row in rows]
    has_header = bool(usual_columns(rows[0])) or (numeric[0] == 0 and max(numeric[1:], default=0) > 0)
    values["separator"] = form.separator
    if form.skipped:
        values["skipped_lines"] = form.skipped
    if form.quote:
        values["quote"] = form.quote
    if has_header:
        return named_columns({**values, "header": True}, rows[0], rows[1:])
    if min(numeric) == width >= _WIDE:
        return matrix()
    if form.separator in (" ", _WHITESPACE) and min(numeric) == width > _LONG:
        return None
    return columns_in_order(values, rows)


def matrix() -> Guess:
    """Return the guess of a matrix."""
    return Guess({"format": "matrix"}, ("A row is a user, a column an item; skipped = 1 leaves the first column out.",))


def _forms(lines: Sequence[str]) -> Iterator[_Form]:
    """Yield the ways in which lines are a table, first those that leave out no line."""
    for skipped in range(_MOST_SKIPPED + 1):
        rest = lines[skipped:]
        if len(rest) <= bool(skipped):  # a single line is like itself
            return
        for separator in _SEPARATORS:
            is_quoted = len(separator) == 1 and any(f'{separator}"' in line or line.startswith('"') for line in rest)
            if is_quoted:
                rows = list(csv.reader(rest, delimiter=separator))
            else:
                rows = [line.split(separator) for line in rest]
            if _is_even(rows) and not (separator == " " and any("" in row for row in rows)):
                yield _Form(separator, '"' if is_quoted else "", skipped, rows)
        rows = [line.split() for line in rest]
        if _is_even(rows):
            yield _Form(_WHITESPACE, "", skipped, rows)


def _is_even(rows: Sequence[Sequence[str]]) -> bool:
    return bool(rows) and len(rows[0]) >= _FEWEST_FIELDS and len({len(row) for row in rows}) == 1

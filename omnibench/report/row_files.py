"""The CSV file that has a row for every value, written piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

from omnibench.report.contents import Contents
from omnibench.report.csv_texts import written
from omnibench.report.parts import Part
from omnibench.report.rows import COLUMN_TYPES, WIDTHS, lines_of


def csv(contents: Contents) -> Iterator[bytes]:
    """Yield the rows as CSV; floats have as many digits as it takes to read back the same ones.

    A text that a spreadsheet would compute begins with an apostrophe, which spreadsheets hide; numbers are numbers.
    """
    yield f"{','.join(COLUMN_TYPES)}\n".encode()
    for lines in lines_of(contents, _lines):
        yield "\n".join([*lines, ""]).encode(errors="backslashreplace")


_TYPES_OF_PARTS = [list(COLUMN_TYPES.values())[start:end] for start, end in pairwise([0, *accumulate(WIDTHS)])]


def _lines(parts: Sequence[Part]) -> list[str]:
    """Return rows that are made of parts as CSV."""
    texts_of_parts = []
    for part, types in zip(parts, _TYPES_OF_PARTS, strict=True):
        texts = _texts(part.columns, types)
        texts_of_parts.append([texts[position] for position in part.positions])
    return list(map(",".join, zip(*texts_of_parts, strict=True)))


def _texts(columns: Iterable[Sequence[Any]], column_types: Sequence[str]) -> list[str]:
    """Return neighbouring cells of each of several rows as CSV.

    Args:
        columns: Their values, by column.
        column_types: The types of their columns in pandas.
    """
    texts = (_WRITERS[column_type](values) for values, column_type in zip(columns, column_types, strict=True))
    return list(map(",".join, zip(*texts, strict=True)))


def _floats(numbers: Sequence[Any]) -> list[str]:
    """Return the floats of a column as CSV; most columns have nothing else."""
    if set(map(type, numbers)) == {float}:
        return list(map(repr, numbers))
    return ["" if number is None else repr(float(number)) for number in numbers]


_WRITERS: dict[str, Callable[[Sequence[Any]], list[str]]] = {
    "string": lambda texts: ["" if text is None else written(text) for text in texts],
    "Int64": lambda numbers: ["" if number is None else str(int(number)) for number in numbers],
    "float64": _floats,
    "boolean": lambda flags: ["" if flag is None else str(bool(flag)) for flag in flags],
}
"""Write the values of a column, by its type in pandas."""

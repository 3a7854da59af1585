"""The CSV file that has a row for every value, written piece by piece."""

from __future__ import annotations

import csv as plain_csv
import io
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from omnibench.report.contents import Contents
from omnibench.report.rows import COLUMN_TYPES, WIDTHS, Cells, blocks_of, cells_of

_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for the beginning of a formula, or leave out before one; the last four are the wide forms."""


def csv(contents: Contents) -> Iterator[bytes]:
    """Yield the rows as CSV; floats have as many digits as it takes to read back the same ones.

    A text that a spreadsheet would compute begins with an apostrophe, which spreadsheets hide; numbers are numbers.
    """
    yield f"{','.join(COLUMN_TYPES)}\n".encode()
    written = _WrittenCells()
    for block in blocks_of(cells_of(contents)):
        lines = (
            ",".join([cells.text or written.text_of(cells, number) for number, cells in enumerate(row)])
            for row in block
        )
        yield "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")


class _WrittenCells:
    """Writes cells as CSV does, those that several rows share once, and each of the texts that come often once."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._writer = plain_csv.writer(self._text, lineterminator="\n")
        written_text = lru_cache(maxsize=_TEXTS_AT_HAND)(self._written_text)
        writers: dict[str, Callable[[Any], str]] = {
            "string": written_text,
            "Int64": lambda value: str(int(value)),
            "float64": lambda value: repr(float(value)),
            "boolean": lambda value: str(bool(value)),
        }
        of_columns = [writers[column_type] for column_type in COLUMN_TYPES.values()]
        self._writers = [of_columns[start:end] for start, end in pairwise([0, *accumulate(WIDTHS)])]

    def text_of(self, cells: Cells, number: int) -> str:
        """Return the text of the cells in a part of a row, which stays with them.

        Args:
            cells: The cells.
            number: Which part it is.
        """
        cells.text = ",".join(
            [
                "" if value is None else write(value)
                for value, write in zip(cells.values, self._writers[number], strict=True)
            ]
        )
        return cells.text

    def _written_text(self, text: str) -> str:
        self._text.seek(0)
        self._text.truncate()
        self._writer.writerow([_uncomputed(text), None])  # alone, an empty one would be quoted
        return self._text.getvalue()[:-2]


def _uncomputed(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_BEGINNINGS) else text


_TEXTS_AT_HAND = 1024
"""Texts of which is kept how they are written: most columns have few."""

"""How a text file is laid out: its separator, quotation marks, encoding, and the names of its columns."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from omnibench.caller_warnings import warn_caller
from omnibench.data.files.quotes import QUOTE, Quotes, quotes_of
from omnibench.data.files.streams import UNIT_SEPARATOR, open_binary, open_utf8, single
from omnibench.errors import DataError

SEPARATORS = {"csv": ",", "tsv": "\t", "inter": "\t"}
"""The separators of formats that have one of their own."""

_FIRST_LINES = 8
"""Lines that tell how a file is laid out."""

_LONGEST_START = 1 << 20
"""Characters of a file that may be looked at for that."""

_FEWEST_ROWS = 2
"""Rows whose numbers may be names."""

ROW_NAMES = ""
"""The name of the column of row names that R's write.table writes without one."""


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How a text file is laid out.

    Attributes:
        path: The file.
        file_format: Its format: csv, tsv, inter, or text of another suffix.
        separator: What separates fields, e.g. ``::``.
        quote: What stands around fields; empty for nothing, None where only the whole file tells.
        encoding: As Python calls it.
        names: The columns' names, one per field.
        skipped_lines: The number of lines before the first interaction.
    """

    path: Path
    file_format: str
    separator: str
    quote: str | None
    encoding: str
    names: tuple[str, ...]
    skipped_lines: int

    def settled(self) -> tuple[TextLayout, Quotes]:
        """Return the layout with its quotation marks decided, for which the file is read, and what they are.

        In a TSV file they are quoting only where no field could stand without them, as pandas writes it.
        """
        with open_utf8(self.path, self.encoding, self.separator) as stream:
            quotes = (
                quotes_of(stream, single(self.separator)) if self.quote != "" else Quotes(False, True, False, False)
            )
        if self.quote is not None:
            return replace(self, quote=self.quote if quotes.present else ""), quotes
        is_quoting = quotes.present and quotes.well_formed and quotes.needed
        if quotes.present and quotes.well_formed and not is_quoting:
            warn_caller(
                f"{self.path.name}: quotation marks stand around whole fields, and are read as part of them, since a "
                f".{self.file_format} file has no quoting. If it has, say so: from_file(..., quote='\"')."
            )
        return replace(self, quote=QUOTE if is_quoting else ""), quotes


def first_lines(path: Path, encoding: str, number: int = _FIRST_LINES) -> list[str]:
    """Return the first lines of a file that are not empty, with their ends; long ones are cut."""
    with io.TextIOWrapper(open_binary(path), _sure_of_marks(encoding), newline="") as text:
        start = text.read(_LONGEST_START)
    return list(itertools.islice((line for line in io.StringIO(start, newline="") if line.strip("\r\n")), number))


def split_lines(
    lines: Iterable[str], separator: str, quote: str | None, *, strict: bool = False
) -> Iterator[list[str]]:
    """Split lines into fields; quoted fields may go over several lines.

    Args:
        lines: The lines.
        separator: What separates fields.
        quote: What stands around fields; nothing where it is empty or None.
        strict: Whether something behind a closing quotation mark, or none at all, is an error.
    """
    if len(separator) > 1:
        lines = (line.replace(separator, UNIT_SEPARATOR) for line in lines)
    if quote:
        return csv.reader(lines, delimiter=single(separator), quotechar=quote, strict=strict)
    return csv.reader(lines, delimiter=single(separator), quoting=csv.QUOTE_NONE)


def layout_of(
    path: Path,
    file_format: str,
    separator: str,
    names: Sequence[str | None] | None,
    header: bool | None,
    encoding: str,
    quote: str | None,
) -> TextLayout:
    """Return how a text file is laid out, of which only the first lines are read.

    Args:
        path: The file.
        file_format: Its format.
        separator: What separates fields.
        names: The names of its columns, None for those that do not count; None for those of the header.
        header: Whether its first line is a header; None for yes, unless names are given.
        encoding: As Python calls it.
        quote: What stands around fields; None for what is usual in its format.

    Raises:
        DataError: The file is empty, or names and fields do not fit.
    """
    text = first_lines(path, encoding)
    if not text:
        raise DataError(f"{path} is empty; give a file with a header and interactions.")
    if quote is None and (file_format == "csv" or all(_is_quoted(field) for field in _raw(text[0], separator))):
        quote = QUOTE  # R puts marks around all names
    rows = [row for row in split_lines(text, separator, quote) if row]
    has_header = names is None if header is None else header
    if names is not None and header is None and names_them(rows[0], names):
        raise DataError(
            f"{path.name}: its first line, {rows[0]}, looks like a header, but columns is a list, which is for a file without one. "
            "Leave columns out, or give a mapping from its names, e.g. columns={'userId': 'user'}; say header=False where the line "
            "is an interaction, and header=True where the list has other names for all columns."
        )
    skipped = _lines_before(path, encoding, quote) if has_header else 0
    width = len(rows[1] if has_header and names is not None and len(rows) > 1 else rows[0])
    if names is None:
        own = tuple(rows[0]) if has_header else tuple(f"column {number + 1}" for number in range(width))
        return TextLayout(path, file_format, separator, quote, encoding, with_row_names(own, rows[1:], path), skipped)
    if len(names) != width:
        example = ", ".join(map(repr, [*names, *[None] * width][:width]))
        raise DataError(
            f"{path.name}: columns lists {len(names)} names, but a line has {width} fields, e.g. {rows[-1]}. Give a name for each, "
            f"None for what is not used: columns=[{example}]."
        )
    own = tuple(f"column {number + 1}" if name is None else name for number, name in enumerate(names))
    return TextLayout(path, file_format, separator, quote, encoding, own, skipped)


def _sure_of_marks(encoding: str) -> str:
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _raw(line: str, separator: str) -> list[str]:
    return line.rstrip("\r\n").split(separator)


def _is_quoted(field: str) -> bool:
    return len(field) > 1 and field[0] == field[-1] == QUOTE


def names_them(row: Sequence[str], names: Sequence[str | None]) -> bool:
    """Whether a line has one of the columns' names in it, so that it is a header."""
    words = {name.lower() for name in names if name}
    return any(field.strip().lower() in words for field in row)


def _lines_before(path: Path, encoding: str, quote: str | None) -> int:
    """Return the number of lines up to the end of the header."""
    number = 0
    with io.TextIOWrapper(open_binary(path), _sure_of_marks(encoding), newline=None) as text:
        is_open = False
        for number, line in enumerate(text, start=1):  # noqa: B007 - it is what is returned
            is_open ^= bool(quote) and line.count(QUOTE) % 2 == 1
            if line.strip("\n") and not is_open:
                break
    return number


def with_row_names(names: tuple[str, ...], rows: Sequence[Sequence[str]], path: Path) -> tuple[str, ...]:
    """Return the names with one for R's row names, where every line begins with its number and has a field more than the header.

    Args:
        names: The names of a header.
        rows: The fields of the lines behind it.
        path: The file.
    """
    numbered = [row[0] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    is_wider = {len(row) for row in rows} == {len(names) + 1} and all(row[-1] for row in rows)
    if (
        len(rows) < _FEWEST_ROWS or not numbered or not is_wider
    ):  # other numbers may be users, of a header that lacks a name
        return names
    warn_caller(
        f"{path.name}: its header has {len(names)} names and its lines have {len(names) + 1} fields, as R's write.table writes "
        "them: the first field of a line is the name of its row, and is not used."
    )
    return (ROW_NAMES, *names)

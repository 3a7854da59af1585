"""The lines of a text file, one after the other: looked at only to name what is wrong in one of them."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from omnibench.data.files.layout import TextLayout, split_lines
from omnibench.data.files.misnamed import content_advice
from omnibench.data.files.streams import open_binary
from omnibench.errors import DataError

_LONGEST = 60
"""Characters of a line in an error."""


def line_of_row(layout: TextLayout, row: int) -> int:
    """Return the number of the line, from 1, in which an interaction begins.

    Args:
        layout: The file, with its quotation marks decided.
        row: The interaction's number, from 0.
    """
    for number, _ in itertools.islice(_records(layout), row, None):
        return number
    return layout.skipped_lines + row + 1


def refuse_flaws(layout: TextLayout) -> None:
    """Refuse a file with the first line that cannot be read as its layout says.

    Args:
        layout: The file, with its quotation marks decided.

    Raises:
        DataError: A line is in another encoding, has too few or too many fields, or a quotation mark that never closes.
    """
    width = len(layout.names)
    for number, fields in _records(layout):
        if len(fields) != width:
            raise DataError(_uneven(layout, number, fields))


def refuse_undecodable(path: Path, encoding: str, advice: str = "") -> None:
    """Refuse a file with the first line that is not in an encoding.

    Args:
        path: The file.
        encoding: As Python calls it.
        advice: What to do with text in another encoding; by default, say it to ``from_file``.

    Raises:
        DataError: There is such a line.
    """
    for _ in _lines(path, encoding, _Counter(), advice):
        pass


def _uneven(layout: TextLayout, number: int, fields: list[str]) -> str:
    width = len(layout.names)
    owner = "header" if layout.skipped_lines else "first line"
    text = _excerpt(layout.separator.join(fields))
    if not fields[-1] and len(fields) == width + 1:
        hint = "Add a separator to the header as well."
    elif len(fields) == width + 1 and number == layout.skipped_lines + 1:
        names = ", ".join(map(repr, [None, *layout.names]))
        hint = (
            f"If the first field names the row, as R writes it, say so: from_file(..., columns=[{names}], header=True)."
        )
    elif len(fields) > width:
        hint = "Mend the line, or put the field with the separator in it into quotation marks."
    else:
        hint = "Mend or drop the line; a file that ends within a line was not copied completely."
    return f"{layout.path}: line {number} has {len(fields)} fields where the {owner} has {width}: {text}. {hint}"


def _records(layout: TextLayout) -> Iterator[tuple[int, list[str]]]:
    """Return the interactions with the numbers of the lines in which they begin."""
    counter = _Counter()
    lines = _lines(layout.path, layout.encoding, counter)
    for _ in itertools.islice(lines, layout.skipped_lines):
        pass
    reader = split_lines(lines, layout.separator, layout.quote, strict=True)
    while True:
        begin = counter.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(_misquoted(layout, begin, counter.number, str(error))) from error
        if len(fields) > 1 or (fields and fields[0].strip()):
            yield begin, fields


class _Counter:
    """The number of the line that was read last."""

    number = 0


def _lines(path: Path, encoding: str, counter: _Counter, advice: str = "") -> Iterator[str]:
    if encoding.replace("_", "-").startswith(("utf-16", "utf-32")):  # whose lines do not end in a byte of their own
        with io.TextIOWrapper(open_binary(path), encoding, newline="") as text:
            for counter.number, line in enumerate(text, start=1):
                yield line
        return
    with open_binary(path) as stream:
        for counter.number, content in enumerate(_split(stream), start=1):
            try:
                line = content.decode(encoding)
            except UnicodeDecodeError as error:
                start = content[: error.start].decode(encoding, "replace")
                is_wide = counter.number == 1 and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                by_default = (
                    f"Say which encoding it has: from_file(..., encoding={'utf-16' if is_wide else 'latin-1'!r})."
                )
                raise DataError(
                    f"{path} cannot be read as {encoding}: line {counter.number} has the byte 0x{content[error.start]:02x} behind "
                    f"{_excerpt(start)}. {content_advice(path) or advice or by_default}"
                ) from error
            yield line.removeprefix("\ufeff") if counter.number == 1 else line


def _split(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Return the lines of a stream, which may end in a carriage return alone."""
    for content in stream:
        yield from content.splitlines(keepends=True) if b"\r" in content else (content,)


def _misquoted(layout: TextLayout, begin: int, end: int, reason: str) -> str:
    if "end of data" in reason:
        problem = f"line {begin} opens a quotation mark that never closes"
    elif "field limit" in reason:
        problem = f"line {begin} opens a quotation mark that closes far behind"
    else:
        lines = f"line {end}" if begin == end else f"lines {begin} to {end}"
        problem = f"{lines}: a field has something behind its closing quotation mark"
    return (
        f"{layout.path} cannot be read as .{layout.file_format}: {problem}. Double marks that are part of a quoted field, or "
        "say that there is no quoting: from_file(..., quote='')."
    )


def _excerpt(text: str) -> str:
    text = text.rstrip("\r\n")
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")

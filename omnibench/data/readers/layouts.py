"""How the lines of a table are laid out, and its stream as pyarrow's parser takes it."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

from omnibench.data.files.members import RawFile, open_member
from omnibench.data.files.quotes import QUOTE
from omnibench.data.files.streams import CHUNK, UNIT_SEPARATOR, RewrittenText
from omnibench.data.readers.collected import recoded, undecodable
from omnibench.data.readers.reader import Reader
from omnibench.errors import DataError

WHITESPACE = "whitespace"
"""The separator that stands for any number of blanks and tabs."""

_QUOTED = (",", ";")
"""Separators of formats whose fields may stand in quotation marks without a word."""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """How the lines of a table are laid out.

    Attributes:
        separator: What separates fields.
        quote: What stands around fields; empty for nothing.
        encoding: Of the text.
        comment: What a line begins with that is no data; empty for nothing.
        skipped_lines: How many first lines are no data.
        header: Whether the first line behind them has the names of the columns.
    """

    separator: str
    quote: str
    encoding: str
    comment: str
    skipped_lines: int
    header: bool

    @property
    def delimiter(self) -> str:
        """The single character that separates the fields of what ``prepared`` returns."""
        if self.separator == WHITESPACE:
            return "\t"
        return self.separator if len(self.separator) == 1 else UNIT_SEPARATOR

    def prepared(self, stream: BinaryIO) -> BinaryIO:
        """Return a stream in UTF-8 with one delimiter, whose comments are empty lines."""
        is_plain = codecs.lookup(self.encoding).name == "utf-8" and len(self.separator) == 1 and not self.comment
        if is_plain:
            return stream
        return cast("BinaryIO", io.BufferedReader(_Prepared(stream, self), CHUNK))

    def line(self, text: str) -> str:
        """Return a line, or several whole ones, with one delimiter, and without comments."""
        if self.comment:
            text = re.sub(rf"^{re.escape(self.comment)}.*", "", text, flags=re.MULTILINE)
        if self.separator == WHITESPACE:
            return re.sub(r"[ \t]+", "\t", re.sub(r"^[ \t]+|[ \t]+(?=\r?$)", "", text, flags=re.MULTILINE))
        if len(self.separator) > 1:
            if UNIT_SEPARATOR in text:
                raise DataError(
                    f"it holds the character {UNIT_SEPARATOR!r}, which stands for the separator {self.separator!r} while it is read"
                )
            return text.replace(self.separator, UNIT_SEPARATOR)
        return text

    def fields(self, lines: Iterator[str], *, strict: bool = False) -> Iterator[list[str]]:
        """Split lines into fields; strictly, an error where a quotation mark never closes."""
        if self.quote:
            return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=strict)
        return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)


def layout_of(reader: Reader) -> TableLayout:
    """Return how a reader's table is laid out."""
    options = reader.options
    separator = options.get("separator", ",")
    return TableLayout(
        separator,
        options.get("quote", QUOTE if separator in _QUOTED else ""),
        options.get("encoding", "utf-8"),
        options.get("comment", ""),
        options.get("skipped_lines", 0),
        options.get("header", not isinstance(reader.columns, tuple)),
    )


def records(file: RawFile, layout: TableLayout, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of all lines that have some, header included, with the numbers of the lines in which they begin.

    It is slow, and for naming what is wrong in one of them.

    Args:
        file: The file.
        layout: How it is laid out.
        strict: Whether a quotation mark that never closes is an error.

    Raises:
        DataError: A line is not in the encoding, or not well quoted.
    """
    with open_member(file) as stream:
        counter = _Counter()
        content, encoding = recoded(stream, layout.encoding)
        lines = _lines(content, file, replace(layout, encoding=encoding), counter)
        reader = layout.fields(lines, strict=strict)
        while True:
            begin = counter.number + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                problem = (
                    "opens a quotation mark that never closes" if counter.ended else f"is not well quoted ({error})"
                )
                raise DataError(
                    f"{file.label}, line {begin} {problem}. Double marks that are part of a quoted field, or say that there is no "
                    "quoting: quote=''."
                ) from error
            if counter.number > layout.skipped_lines and (len(fields) > 1 or (fields and fields[0].strip())):
                yield begin, fields


class _Counter:
    """The number of the line that was read last, and whether there are no more."""

    number = 0
    ended = False


def _lines(stream: Any, file: RawFile, layout: TableLayout, counter: _Counter) -> Iterator[str]:
    for counter.number, content in enumerate(stream, start=1):
        try:
            line = content.decode(layout.encoding)
        except UnicodeDecodeError as error:
            raise DataError(undecodable(file, counter.number, content, layout.encoding, error)) from error
        yield layout.line(line.removeprefix("\ufeff") if counter.number == 1 else line)
    counter.ended = True


class MarkCounter(io.RawIOBase):
    """A stream whose quotation marks are counted: an odd number of them may be one that never closes."""

    def __init__(self, stream: BinaryIO, mark: str) -> None:
        self._stream = stream
        self._mark = mark.encode()
        self.marks = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        self.marks += content.count(self._mark)
        buffer[: len(content)] = content
        return len(content)


class _Prepared(RewrittenText):
    """A stream as its layout rewrites it."""

    def __init__(self, stream: BinaryIO, layout: TableLayout) -> None:
        super().__init__(stream, layout.encoding)
        self._layout = layout

    def _rewritten(self, text: str) -> str:
        """Return whole lines, the rest of the file at its end."""
        end = len(text) if self._ended else text.rfind("\n") + 1
        self._pending = text[end:]
        return self._layout.line(text[:end])

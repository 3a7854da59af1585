"""MIND's behaviours: a line an impression, with the history of its user and the articles that were shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from omnibench.data.files.members import RawFile
from omnibench.data.readers.collected import collected, excerpt, numbered_lines
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError

_FIELDS = ("impression", "user", "time", "history", "impressions")


def read_behaviours(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield what was shown, with the rating 1 where it was clicked and 0 where not, or the histories, which have no times.

    A history stands in each impression of its user, and is read as often.

    Raises:
        DataError: A line has other fields, or an article that was shown has neither -0 nor -1 behind it.
    """
    lines = _fields(stream, file)
    if reader.options.get("use") == "history":
        rows: Iterator[tuple[int, tuple[Any, ...]]] = (
            (number, (fields[1], item)) for number, fields in lines for item in fields[3].split()
        )
        yield from collected(rows, ("user", "item"), (), file)
    else:
        yield from collected(_impressions(lines, file), ("user", "timestamp", "item", "rating"), (), file)


def _fields(stream: BinaryIO, file: RawFile) -> Iterator[tuple[int, list[str]]]:
    for number, line in numbered_lines(stream, "utf-8", file):
        fields = line.split("\t")
        if len(fields) != len(_FIELDS):
            raise DataError(
                f"{file.label}, line {number} has {len(fields)} fields where MIND's behaviours have {len(_FIELDS)} "
                f"({', '.join(_FIELDS)}, with tabs between): {excerpt(line)}. Mend or drop the line."
            )
        yield number, fields


def _impressions(lines: Iterator[tuple[int, list[str]]], file: RawFile) -> Iterator[tuple[int, tuple[Any, ...]]]:
    for number, fields in lines:
        for impression in fields[4].split():
            item, _, click = impression.rpartition("-")
            if click not in ("0", "1") or not item:
                raise DataError(
                    f"{file.label}, line {number}: {impression!r} does not say whether it was clicked, as 'N55528-1' and 'N19639-0' "
                    "do. The test part of MIND does not; its histories are read with use='history'."
                )
            yield number, (fields[1], fields[2], item, int(click))

"""Values that a reader finds one by one, collected into batches of columns."""

from __future__ import annotations

import codecs
import io
import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from omnibench.data.files.members import RawFile
from omnibench.data.files.text import IDS
from omnibench.data.readers.rows import BATCH, Batch
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_CHUNK = 1 << 25
"""Bytes of lines that are parsed at once."""

_LONGEST = 60
"""Characters of a value or line in an error."""


def collected(
    rows: Iterable[tuple[int, tuple[Any, ...]]], names: tuple[str, ...], filters: tuple[str, ...], file: RawFile
) -> Iterator[Batch]:
    """Yield batches of rows.

    Args:
        rows: Of each row the number of its line, and its values: those of the columns, then those of the filters.
        names: The names of the columns.
        filters: The file's names of the columns that tell which rows are kept.
        file: The file, for errors.
    """
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, BATCH)):
        lines, values = zip(*batch, strict=True)
        by_column = list(zip(*values, strict=True))
        columns = {
            name: column_array(by_column[number], name, file, lines) for number, name in enumerate((*names, *filters))
        }
        yield Batch(
            {name: columns[name] for name in names},
            {name: columns[name] for name in filters},
            LineNames(np.array(lines, dtype=np.int64)),
        )


class LineNames:
    """What errors call rows: the lines that they stand in.

    Args:
        lines: The number of each row's line, from 1.
    """

    def __init__(self, lines: npt.NDArray[np.int64]) -> None:
        self._lines = lines

    def __call__(self, row: int) -> str:
        return f"line {int(self._lines[row])}"


def column_array(values: tuple[Any, ...], name: str, file: RawFile, lines: tuple[int, ...]) -> Any:
    """Return values as a pyarrow array: of integers, numbers or truth values where all are, else of texts.

    Raises:
        DataError: A value is a list or a mapping.
    """
    import pyarrow as pa

    types = set(map(type, values)) - {type(None)}
    if types == {int}:
        try:
            return pa.array(values, pa.int64())
        except (OverflowError, pa.ArrowInvalid):
            pass  # wider than 64 bits: texts
    if types == {str}:
        array = pa.array(values, pa.string())
    elif types == {bool}:
        return pa.array(values, pa.bool_()) if name not in IDS else pa.array(values, pa.bool_()).cast(pa.string())
    elif types and types <= {int, float} and name not in IDS:
        return pa.array(values, pa.float64())
    else:
        if name in IDS:
            _refuse_collisions(values, name, file, lines)
        array = pa.array(
            [_text(value, name, file, line) for value, line in zip(values, lines, strict=True)], pa.string()
        )
    return without_empty(array) if name in IDS else array


def _refuse_collisions(values: tuple[Any, ...], name: str, file: RawFile, lines: tuple[int, ...]) -> None:
    """Refuse numbers and texts that would become one id: all are texts where not all are numbers.

    Raises:
        DataError: There are such.
    """
    first_texts = {value: line for value, line in zip(values[::-1], lines[::-1], strict=True) if isinstance(value, str)}
    for value, line in zip(values, lines, strict=True):
        text = str(value)
        if isinstance(value, int) and text in first_texts:
            raise DataError(
                f"{file.label}: {name} is the number {value} in line {line}, and the text {text!r} in line {first_texts[text]}; nobody "
                f"knows whether that is one {name} or two. Write all as texts, or all as numbers."
            )


def without_empty(array: Any) -> Any:
    """Return texts with null for empty ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_empty = pc.equal(array, "")
    return pc.if_else(is_empty, pa.scalar(None, pa.string()), array) if pc.any(is_empty).as_py() else array


def _text(value: Any, name: str, file: RawFile, line: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    hint = "Mend the line."
    if isinstance(value, list):
        hint = "nested='...' names a list that holds the interactions."
    elif isinstance(value, dict):  # as pandas writes a frame by default
        hint = "Where it holds a whole column, read it with pandas and use from_frame."
    raise DataError(f"{file.label}, line {line}: {name!r} is {excerpt(value)}, no single value. {hint}")


def excerpt(value: Any) -> str:
    """Return a value or a line as an error shows it."""
    text = repr(value.rstrip("\r\n") if isinstance(value, str) else value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


class ChunkLines:
    """What errors call the rows of a chunk of a text, a line each.

    Args:
        chunk: Whole lines.
        first_line: The number of the first.
    """

    def __init__(self, chunk: bytes, first_line: int) -> None:
        self._chunk = chunk
        self._first_line = first_line

    def __call__(self, row: int) -> str:
        numbers = (number for number, line in self._numbered() if line.strip())
        return f"line {next(itertools.islice(numbers, row, None))}"

    def count(self) -> int:
        """Return the number of lines that are not empty."""
        return sum(1 for _, line in self._numbered() if not line.isspace())

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        return enumerate(io.BytesIO(self._chunk), start=self._first_line)


def chunks(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield chunks of whole lines, with the number of the first line of each."""
    rest, line = b"", 1
    while content := stream.read(_CHUNK):
        content = rest + content
        end = content.rfind(b"\n") + 1
        rest = content[end:]
        if end:
            yield line, content[:end]
            line += content.count(b"\n", 0, end)
    if rest:
        yield line, rest


def recoded(stream: BinaryIO, encoding: str) -> tuple[BinaryIO, str]:
    """Return a stream whose lines end in a byte of their own, and its encoding: one in UTF-16 becomes one in UTF-8."""
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return io.BytesIO(stream.read().decode(encoding).encode()), "utf-8"
    return stream, encoding


def numbered_lines(stream: Any, encoding: str, file: RawFile, first_line: int = 1) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text that are not empty, with their numbers, and without their ends.

    Args:
        stream: The text.
        encoding: Its encoding.
        file: The file, for errors.
        first_line: The number of its first line.

    Raises:
        DataError: A line is not in this encoding.
    """
    codec = encoding or "utf-8"
    for number, content in enumerate(stream, start=first_line):
        try:
            line = content.decode(codec)
        except UnicodeDecodeError as error:
            raise DataError(undecodable(file, number, content, codec, error)) from error
        if number == 1:
            line = line.removeprefix("\ufeff")
        line = line.rstrip("\r\n")
        if line.strip():
            yield number, line


def undecodable(file: RawFile, line: int, content: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    """Return what to say of a line that is not in an encoding."""
    start = content[: error.start].decode(encoding, "replace")[-_LONGEST:]
    return (
        f"{file.label}, line {line} cannot be read as {encoding}: it has the byte 0x{content[error.start]:02x} behind {start!r}. "
        "Say which encoding it has: encoding='latin-1'."
    )

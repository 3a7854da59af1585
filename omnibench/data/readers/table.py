"""Tables: an interaction a line, its fields separated."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from omnibench.caller_warnings import warn_caller
from omnibench.data.files.members import RawFile
from omnibench.data.readers.collected import excerpt
from omnibench.data.readers.layouts import MarkCounter, TableLayout, layout_of, records
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError, nearest

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_BLOCK = 1 << 24
"""Bytes that are parsed at once; no line may be longer."""

_TOLERATED_SHARE = 0.01
"""Lines of other fields among those that are read, of a file that is still what it should be."""


class _Positions(NamedTuple):
    """Where columns stand.

    Attributes:
        width: How many fields a line has.
        columns: The positions by the names that the reader's columns have.
        filters: Those of the columns that tell which rows are kept, by their own names.
    """

    width: int
    columns: Mapping[str, int]
    filters: Mapping[str, int]


def read_table(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield the rows of a table.

    Raises:
        DataError: There is no such column, or a line does not fit.
    """
    layout = layout_of(reader)
    try:
        yield from _read(reader, layout, stream, file)
    except UnicodeDecodeError as error:
        _refuse_flaws(file, layout, 0)
        raise DataError(f"{file.label} cannot be read as {layout.encoding}: {error}") from error


def _read(reader: Reader, layout: TableLayout, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    import pyarrow as pa

    prepared = layout.prepared(stream)
    for _ in range(layout.skipped_lines):
        prepared.readline()
    header = _header(layout, prepared) if layout.header else None
    if layout.header and header is None:
        return  # an empty file among several, as Globo has them
    positions = _positions(reader, header, file)
    counter = MarkCounter(prepared, layout.quote) if layout.quote else None
    uneven = _UnevenLines(is_tolerated=reader.is_tolerant)
    start = 0
    try:
        for block in _blocks(layout, positions, counter or prepared, uneven):
            batch = Batch(
                {name: block.column(str(position)) for name, position in positions.columns.items()},
                {name: block.column(str(position)) for name, position in positions.filters.items()},
                _LineOfRow(file, layout, start, positions.width),
            )
            start += block.num_rows
            yield _exploded(batch, reader.options.get("item_separator", ""))
    except pa.ArrowInvalid as error:
        _refuse_flaws(file, layout, positions.width)
        raise DataError(f"{file.label} cannot be read as a table: {error}") from error
    if uneven.count:
        _warn_of_uneven_lines(file, layout, positions.width, start)
    if counter is not None and counter.marks % 2:
        for _ in records(file, layout, strict=True):
            pass


def _header(layout: TableLayout, prepared: BinaryIO) -> list[str] | None:
    """Return the names of the columns; None for an empty file."""
    for content in iter(prepared.readline, b""):
        line = content.decode("utf-8").removeprefix("\ufeff")
        if line.strip():
            return next(layout.fields(iter([line])))
    return None


def _positions(reader: Reader, header: list[str] | None, file: RawFile) -> _Positions:
    columns, filters = reader.columns, [str(name) for name in reader.options.get("keep", {})]
    if header is not None and isinstance(columns, Mapping):
        for name in (*columns, *filters):
            if name not in header:
                raise DataError(
                    f"{file.label} has no column {name!r}{nearest(name, header)}. Its header is {header}; name its columns, or "
                    "say which separator it has."
                )
        named = {target: header.index(name) for name, target in columns.items()}
        return _Positions(len(header), named, {name: header.index(name) for name in filters})
    listed = tuple(columns)
    numbered: dict[str, int] = {}
    for name in filters:
        if not name.isdecimal() or not 1 <= int(name) <= len(listed):
            raise DataError(
                f"{file.label}: keep names the column {name!r}, but columns have no names there; give its number from 1 to "
                f"{len(listed)}."
            )
        numbered[name] = int(name) - 1
    return _Positions(len(listed), {name: number for number, name in enumerate(listed) if name}, numbered)


def _blocks(layout: TableLayout, positions: _Positions, prepared: Any, uneven: _UnevenLines) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv

    used = sorted({*positions.columns.values(), *positions.filters.values()})
    try:
        blocks = csv.open_csv(
            prepared,
            csv.ReadOptions(column_names=[str(number) for number in range(positions.width)], block_size=_BLOCK),
            csv.ParseOptions(
                delimiter=layout.delimiter,
                quote_char=layout.quote or False,
                newlines_in_values=bool(layout.quote),
                invalid_row_handler=uneven.handle,
            ),
            csv.ConvertOptions(
                column_types={str(number): pa.string() for number in used},
                include_columns=[str(number) for number in used],
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return
        raise
    yield from blocks


class _UnevenLines:
    """Lines with other fields than they should have, which are left out where they are tolerated."""

    def __init__(self, *, is_tolerated: bool) -> None:
        self._is_tolerated = is_tolerated
        self.count = 0

    def handle(self, row: Any) -> str:
        """Return what pyarrow's parser does with a line."""
        if not row.text.strip():
            return "skip"
        self.count += 1
        return "skip" if self._is_tolerated else "error"


class _LineOfRow:
    """What errors call the rows of a block, for which the file is read again."""

    def __init__(self, file: RawFile, layout: TableLayout, start: int, width: int) -> None:
        self._file, self._layout, self._start, self._width = file, layout, start, width

    def __call__(self, row: int) -> str:
        number = self._start + row + self._layout.header
        even = (line for line, fields in records(self._file, self._layout) if len(fields) == self._width)
        line = next(itertools.islice(even, number, None), 0)
        return f"line {line}" if line else f"row {self._start + row}"


def _exploded(batch: Batch, separator: str) -> Batch:
    """Return a batch whose lines have one item each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not separator:
        return batch
    lists = pc.split_pattern(batch.columns["item"], pattern=separator)
    items, lines = pc.list_flatten(lists), pc.list_parent_indices(lists)
    is_item = pc.not_equal(items, "")
    items, lines = items.filter(is_item), lines.filter(is_item)
    numbers, named = np.asarray(lines), batch.named
    columns = {name: items if name == "item" else array.take(lines) for name, array in batch.columns.items()}
    filters = {name: pa.array(array).take(lines) for name, array in batch.filters.items()}
    return Batch(columns, filters, lambda row: named(int(numbers[row])))


def _warn_of_uneven_lines(file: RawFile, layout: TableLayout, width: int, rows: int) -> None:
    """Warn of lines that were left out; refuse a file with many of them, or one whose last line is cut off."""
    lines = [(line, fields) for line, fields in _with_last(records(file, layout), width)]
    uneven = [(line, fields) for line, fields in lines if len(fields) != width]
    if not uneven or len(uneven) > max(rows, 1) * _TOLERATED_SHARE or uneven[-1] == lines[-1]:
        _refuse_flaws(file, layout, width)
    line, fields = uneven[0]
    warn_caller(
        f"{file.label}: {len(uneven):,} lines do not have the {width} fields of the others, and are left out; the first is line {line}: "
        f"{excerpt(' '.join(fields))}."
    )


def _with_last(lines: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of other fields, and the last line."""
    last = None
    for last in lines:
        if len(last[1]) != width:
            yield last
    if last is not None and len(last[1]) == width:
        yield last


def _refuse_flaws(file: RawFile, layout: TableLayout, width: int) -> None:
    """Refuse a table with the first line that does not have as many fields as it should.

    Raises:
        DataError: There is such a line, or one that is not in the encoding.
    """
    for line, fields in records(file, layout):
        if width and len(fields) != width:
            if layout.quote and any("\n" in field for field in fields):
                for _ in records(file, layout, strict=True):  # a mark that never closes has taken lines that are right
                    pass
            owner = "the header" if layout.header else "columns"
            raise DataError(
                f"{file.label}, line {line} has {len(fields)} fields where {owner} has {width}: "
                f"{excerpt(layout.separator.join(fields) if layout.separator != 'whitespace' else ' '.join(fields))}. Mend or "
                "drop the line; or the table has another separator, other columns or quotation marks."
            )

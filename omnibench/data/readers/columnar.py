"""Columns of Parquet and of Arrow's formats, whose values are converted as those of other raw files are."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from omnibench.data.files.arrow import arrow_batches
from omnibench.data.files.members import RawFile
from omnibench.data.files.text import IDS
from omnibench.data.numbers import row_name
from omnibench.data.readers.collected import without_empty
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import BATCH, Batch
from omnibench.errors import DataError, nearest


def read_parquet_rows(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield the rows of a Parquet file.

    Raises:
        DataError: There is no such column.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(_seekable(stream), pre_buffer=False) as parquet:
        names = _names(reader, parquet.schema_arrow.names, file)
        yield from _batches(reader, parquet.iter_batches(BATCH, columns=names, use_threads=False), file)


def read_arrow_rows(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield the rows of a file in Arrow's own format.

    Raises:
        DataError: There is no such column.
    """
    batches = arrow_batches(_seekable(stream))
    _names(reader, batches.schema.names, file)
    yield from _batches(reader, batches, file)


def _seekable(stream: BinaryIO) -> BinaryIO:
    return stream if stream.seekable() else io.BytesIO(stream.read())


def _names(reader: Reader, own: list[str], file: RawFile) -> list[str]:
    columns: Mapping[str, str] = reader.columns if isinstance(reader.columns, Mapping) else {}
    names = list(dict.fromkeys([*columns, *map(str, reader.options.get("keep", {}))]))
    for name in names:
        if name not in own:
            raise DataError(f"{file.label} has no column {name!r}{nearest(name, own) or '.'} It has {own}.")
    return names


def _batches(reader: Reader, batches: Any, file: RawFile) -> Iterator[Batch]:
    columns: Mapping[str, str] = reader.columns if isinstance(reader.columns, Mapping) else {}
    filters = [str(name) for name in reader.options.get("keep", {})]
    start = 0
    for batch in batches:
        yield Batch(
            {role: _checked_ids(_plain(batch.column(name)), role, name, file) for name, role in columns.items()},
            {name: _plain(batch.column(name)) for name in filters},
            _RowNames(start),
        )
        start += batch.num_rows


def _plain(array: Any) -> Any:
    """Return an array as readers of text have it: without dictionaries, with integers of 64 bits."""
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    if pa.types.is_integer(array.type):
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:  # unsigned, and larger than that
            return array.cast(pa.string())
    return array


def _checked_ids(array: Any, role: str, name: str, file: RawFile) -> Any:
    """Return an array whose ids are integers or texts.

    Raises:
        DataError: They are something else, e.g. numbers with fractions.
    """
    import pyarrow as pa

    if role not in IDS or pa.types.is_null(array.type) or pa.types.is_integer(array.type):
        return array
    if not pa.types.is_string(array.type):
        raise DataError(
            f"{file.label}: the column {name!r} has ids of the type {array.type}, e.g. {array[0].as_py()!r}; ids are integers or texts. "
            f"Say which other column holds the {role}, or convert it: read the file with pandas, and use from_frame."
        )
    return without_empty(array)


class _RowNames:
    """What errors call the rows of a batch."""

    def __init__(self, start: int) -> None:
        self._start = start

    def __call__(self, row: int) -> str:
        return row_name(self._start + row)

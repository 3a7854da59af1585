"""The Parquet file that has a row for every value, written piece by piece, without pandas: importing it takes 50 MB."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from omnibench.report.contents import Contents
from omnibench.report.number_columns import NumberColumn
from omnibench.report.parts import Part
from omnibench.report.rows import COLUMN_TYPES, WIDTHS, blocks_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    from _typeshed import ReadableBuffer
else:
    from omnibench.lazy import np

_DTYPES = {"Int64": "<i8", "float64": "<f8"}
"""The columns of numbers, by their types in pandas, as numpy has them."""

_PANDAS_TYPES = {"string": "object", "Int64": "int64", "float64": "float64", "boolean": "bool"}
"""What pandas calls the types of columns in the metadata that it reads."""


def parquet(contents: Contents) -> Iterator[bytes]:
    """Yield the rows as Parquet; pandas reads columns of the types that ``frames.frame`` has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    parts = _Parts()
    with pq.ParquetWriter(parts, schema) as writer:
        for parts_of_rows in blocks_of(contents):
            arrays: list[pa.Array] = []
            for part, (start, end) in zip(parts_of_rows, pairwise([0, *accumulate(WIDTHS)]), strict=True):
                arrays += _columns(part, list(COLUMN_TYPES.values())[start:end])
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield parts.new_bytes()
    yield parts.new_bytes()


def _schema() -> pa.Schema:
    """Return the schema of the file, with what pandas wants to know of it."""
    import pyarrow as pa

    columns = [
        {
            "name": name,
            "field_name": name,
            "pandas_type": _PANDAS_TYPES[column_type],
            "numpy_type": column_type,
            "metadata": None,
        }
        for name, column_type in COLUMN_TYPES.items()
    ]
    described = {
        "index_columns": [],
        "column_indexes": [],
        "columns": columns,
        "attributes": {},
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": version("pandas"),
    }
    fields = [pa.field(name, _arrow_type(column_type)) for name, column_type in COLUMN_TYPES.items()]
    return pa.schema(fields, metadata={"pandas": json.dumps(described)})


def _arrow_type(column_type: str) -> pa.DataType:
    import pyarrow as pa

    types = {"string": pa.large_string(), "Int64": pa.int64(), "float64": pa.float64(), "boolean": pa.bool_()}
    return types[column_type]


def _columns(part: Part, column_types: Sequence[str]) -> list[pa.Array]:
    """Return the columns of a part of the rows; cells that several rows share are converted once.

    Args:
        part: This part of each row.
        column_types: The types of its columns in pandas.
    """
    import pyarrow as pa

    columns = part.columns
    if len(columns[0]) == 1 and not any(cells[0] is not None for cells in columns):  # as of what no search has chosen
        return [pa.nulls(len(part.positions), _arrow_type(column_type)) for column_type in column_types]
    arrays = [_array(values, column_type) for values, column_type in zip(columns, column_types, strict=True)]
    positions = np.array(part.positions, "<i8")
    if np.array_equal(positions, np.arange(len(columns[0]))):
        return arrays
    rows = pa.Array.from_buffers(pa.int64(), len(positions), [None, pa.py_buffer(positions)])
    return [array.take(rows) for array in arrays]


def _array(values: Sequence[Any], column_type: str) -> pa.Array:
    """Return values as Arrow has them, null where they are None; Arrow's own conversion would import pandas.

    Args:
        values: The values.
        column_type: Their type in pandas.
    """
    import pyarrow as pa

    if isinstance(values, NumberColumn):
        is_missing = values.is_missing
        numbers = np.where(is_missing, 0, values.numbers).astype(_DTYPES[column_type])
        buffers = [_bits(~is_missing) if is_missing.any() else None, pa.py_buffer(numbers)]
        return pa.Array.from_buffers(_arrow_type(column_type), len(values), buffers)
    is_whole = None not in values
    validity = None if is_whole else _bits([value is not None for value in values])
    if column_type == "string" and is_whole and (joined := "".join(values)).isascii():
        ends = np.cumsum([0, *map(len, values)], dtype="<i8")
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(joined.encode())]
    elif column_type == "string":
        contents = [b"" if value is None else value.encode(errors="backslashreplace") for value in values]
        ends = np.cumsum([0, *map(len, contents)], dtype="<i8")
        buffers = [validity, pa.py_buffer(ends), pa.py_buffer(b"".join(contents))]
    elif column_type == "boolean":
        buffers = [validity, _bits([bool(value) for value in values])]
    else:
        numbers = np.array([0 if value is None else value for value in values], _DTYPES[column_type])
        buffers = [validity, pa.py_buffer(numbers)]
    return pa.Array.from_buffers(_arrow_type(column_type), len(values), buffers)


def _bits(flags: Sequence[bool] | npt.NDArray[np.bool_]) -> pa.Buffer:
    import pyarrow as pa

    return pa.py_buffer(np.packbits(np.array(flags, bool), bitorder="little"))


class _Parts(io.RawIOBase):
    """A file of which what was written is taken away piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def tell(self) -> int:
        """Return how much was written."""
        return self._position

    def write(self, data: ReadableBuffer, /) -> int:
        """Keep some bytes until they are asked for."""
        self._parts.append(bytes(data))
        self._position += len(self._parts[-1])
        return len(self._parts[-1])

    def new_bytes(self) -> bytes:
        """Return what was written since this was asked for last."""
        content = b"".join(self._parts)
        self._parts.clear()
        return content

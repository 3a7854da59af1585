"""Tables of values per user as everybody reads them who goes by their footer: for tables that somebody else has written.

``per_user`` reads at the offsets that records have. A table may show other numbers to a Parquet library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnibench.errors import StoreError
from omnibench.store.parquet_footers import codecs

if TYPE_CHECKING:
    import numpy.typing as npt

_BYTES = {"INT32": 4, "DOUBLE": 8}
"""The types of columns, with the bytes of a number."""

_ENCODINGS = {"PLAIN", "RLE"}

_UNCOMPRESSED = 0
"""The codec of what is not compressed."""


def read_table(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of a table by name, each of shape (rows,).

    Args:
        content: The table, as ``per_user.write_per_user`` writes it.

    Raises:
        StoreError: It is none, or compressed, or has nulls, dictionaries, or other types. That is seen before any of it is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Of codecs before anything else: pyarrow ends the process where it is asked for one that it does not know.
        is_plain = codecs(content) <= {_UNCOMPRESSED}
        if not is_plain or not _is_plain(pq.read_metadata(pa.BufferReader(content)), len(content)):
            raise StoreError("its values per user are a table of another form than omnibench writes")
        table = pq.read_table(pa.BufferReader(content), use_threads=False)
        return {name: table.column(name).to_numpy() for name in table.column_names}
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise StoreError(f"its values per user are no table ({str(error)[:100]})") from error


def _is_plain(metadata: Any, size: int) -> bool:
    """Whether a table has columns of plain numbers alone, and no more of them than fit into its bytes."""
    columns = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    names = {column.name for column in columns}
    if len(names) != len(columns) or any(
        column.physical_type not in _BYTES or column.max_definition_level or column.max_repetition_level
        for column in columns
    ):
        return False
    chunks = [
        metadata.row_group(group).column(number)
        for group in range(metadata.num_row_groups)
        for number in range(len(columns))
    ]
    return metadata.num_rows * sum(_BYTES[column.physical_type] for column in columns) <= size and all(
        not chunk.has_dictionary_page and set(chunk.encodings) <= _ENCODINGS for chunk in chunks
    )

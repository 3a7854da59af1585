"""Columns of Arrow's own files: Feather, and the IPC format as a file or as a stream."""

from __future__ import annotations

import warnings
from typing import IO, TYPE_CHECKING, Any

from omnibench.data.files.streams import open_seekable
from omnibench.data.frames import pandas_frame

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

ARROW_FORMATS = ("feather", "arrow", "arrows", "ipc")
"""The suffixes of such files."""

_FILE, _FEATHER_1 = b"ARROW1", b"FEA1"
"""What a file begins with; a stream begins with the size of its schema."""


def arrow_names(path: Path) -> list[str]:
    """Return the names of the columns."""
    with open_seekable(path) as file:
        return list(arrow_batches(file).schema.names)


def read_arrow(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read some columns."""
    with open_seekable(path) as file:
        names = arrow_names(path)
        return pandas_frame(arrow_batches(file, [names.index(name) for name in columns]).read_all(), str(path))


def row_number(file: IO[bytes]) -> int:
    """Return the number of rows of an open file, of which one column is read."""
    return int(arrow_batches(file, [0]).read_all().num_rows)


def arrow_batches(file: IO[bytes], positions: list[int] | None = None) -> Any:
    """Return what reads an open file batch by batch, a pyarrow RecordBatchReader.

    Args:
        file: The file, which its reader goes back and forth in.
        positions: Where the columns stand that are read; None for all.
    """
    import pyarrow as pa
    from pyarrow import feather, ipc

    start = file.read(len(_FILE))
    file.seek(0)
    if start.startswith(_FEATHER_1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # which is for who writes such a file
            table = feather.read_table(file)
        return (table if positions is None else table.select(positions)).to_reader()
    options = ipc.IpcReadOptions(included_fields=positions or [])
    if start != _FILE:
        return ipc.open_stream(file, options=options)
    reader = ipc.open_file(file, options=options)
    batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    return pa.RecordBatchReader.from_batches(reader.schema, batches)

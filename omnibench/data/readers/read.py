"""Raw files of any format as columns of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from omnibench.data.files.archives import BROKEN_MEMBERS
from omnibench.data.files.members import OpenArchives, RawFile, unreadable_member
from omnibench.data.files.text import IDS
from omnibench.data.readers.adjacency import read_adjacency
from omnibench.data.readers.arrays import read_hdf5, read_npz
from omnibench.data.readers.behaviours import read_behaviours
from omnibench.data.readers.blocks import read_blocks
from omnibench.data.readers.columnar import read_arrow_rows, read_parquet_rows
from omnibench.data.readers.conversions import rating_column, time_column
from omnibench.data.readers.gaps import Filters, Gaps
from omnibench.data.readers.idomaar import read_idomaar
from omnibench.data.readers.matrix import read_matrix
from omnibench.data.readers.netflix import read_netflix
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.records import read_json, read_python
from omnibench.data.readers.rows import Assembly, Batch, Converted, RawRows
from omnibench.data.readers.table import read_table
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

VERSION = 1
"""To be raised when the same raw files come to other rows, so that what was read before is not used any more."""

_CHECKED_BYTES = 1 << 26
"""Bytes of rows from one look at the memory that is left to the next."""

FormatReader = Callable[[Reader, BinaryIO, RawFile], Iterator[Batch]]

FORMATS: Mapping[str, FormatReader] = {
    "table": read_table,
    "json": read_json,
    "python": read_python,
    "blocks": read_blocks,
    "adjacency": read_adjacency,
    "matrix": read_matrix,
    "netflix": read_netflix,
    "behaviours": read_behaviours,
    "hdf5": read_hdf5,
    "npz": read_npz,
    "idomaar": read_idomaar,
    "parquet": read_parquet_rows,
    "feather": read_arrow_rows,
}


def read_rows(reader: Reader, files: Sequence[RawFile], *, strict: bool = False) -> RawRows:
    """Read the interactions of raw files, one after the other.

    Ids are texts, unless all of a column's are integers as they are usually written. Rows without a user, an item or a time,
    and rows without a rating where there is a column of ratings, are left out and counted, and so are the few lines of a table
    that do not have the fields of the others.

    Args:
        reader: Their format, the columns that are used, and its options.
        files: The files, as ``members`` returns them.
        strict: Whether a row that lacks a value is an error, unless the reader's ``missing`` has an empty text, and a line of
            other fields as well.

    Raises:
        DataError: A file cannot be read as the reader says; the message has file, line, value and what to do.
    """
    codes = reader.options.get("missing", ())
    gaps = Gaps(codes, is_lenient=not strict or "" in codes)
    filters = Filters(reader.options.get("keep", {}))
    assembly = Assembly()
    checked_size = 0
    for file, batch in batches(replace(reader, is_tolerant=not strict), files):
        assembly.add(_converted(reader, file, filters.keep(batch), gaps))
        if assembly.size > checked_size + _CHECKED_BYTES:
            assembly.require_memory(file.label)
            checked_size = assembly.size
    label = files[0].label if len(files) == 1 else f"{files[0].label} and {len(files) - 1} more"
    if assembly.rows == 0:
        raise DataError(f"{label} has no interactions.{filters.advice}{gaps.advice(assembly.left_out)}")
    gaps.warn(label, assembly.rows)
    return assembly.result()


def batches(reader: Reader, files: Sequence[RawFile]) -> Iterator[tuple[RawFile, Batch]]:
    """Yield the rows of raw files as they stand in them.

    Args:
        reader: Their format, the columns that are used, and its options.
        files: The files.

    Raises:
        DataError: A file cannot be read.
    """
    with OpenArchives() as archives:
        for file in files:
            with archives.open(file) as stream:
                try:
                    for batch in FORMATS[reader.format](reader, stream, file):
                        yield file, batch
                except (*BROKEN_MEMBERS, MemoryError) as error:
                    raise DataError(unreadable_member(file, error)) from error


def _converted(reader: Reader, file: RawFile, batch: Batch, gaps: Gaps) -> Converted:
    """Return a batch whose values are what they mean."""
    options = reader.options
    missing = gaps.of(batch, file)
    none = np.zeros(len(batch), dtype=bool)
    is_row = ~np.logical_or.reduce([none, *(mask for name, mask in missing.items() if name in IDS)])
    rows = batch.take(is_row)
    is_complete = ~np.logical_or.reduce([none, *(mask for name, mask in missing.items() if name not in IDS)])[is_row]
    rated = rows.take(is_complete)
    values: dict[str, Any] = {}
    if "rating" in rated.columns:
        values["rating"] = rating_column(
            rated.columns["rating"],
            file.label,
            rated.named,
            words=options.get("ratings"),
            decimal=options.get("decimal", "."),
            fraction=options.get("fraction", False),
        )
    if "timestamp" in rated.columns:
        unit, times = options.get("time", ""), rated.columns["timestamp"]
        values["timestamp"] = time_column(times, unit, file.label, rated.named) if unit else times
    left_out = {name: int(mask.sum()) for name, mask in missing.items()}
    ids = {name: rows.columns[name] for name in IDS}
    return Converted(ids, is_complete, values, left_out)

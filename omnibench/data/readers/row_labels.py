"""What errors call a row of raw files, once they are read: the line that it stands in, for which they are read again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from omnibench.data.files.members import RawFile
from omnibench.data.numbers import row_name
from omnibench.data.readers.gaps import Filters, Gaps
from omnibench.data.readers.read import batches
from omnibench.data.readers.reader import Reader

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


def row_label(reader: Reader, files: Sequence[RawFile], row: int) -> str:
    """Return what errors call an interaction: with its line, and its file where there are several.

    Args:
        reader: How the files are read.
        files: The files.
        row: The interaction's number, from 0.
    """
    gaps = Gaps(reader.options.get("missing", ()), is_lenient=True)
    filters = Filters(reader.options.get("keep", {}))
    left = row
    for file, batch in batches(reader, files):
        rows_to_read = filters.keep(batch)
        missing = [np.zeros(len(rows_to_read), dtype=bool), *gaps.of(rows_to_read, file).values()]
        rows = rows_to_read.take(~np.logical_or.reduce(missing))
        if left < len(rows):
            return rows.named(left) if len(files) == 1 else f"{file.label}, {rows.named(left)}"
        left -= len(rows)
    return row_name(row)

"""What is known about users and items, in files beside the interactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnibench.data.files.members import RawFile
from omnibench.data.files.text import IDS, integers_of
from omnibench.data.readers.conversions import as_texts
from omnibench.data.readers.read import batches
from omnibench.data.readers.reader import Reader
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
"""A number as it is usually written: 01234 is a text, such as a postcode."""


def read_features(reader: Reader, files: Sequence[RawFile]) -> dict[str, Any]:
    """Read a table of users or items.

    Args:
        reader: Its format, its columns, of which one is ``user`` or ``item`` and each other one a feature, and its options.
        files: The files, as ``members`` returns them.

    Returns:
        pandas Series by name: ids as ``read_rows`` has them; 64-bit floats where all values of a column are numbers, with NaN
        for missing ones; else texts, with None for missing ones.

    Raises:
        DataError: A file cannot be read as the reader says, has no rows, or a row has no id.
    """
    import pyarrow as pa

    chunks: dict[str, list[Any]] = {}
    for file, batch in batches(reader, files):
        for name, array in batch.columns.items():
            texts = as_texts(array)
            if name in IDS and texts.null_count:
                row = int(np.flatnonzero(np.asarray(texts.is_null()))[0])
                raise DataError(f"{file.label}, {batch.named(row)}: there is no {name}. Mend or drop the line.")
            chunks.setdefault(name, []).append(texts)
    if not any(len(chunk) for chunk in next(iter(chunks.values()), [])):
        raise DataError(f"{files[0].label if files else 'there are no files, which'} has no rows.")
    return {name: _series(pa.chunked_array(arrays).combine_chunks(), name) for name, arrays in chunks.items()}


def _series(texts: Any, name: str) -> Any:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if name in IDS:
        integers = integers_of(texts)
        return pd.Series(np.array(texts.to_pylist(), dtype=object) if integers is None else integers)
    present = texts.drop_null()
    if len(present) and pc.all(pc.match_substring_regex(present, _NUMBER)).as_py():
        return pd.Series(texts.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return pd.Series(np.array(texts.to_pylist(), dtype=object), dtype=object)

"""Digests of columns and files that depend on their content alone.

The digest of a table is the same for int32 and int64, str and categorical, Parquet and CSV round trips; it
differs for another value, another name, another order of rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data import ids
from omnibench.errors import DataError
from omnibench.keys import digest
from omnibench.paths import cache_directory, remember

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_RACY_SECONDS = 2
"""A file younger than this may change again within its timestamp's resolution (git's "racily clean")."""


def table_digest(columns: Mapping[str, Any]) -> str:
    """Return the sha256 of a table's content as 64 hex digits.

    Args:
        columns: pandas Series or arrays by name; ids may be of any kind that ``ids.encode`` knows.

    Raises:
        DataError: A value is missing where a whole number stands, or has no stable form.
    """
    described = {name: _column_digest(column, name) for name, column in columns.items()}
    rows = len(next(iter(columns.values())))
    return digest({"schema": "table/1", "rows": rows, "columns": described})


def _column_digest(column: Any, name: str) -> list[str]:
    import pandas as pd

    series = pd.Series(column)
    missing = int(series.isna().sum())
    if missing and not pd.api.types.is_float_dtype(series):
        raise DataError(f"column {name!r} has {missing} missing values. Drop or fill them before building the dataset.")
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if pd.api.types.is_bool_dtype(series):
        pass  # the ids True and False are not the ids 1 and 0
    elif pd.api.types.is_integer_dtype(series) and not (len(series) and int(series.max()) >= 2**63):
        return ["int", _sha(series.to_numpy(dtype="<i8"))]
    elif pd.api.types.is_float_dtype(series):
        values = series.to_numpy(dtype="<f8", na_value=np.nan).copy()
        values[values == 0] = 0.0
        values[np.isnan(values)] = np.nan
        return ["float", _sha(values)]
    elif series.dtype.kind == "M":  # also of Arrow, whichever pandas asks
        moments = pd.to_datetime(series, utc=True).to_numpy(dtype="datetime64[ns]")
        return ["datetime", _sha(moments.astype("<i8"))]
    entries: list[Any] = series.tolist()
    if all(type(entry) is str for entry in entries):
        encoded = [ids.encode(entry, f"column {name!r}, row {row}").encode() for row, entry in enumerate(entries)]
        lengths = np.fromiter((len(text) for text in encoded), dtype="<i8", count=len(encoded))
        return ["text", hashlib.sha256(lengths.tobytes() + b"".join(encoded)).hexdigest()]
    if all(type(entry) is int for entry in entries):
        try:
            return ["int", _sha(np.array(entries, dtype="<i8"))]
        except OverflowError:
            pass  # wider than int64: digested as encoded ids below
    return ["ids", digest([ids.encode(entry, f"column {name!r}, row {row}") for row, entry in enumerate(entries)])]


def _sha(values: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, remembered by device, inode, size and times so that it is read once."""
    status = path.stat()
    stamp = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    memory = cache_directory() / "digests" / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.json"
    try:
        remembered = json.loads(memory.read_text(encoding="utf-8"))
        if remembered["stamp"] == stamp:
            return str(remembered["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing remembered, or nothing readable: hash the file
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - max(status.st_mtime, status.st_ctime) > _RACY_SECONDS:
        remember(memory, json.dumps({"stamp": stamp, "sha256": sha256}))
    return sha256

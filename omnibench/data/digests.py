"""Digests of columns and files that depend on their content alone.

The digest of a table is the same for int32 and int64, str and categorical, Parquet and CSV round trips; it
differs for another value, another name, another order of rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data import ids
from omnibench.errors import DataError
from omnibench.keys import digest
from omnibench.paths import cache_directory, remember

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_BLOCK = 1 << 16
"""Rows that are digested at once: what fits into a core's cache."""

_CHUNK = 1 << 20
"""Texts that are in memory as Python's own at once."""

_SMALL = 1024
"""Of eighths below this, 32 bits hold more digits than they have."""

_RACY_SECONDS = 2
"""A file younger than this may change again within its timestamp's resolution (git's "racily clean")."""


def table_digest(columns: Mapping[str, Any]) -> str:
    """Return the sha256 of a table's content as 64 hex digits.

    Args:
        columns: pandas Series or arrays by name; ids may be of any kind that ``ids.encode`` knows.

    Raises:
        DataError: A value is missing where a whole number stands, or has no stable form.
    """
    described = {name: column_digest(column, name) for name, column in columns.items()}
    return digest_of_columns(described, len(next(iter(columns.values()))))


def digest_of_columns(described: Mapping[str, list[str]], rows: int) -> str:
    """Return the digest of a table by those of its columns; see ``table_digest``.

    Args:
        described: The digests that ``column_digest`` or ``coded_digest`` returns, by the columns' names.
        rows: The number of rows.
    """
    return digest({"schema": "table/1", "rows": rows, "columns": described})


def coded_digest(codes: npt.NDArray[np.int32], own_ids: Sequence[Any], name: str) -> list[str]:
    """Return the digest of a column of ids, the same as ``column_digest`` of the ids themselves, and much faster.

    Args:
        codes: The codes of the ids, shape (n,).
        own_ids: The ids by code.
        name: The column's name.
    """
    types = {type(own_id) for own_id in own_ids}
    if types == {str}:
        return ["text", _text_sha(codes, [ids.encode(own_id, f"column {name!r}").encode() for own_id in own_ids])]
    numbers = _as_int64(own_ids) if types == {int} else None
    if numbers is None:
        values = np.empty(len(own_ids), dtype=object)
        values[:] = own_ids
        return column_digest(values[codes], name)
    content = hashlib.sha256()
    for start in range(0, len(codes), _BLOCK):
        content.update(numbers.take(codes[start : start + _BLOCK]).tobytes())
    return ["int", content.hexdigest()]


def _as_int64(numbers: Sequence[Any]) -> npt.NDArray[np.int64] | None:
    is_small = min(numbers) >= -(2**63) and max(numbers) < 2**63
    return np.asarray(numbers, dtype="<i8") if is_small else None


def _text_sha(codes: npt.NDArray[np.int32], texts: list[bytes]) -> str:
    """Return the sha256 of the lengths of texts and of the texts themselves, one behind the other."""
    import pyarrow as pa

    lengths = np.fromiter(map(len, texts), dtype="<i8", count=len(texts))
    content = hashlib.sha256()
    for start in range(0, len(codes), _BLOCK):
        content.update(lengths.take(codes[start : start + _BLOCK]).tobytes())
    table = pa.array(texts, pa.large_binary())
    for start in range(0, len(codes), _BLOCK):
        block = table.take(pa.array(codes[start : start + _BLOCK]))
        first, last = np.frombuffer(block.buffers()[1], dtype=np.int64)[[block.offset, block.offset + len(block)]]
        content.update(memoryview(block.buffers()[2])[first:last])
    return content.hexdigest()


def rating_digest(ratings: npt.NDArray[np.float32]) -> list[str]:
    """Return the digest of 32-bit ratings as the shortest decimal numbers that stand for them.

    They are 3.7 whether they came as 32 bits or as 64.

    Args:
        ratings: Shape (n,).
    """
    content = hashlib.sha256()
    for start in range(0, len(ratings), _BLOCK):
        content.update((_shortest(ratings[start : start + _BLOCK]) + 0.0).tobytes())  # -0.0 is 0.0
    return ["float", content.hexdigest()]


def _shortest(ratings: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    largest = float(np.abs(ratings).max(initial=0))
    if largest < _SMALL and (ratings * 8 == np.floor(ratings * 8)).all():
        return ratings.astype("<f8")  # whose digits are few enough to be all of them
    import pandas as pd

    codes, values = pd.factorize(ratings)
    numbers = np.array([float(str(value)) for value in values], dtype="<f8")
    shortest: npt.NDArray[np.float64] = numbers[codes]
    return shortest


def column_digest(column: Any, name: str) -> list[str]:
    """Return the type of a column, and the sha256 of its values in the form that all columns of the type have.

    Args:
        column: A pandas Series or array.
        name: The column's name.

    Raises:
        DataError: A value is missing where a whole number stands, or has no stable form.
    """
    import pandas as pd

    series = pd.Series(column)
    texts = _text_digest(series)
    if texts is not None:
        return ["text", texts]
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
    return _digest_of_entries(series.tolist(), name)


def _digest_of_entries(entries: list[Any], name: str) -> list[str]:
    """Return the digest of what is neither numbers nor moments nor texts alone, as ``column_digest``."""
    if not entries:
        return ["text", hashlib.sha256().hexdigest()]
    if all(type(entry) is int for entry in entries):
        try:
            return ["int", _sha(np.array(entries, dtype="<i8"))]
        except OverflowError:
            pass  # wider than int64: digested as encoded ids below
    return ["ids", digest([ids.encode(entry, f"column {name!r}, row {row}") for row, entry in enumerate(entries)])]


def _text_digest(series: Any) -> str | None:
    """Return the sha256 of a column of texts as ``_text_sha`` does; None where it has anything else."""
    import pandas as pd

    if len(series) == 0 or series.dtype.kind in "biufcmM":
        return None
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = series.cat.categories.tolist()
        if set(map(type, categories)) != {str} or series.isna().any():
            return None
        encoded = _encoded(categories)
        return None if encoded is None else _text_sha(series.cat.codes.to_numpy(), encoded)
    chunks = _text_chunks(series)
    if chunks is None:
        return None
    content = hashlib.sha256()
    starts = [_starts(chunk) for chunk in chunks]
    for first in starts:
        for start in range(0, len(first) - 1, _BLOCK):
            content.update(np.diff(first[start : start + _BLOCK + 1]).astype("<i8").tobytes())
    for chunk, first in zip(chunks, starts, strict=True):
        if first[-1] > first[0]:
            content.update(memoryview(chunk.buffers()[2])[first[0] : first[-1]])
    return content.hexdigest()


def _encoded(texts: Sequence[str]) -> list[bytes] | None:
    """Return texts in UTF-8; None where one is no valid Unicode."""
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError:
        return None


def _text_chunks(series: Any) -> list[Any] | None:
    """Return a column as Arrow's arrays of texts; None where it has anything else."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, pd.ArrowDtype) or getattr(series.dtype, "storage", "") == "pyarrow":
        column = pa.array(series)
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if not is_text or column.null_count:
            return None
        return list(column.chunks) if isinstance(column, pa.ChunkedArray) else [column]
    chunks = []
    for start in range(0, len(series), _CHUNK):
        entries = series.iloc[start : start + _CHUNK].tolist()
        if set(map(type, entries)) != {str}:  # of a subclass, too, which is an id of its own kind
            return None
        try:
            chunks.append(pa.array(entries, pa.large_string()))
        except (UnicodeEncodeError, pa.ArrowInvalid):  # no valid Unicode, which is an error of its own
            return None
    return chunks


def _starts(texts: Any) -> npt.NDArray[np.integer[Any]]:
    """Return where each text of an Arrow array begins in its bytes, and where the last one ends."""
    import pyarrow as pa

    width: Any = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    first: npt.NDArray[np.integer[Any]] = np.frombuffer(texts.buffers()[1], dtype=width)
    return first[texts.offset : texts.offset + len(texts) + 1]


def _sha(values: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def stamp_of(path: Path) -> list[int]:
    """Return device, inode, size and times of a file, which change with its content."""
    return _stamp(path.stat())


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, remembered by device, inode, size and times so that it is read once."""
    status = path.stat()
    stamp = _stamp(status)
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

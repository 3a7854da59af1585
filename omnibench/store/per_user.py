"""Values per user of an evaluation: a Parquet file for everybody, read here without any Parquet library.

The columns are written without compression, dictionaries or nulls, each row group of a column as one run of bytes, and
the record says where these begin: the table's marks read hundreds of them, and importing pyarrow takes longer than
that.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from omnibench.errors import StoreError
from omnibench.guest.distinct import distinct
from omnibench.metrics.base import Values
from omnibench.store.advice import repair_command
from omnibench.store.beneath import read_bytes, tree

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
else:
    from omnibench.lazy import np, npt

ROWS = 16_384
"""Rows of a row group: fewer than what Parquet writers put on one page, so that a column's are in one piece."""

_MOST_BLANK_ROWS = 4096
"""Rows of the largest tables that are kept blank, which have a megabyte at most with thirty columns."""

Users: TypeAlias = "npt.NDArray[np.int32]"


def write_per_user(path: Path, users: Users, columns: Mapping[str, Values]) -> dict[str, list[int]]:
    """Write values per user as Parquet: a column ``user`` with codes, and a column of numbers for each label.

    Args:
        path: The file to write.
        users: int32 codes, ascending; shape (n,).
        columns: By label, float64 of shape (n,), NaN for users who do not count.

    Returns:
        Where the values of each column begin in the file, by name: for each row group, in bytes.

    Raises:
        OSError: The file cannot be written.
    """
    arrays = {"user": users.astype("<i4"), **{label: values.astype("<f8") for label, values in columns.items()}}
    table = (
        _filled(_blank_table(tuple(arrays), len(users)), arrays) if len(users) <= _MOST_BLANK_ROWS else _table(arrays)
    )
    path.write_bytes(table.content)
    return {name: [*begins] for name, begins in table.begins.items()}


class _Table(NamedTuple):
    """A Parquet file, and where the values of each column begin in it: for each row group, in bytes."""

    content: bytes
    begins: Mapping[str, Sequence[int]]


@lru_cache(maxsize=16)
def _blank_table(names: tuple[str, ...], rows: int) -> _Table:
    """Return a table of zeros; without statistics and sums, another with these columns and rows differs in its values alone.

    Writing one takes pyarrow a millisecond, which is as long as all else that is done to evaluate few users.
    """
    return _table({name: np.zeros(rows, "<f8" if number else "<i4") for number, name in enumerate(names)})


def _filled(blank: _Table, arrays: Mapping[str, npt.NDArray[Any]]) -> _Table:
    """Return a table with the values of columns, which are few enough for one row group."""
    content = bytearray(blank.content)
    for name, array in arrays.items():
        for begin in blank.begins[name]:
            content[begin : begin + array.nbytes] = array.tobytes()
    return blank._replace(content=bytes(content))


def _table(arrays: Mapping[str, npt.NDArray[Any]]) -> _Table:
    """Return columns as Parquet; the first is that of the users."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = len(next(iter(arrays.values())))
    schema = _schema(tuple(arrays))
    # pa.array() would import pandas to look for its types.
    buffers = [
        pa.Array.from_buffers(field.type, rows, [None, pa.py_buffer(array)])
        for field, array in zip(schema, arrays.values(), strict=True)
    ]
    table = pa.Table.from_arrays(buffers, schema=schema)
    sink = pa.BufferOutputStream()
    footers: list[pq.FileMetaData] = []
    pq.write_table(
        table,
        sink,
        row_group_size=ROWS,
        write_batch_size=ROWS,
        data_page_size=8 * ROWS,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=False,
        data_page_version="1.0",
        metadata_collector=footers,
    )
    (groups,) = footers
    begins: dict[str, list[int]] = {name: [] for name in arrays}
    for number in range(groups.num_row_groups if rows else 0):
        group = groups.row_group(number)
        for column, (name, array) in enumerate(arrays.items()):
            chunk = group.column(column)
            end = chunk.data_page_offset + chunk.total_compressed_size
            begins[name].append(end - group.num_rows * array.itemsize)
    return _Table(sink.getvalue().to_pybytes(), begins)


@lru_cache(maxsize=8)
def _schema(names: tuple[str, ...]) -> pa.Schema:
    """Return the schema of a table with a column of users, which is the first, and columns of numbers."""
    import pyarrow as pa

    types = [pa.int32(), *[pa.float64()] * (len(names) - 1)]
    return pa.schema([pa.field(name, data_type, nullable=False) for name, data_type in zip(names, types, strict=True)])


def read_per_user(root: Path, record: Mapping[str, Any]) -> tuple[Users, Values]:
    """Return the values per user of an evaluation.

    The file is checked against its record; of several evaluations that share one, only the first pays for that.

    Args:
        root: The checkpoint directory.
        record: The record of an evaluation (``eval/...``).

    Returns:
        User codes, int32, ascending, and the value of each user who counts, float64; both of shape (n,).

    Raises:
        StoreError: The metric has no values per user, or their file is missing or differs from its record.
    """
    label, artifact = record.get("label"), record.get("per_user")
    if not artifact or ("place" in record and record["place"] is None):
        raise StoreError(f"{label} has no values per user; ask for a metric that is a mean over users.")
    try:
        status = os.lstat(os.path.join(root, artifact["path"]))
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        content = _content(root, artifact["path"], artifact["sha256"], stamp)
    except OSError as error:
        raise StoreError(
            f"the values per user of {label} cannot be read ({error}); `{_repair(root, record)}`, and the next run evaluates again."
        ) from error
    if content is None:
        raise StoreError(
            f"{root / artifact['path']} differs from its record; `{_repair(root, record)}` moves it aside, and the next run evaluates again."
        )
    try:
        if "place" not in record:
            try:
                return _read_matrix(content, root, record)
            except OSError as error:  # its users are those of the dataset's test part
                raise StoreError(
                    f"the values per user of {label} take the dataset, which is not prepared here (earlier versions of omnibench "
                    f"did not keep their users); a run that computes something of {record['dataset']} prepares it."
                ) from error
        users, values = values_in(content, record)
    except (KeyError, IndexError, ValueError, TypeError) as error:  # a record of ours says where they are
        raise StoreError(
            f"the values per user of {label} are not where its record says ({type(error).__name__}: {error}); "
            f"`{_repair(root, record)}`, and the "
            "next run evaluates again."
        ) from error
    counted = ~np.isnan(values)
    return (users, values) if counted.all() else (users[counted], values[counted])


def _repair(root: Path, record: Mapping[str, Any]) -> str:
    """Return the command that repairs the item of an evaluation."""
    return repair_command(root, [record["item"]] if record.get("item") else [])


def values_in(content: bytes, record: Mapping[str, Any]) -> tuple[Users, Values]:
    """Return the codes and values of all users of a table, NaN for those who do not count; both of shape (n,).

    Args:
        content: The table.
        record: The record of an evaluation, which says where they are.

    Raises:
        ValueError, IndexError, TypeError, KeyError: They are not there.
    """
    users = _column(content, "<i4", record["users"], record["place"]["user"])
    return users, _column(content, "<f8", record["users"], record["place"]["value"])


def _column(content: bytes, dtype: str, rows: int, begins: Sequence[int]) -> Any:
    """Return a column of numbers.

    Args:
        content: The file.
        dtype: The type of its numbers.
        rows: The number of rows.
        begins: The offsets of the column's row groups in the file, in bytes.
    """
    groups = range(0, rows, ROWS)
    if len(groups) != len(begins):  # before anybody goes through the groups of a number of users that is a lie
        raise ValueError(f"{rows} rows are {len(groups)} row groups, and there are the offsets of {len(begins)}")
    parts = [
        np.frombuffer(content, dtype, min(ROWS, rows - done), begin) for done, begin in zip(groups, begins, strict=True)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([*parts, np.zeros(0, dtype)])


@lru_cache(maxsize=8)
def _content(root: Path, path: str, sha256: str, stamp: tuple[int, int, int]) -> bytes | None:  # noqa: ARG001 - who writes to a file changes it
    """Return the content of a file, or None where it differs from its record."""
    content = read_bytes(root, path)
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def _read_matrix(content: bytes, root: Path, record: Mapping[str, Any]) -> tuple[Users, Values]:
    """Read the ``.npy`` of earlier versions: one row per label, users of the test part in the order of their codes."""
    import io

    from omnibench.guest.folds import Fold

    values = np.load(io.BytesIO(content), allow_pickle=False)[record["row"]]
    users = distinct(Fold(tree(root, f"datasets/{record['dataset']}"), record["fold"] or 0).test.user).astype(np.int32)
    return users, values

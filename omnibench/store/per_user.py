"""Values per user of an evaluation: a Parquet file for everybody, read here without any Parquet library.

The columns are written without compression, dictionaries or nulls, each as one run of bytes, and the record says where
it begins: the table's marks read hundreds of them, and importing pyarrow alone would take longer than that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnibench.errors import StoreError
from omnibench.store.artifacts import resolve

Values = npt.NDArray[np.float64]
Users = npt.NDArray[np.int32]


def write_per_user(path: Path, users: Users, columns: Mapping[str, Values]) -> dict[str, int]:
    """Write values per user as Parquet: a column ``user`` with codes, and a column of numbers for each label.

    Args:
        path: The file to write.
        users: int32 codes, ascending; shape (n,).
        columns: By label, float64 of shape (n,), NaN for users who do not count.

    Returns:
        Where the values of each column begin in the file, by name, in bytes.

    Raises:
        OSError: The file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {"user": users.astype("<i4"), **{label: values.astype("<f8") for label, values in columns.items()}}
    fields = [pa.field(name, pa.from_numpy_dtype(array.dtype), nullable=False) for name, array in arrays.items()]
    # pa.array() would import pandas to look for its types.
    made = [
        pa.Array.from_buffers(field.type, len(users), [None, pa.py_buffer(array)])
        for field, array in zip(fields, arrays.values(), strict=True)
    ]
    table = pa.Table.from_arrays(made, schema=pa.schema(fields))
    whole = max(len(users), 1)
    pq.write_table(
        table,
        path,
        row_group_size=whole,
        write_batch_size=whole,
        data_page_size=8 * whole + 1,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        data_page_version="1.0",
    )
    if not len(users):
        return dict.fromkeys(arrays, 0)
    group = pq.read_metadata(path).row_group(0)
    found = [group.column(number) for number in range(len(arrays))]
    return {
        name: one.data_page_offset + one.total_compressed_size - array.nbytes
        for (name, array), one in zip(arrays.items(), found, strict=True)
    }


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
    path = resolve(artifact, root)
    if path is None:
        raise StoreError(f"the record of {label} names {artifact['path']!r}, which is outside of the store.")
    try:
        status = path.stat()
        content = _content(path, artifact["sha256"], (status.st_ino, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise StoreError(f"the values per user of {label} cannot be read ({error}); evaluate again.") from error
    if "place" not in record:
        return _read_matrix(content, root, record)
    number = record["users"]
    users = np.frombuffer(content, "<i4", number, record["place"]["user"])
    values = np.frombuffer(content, "<f8", number, record["place"]["value"])
    counted = ~np.isnan(values)
    return (users, values) if counted.all() else (users[counted], values[counted])


@lru_cache(maxsize=8)
def _content(path: Path, sha256: str, stamp: tuple[int, int, int]) -> bytes:  # noqa: ARG001 - who writes to a file changes it
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StoreError(f"{path} differs from its record; `omnibench reset ITEM --what Eval` has it made anew.")
    return content


def _read_matrix(content: bytes, root: Path, record: Mapping[str, Any]) -> tuple[Users, Values]:
    """Read the ``.npy`` of earlier versions: one row per label, users of the test part in the order of their codes."""
    import io

    from omnibench.runners.guest.data import Fold

    values = np.load(io.BytesIO(content), allow_pickle=False)[record["row"]]
    users = np.unique(Fold(root / "datasets" / record["dataset"], record["fold"] or 0).test.user).astype(np.int32)
    return users, values

"""Arrays: sparse matrices in HDF5, and numpy's files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from omnibench.data.files.compression import rewindable
from omnibench.data.files.members import RawFile
from omnibench.data.readers.collected import without_empty
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError, nearest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

SPARSE = {"indptr", "indices", "data"}
"""The arrays of a matrix of compressed rows."""


def read_hdf5(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield the entries of a sparse matrix of compressed rows, as implicit publishes them.

    The rows and columns of a matrix ``artist_user_plays`` have the names in the arrays ``artist`` and ``user`` beside it, where
    they are there, else their numbers.

    Raises:
        DataError: There is no such matrix, or h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            f"{file.label} is HDF5, for which omnibench needs another package: pip install h5py."
        ) from error
    with _random_access(stream) as copy, h5py.File(copy, "r") as content:
        name = reader.options.get("matrix", "")
        matrices = [
            group for group in content if isinstance(content[group], h5py.Group) and set(content[group]) >= SPARSE
        ]
        if not name and len(matrices) == 1:
            name = matrices[0]
        if name not in matrices:
            raise DataError(
                f"{file.label} has no sparse matrix {name!r}{nearest(name, matrices)}; it has {', '.join(map(repr, matrices)) or 'none'}. "
                "Name it: matrix='...'."
            )
        pointers, columns, values = (content[name][array][:] for array in ("indptr", "indices", "data"))
        rows = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
        words = name.split("_")
        lines = _named(content, words[0], rows, len(pointers) - 1)
        across = _named(content, words[1] if len(words) > 1 else "", columns, 0)
    user, item = (across, lines) if reader.options.get("orientation", "users") == "items" else (lines, across)
    yield Batch({"user": user, "item": item, "rating": _array(values)}, {}, _entry)


def read_npz(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield the rows of numpy's arrays: columns of arrays of two dimensions, arrays by name, or scipy's sparse matrix.

    Raises:
        DataError: It holds other arrays, or Python objects, which are never loaded.
    """
    try:
        with _random_access(stream) as copy:
            content = np.load(copy, allow_pickle=False)
            arrays = (
                {"": content} if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
            )
            sparse = _sparse(copy) if set(arrays) >= SPARSE else None
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{file.label} holds Python objects, which are never loaded, since they may run code. Save it as arrays of numbers "
                "or texts."
            ) from error
        raise
    if sparse is not None:
        yield sparse
        return
    if isinstance(reader.columns, Mapping):
        for name in reader.columns:
            if name not in arrays:
                raise DataError(
                    f"{file.label} has no array {name!r}{nearest(name, arrays)}; it has {', '.join(map(repr, arrays))}."
                )
        yield Batch({target: _array(arrays[name]) for name, target in reader.columns.items()}, {}, _entry)
        return
    for name, array in arrays.items():
        if array.ndim != 2 or array.shape[1] < len(reader.columns):  # noqa: PLR2004 - rows and columns
            raise DataError(
                f"{file.label}: the array {name!r} has the shape {array.shape}, and not a row per interaction with the columns "
                f"{', '.join(filter(None, reader.columns))}."
            )
        yield Batch(
            {column: _array(array[:, number]) for number, column in enumerate(reader.columns) if column}, {}, _entry
        )


def _sparse(stream: BinaryIO) -> Batch:
    import scipy.sparse

    stream.seek(0)
    matrix = scipy.sparse.load_npz(stream).tocoo()
    return Batch({"user": _array(matrix.row), "item": _array(matrix.col), "rating": _array(matrix.data)}, {}, _entry)


def _named(content: Any, word: str, numbers: npt.NDArray[Any], length: int) -> Any:
    """Return the names of rows or columns, or their numbers where there are none."""
    import pyarrow as pa

    names = content.get(word)
    if names is None or not hasattr(names, "asstr") or names.ndim != 1 or (length and len(names) != length):
        return _array(numbers)
    texts = [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names[:]]
    return without_empty(pa.array(texts, pa.string())).take(pa.array(numbers))


def _array(values: npt.NDArray[Any]) -> Any:
    """Return numbers as a pyarrow array of 64 bits, texts as they are."""
    import pyarrow as pa

    if values.dtype.kind in "iub":
        return pa.array(values.astype(np.int64))
    if values.dtype.kind in "SU":
        return pa.array(values.astype(str).tolist(), pa.string())
    return pa.array(values)


def _random_access(stream: BinaryIO) -> BinaryIO:
    if isinstance(getattr(stream, "raw", None), io.FileIO):
        stream.seek(0)
        return stream
    return rewindable(stream)


def _entry(row: int) -> str:
    return f"entry {row}"

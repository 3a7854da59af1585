"""The shapes of files that were taken from elsewhere: whether they are arrays of numbers, and tables, as omnibench writes them.

Looked at before anybody reads them. Nothing here unpickles, and no size that a file claims is believed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import BinaryIO

from omnibench.errors import SharingError
from omnibench.lazy import np

_PARQUET = b"PAR1"
_LARGEST_HEADER = 10_000


def check_shape(path: Path, member: str) -> None:
    """Refuse a file of results that has not the form of its kind.

    Args:
        path: The file.
        member: What it is in its record: ``predictions`` or ``per_user``; a model is looked at by nobody.

    Raises:
        SharingError: It is something else.
    """
    if member == "model":
        return
    with path.open("rb") as file:
        if member == "per_user" and is_table(file.read(len(_PARQUET))):
            file.seek(-len(_PARQUET), 2)
            if file.read() != _PARQUET:
                raise SharingError("its values per user are a table that was cut off")
            return
        file.seek(0)
        _check_arrays(file, path.stat().st_size)


def is_table(beginning: bytes) -> bool:
    """Whether a file with a beginning says that it is a table."""
    return beginning.startswith(_PARQUET)


def _check_arrays(file: BinaryIO, size: int) -> None:
    """Refuse what is not one array of numbers behind the other."""
    if not size:
        raise SharingError("a file of it is empty")
    while file.tell() < size:
        try:
            version = np.lib.format.read_magic(file)
            reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, dtype = reader(file, max_header_size=_LARGEST_HEADER)
        except (ValueError, KeyError, SyntaxError, RecursionError, MemoryError) as error:
            raise SharingError(f"a file of it is no array of numbers ({error})") from error
        if dtype.hasobject:
            raise SharingError("a file of it holds Python objects, which are not read")
        end = file.tell() + math.prod(shape) * dtype.itemsize
        if end > size or any(count < 0 for count in shape):
            raise SharingError(f"a file of it is an array of the shape {shape}, for which it is too short")
        file.seek(end)

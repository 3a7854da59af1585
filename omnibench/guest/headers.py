"""Headers of ``.npy`` files, parsed once: to parse one takes longer than to read the whole of a small file."""

from __future__ import annotations

import io
import math
import os
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_MAGIC = b"\x93NUMPY\x01\x00"
"""How the files begin that numpy writes, unless their columns have very many or odd names."""


@lru_cache(maxsize=128)
def _parsed(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(header))
    return shape, is_fortran, dtype


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of the array that a file goes on with, and leave the file where its values begin.

    Raises:
        ValueError: There is no array of rows that lie one behind the other.
    """
    start = file.read(len(_MAGIC) + 2)
    if start[:-2] != _MAGIC:
        raise ValueError(f"{file.name} has no array where one should begin")
    length = start[-2:]
    shape, is_fortran, dtype = _parsed(length + file.read(int.from_bytes(length, "little")))
    if is_fortran and len(shape) > 1:
        raise ValueError(f"{file.name} has an array by columns")
    return shape, dtype


def read_array(file: BinaryIO) -> npt.NDArray[Any]:
    """Return the array that a file goes on with, which is read and not mapped, and leave the file at its end.

    Raises:
        ValueError: There is none, it has Python objects, or the file is shorter than it says.
    """
    start = file.tell()
    try:
        shape, dtype = read_header(file)
    except ValueError:  # what numpy reads all the same, or knows better how to refuse
        file.seek(start)
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    if dtype.hasobject:
        raise ValueError(f"{file.name} has Python objects, which are not read")
    size = math.prod(shape) * dtype.itemsize
    if not 0 <= size <= os.fstat(file.fileno()).st_size - file.tell():
        raise ValueError(f"{file.name} is shorter than it says")
    content = bytearray(size)
    if content and file.readinto(content) < size:  # type: ignore[attr-defined]  # of all binary files that we open
        raise ValueError(f"{file.name} is shorter than it says")
    return np.frombuffer(content, dtype).reshape(shape) if content else np.zeros(shape, dtype)

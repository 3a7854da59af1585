"""Models that are compressed where that takes less time than writing what it saves.

Few are: dense floats have nothing to spare, and disks are fast. A neighbour model, or a matrix that is kept as a sparse one,
takes half of the bytes, which pays on a disk that syncs less than some hundred megabytes per second. What this disk does
is measured once per process, and what a model has to spare on a few pieces of it (``benchmarks/scale/models.py``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUFFIX = ".zst"
CODEC = "zstd"
_LEVEL = 1
"""Higher levels take several times as long and save little more."""

LEAST_BYTES = 4 * 2**20
"""A smaller model is not worth a look."""

_PIECE, _PIECES = 2**18, 8
_CHUNK = 2**22
_PROBE = 8 * 2**20

_SPEEDS: dict[int, float] = {}
"""What was measured of each disk, by its number."""

_MARGIN = 1.5
"""So many times what it takes it has to save: what is compressed has to be written out again to be loaded."""


def compress_where_it_pays(path: Path, speed: Callable[[Path], float] | None = None) -> Path:
    """Compress a file that is not published yet, if that is cheaper than to write it; return the file that stands for it.

    Args:
        path: The file, in a directory of its own on the store's file system.
        speed: Returns how many bytes a directory's disk writes and syncs in a second; ``written_per_second`` by default.

    Raises:
        OSError: The disk is full, or broken.
    """
    status = os.stat(path)
    if is_compressed(path) or status.st_size < LEAST_BYTES or status.st_nlink > 1:  # a link costs nothing
        return path
    if _saved_per_second(path) < _MARGIN * (speed or written_per_second)(path.parent):
        return path
    target = path.with_name(path.name + SUFFIX)
    with path.open("rb") as source, _arrow().CompressedOutputStream(str(target), CODEC) as sink:
        while chunk := source.read(_CHUNK):
            sink.write(chunk)
    path.unlink()  # before the system begins to write it out
    return target


def is_compressed(path: Path) -> bool:
    """Whether a file is one that was compressed."""
    return path.suffix == SUFFIX


def decompress(path: Path, directory: Path) -> Path:
    """Write what a compressed file holds into a directory, under its name without the ending; return that file.

    Args:
        path: The compressed file.
        directory: The directory.

    Raises:
        OSError: It is no such file, or there is no room.
    """
    target = directory / path.name.removesuffix(SUFFIX)
    with _arrow().CompressedInputStream(str(path), CODEC) as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            sink.write(chunk)
    return target


def written_per_second(directory: Path) -> float:
    """Return how many bytes a directory's disk writes and syncs in a second, measured once per process.

    Args:
        directory: The directory; what is written there is removed again.

    Raises:
        OSError: Nothing can be written there.
    """
    disk = directory.stat().st_dev
    if disk not in _SPEEDS:
        _SPEEDS[disk] = _measured_speed(directory)
    return _SPEEDS[disk]


def _measured_speed(directory: Path) -> float:
    content = os.urandom(_PROBE)
    probe = directory / ".speed"
    began = time.perf_counter()
    try:
        with probe.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return _PROBE / (time.perf_counter() - began)
    finally:
        probe.unlink(missing_ok=True)


def _saved_per_second(path: Path) -> float:
    """Return how many bytes compressing saves in a second of computing, judged by some pieces of a file."""
    codec = _arrow().Codec(CODEC, compression_level=_LEVEL)
    size, saved, seconds = path.stat().st_size, 0, 0.0
    with path.open("rb") as file:
        for number in range(_PIECES):
            file.seek((size - _PIECE) * number // (_PIECES - 1))
            piece = file.read(_PIECE)
            began = time.thread_time()
            saved += len(piece) - len(codec.compress(piece, asbytes=True))
            seconds += time.thread_time() - began
    return saved / max(seconds, 1e-9)


def _arrow() -> Any:
    import pyarrow as pa  # which a run without large models need not import for this

    return pa

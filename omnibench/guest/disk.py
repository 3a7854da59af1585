"""Trouble with a disk, told apart from an algorithm's mistakes: no room, no inode, a quota, a limit, a broken disk.

Used in guests and by the host, so it imports nothing beyond the standard library.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""What an operating system says of a disk: no failure of the algorithm that met it."""

_TEXTS = {
    os.strerror(errno.ENOSPC): errno.ENOSPC,
    os.strerror(errno.EDQUOT): errno.EDQUOT,
    "disk is full": errno.ENOSPC,  # SQLite's
}
"""What libraries write into errors that are no OSError, or have no errno."""

_WRITER = re.compile(r"_*(save|dump|write|flush|export|to_(csv|feather|hdf|json|parquet|pickle)$)")
"""Names of functions that write; PyTorch's raise a RuntimeError about positions when there is no room."""

_PROBE_BYTES = 2**20
_BLOCK = bytes(range(256)) * 256
_NEARLY = 2**16
"""A file that is so near to the limit on the size of files has met it."""


def disk_errno(error: BaseException, directories: Iterable[Path], *, writing: bool = False) -> int | None:
    """Return the number of the disk's error that is behind an exception, or None when no disk is to blame.

    An exception that says nothing of a disk is its fault all the same when a function was writing and, right now,
    nothing can be written to one of the directories.

    Args:
        error: The exception; what caused it counts as well.
        directories: Where it may have been writing, the likeliest first.
        writing: Whether it is known that it was raised by writing a file.
    """
    inside = [directory for directory in directories if directory.is_dir()]
    chain = list(_chain(error))
    for link in chain:
        number = _errno_of(link, inside)
        if number is not None:
            return number
    if writing or any(map(_was_writing, chain)):
        return next((number for number in map(probe, inside) if number is not None), None)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, and those that it was raised from or while handling."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _errno_of(error: BaseException, directories: list[Path]) -> int | None:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EROFS and isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        path = Path(os.fsdecode(error.filename)).absolute()  # a class that writes into /usr is mistaken
        return number if any(path.is_relative_to(directory) for directory in directories) else None
    if number in ERRNOS:
        return number
    try:
        text = str(error)
    except Exception:  # its __str__ is broken
        return None
    return next((number for words, number in _TEXTS.items() if words in text), None)


def _was_writing(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if _WRITER.match(trace.tb_frame.f_code.co_name):
            return True
        trace = trace.tb_next
    return False


def probe(directory: Path) -> int | None:
    """Try to write a megabyte into a directory; return the number of the disk's error, or None when that works."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = directory / f".probe-{uuid.uuid4().hex}"
    try:
        if limit != resource.RLIM_INFINITY and _largest(directory) >= limit - _NEARLY:
            return errno.EFBIG
        with open(path, "xb", buffering=0) as file:
            left = _PROBE_BYTES
            while left > 0:
                left -= file.write(_BLOCK[: min(left, len(_BLOCK))])
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno if error.errno in ERRNOS else None
    finally:
        with contextlib.suppress(OSError):  # it could not be made
            path.unlink()
    return None


def _largest(directory: Path) -> int:
    with os.scandir(directory) as entries:
        return max((entry.stat().st_size for entry in entries if entry.is_file(follow_symlinks=False)), default=0)


def explain(number: int, directories: Iterable[Path]) -> str:
    """Return what is wrong with a disk, as a clause without a full stop.

    Args:
        number: The number of the operating system's error.
        directories: Where it may have been met; those are named to which it applies at this moment.
    """
    if number == errno.EFBIG:
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit == resource.RLIM_INFINITY:
            return "a file has become larger than its file system allows"
        return f"no file may have more than {limit:,} bytes (ulimit -f)"
    candidates = [directory for directory in directories if directory.is_dir()]
    concerned = _concerned(number, candidates) or candidates[:1]  # it may be over by now
    if not concerned:
        return f"a disk has refused to be written ({os.strerror(number)})"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return " and ".join(_shortage(number, _mount_point(directory)) for directory in concerned)
    paths = " and ".join(map(str, concerned))
    return f"{paths} is read-only" if number == errno.EROFS else f"the disk of {paths} has failed (see dmesg)"


def _concerned(number: int, directories: Iterable[Path]) -> list[Path]:
    """Return the directories to which an error applies right now, one of each file system."""
    by_device: dict[int, Path] = {}
    for directory in directories:
        try:
            by_device.setdefault(os.stat(directory).st_dev, directory)
        except OSError:  # it is not there
            continue
    return [directory for directory in by_device.values() if probe(directory) == number]


def _mount_point(directory: Path) -> Path:
    """Return the directory that a file system begins in, by which ``df`` names it."""
    path = directory.resolve()
    return next((parent for parent in (path, *path.parents) if parent.is_mount()), path)


def _shortage(number: int, directory: Path) -> str:
    status = os.statvfs(directory)
    if number == errno.EDQUOT:
        return f"the disk quota is used up on the file system {directory}"
    if status.f_files and not status.f_favail:
        return f"no inode is left for another file on the file system {directory} (all {status.f_files:,} are in use)"
    free, size = (blocks * status.f_frsize / 2**20 for blocks in (status.f_bavail, status.f_blocks))
    return f"there is too little room on the file system {directory} ({free:,.1f} of {size:,.1f} MiB are free)"


def current_trouble(directory: Path) -> str:
    """Return what is wrong with the disk of a directory right now, as ``"; "`` and a clause, or nothing."""
    number = probe(directory) if directory.is_dir() else None
    return "" if number is None else f"; {explain(number, [directory])}"


def advice(number: int) -> str:
    """Return what to do about a disk's error, as an imperative clause."""
    return {
        errno.EROFS: "make it writable",
        errno.EIO: "see to the disk",
        errno.EFBIG: "raise the limit (ulimit -f unlimited)",
    }.get(number, "make room")

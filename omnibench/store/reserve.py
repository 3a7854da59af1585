"""A file that keeps a little room on a store's disk, for the commands that make room where none is left.

To forget records takes room first: SQLite writes what it changes beside the database, so that a kill loses nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path

from omnibench.guest.disk import probe
from omnibench.store.beneath import LinkedFileError, has_link, open_file

NAME = "leases/reserve"
SIZE = 2**19
"""Bytes: SQLite's shared memory has 32 KiB, its log some pages for each record that changes; directories and copies come on top."""

_SPARE = 8 * 2**20
"""Bytes that have to be free for a run to set some aside: a disk that is so small is better used whole."""

_BLOCK = 2**15

PORTION = 50
"""Records that go in one transaction where there is little room."""


def keep(root: Path, spare: int = _SPARE) -> None:
    """Make the file, unless it is there or there is little room; it works without.

    Args:
        root: The checkpoint directory.
        spare: Bytes that have to be free. Where they are fewer than the file has, it gets what there is.
    """
    with suppress(OSError, LinkedFileError):
        if _size(root) >= SIZE:
            return
        status = os.statvfs(root)
        free = status.f_bavail * status.f_frsize
        if free < spare:
            return
        size = min(SIZE, free // _BLOCK * _BLOCK)
        descriptor = open_file(root, NAME, os.O_WRONLY | os.O_CREAT)
        try:  # what a kill, or another process that does the same, has begun is finished by whoever comes next
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, size)
            else:
                os.write(descriptor, bytes(size))
        finally:
            os.close(descriptor)


def _size(root: Path) -> int:
    try:
        return (root / NAME).lstat().st_size
    except FileNotFoundError:
        return 0


def making_room(command: Callable[[Namespace], int]) -> Callable[[Namespace], int]:
    """Return a command that may use the room that is kept; its arguments have a ``store``."""

    @wraps(command)
    def run(arguments: Namespace) -> int:
        with released(Path(arguments.store)):
            return command(arguments)

    return run


@contextmanager
def released(root: Path) -> Iterator[bool]:
    """Give the room free where no other is left, and keep it again if there is enough afterwards.

    Args:
        root: The checkpoint directory, which need not be one.

    Yields:
        Whether there is little room.
    """
    is_tight = False
    with suppress(OSError, ValueError):
        is_tight = (root / "store" / "cache.db").is_file() and probe(root) in (errno.ENOSPC, errno.EDQUOT)
        if is_tight and stat.S_ISREG((root / NAME).lstat().st_mode) and not has_link(root, NAME):
            (root / NAME).unlink()
    try:
        yield is_tight
    finally:
        if is_tight:
            keep(root, _BLOCK)

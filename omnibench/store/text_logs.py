"""out.log and err.log: what frameworks print, over all runs, of which the last part is kept."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from omnibench.store.beneath import open_file

MOST_BYTES = 50_000_000
"""From this size on a log becomes ``out.log.1``, in the place of the part before, and a new one begins."""


def append(root: Path, name: str, lines: bytes) -> None:
    """Append whole lines to a log; those of several processes do not tear each other.

    Args:
        root: The store's directory.
        name: The log, e.g. ``out.log``.
        lines: The lines, with their ends.

    Raises:
        OSError: They cannot be written.
        LinkedFileError: The log is a link.
    """
    descriptor = open_file(root, name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, lines)
        if os.fstat(descriptor).st_size >= MOST_BYTES:
            _begin_anew(root / name, descriptor)
    finally:
        os.close(descriptor)


def has_line_of(root: Path, name: str, prefix: bytes) -> bool:
    """Return whether a log, or the part before it, has a line that begins with something.

    Args:
        root: The store's directory.
        name: The log, e.g. ``err.log``.
        prefix: How the line begins.

    Raises:
        OSError: It cannot be read.
        LinkedFileError: The log is a link.
    """
    for part in (name, f"{name}.1"):
        with suppress(FileNotFoundError), os.fdopen(open_file(root, part, os.O_RDONLY), "rb") as lines:
            if any(line.startswith(prefix) for line in lines):
                return True
    return False


def _begin_anew(path: Path, descriptor: int) -> None:
    """Rename a log that is full, once, however many processes find it so."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # somebody is doing it
        return
    with suppress(FileNotFoundError):  # somebody has done it, and nobody has begun another yet
        if os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False)):
            path.replace(path.with_name(f"{path.name}.1"))

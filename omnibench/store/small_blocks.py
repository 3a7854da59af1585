"""SQLite's shared memory where a file system has blocks smaller than a page of memory, e.g. an ext4 of less than 512 MB.

SQLite makes sure of one block per page of that memory. Where the rest of the page is a hole, and the file system full when
it is first written to, the system ends the process by SIGBUS: nothing can be caught, and nobody says why. So there nothing is
begun without a margin of room, and the disk is told as full before it is.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
from pathlib import Path

MARGIN = 2**18
"""Bytes: the shared memory has 32 KiB for each 16 MB of log, the rest is for what others write meanwhile."""


def require_room(directory: Path) -> None:
    """Refuse to go on with a database where its shared memory might find no room.

    Args:
        directory: The database's directory.

    Raises:
        sqlite3.OperationalError: The file system has small blocks, and few of them are left; what SQLite says of a full disk.
    """
    try:
        status = os.statvfs(directory)
    except OSError:  # it was removed, which whoever uses it says
        return
    if status.f_frsize < mmap.PAGESIZE and status.f_bavail * status.f_frsize < MARGIN:
        raise sqlite3.OperationalError("database or disk is full")

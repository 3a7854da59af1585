"""Small files without a sync each: the database of the records has their content, too, until all of the file system is synced.

A sync waits for the disk, for a tenth of a millisecond or for ten, and a file needs two: of its content, and of the directory
with its name. A small item has four files, so it waited more than it computed. The transaction that records a file has to be
synced anyhow. So it takes the file's content along, and the file itself is left to the kernel. Some hundreds of files later, and
when the store is closed, one ``syncfs`` makes all of them durable, and their contents leave the database again.

After a loss of power whoever opens the store next compares these contents with the files, and writes those again that are
missing or torn. No end of a process loses what it has written to a file; what it has left in the database is looked at all the
same, and removed.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.filesystems import file_system_of
from omnibench.store.permissions import is_shared
from omnibench.store.schema_changes import change_once

_LARGEST = 1 << 16
"""Bytes of the largest file that is left unsynced: to write more twice takes longer than to wait for the disk."""

_MOST_FILES = 600
_MOST_BYTES = 8 << 20
"""With more files, or bytes, in the database the file system is synced."""

_SYNCED_AT_ONCE = frozenset({"ext3", "ext4", "xfs", "btrfs", "f2fs", "overlay", "tmpfs", "ramfs"})
"""File systems of which ``syncfs`` makes all durable that was written, disk caches included; FUSE, for one, hands it to nobody."""

_FIRST_KERNEL = (5, 8)
"""Since this version of Linux ``syncfs`` says when something could not be written."""

_TABLE = (
    "CREATE TABLE UnsyncedFiles "
    "(number INTEGER PRIMARY KEY, holder TEXT NOT NULL, path TEXT NOT NULL, record TEXT NOT NULL, content BLOB NOT NULL)"
)


@cache
def _syncfs() -> Callable[[int], int] | None:
    """Return the C library's ``syncfs``; None where there is none that tells of errors."""
    if sys.platform != "linux":
        return None
    version = os.uname().release.split(".")
    try:
        if (int(version[0]), int(version[1])) < _FIRST_KERNEL:
            return None
        function = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError, ValueError, IndexError):
        return None
    function.argtypes, function.restype = (ctypes.c_int,), ctypes.c_int
    return function


def sync_file_system(directory: Path) -> None:
    """Make everything durable that was written to the file system of a directory.

    Raises:
        OSError: Something could not be written since the last call.
        StoreError: It cannot be done here; see ``may_leave_unsynced``.
    """
    function = _syncfs()
    if function is None:
        raise StoreError("this operating system cannot sync one file system")
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if function(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(directory))
    finally:
        os.close(descriptor)


def may_leave_unsynced(root: Path) -> bool:
    """Whether small files of a store may be left unsynced: where ``syncfs`` works, and no group shares it.

    In the store of a group a model belongs to whom it is from, and those of others are not loaded: written again after a loss of
    power it would be another member's.
    """
    return _syncfs() is not None and file_system_of(root) in _SYNCED_AT_ONCE and not is_shared(root)


@dataclass(frozen=True, slots=True)
class UnsyncedFile:
    """A file whose content the database has.

    Attributes:
        path: Its path, relative to the store's directory.
        record: The key of the record that needs it.
        content: All of it.
    """

    path: str
    record: str
    content: bytes


class UnsyncedFiles:
    """The small files that a process has published and not synced. Threads share it.

    Args:
        root: The store's directory.
        holder: The lock file that is held for as long as this process lives, relative to the store's directory.
    """

    def __init__(self, root: Path, holder: str) -> None:
        self._root = root
        self._holder = holder
        self._is_used = may_leave_unsynced(root)
        self._noted: list[UnsyncedFile] = []  # not in the database yet
        self._unsynced: dict[int, int] = {}  # of rows in the database: their numbers, and how many bytes they have
        self._synced: list[int] = []  # the numbers of rows whose files are synced
        self._lock = threading.Lock()
        self._syncing: threading.Thread | None = None

    @property
    def is_used(self) -> bool:
        """Whether small files of this store are left unsynced."""
        return self._is_used

    def content_of(self, file: Path) -> bytes | None:
        """Return the content of a file that is to be left unsynced; None of one that is to be synced, as a large one is."""
        if not self._is_used:
            return None
        with open(file, "rb", buffering=0) as opened:
            content = opened.read(_LARGEST + 1)
        return content if len(content) <= _LARGEST else None

    def note(self, file: UnsyncedFile) -> None:
        """Note a file that was published; the next transaction takes its content along."""
        with self._lock:
            self._noted.append(file)

    def write(self, connection: sqlite3.Connection) -> Callable[[], None]:
        """Write the contents of the files that were noted into the database, and remove those that are synced.

        Args:
            connection: A connection in whose transaction records are written.

        Returns:
            What to call when the transaction is committed.
        """
        with self._lock:
            noted, synced = list(self._noted), list(self._synced)
        sizes = {self._insert(connection, file): len(file.content) for file in noted}
        self._remove(connection, synced)

        def note_committed() -> None:
            with self._lock:
                del self._noted[: len(noted)], self._synced[: len(synced)]
                self._unsynced |= sizes
                is_due = len(self._unsynced) >= _MOST_FILES or sum(self._unsynced.values()) >= _MOST_BYTES
            if is_due:
                self._sync_meanwhile()

        return note_committed

    def _insert(self, connection: sqlite3.Connection, file: UnsyncedFile) -> int:
        statement = "INSERT INTO UnsyncedFiles (holder, path, record, content) VALUES (?, ?, ?, ?)"
        number = connection.execute(statement, (self._holder, file.path, file.record, file.content)).lastrowid
        assert number is not None, "a row was inserted"
        return number

    def _remove(self, connection: sqlite3.Connection, numbers: list[int]) -> None:
        if numbers:  # a number that is free again may be another process's
            rows = [(number, self._holder) for number in numbers]
            connection.executemany("DELETE FROM UnsyncedFiles WHERE number = ? AND holder = ?", rows)

    def _sync_meanwhile(self) -> None:
        """Sync the file system in a thread: it takes as long as it takes to write what anybody has written."""
        if self._syncing is None or not self._syncing.is_alive():
            self._syncing = threading.Thread(target=self._sync_quietly, name="omnibench-syncfs", daemon=True)
            self._syncing.start()

    def _sync_quietly(self) -> None:
        with suppress(OSError):  # the database has all of it, and it is tried again
            self._sync()

    def _sync(self) -> None:
        with self._lock:
            numbers = list(self._unsynced)
        if numbers:
            sync_file_system(self._root)
            with self._lock:
                for number in numbers:
                    del self._unsynced[number]
                self._synced += numbers

    def leave_database(self) -> None:
        """Sync all files, since the database that has their contents is given up.

        Raises:
            OSError: The disk refuses.
        """
        if self._syncing is not None:
            self._syncing.join()
        self._sync()
        self._synced.clear()

    def close(self, change: Callable[[Callable[[sqlite3.Connection], object]], None]) -> None:
        """Sync all files, and remove their contents from the database; what fails is left to whoever opens the store next.

        Args:
            change: See ``Records.change``.
        """
        with suppress(OSError, StoreError):
            if self._syncing is not None:
                self._syncing.join()
            self._sync()
            if self._synced:
                change(lambda connection: self._remove(connection, self._synced))
                self._synced.clear()


def create_table(connection: sqlite3.Connection) -> None:
    """Make the table where a database has none; no write where it has."""
    query = "SELECT sql FROM sqlite_master WHERE name = 'UnsyncedFiles'"

    def is_there() -> bool:
        return bool(connection.execute(query).fetchall() == [(_TABLE,)])

    def make() -> None:
        connection.execute("DROP TABLE IF EXISTS UnsyncedFiles")
        connection.execute(_TABLE)

    change_once(connection, is_there, make)

"""Small files without a sync each: the database of the records has their content, too, until all of the file system is synced.

A sync waits for the disk, for a tenth of a millisecond or for ten, and a file needs two: of its content, and of the directory
with its name. A small item has four files, so it waited more than it computed. The transaction that records a file has to be
synced anyhow. So it takes the file's content along, and the file itself is left to the kernel. Some hundreds of files later, and
when the store is closed, one ``syncfs`` makes all of them durable, and their contents leave the database again. What dead
processes have left there, whoever opens the store next sees to; see ``lost_files``.
"""

from __future__ import annotations

import ctypes
import os
import random
import sqlite3
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.guest import forks
from omnibench.store.beneath import LinkedFileError, open_file
from omnibench.store.durable_names import UnsyncedNames
from omnibench.store.filesystems import mount_of
from omnibench.store.permissions import RECORDS, is_own_work
from omnibench.store.schema_changes import change_once

LARGEST = 1 << 16
"""Bytes of the largest file that is left unsynced: to write more twice takes longer than to wait for the disk."""

_MOST_FILES = 600
_MOST_BYTES = 8 << 20
"""With more files, or bytes, in the database the file system is synced; with four times as many, files are synced themselves."""

_FEW_FILES = 64
"""Up to so many, e.g. at the end of a short run, are synced themselves: all that anybody is writing to the disk may be much more."""

_SYNCED_AT_ONCE = frozenset({"ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "ramfs"})
"""File systems of which ``syncfs`` makes all durable that was written, disk caches included, and tells what it could not write.

Not those in user space, which are not asked, nor an overlay, whose upper layer has the errors.
"""

_FIRST_KERNEL = (5, 17)
"""Since this version of Linux ``syncfs`` tells all errors."""

_TABLE = (
    "CREATE TABLE UnsyncedFiles "
    "(number INTEGER PRIMARY KEY, holder TEXT NOT NULL, path TEXT NOT NULL, records TEXT NOT NULL, content BLOB NOT NULL)"
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


def sync_file_system(descriptor: int) -> None:
    """Make everything durable that was written to a file system.

    Args:
        descriptor: An open file or directory in it. What could not be written since it was opened, or synced last, is told.

    Raises:
        OSError: Something could not be written, or this operating system cannot sync one file system.
    """
    function = _syncfs()
    if function is None:
        raise OSError("one file system cannot be synced here")
    if function(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def is_private(root: Path) -> bool:
    """Whether nobody else may write to a store's database, or put another one in its place.

    A model is loaded, which runs what is in it, if its file is this user's. One that is written from the database would be.
    """
    return all(is_own_work(path, shared=True) for path in (root, root / RECORDS) if path.exists())


def may_leave_unsynced(root: Path) -> bool:
    """Whether small files of a store may be left unsynced: where ``syncfs`` works, and the store is this user's alone."""
    return _syncfs() is not None and mount_of(root).file_system in _SYNCED_AT_ONCE and is_private(root)


@dataclass(frozen=True, slots=True)
class UnsyncedFile:
    """A file whose content the database has.

    Attributes:
        path: Its path, relative to the store's directory.
        records: The keys of the records that need it.
        content: All of it.
    """

    path: str
    records: tuple[str, ...]
    content: bytes


class UnsyncedFiles:
    """The small files that a process has published and not synced. Threads share it.

    Args:
        root: The store's directory.
        holder: The lock file that is held for as long as this process lives, relative to the store's directory.
        notify: Called with a sentence when the file system could not be synced.
    """

    def __init__(self, root: Path, holder: str, notify: Callable[[str], None]) -> None:
        self._pid, self._descriptor = os.getpid(), -1  # first: ``__del__`` looks at them, whatever fails here
        self._root = root
        self._holder = holder
        self._notify = notify
        self.is_used = may_leave_unsynced(root)
        # Opened before any file is written, so that it is told of each that could not be.
        if self.is_used:
            self._descriptor = _opened(root)
        # Numbers of rows are no other process's, and are not used again.
        self._number = random.SystemRandom().getrandbits(30) << 32
        self._noted: dict[int, UnsyncedFile] = {}  # not in the database yet
        self._recorded: dict[int, tuple[str, int]] = {}  # in it and not synced: paths, and how many bytes they have
        self._numbers: dict[str, int] = {}  # the numbers of both, by path
        self._n_bytes = 0  # of what is in it
        self._needless: set[int] = set()  # in it, and of no use any more
        self._lock = threading.Lock()
        self._at_sync = threading.Lock()
        self._syncing: threading.Thread | None = None

    def takes(self, partial: Path) -> bool:
        """Whether a file is to be left unsynced: it is small, and the database does not have too many already."""
        has_room = len(self._recorded) < 4 * _MOST_FILES and self._n_bytes < 4 * _MOST_BYTES
        return self.is_used and has_room and os.stat(partial).st_size <= LARGEST

    def note(self, path: str, records: Sequence[str], content: bytes) -> None:
        """Note a file that was published; the transaction that writes one of its records takes its content along.

        Args:
            path: Its path, relative to the store's directory.
            records: The keys of the records that need it.
            content: All of it.
        """
        self.forget(path)
        with self._lock:
            self._number += 1
            self._noted[self._number] = UnsyncedFile(path, tuple(records), content)
            self._numbers[path] = self._number

    def forget(self, path: str) -> None:
        """Forget what a path had before: another file gets it."""
        with self._lock:
            number = self._numbers.get(path)
            if number is None:
                return
            if self._noted.pop(number, None) is not None:
                del self._numbers[path]
            elif self._retire(number):
                self._needless.add(number)

    def _retire(self, number: int) -> bool:
        """Take a row for one whose content is of no use; False where somebody has done so before."""
        if number not in self._recorded:
            return False
        path, size = self._recorded.pop(number)
        del self._numbers[path]
        self._n_bytes -= size
        return True

    def write(self, connection: sqlite3.Connection, keys: Collection[str]) -> Callable[[], None]:
        """Write the contents of the files of some records into the database, and remove those that are of no use any more.

        Args:
            connection: A connection in whose transaction the records are written.
            keys: The keys of the records.

        Returns:
            What to call when the transaction is committed.
        """
        with self._lock:
            files = {number: file for number, file in self._noted.items() if not set(keys).isdisjoint(file.records)}
            needless = set(self._needless)
        remove_rows(connection, needless)
        for number, file in files.items():  # again, where nobody was told that the transaction before was committed
            row = (number, self._holder, file.path, "\n".join(file.records), file.content)
            connection.execute("INSERT OR REPLACE INTO UnsyncedFiles VALUES (?, ?, ?, ?, ?)", row)

        def note_committed() -> None:
            with self._lock:
                for number, file in files.items():
                    if self._noted.pop(number, None) is not None:  # else another file has its path by now
                        self._recorded[number] = file.path, len(file.content)
                        self._n_bytes += len(file.content)
                self._needless -= needless
                is_due = len(self._recorded) >= _MOST_FILES or self._n_bytes >= _MOST_BYTES
            if is_due and self.is_used:
                self._sync_meanwhile()

        return note_committed

    def _sync_meanwhile(self) -> None:
        """Sync the file system in a thread: it takes as long as it takes to write what anybody has written."""
        if self._syncing is None or not self._syncing.is_alive():
            syncing = threading.Thread(target=self.sync, name="omnibench-syncfs", daemon=True)
            with suppress(RuntimeError):  # there is no room for a thread; it is tried again
                syncing.start()
                self._syncing = syncing

    def sync(self) -> None:
        """Make all files durable whose contents the database has, which are of no use then.

        Where that fails the database has them until the store is opened the next time, and later files are synced themselves,
        so that they tell of their errors.
        """
        error = None
        with self._at_sync:
            with self._lock:
                recorded = dict(self._recorded)
            if recorded and self.is_used:
                try:
                    self._make_durable([path for path, _ in recorded.values()])
                except OSError as trouble:
                    self.is_used, error = False, trouble
                else:
                    with self._lock:
                        self._needless |= {number for number in recorded if self._retire(number)}
        if error is not None:
            self._notify(
                f"the file system of {self._root} could not be synced ({error}). Nothing is lost: the database of the "
                "records has what may not be on disk, and the next run, or `omnibench gc`, writes it."
            )

    def _make_durable(self, paths: list[str]) -> None:
        if len(paths) > _FEW_FILES:
            sync_file_system(self._descriptor)
            return
        names = UnsyncedNames()
        try:
            for path in paths:
                with suppress(
                    FileNotFoundError, LinkedFileError
                ):  # it was removed meanwhile, e.g. a model that is not kept
                    sync_file(path, self._root, names)
            names.sync()
        finally:
            names.close()

    def leave_database(self) -> None:
        """Make all files durable, since the database that has their contents is given up."""
        self.sync()
        with self._lock:
            for number in list(self._recorded):
                self._retire(number)
            self._needless.clear()

    def close(self, change: Callable[[Callable[[sqlite3.Connection], object]], None]) -> None:
        """Make all files durable, and remove their contents from the database; nothing is done by a forked child.

        Args:
            change: Calls what it is given with a connection in a transaction. Where it raises StoreError whoever opens the store
                next removes them.
        """
        if os.getpid() != self._pid or self._descriptor < 0:
            return
        try:
            self.sync()
            with self._lock:
                needless = set(self._needless)
            if needless:
                with suppress(StoreError):
                    change(lambda connection: remove_rows(connection, needless))
                    self._needless -= needless
        finally:
            self.release()

    def release(self) -> None:
        """Let go of the store's directory, whatever is unsynced; doing so again does nothing."""
        if os.getpid() == self._pid and self._descriptor >= 0:
            forks.close(self._descriptor)
            self._descriptor = -1
            self.is_used = False

    def __del__(self) -> None:
        """Let go of it also where a store was not closed."""
        self.release()


def sync_file(path: str, root: Path, names: UnsyncedNames) -> None:
    """Make a file durable.

    Args:
        path: Its path, relative to the store's directory.
        root: The store's directory.
        names: Gets its name, and those of the directories above it.

    Raises:
        OSError: The disk refuses, or has refused a part of it since it was opened last.
        LinkedFileError: It is a link, or reached through one.
    """
    descriptor = open_file(root, path)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    directory = (root / path).parent
    names.note(directory)
    names.note_ancestors(directory, root)


def _opened(directory: Path) -> int:
    with forks.undivided():
        return forks.withhold(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def remove_rows(connection: sqlite3.Connection, numbers: Collection[int]) -> None:
    """Remove contents from the database by the numbers of their rows."""
    if numbers:
        connection.executemany("DELETE FROM UnsyncedFiles WHERE number = ?", [(number,) for number in numbers])


def create_table(connection: sqlite3.Connection) -> None:
    """Make the table where a database has none; no write where it has."""
    query = "SELECT sql FROM sqlite_master WHERE name = 'UnsyncedFiles'"

    def is_there() -> bool:
        return bool(connection.execute(query).fetchall() == [(_TABLE,)])

    def make() -> None:
        connection.execute("DROP TABLE IF EXISTS UnsyncedFiles")
        connection.execute(_TABLE)

    change_once(connection, is_there, make)

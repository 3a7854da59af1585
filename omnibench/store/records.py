"""The checkpoint records: JSON texts in diskcache. The only module that imports diskcache.

What diskcache would do by default and must not do here: evict records, keep values in files without
checksums, and pickle. Settings live in the database itself, so they are checked after every opening.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import diskcache

from omnibench.errors import StoreError

Record = dict[str, Any]

_SETTINGS = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": 2**62,
    "statistics": 0,
    "disk_min_file_size": 2**31 - 1,
    "sqlite_synchronous": 2,  # FULL: a record that was committed survives power loss
    "sqlite_mmap_size": 0,
}
_KEEPING = ("eviction_policy", "cull_limit", "size_limit", "disk_min_file_size", "sqlite_synchronous")
"""What a committed record's life depends on."""


class TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache is untyped
    """Keys and values are texts; anything else would be pickled (CVE-2025-69872), so it is refused."""

    def put(self, key: Any) -> Any:
        if type(key) is not str:
            raise StoreError(f"the record key {key!r} is no text")
        return super().put(key)

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            raise StoreError("the store holds a pickled key, which omnibench never writes; it is not opened")
        return super().get(key, raw)

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if type(value) is not str:
            raise StoreError(f"the value of record {key!r} is no text")
        return super().store(value, read, key=key)

    def fetch(self, mode: int, filename: Any, value: Any, read: bool) -> Any:
        if mode != diskcache.core.MODE_RAW or filename is not None:
            raise StoreError("the store holds a value that omnibench never writes (a pickle or a file); it is not read")
        return super().fetch(mode, filename, value, read)


class Records:
    """The records of one store. Open it once per process.

    Args:
        directory: The diskcache directory.

    Raises:
        StoreError: The database cannot be opened with the settings that keep records.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            try:
                self._cache = _open(directory)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                    raise
                _set_aside(directory, error)
                self._cache = _open(directory)
        except (sqlite3.Error, OSError, diskcache.Timeout) as error:
            raise StoreError(
                f"the checkpoint records in {directory} cannot be opened ({type(error).__name__}: {error}). "
                "Choose another place with --omnirec-checkpoint-dir, or make this one writable."
            ) from error
        self._place = self._found()
        for name in _KEEPING:
            if getattr(self._cache, name) != _SETTINGS[name]:
                raise StoreError(
                    f"the checkpoint records in {directory} were opened elsewhere with {name}="
                    f"{getattr(self._cache, name)!r}, which may drop results. Close that program and try again."
                )

    def get(self, key: str) -> Record | None:
        """Return a record, or None.

        Raises:
            StoreError: What stands there is no record of omnibench's.
        """
        try:
            text = self._cache.get(key, retry=True)
        except sqlite3.DatabaseError as error:
            raise StoreError(f"the checkpoint records in {self.directory} cannot be read ({error}).") from error
        return None if text is None else _parsed(key, text, self.directory)

    def commit(
        self, records: Mapping[str, Record], delete: Iterable[str] = (), check: Callable[[], None] = lambda: None
    ) -> None:
        """Write and delete records in one transaction that is on disk when this returns.

        Args:
            records: By key.
            delete: Keys to forget.
            check: Called inside the transaction; raising abandons it.

        Raises:
            StoreError: The database was removed or replaced while it was in use, or cannot be written.
        """
        texts = {key: json.dumps(record) for key, record in records.items()}
        try:
            with self._cache.transact(retry=True):
                check()
                self._check_place()
                for key in delete:
                    self._cache.delete(key)
                for key, text in texts.items():
                    self._cache.set(key, text)
        except sqlite3.Error as error:
            raise StoreError(f"the checkpoint records in {self.directory} cannot be written ({error}).") from error

    def _check_place(self) -> None:
        """Refuse to "succeed" into a database whose directory was removed under us."""
        if self._found() != self._place:
            raise StoreError(f"the checkpoint records in {self.directory} were removed while they were in use")

    def _found(self) -> tuple[int, int] | None:
        try:
            status = (self.directory / "cache.db").stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Close the database."""
        self._cache.close()


def _open(directory: Path) -> diskcache.Cache:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return diskcache.Cache(str(directory), timeout=30, disk=TextDisk, **_SETTINGS)


def _set_aside(directory: Path, error: sqlite3.DatabaseError) -> None:
    """Rename a damaged database, so that a new one can take its place and somebody can look at the old one."""
    aside = directory.with_name(f"{directory.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}")
    directory.rename(aside)
    warnings.warn(
        f"the checkpoint records in {directory} are damaged ({error}) and were set aside as {aside.name}; "
        "everything is computed again.",
        UserWarning,
        stacklevel=4,
    )


def read_all(directory: Path) -> dict[str, Record]:
    """Return every record in one read-only SELECT; writers are neither waited for nor disturbed.

    Args:
        directory: The diskcache directory; when there is none, there are no records.

    Raises:
        StoreError: The database cannot be read, or holds what is no record of omnibench's.
    """
    database = directory / "cache.db"
    if not database.exists():
        return {}
    try:
        rows = _select(database, "mode=ro")
    except sqlite3.Error as error:
        if "no such table" in str(error):  # somebody is creating it right now
            return {}
        if os.access(directory, os.W_OK):
            raise StoreError(f"the checkpoint records in {directory} cannot be read ({error}).") from error
        rows = _select(database, "immutable=1")  # on a read-only file system even a reader cannot have its -shm
    return {key: _parsed(key, value, directory) for key, value in rows}


def _select(database: Path, how: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?{how}", uri=True, timeout=30)) as connection:
        return connection.execute("SELECT key, value FROM Cache WHERE raw = 1 AND mode = 1").fetchall()


def _parsed(key: str, text: Any, directory: Path) -> Record:
    try:
        record = json.loads(text)
    except (ValueError, TypeError) as error:
        raise StoreError(f"the record {key!r} in {directory} is damaged ({error}).") from error
    if not isinstance(record, dict):
        raise StoreError(f"the record {key!r} in {directory} is damaged (it is a {type(record).__name__}).")
    return record


def timestamp() -> str:
    """Return the time as records keep it: UTC, ISO 8601, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

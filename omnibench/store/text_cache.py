"""The database of the records as diskcache makes and opens it. The only module that imports diskcache.

What diskcache would do by default and must not do here: evict records, keep values in files without
checksums, and pickle. Settings live in the database itself, so they are checked after every opening.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diskcache

from omnibench.errors import StoreError
from omnibench.store.sealing import DamagedRecordError

_SETTINGS = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": 2**62,
    "statistics": 0,
    "disk_min_file_size": 2**31 - 1,
    "sqlite_synchronous": 2,  # FULL: a record that was committed survives power loss
    "sqlite_mmap_size": 0,
}
_DURABILITY_SETTINGS = ("eviction_policy", "cull_limit", "size_limit", "disk_min_file_size", "sqlite_synchronous")
"""What a committed record's life depends on."""

LOOK_SECONDS = 1
"""How long SQLite waits for a lock by itself: in there it hears no Ctrl-C, so the rest of the waiting is ours."""

Timeout: type[Exception] = diskcache.Timeout
"""Somebody has kept the records locked."""

_VALUES = (
    "INTO Cache (key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value) "
    "VALUES (?, 1, ?, NULL, ?, 0, NULL, 0, 1, NULL, ?)"
)
"""A row as diskcache writes one for a text: ``raw`` and ``mode`` 1 say that key and value stand in it as they are."""


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
            raise DamagedRecordError("it is a pickle or a file, which omnibench never writes and does not read")
        return super().fetch(mode, filename, value, read)

    def remove(self, file_path: Any) -> None:
        """Remove no file: records have none, and a damaged row may name any."""


class _Literal(str):
    """A path in which diskcache expands nothing: it looks for a ``$``, and then takes ``$NAME`` for a variable."""

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def __contains__(self, text: object) -> bool:
        return text != "$" and isinstance(text, str) and super().__contains__(text)


def opened_cache(directory: Path) -> diskcache.Cache:
    """Open the database in a directory, with the settings that keep records.

    Args:
        directory: The directory, which is made where it is missing.
    """
    return diskcache.Cache(_Literal(directory), timeout=LOOK_SECONDS, disk=TextDisk, **_SETTINGS)


def require_durability(cache: diskcache.Cache, directory: Path) -> None:
    """Refuse a database that another process has opened with settings that may drop records.

    Raises:
        StoreError: It has.
    """
    for name in _DURABILITY_SETTINGS:
        if getattr(cache, name) != _SETTINGS[name]:
            raise StoreError(
                f"the checkpoint records in {directory} were opened elsewhere with {name}="
                f"{getattr(cache, name)!r}, which may drop results. Close that program and try again."
            )


def insert(connection: sqlite3.Connection, texts: Mapping[str, str], *, keep: bool = False) -> None:
    """Insert texts as diskcache does, which would look for each row first, in statements of their own.

    Args:
        connection: The connection, in a transaction.
        texts: By key.
        keep: Whether a row that is there already stays as it is; else it must not be there.

    Raises:
        StoreError: A key is no text.
    """
    now = time.time()
    statement = f"INSERT {'OR IGNORE ' if keep else ''}{_VALUES}"
    for key, text in texts.items():
        if type(key) is not str:
            raise StoreError(f"the record key {key!r} is no text")
        connection.execute(statement, (key, now, now, text))

"""What counts as damage of the database, and what only looks like it: locked, read-only, out of room."""

from __future__ import annotations

import sqlite3
import time
import uuid
from pathlib import Path

from omnibench.errors import StoreError

_SOUND = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_NOLFS,
    }
)
"""What SQLite says when the database may be perfectly well: locked, read-only, no room, ..."""


class DamagedStoreError(StoreError):
    """The database itself is damaged: to be set aside and rebuilt, unlike one that is locked or out of room."""


class ReplacedStoreError(StoreError):
    """The database was removed or replaced while it was open."""


def is_damage(error: Exception) -> bool:
    """Whether an error met while using the database means that its content is broken.

    Locked, read-only, out of room, out of memory and out of reach are not damage. Whatever is neither SQLite's nor
    the operating system's is: diskcache stumbled over settings that no diskcache wrote.
    """
    if isinstance(error, DamagedStoreError):
        return True
    if isinstance(error, StoreError | OSError | MemoryError) or type(error).__name__ == "Timeout":  # diskcache's
        return False
    if isinstance(error, sqlite3.Error):
        code = primary_code(error)
        return "Could not decode to UTF-8" in str(error) if code is None else code not in _SOUND
    return True


def primary_code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code, or None for an error of Python's own module."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def check_header(database: Path) -> None:
    """Raise when the header holds an impossible version: SQLite takes it for a newer format and opens it read-only.

    Not to be called while the database is in use in this process: closing the file would cancel SQLite's locks.
    """
    try:
        with database.open("rb") as file:
            header = file.read(20)
    except FileNotFoundError:
        return
    if len(header) == 20 and not set(header[18:20]) <= {1, 2}:  # noqa: PLR2004 - offsets of SQLite's file format
        raise DamagedStoreError(f"the checkpoint records in {database.parent} are damaged (impossible header)")


def check_content(connection: sqlite3.Connection) -> None:
    """Read the whole database once and check it; takes about 3 microseconds a record.

    Raises:
        DamagedStoreError: Something in it is broken.
    """
    ((verdict,),) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        reason = " ".join(str(verdict).split())  # SQLite's has several lines
        raise DamagedStoreError(f"the checkpoint records are damaged ({reason})")
    connection.execute(
        "SELECT key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value "
        "FROM Cache LIMIT 1"
    )


def set_database_aside(directory: Path) -> Path:
    """Rename a damaged database with its log, so that a new one can take its place; return the new name."""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    return directory.rename(directory.with_name(f"{directory.name}.damaged-{stamp}-{uuid.uuid4().hex[:8]}"))

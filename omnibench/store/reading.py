"""Reading records as of one moment, without writing anything."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from omnibench.collector import without_collector
from omnibench.errors import StoreError
from omnibench.store.advice import repair_command
from omnibench.store.beneath import refuse_links
from omnibench.store.damage import DamagedStoreError, is_damage
from omnibench.store.formats import refuse_newer, refuse_newer_database
from omnibench.store.reader import Reader
from omnibench.store.schema import Record
from omnibench.store.small_blocks import require_room
from omnibench.store.strangers import cannot_be_read

DATABASE = ("cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal")
"""The files of the database, which SQLite opens by path: none of them may be a link."""

Answer = TypeVar("Answer")


def read(
    directory: Path,
    take: Callable[[Reader], Answer],
    on_damage: Callable[[str], None] = lambda _: None,
    *,
    untouched: bool = False,
) -> Answer:
    """Read records as of one moment over a read-only connection; writers are neither waited for nor disturbed.

    Args:
        directory: The diskcache directory.
        take: Called with a reader, and again with another one when that failed half way; returns the answer.
        on_damage: Called with the key of each damaged record that is met; it is left out.
        untouched: Leave no trace: SQLite's readers, too, make a shared memory file beside the database.

    Raises:
        NewerStoreError: A newer omnibench has made the store.
        DamagedStoreError: The database is damaged.
        StoreError: The database cannot be read.
    """
    refuse_newer(directory.parent)
    refuse_links(directory.parent, *(f"{directory.name}/{name}" for name in DATABASE))
    database = directory / "cache.db"
    unreadable = cannot_be_read(directory.parent)
    if unreadable is not None:
        raise unreadable
    if not database.exists():
        return take(_empty(on_damage))

    def select(database: Path, uri_options: str) -> Answer:
        if not uri_options.startswith("immutable") and database.parent == directory:  # not a copy
            require_room(directory)
        with closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?{uri_options}", uri=True, timeout=30)
        ) as connection:
            connection.execute("BEGIN")  # all that is read is to tell of one moment
            reader = Reader(connection, on_damage)
            refuse_newer_database(directory.parent, reader.version)
            with without_collector():
                return take(reader)

    log = database.with_name("cache.db-wal")
    # Without a log nobody is writing, and then a reader needs no shared memory to agree with writers.
    immutable = untouched and not (log.exists() and log.stat().st_size)
    try:
        return select(database, "immutable=1" if immutable else "mode=ro")
    except sqlite3.Error as error:
        if "no such table" in str(error):  # somebody is creating it right now
            return take(_empty(on_damage))
        if is_damage(error):
            raise _damaged(directory, error) from error
        if os.access(directory, os.W_OK):
            return _select_with_repair(database, select, lambda: take(_empty(on_damage)), error)
    # On a read-only file system even a reader cannot have its -shm, and `immutable` would overlook the -wal.
    try:
        with _copied(database) as copy:
            return select(copy, "mode=rw")
    except (sqlite3.Error, OSError) as error:
        raise _unreadable(directory, error) from error


@contextmanager
def readable(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a database to read it; of one with a log that lies where nothing can be written, a copy.

    Args:
        database: The file.

    Raises:
        sqlite3.Error, OSError: It cannot be read.
    """
    uri = f"{database.absolute().as_uri()}?mode=ro"
    with ExitStack() as stack:
        require_room(database.parent)
        connection = stack.enter_context(closing(sqlite3.connect(uri, uri=True, timeout=30)))
        try:
            connection.execute("SELECT name FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            if os.access(database.parent, os.W_OK):
                raise
            copy = stack.enter_context(_copied(database))
            connection = stack.enter_context(closing(sqlite3.connect(copy)))
        yield connection


@contextmanager
def _copied(database: Path) -> Iterator[Path]:
    """Copy a database with its log: a reader cannot have the log's shared memory where nothing can be written."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in (database.name, f"{database.name}-wal"):
            if (database.parent / name).exists():
                shutil.copyfile(database.parent / name, Path(scratch) / name)
        yield Path(scratch) / database.name


def _damaged(directory: Path, error: Exception) -> DamagedStoreError:
    return DamagedStoreError(
        f"the checkpoint records in {directory} are damaged ({error}); the next run sets them aside and rebuilds them, as does "
        f"`{repair_command(directory.parent)}`"
    )


def _unreadable(directory: Path, error: Exception) -> StoreError:
    return StoreError(
        f"the checkpoint records in {directory} cannot be read ({error}). Mend that, or copy all of "
        f"{directory.parent} to another disk and look at the copy."
    )


def _empty(on_damage: Callable[[str], None]) -> Reader:
    """Return a reader of no records."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE Cache (key, raw, mode, value)")
    return Reader(connection, on_damage)


def _select_with_repair(
    database: Path, select: Callable[[Path, str], Answer], empty: Callable[[], Answer], error: sqlite3.Error
) -> Answer:
    """Read over a connection that may write: only such a one can roll back what a kill has left half done."""
    try:
        return select(database, "mode=rw")
    except sqlite3.Error as again:
        if "no such table" in str(again):
            return empty()
        if is_damage(again):
            raise _damaged(database.parent, again) from again
        log = database.with_name("cache.db-wal")
        if not log.exists() or log.stat().st_size == 0:  # a full disk has no room for a reader's shared memory
            try:
                return select(database, "immutable=1")
            except sqlite3.Error as last:
                if "no such table" in str(last):  # nor was there any to create one
                    return empty()
        with suppress(sqlite3.Error, OSError), _copied(database) as copy:  # also with its log
            return select(copy, "mode=rw")
        raise _unreadable(database.parent, error) from again


def read_all(
    directory: Path, on_damage: Callable[[str], None] = lambda _: None, *, untouched: bool = False
) -> dict[str, Record]:
    """Return every sound record; see ``read``."""
    return read(directory, lambda reader: dict(reader.records()), on_damage, untouched=untouched)

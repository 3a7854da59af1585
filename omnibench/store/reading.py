"""Reading records as of one moment, without writing anything."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from omnibench.errors import StoreError
from omnibench.store.advice import repair_command
from omnibench.store.beneath import refuse_links
from omnibench.store.checks import is_cost, is_name, is_natural
from omnibench.store.cost_queries import COSTS_OF_PHASES, PEAKS_OF_FITS
from omnibench.store.damage import DamagedStoreError, check_content, is_damage
from omnibench.store.formats import SEALED_SINCE, refuse_newer, refuse_newer_database
from omnibench.store.forms import record_of
from omnibench.store.indexes import FIT_KEYS, KEYS_OF_NAME, NAMES_WITH, OWNERS, ROWS_OF_ITEM, is_indexed
from omnibench.store.revision import revision_of
from omnibench.store.schema import Record, RecordType
from omnibench.store.sealing import DamagedRecordError, checked, text_of, unseal, unsealed
from omnibench.store.small_blocks import require_room
from omnibench.store.stops import settled
from omnibench.store.strangers import cannot_be_read

DATABASE = ("cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal")
"""The files of the database, which SQLite opens by path: none of them may be a link."""

_MOST_KEYS = 500
"""Keys that one query asks for; older versions of sqlite take no more than 999 variables."""

_SORTED = """
(SELECT rowid AS number FROM Cache WHERE raw = 1 AND key >= ? AND key < ? ORDER BY rowid LIMIT -1) AS sorted
CROSS JOIN Cache ON Cache.rowid = sorted.number
"""
"""The rows of a range of keys in the order in which they were written; values are not sorted, they are many.

Without its LIMIT, which is none, SQLite would leave out the ORDER BY of what is joined.
"""


class Reader:
    """The records as of one moment; see ``read``.

    Attributes:
        version: The database's format.
    """

    def __init__(self, connection: sqlite3.Connection, on_damage: Callable[[str], None]) -> None:
        self._connection = connection
        self._on_damage = on_damage
        self.version: int = connection.execute("PRAGMA user_version").fetchone()[0]

    def check(self) -> None:
        """Read the whole database and check it.

        Raises:
            DamagedStoreError: Something in it is broken.
        """
        check_content(self._connection)

    @property
    def revision(self) -> str:
        """The revision of the records; empty where nobody counts it yet."""
        return revision_of(self._connection)

    def texts(self, prefix: str = "", *, in_order: bool = False) -> Iterator[tuple[str, int, bytes]]:
        """Yield key, mode and value as they stand, of every record whose key begins with a prefix.

        Args:
            prefix: The prefix; without one, the records come in the order in which they were written.
            in_order: Whether they do so with a prefix, too, instead of by their keys.
        """
        # As bytes: one text that is no UTF-8 any more would be an error of the whole query.
        query = "SELECT CAST(key AS BLOB), mode, CAST(value AS BLOB) FROM"
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else ""
        table = (
            _SORTED if prefix and in_order else f"Cache WHERE raw = 1{' AND key >= ? AND key < ?' if prefix else ''}"
        )
        rows = self._connection.execute(f"{query} {table}", (prefix, end) if prefix else ())
        for key, mode, value in rows:
            yield key.decode(errors="replace"), mode, value

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with a prefix, of records that are not read, so that they may be damaged."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        query = "SELECT CAST(key AS BLOB) FROM Cache WHERE raw = 1 AND key >= ? AND key < ?"
        return (key.decode(errors="replace") for (key,) in self._connection.execute(query, (prefix, end)))

    def texts_of(self, keys: Iterable[str]) -> Iterator[tuple[str, int, bytes]]:
        """Yield key, mode and value as they stand, of the records that have some keys."""
        query = "SELECT key, mode, CAST(value AS BLOB) FROM Cache WHERE key = ? AND raw = 1"
        for key in keys:
            yield from self._connection.execute(query, (key,))

    def sound_texts(self, prefix: str, *, in_order: bool = False) -> Iterator[tuple[str, str]]:
        """Yield key and JSON, unread, of every sound record whose key begins with a prefix; of old stores none."""
        for key, mode, value in self.texts(prefix, in_order=in_order) if self.version >= SEALED_SINCE else ():
            try:
                yield key, checked(key, text_of(mode, value))
            except DamagedRecordError:
                self._on_damage(key)

    def sound_text(self, key: str) -> str | None:
        """Return the JSON, unread, of a sound record; None where there is none, and of old stores."""
        query = "SELECT mode, CAST(value AS BLOB) FROM Cache WHERE key = ? AND raw = 1"
        row = self._connection.execute(query, (key,)).fetchone() if self.version >= SEALED_SINCE else None
        try:
            return None if row is None else checked(key, text_of(*row))
        except DamagedRecordError:
            self._on_damage(key)
            return None

    def unformed(self, prefix: str, *, in_order: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield key and members of every record whose key begins with a prefix and whose checksum fits.

        Whether it is of the form of its type is not looked at, which takes longer than all else: whoever uses a member checks it.
        """
        for key, mode, value in self.texts(prefix, in_order=in_order):
            try:
                text = text_of(mode, value)
                members = unseal(key, text) if self.version >= SEALED_SINCE else unsealed(key, text)
            except (ValueError, RecursionError):
                self._on_damage(key)
            else:
                yield key, members

    def records(self, prefix: str = "", *, in_order: bool = False) -> Iterator[tuple[str, Record]]:
        """Yield every sound record whose key begins with a prefix; see ``texts``."""
        for key, mode, value in self.texts(prefix, in_order=in_order):
            record = self._sound(key, mode, value)
            if record is not None:
                yield key, record

    def records_of(self, *record_types: RecordType | None) -> Iterator[tuple[str, Record]]:
        """Yield every sound record of some types, in the order in which they were written."""
        for key, mode, value in self.texts():
            if RecordType.of(key) in record_types:
                record = self._sound(key, mode, value)
                if record is not None:
                    yield key, record

    def text(self, key: str) -> str:
        """Return the text of a record that is there, as it stands.

        Raises:
            DamagedRecordError: It is no text.
        """
        query = "SELECT mode, CAST(value AS BLOB) FROM Cache WHERE key = ? AND raw = 1"
        return text_of(*self._connection.execute(query, (key,)).fetchone())

    def get(self, key: str) -> Record | None:
        """Return a sound record, or None."""
        query = "SELECT mode, CAST(value AS BLOB) FROM Cache WHERE key = ? AND raw = 1"
        row = self._connection.execute(query, (key,)).fetchone()
        return None if row is None else self._sound(key, *row)

    @property
    def is_indexed(self) -> bool:
        """Whether the records of an item can be read without all others."""
        return self.version >= SEALED_SINCE and is_indexed(self._connection)

    def of_item(self, fit_key: str) -> Iterator[tuple[str, Record]]:
        """Yield every sound record of the item with a fit key, those of earlier generations too; of an indexed database."""
        query = f"SELECT CAST(key AS BLOB), mode, CAST(value AS BLOB) {ROWS_OF_ITEM}"
        for key_bytes, mode, value in self._connection.execute(query, (fit_key,)):
            key = key_bytes.decode(errors="replace")
            record = self._sound(key, mode, value)
            if record is not None and record.get("fit_key") == fit_key:
                yield key, record

    def owners(self, record_type: RecordType) -> Iterator[tuple[str, str]]:
        """Yield the keys of records of a type with the fit key that each has, if it is sound; of no old store."""
        for key, fit_key in self._connection.execute(OWNERS, record_type.bounds):
            yield key.decode(errors="replace"), fit_key

    def keys_named(self, name: str) -> list[str]:
        """Return the keys of the items that have a name; of an indexed database."""
        return [key for (key,) in self._connection.execute(KEYS_OF_NAME, (json.dumps(name)[1:-1],))]

    def item_key(self, text: str) -> str | None:
        """Return the fit key of the only item that has a text as its name, or as the beginning of its key.

        Of an indexed database. None also says that all items have to be looked at to tell what the text stands for.

        Args:
            text: The text, of which the caller knows whether it may be the beginning of a key.
        """
        keys = self.keys_named(text)
        if keys:
            return RecordType.ITEM.identity(keys[0]) if len(keys) == 1 else None
        if not text or self._connection.execute(NAMES_WITH, (text,)).fetchone():  # its own hash may begin so as well
            return None
        keys = self._connection.execute(FIT_KEYS, (text, f"{text}g")).fetchall()  # "g" follows all hexadecimal digits
        return str(keys[0][0]) if len(keys) == 1 else None

    def present(self, keys: Sequence[str]) -> set[str]:
        """Return those of some keys that have a record, which is not read, so that it may be damaged."""
        return {key for (key,) in self._rows_of(keys, "SELECT key FROM Cache WHERE raw = 1")}

    def members(self, keys: Sequence[str], member: str) -> dict[str, Any]:
        """Return one member of each record that some keys have, None where it has no such member.

        Whether a record is damaged is not looked at; one that is no JSON any more is left out, and so is what is neither
        a name nor a count.
        """
        query = f"SELECT key, json_extract(value, '$.{member}') FROM Cache WHERE raw = 1 AND json_valid(value)"  # noqa: S608 - a name of ours
        rows = self._rows_of(keys, query)
        return {key: value for key, value in rows if value is None or is_name(value) or is_natural(value)}

    def _rows_of(self, keys: Sequence[str], query: str) -> Iterator[tuple[Any, ...]]:
        """Yield what a query returns of the records with some keys."""
        for start in range(0, len(keys), _MOST_KEYS):
            block = keys[start : start + _MOST_KEYS]
            yield from self._connection.execute(f"{query} AND key IN ({', '.join('?' * len(block))})", block)

    def costs(self) -> Iterator[tuple[str, str, str, float | None, int | None]]:
        """Yield dataset, algorithm and phase with the mean of its seconds and its largest memory in bytes.

        For estimates only: whether a record is damaged is not looked at, only what is used of it.

        Raises:
            sqlite3.Error: The records cannot be read so.
        """
        for dataset, algorithm, phase, seconds, peak in self._connection.execute(COSTS_OF_PHASES):
            if is_cost(seconds) and is_cost(peak) and isinstance(dataset, str) and isinstance(algorithm, str):
                yield dataset, algorithm, phase, seconds, peak

    def peaks_of_fits(self, algorithm: str) -> Iterator[tuple[str, dict[str, Any], int]]:
        """Yield the datasets that an algorithm was fitted on, with its hyperparameters and the largest memory in bytes.

        As ``costs`` does, for estimates only. Records of other algorithms are passed over without being parsed.

        Args:
            algorithm: The algorithm's name, with that of its framework.

        Raises:
            sqlite3.Error: The records cannot be read so.
        """
        words = f'"algorithm": {json.dumps(algorithm)[:-1]}-'
        for dataset, parameters, peak in self._connection.execute(PEAKS_OF_FITS, (words,)):
            if is_natural(peak) and peak and isinstance(dataset, str) and isinstance(parameters, str):
                yield dataset, json.loads(parameters), peak

    def _sound(self, key: str, mode: int, value: bytes) -> Record | None:
        try:
            text = text_of(mode, value)
            return settled(key, record_of(key, text, sealed=self.version >= SEALED_SINCE))
        except DamagedRecordError:
            self._on_damage(key)
            return None


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

"""The checkpoint records: JSON texts in a database that diskcache has made; see ``text_cache``."""

from __future__ import annotations

import os
import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from omnibench.errors import StoreError
from omnibench.guest import forks
from omnibench.store.beneath import open_file
from omnibench.store.damage import (
    DamagedStoreError,
    ReplacedStoreError,
    check_content,
    is_damage,
)
from omnibench.store.formats import SEALED_SINCE, NewerStoreError, refuse_newer_database
from omnibench.store.forms import record_of
from omnibench.store.indexes import create_indexes
from omnibench.store.permissions import is_shared, make_directory, open_to_group
from omnibench.store.phase_costs import keep_costs
from omnibench.store.reader import MOST_KEYS
from omnibench.store.reading import read_all
from omnibench.store.record_errors import opening_error, trouble_of
from omnibench.store.revision import count_revisions
from omnibench.store.schema import Record, RecordType, timestamp
from omnibench.store.sealing import DamagedRecordError, seal, text_of
from omnibench.store.small_blocks import require_room
from omnibench.store.stops import settled
from omnibench.store.text_cache import LOOK_SECONDS, Timeout, insert, opened_cache, require_durability
from omnibench.store.unsynced_files import UnsyncedFiles, create_table
from omnibench.store.views import create_views
from omnibench.store.waiting import LockedStoreError, LockWait, is_locked
from omnibench.terminal import terminal_line

_READ_OFTEN = (RecordType.DATA, RecordType.ITEM)
"""Types of records that every attempt asks for several times; that of a dataset names all of its files."""
_MOST_LATEST = 16
"""Records of these types that are kept as they were read last: the same bytes are not checked and parsed again."""


class Records:
    """The records of one store. Open it once per process.

    Args:
        directory: The diskcache directory; ``recovery.open_records`` has looked for links, since SQLite opens it by path.
        version: The format to note in the database when it notes none or an older one.
        waiting: How to wait while other processes write.

    Raises:
        LockedStoreError: Another process has kept it locked for too long.
        NewerStoreError: A newer omnibench has made it.
        DamagedStoreError: The database is damaged.
        StoreError: The database cannot be opened with the settings that keep records.
    """

    def __init__(self, directory: Path, version: int = SEALED_SINCE, waiting: LockWait | None = None) -> None:
        self.directory = directory
        self._pid = os.getpid()
        self._database = directory / "cache.db"
        self._waiting = waiting or LockWait()
        try:
            make_directory(directory)
            self._waiting.until_free(self._database, lambda: self._open(version))
        except (DamagedStoreError, NewerStoreError, LockedStoreError):
            raise
        except Exception as error:
            raise opening_error(directory, error) from error
        if is_shared(directory):  # SQLite lets nobody else write
            for file in directory.glob("cache.db*"):
                open_to_group(file)
        self._file = self._database_file()
        self._latest: dict[str, tuple[Any, Record]] = {}
        self.unsynced_files: UnsyncedFiles | None = None  # whose contents each transaction of ``commit`` takes along
        self._thread = threading.local()
        require_durability(self._cache, directory)
        self._writing = threading.Lock()
        """Whose thread writes: SQLite would have the others look again and again, and it is theirs at once when that has ended."""
        self._n_turns = 0
        """How often a thread has begun to write."""

    def _open(self, version: int) -> None:
        """Open the database, unless another process writes: diskcache would wait for it for a minute, in silence."""
        require_room(self.directory)
        if self._database.exists():
            # Read first: opened to be written, a damaged one would lose its log. Only who uses it already may be writing.
            try:
                self._probe("ro", "SELECT 1 FROM sqlite_master")
            except sqlite3.Error as error:
                if is_locked(error) or is_damage(error):
                    raise  # else it is what only a writer can mend, e.g. a transaction that a kill has left half done
            if self._database.with_name("cache.db-shm").exists():
                self._probe("rw", "BEGIN IMMEDIATE")
        self._cache = opened_cache(self.directory)
        check_content(self._connection)
        self._note_format(version)
        create_views(self._connection)
        count_revisions(self._connection)
        create_indexes(self._connection)
        keep_costs(self._connection)
        create_table(self._connection)

    def _probe(self, mode: str, statement: str) -> None:
        """Try a statement over a connection of its own, which takes back whatever it begins."""
        uri = f"{self._database.absolute().as_uri()}?mode={mode}"
        with closing(sqlite3.connect(uri, uri=True, timeout=LOOK_SECONDS, isolation_level=None)) as connection:
            connection.execute(statement).fetchall()

    @property
    def _connection(self) -> sqlite3.Connection:
        """This thread's connection: diskcache has one per thread, and offers it nowhere else.

        Raises:
            StoreError: This is a forked child: SQLite's connections belong to the process that has opened them.
        """
        if os.getpid() != self._pid:
            raise StoreError(
                f"the checkpoint records in {self.directory} were opened by process {self._pid}, from which process "
                f"{os.getpid()} was forked; a child that you fork has to end by os._exit(), without using them."
            )
        connection: sqlite3.Connection = self._cache._con  # noqa: SLF001 - as above
        return connection

    def _note_format(self, version: int) -> None:
        """Note the format in the database itself, for whoever finds it without its STORE.json.

        Raises:
            NewerStoreError: It notes a newer one.
        """
        noted = self._connection.execute("PRAGMA user_version").fetchone()[0]
        refuse_newer_database(self.directory.parent, noted)
        if noted < version:
            self._connection.execute(f"PRAGMA user_version = {version}")

    def get(self, key: str) -> Record | None:
        """Return a record, or None; a damaged one is set aside with a warning, and is None from then on.

        Raises:
            DamagedStoreError: The database is damaged.
            StoreError: The database cannot be read.
        """
        # As bytes: a text that is no UTF-8 any more would be an error of the whole query.
        rows = self.rows("SELECT mode, CAST(value AS BLOB) FROM Cache WHERE key = ? AND raw = 1", key)
        return self._record_in(key, rows[0]) if rows else None

    def get_all(self, keys: Sequence[str]) -> dict[str, Record | None]:
        """Return several records by key, in one look at the database; see ``get``."""
        rows: dict[str, tuple[Any, ...]] = {}
        for start in range(0, len(keys), MOST_KEYS):
            block = keys[start : start + MOST_KEYS]
            query = f"SELECT key, mode, CAST(value AS BLOB) FROM Cache WHERE raw = 1 AND key IN ({', '.join('?' * len(block))})"  # noqa: S608 - marks
            rows.update((row[0], row[1:]) for row in self.rows(query, *block))
        return {key: self._record_in(key, rows[key]) if key in rows else None for key in keys}

    def _record_in(self, key: str, row: tuple[Any, ...]) -> Record | None:
        earlier = self._latest.get(key)
        if earlier is not None and row == earlier[0]:
            return dict(earlier[1])
        try:
            record = settled(key, record_of(key, text_of(*row)))
        except DamagedRecordError as error:
            self._set_aside(key, error)
            return None
        if RecordType.of(key) in _READ_OFTEN:
            self._latest = {**({} if len(self._latest) >= _MOST_LATEST else self._latest), key: (row, dict(record))}
        return record

    def has_any(self, record_type: RecordType, beginning: str) -> bool:
        """Whether there is a record of a type whose identity begins with a text, damaged or not; see ``get``."""
        prefix = record_type.key(beginning)
        query = "SELECT 1 FROM Cache WHERE raw = 1 AND key >= ? AND key < ? LIMIT 1"
        return bool(self.rows(query, prefix, f"{prefix}\U0010ffff"))

    def rows(self, query: str, *parameters: str | int) -> list[tuple[Any, ...]]:
        """Return the rows that a query has; see ``get``."""
        try:
            return self._waiting.until_free(
                self._database, lambda: self._connection.execute(query, parameters).fetchall()
            )
        except LockedStoreError:
            raise
        except Exception as error:
            raise trouble_of(self.directory, "read", error) from error

    def all(self) -> dict[str, Record]:
        """Return every sound record; see ``read_all``."""
        return read_all(self.directory)

    def commit(
        self,
        records: Mapping[str, Record],
        delete: Iterable[str] = (),
        check: Callable[[], None] = lambda: None,
        *,
        patience: float | None = None,
        is_durable: bool = True,
    ) -> None:
        """Write and delete records in one transaction that is on disk when this returns.

        Args:
            records: By key.
            delete: Keys to forget.
            check: Called inside the transaction; raising abandons it.
            patience: Seconds to wait for other processes' writes, if not as long as all others wait.
            is_durable: Whether the disk is waited for. Else no end of a process loses it, but when the power fails it may be
                lost with all that was committed later, unless something durable was.

        Raises:
            LockedStoreError: Another process has kept the database locked for too long.
            DamagedStoreError: The database is damaged.
            StoreError: The database was removed or replaced while it was in use, or cannot be written.
        """
        texts = {key: seal(key, record) for key, record in records.items()}
        self.commit_texts(texts, delete, check, patience=patience, is_durable=is_durable)

    def commit_texts(
        self,
        texts: Mapping[str, str],
        delete: Iterable[str] = (),
        check: Callable[[], None] = lambda: None,
        *,
        patience: float | None = None,
        is_durable: bool = True,
    ) -> None:
        """Write records that are sealed already; see ``commit``.

        Args:
            texts: By key; see ``sealing.seal``.
            delete: Keys to forget.
            check: Called inside the transaction; raising abandons it.
            patience: Seconds to wait for other processes' writes, if not as long as all others wait.
            is_durable: Whether the disk is waited for.
        """
        try:
            with self._transaction(patience, is_durable=is_durable) as connection:
                check()
                self._check_file()
                for key in (*delete, *texts):
                    # Not diskcache's: a damaged row may have any `raw`, and name any file to be removed with it.
                    connection.execute("DELETE FROM Cache WHERE key = ?", (key,))
                insert(connection, texts)
                note_committed = self.unsynced_files.write(connection, texts.keys()) if self.unsynced_files else None
        except sqlite3.Error as error:
            raise trouble_of(self.directory, "written", error) from error
        if note_committed is not None:
            note_committed()

    def change(self, change: Callable[[sqlite3.Connection], object], *, patience: float | None = None) -> None:
        """Change in one transaction what the database has beside records; see ``commit``."""
        try:
            with self._transaction(patience) as connection:
                change(connection)
        except sqlite3.Error as error:
            raise trouble_of(self.directory, "written", error) from error

    @contextmanager
    def _transaction(self, patience: float | None = None, *, is_durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Open a write transaction; diskcache's own would try again for ever, whatever the error is, or hide it."""
        connection = self._connection
        require_room(self.directory)
        self._waiting.until_free(self._database, lambda: self._begin(connection, is_durable=is_durable), patience)
        try:
            with (
                forks.whole_transaction()
            ):  # a forked child would roll its copy back, in the memory that SQLite's processes share
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    _roll_back(connection)
                    raise
        finally:
            if connection.in_transaction:  # a signal came while forks were waited for
                _roll_back(connection)
            self._writing.release()

    def _begin(self, connection: sqlite3.Connection, *, is_durable: bool) -> None:
        """Begin a transaction, which no other thread of this process has then; where hundreds write, each has its turn.

        Raises:
            Timeout: Another one has for a second.
            sqlite3.Error: Another process has, or something else is wrong.
        """
        n_before = self._n_turns
        while not self._writing.acquire(timeout=LOOK_SECONDS):
            if self._n_turns == n_before:
                raise Timeout
            n_before = self._n_turns
        self._n_turns += 1
        try:
            self._wait_for_disk(connection, is_durable=is_durable)
            connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            _roll_back(connection)  # a signal that came while SQLite waited is raised when it has begun
            self._writing.release()
            raise

    def add(self, records: Mapping[str, Record]) -> None:
        """Write those records that are not there yet, in one transaction; see ``commit``."""
        try:
            with self._transaction() as connection:
                self._check_file()
                insert(connection, {key: seal(key, record) for key, record in records.items()}, keep=True)
        except sqlite3.Error as error:
            raise trouble_of(self.directory, "written", error) from error

    def note(self, records: Mapping[str, Record]) -> None:
        """Write records without waiting for the disk, nor for other processes; see ``commit``."""
        self.commit(records, patience=0.0, is_durable=False)

    def _wait_for_disk(self, connection: sqlite3.Connection, *, is_durable: bool) -> None:
        """Have this thread's transactions wait for the disk, or not: SQLite's setting belongs to the connection."""
        if getattr(self._thread, "is_durable", True) != is_durable:
            self._thread.is_durable = None  # a signal may come in between
            connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
            self._thread.is_durable = is_durable

    def checkpoint(self) -> None:
        """Bring what is in the write-ahead log into the database file, as far as nobody else needs it there.

        Nobody is waited for: a reader with an open transaction, e.g. a notebook, may keep it for hours, and who waits
        for readers keeps all writers waiting. SQLite brings the rest when the last connection closes.

        Raises:
            StoreError: It failed; what was committed is safe in the log.
        """
        connection = self._connection
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            if not is_locked(error):
                raise trouble_of(self.directory, "brought up to date", error) from error
        finally:
            with suppress(sqlite3.Error):  # on a disk that fails for good, what failed first is the thing to say
                connection.execute(f"PRAGMA busy_timeout = {1000 * LOOK_SECONDS}")

    def _set_aside(self, key: str, error: DamagedRecordError) -> None:
        """Take a damaged record out, keeping its text for whoever wants to look at it."""
        root, aside = self.directory.parent, "damaged-records.jsonl"
        try:
            with self._transaction() as connection:
                query = "SELECT CAST(value AS BLOB) FROM Cache WHERE key = ?"
                row = connection.execute(query, (key,)).fetchone()
                content = row[0].decode(errors="backslashreplace") if row and row[0] is not None else None
                descriptor = open_file(root, aside, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                    file.write(seal(key, {"key": key, "found": content, "time": timestamp()}) + "\n")
                connection.execute("DELETE FROM Cache WHERE key = ?", (key,))
        except sqlite3.Error as trouble:
            raise trouble_of(self.directory, "written", trouble) from trouble
        warnings.warn(
            f"the record {terminal_line(key)} is damaged ({error}); it was set aside in {aside} and is made anew.",
            UserWarning,
            stacklevel=3,
        )

    def _check_file(self) -> None:
        """Raise when the database was removed or replaced while it was open: what is written to it would be lost."""
        if self._database_file() != self._file:
            raise ReplacedStoreError(f"the checkpoint records in {self.directory} were removed while they were in use")

    def _database_file(self) -> tuple[int, int] | None:
        """Return what identifies the file that the database is in now, or None when it is gone."""
        try:
            status = os.stat(self._database)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Close this thread's connection to the database; a forked child has none."""
        if os.getpid() == self._pid:
            self._cache.close()


def _roll_back(connection: sqlite3.Connection) -> None:
    """Take back the transaction of a connection, if it has one."""
    with suppress(sqlite3.Error):  # a full disk may have rolled it back already
        connection.execute("ROLLBACK")

"""The logbook: what happened, by run, worker and item, in a SQLite file of its own that a reset keeps.

Entries may be lost (the last second before a kill, all of them while the disk is full): no result depends on them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omnibench.errors import StoreError
from omnibench.guest import forks
from omnibench.masking import masked
from omnibench.store.artifacts import aside_name
from omnibench.store.beneath import LinkedFileError, has_link, refuse_links
from omnibench.store.permissions import create
from omnibench.store.reading import readable
from omnibench.store.schema import utc_second
from omnibench.store.small_blocks import require_room
from omnibench.store.superseded import (
    OWN,
    FitBeginning,
    anew_words,
    guest_logger,
    is_snapshot_line,
    resumed_progress,
    supersede,
)

NAME = "logs.db"
NOTICE = "omnibench.notice"
"""The logger of a worker's notices to the people who watch the run."""

_FILES = tuple(f"{NAME}{ending}" for ending in ("", "-wal", "-shm", "-journal"))

_MOST_LINES = 2000
"""Lines of a guest's output that are kept per item here; out.log and err.log have them all."""

_WAIT_SECONDS = 2
"""How long one attempt to write waits for others; a run's end waits no longer."""

_MOST_KEPT = 20_000
"""Entries that are kept while another process locks the log."""

_TABLE = """
CREATE TABLE IF NOT EXISTS logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    run TEXT, worker TEXT, item TEXT,
    level INTEGER NOT NULL, level_name TEXT NOT NULL,
    logger TEXT NOT NULL, message TEXT NOT NULL,
    superseded INTEGER
)"""

_INSERT = (
    "INSERT INTO logs (time, run, worker, item, level, level_name, logger, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADDED = "ALTER TABLE logs ADD COLUMN superseded INTEGER"
"""Makes a log of an earlier omnibench one of this."""

_Row = tuple[str, str, str, str | None, int, str, str, str]


class _Entry(NamedTuple):
    """An entry that is to be written, and the beginning of a Fit that it says."""

    row: _Row
    beginning: FitBeginning | None = None


class LogEntry(NamedTuple):
    """An entry as it is read back."""

    id: int
    worker: str
    message: str


def entries(directory: Path, run: str, logger: str, since: int = 0) -> list[LogEntry]:
    """Return the entries of a logger in a run that follow an entry; none when the logbook cannot be read."""
    path = directory / NAME
    if not path.exists() or any(has_link(directory, name) for name in _FILES):
        return []
    query = "SELECT id, worker, message FROM logs WHERE id > ? AND run = ? AND logger = ? ORDER BY id"
    try:
        require_room(directory)
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return [LogEntry(*row) for row in connection.execute(query, (since, run, logger))]
    except sqlite3.Error:
        return []


_MATCHING = "FROM {logs} WHERE level >= ? AND (? IS NULL OR item IN (SELECT value FROM json_each(?))) AND (superseded IS NULL OR ?)"
_OF_EARLIER = "(SELECT *, NULL AS superseded FROM logs)"
"""The table as an earlier omnibench has made it, where nobody has written since."""


def select(
    directory: Path, since: int | None, *, items: Sequence[str] | None, min_level: int, limit: int, superseded: bool
) -> list[dict[str, Any]]:
    """Return log entries with all of their columns, oldest first.

    Args:
        directory: The store's directory.
        since: The first entries after this one; the newest ones when it is None.
        items: Only those about these items, by their names.
        min_level: Only those from this level on.
        limit: At most this many.
        superseded: Also those that a later attempt has superseded; see ``superseded``.

    Raises:
        StoreError: The log cannot be read.
    """
    matching = _matching(items, min_level, superseded=superseded)
    if since is None:
        newest = _ask(directory, f"SELECT * {_MATCHING} ORDER BY id DESC LIMIT ?", (*matching, limit))
        return newest[::-1]
    return _ask(directory, f"SELECT * {_MATCHING} AND id > ? ORDER BY id LIMIT ?", (*matching, since, limit))


def count(directory: Path, before: int | None, *, items: Sequence[str] | None, min_level: int, superseded: bool) -> int:
    """Return how many log entries there are before an entry, or in all; see ``select``."""
    query = f"SELECT count(*) AS entries {_MATCHING} AND (? IS NULL OR id < ?)"
    rows = _ask(directory, query, (*_matching(items, min_level, superseded=superseded), before, before))
    return int(rows[0]["entries"]) if rows else 0


def _matching(
    items: Sequence[str] | None, min_level: int, *, superseded: bool
) -> tuple[int, str | None, str | None, bool]:
    """Return the parameters of the condition that all questions have."""
    names = None if items is None else json.dumps(list(items))
    return min_level, names, names, superseded


def _is_of_earlier(connection: sqlite3.Connection) -> bool:
    """Whether a log has no column for what is superseded."""
    return all(column[1] != "superseded" for column in connection.execute("PRAGMA table_info(logs)"))


def _ask(directory: Path, query: str, parameters: tuple[Any, ...]) -> list[dict[str, Any]]:
    path = directory / NAME
    refuse_links(directory, *_FILES)
    if not path.exists():
        return []
    try:
        with readable(path) as connection:
            logs = _OF_EARLIER if _is_of_earlier(connection) else "logs"
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query.format(logs=logs), parameters)]
    except (sqlite3.Error, OSError) as error:
        if "no such table" in str(error):  # somebody is making it right now
            return []
        raise StoreError(
            f"{path} cannot be read ({error}). No result depends on it: move it aside, and the next run begins another."
        ) from error


class LogBook:
    """Gathers log entries and writes them when it is flushed, from any thread.

    Args:
        path: The file.
        run: The run's id.
        worker: The worker's id.
    """

    def __init__(self, path: Path, run: str, worker: str) -> None:
        self.path = path
        self.run = run
        self.worker = worker
        self.lost = 0
        self._entries: list[_Entry] = []
        self._lines: Counter[tuple[str | None, bool]] = Counter()
        self._resumed: dict[str, FitBeginning] = {}
        self._lock = threading.RLock()  # a signal's handler may log something in the middle of an entry
        self._writing = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._pid = os.getpid()

    def add(self, level: int, logger: str, message: str, item: str | None = None) -> None:
        """Add an entry; secrets in its text are masked.

        Args:
            level: As in ``logging``.
            logger: The source of the entry, e.g. ``omnibench`` or ``LensKit.stderr``.
            message: Its text.
            item: The item that it is about.
        """
        self._add(level, logger, masked(message), item)

    def add_own(self, level: int, logger: str, words: str, item: str) -> None:
        """Add an entry whose text is omnibench's own words and numbers, so that no secret is looked for; see ``add``."""
        self._add(level, logger, words, item)

    def _add(
        self, level: int, logger: str, message: str, item: str | None, beginning: FitBeginning | None = None
    ) -> None:
        moment = time.time()
        stamp = f"{utc_second(int(moment))}.{int(moment % 1 * 1000):03d}Z"
        text = message.encode("utf-8", "backslashreplace").decode()
        row = (stamp, self.run, self.worker, item, level, logging.getLevelName(level), logger, text)
        with self._lock:
            self._entries.append(_Entry(row, beginning))

    def begin_fit(self, beginning: FitBeginning) -> None:
        """Note that a Fit goes on from a snapshot, or begins anew: it supersedes lines of earlier attempts.

        Of one that goes on the guest says so, in order with its other lines, and from there on it does; see
        ``resumed_from``.

        Args:
            beginning: The Fit, which an earlier attempt has begun.
        """
        logger = guest_logger("out", beginning.trial)
        if beginning.snapshot:
            self._resumed[logger] = beginning
        else:
            self._resumed.pop(logger, None)
            self._add(logging.INFO, OWN, anew_words(beginning.trial), beginning.item, beginning)

    def resumed_from(self, logger: str, lines: bytes) -> tuple[str, str]:
        """Return the snapshot that a Fit goes on from by what a guest prints, and how far it was; else two empty texts.

        Args:
            logger: The source of the lines.
            lines: The lines.
        """
        beginning = self._resumed.get(logger)
        if beginning is None:
            return "", ""
        for line in lines.decode("utf-8", "replace").splitlines():
            if progress := resumed_progress(line, beginning.snapshot):
                return beginning.snapshot, progress
        return "", ""

    def add_lines(self, level: int, logger: str, lines: bytes, item: str | None) -> None:
        """Add the lines that a guest printed, in which secrets are masked already, up to a number of lines per item.

        Those that say that a snapshot was taken, or that a Fit goes on from one, are counted for themselves.
        """
        for line in lines.decode("utf-8", "replace").splitlines():
            is_mark = is_snapshot_line(line)
            self._lines[item, is_mark] += 1
            if self._lines[item, is_mark] < _MOST_LINES:
                self._add(level, logger, line, item, self._beginning(logger, line))
            elif self._lines[item, is_mark] == _MOST_LINES:
                self.add(level, logger, "... more of this item's lines are in out.log and err.log only", item)

    def _beginning(self, logger: str, line: str) -> FitBeginning | None:
        """Return the Fit that goes on with a line of a guest, once: what a user prints later is no beginning."""
        beginning = self._resumed.get(logger)
        if beginning is None or not resumed_progress(line, beginning.snapshot):
            return None
        return self._resumed.pop(logger)

    def flush(self) -> bool:
        """Write what has gathered; what cannot be written is counted in ``lost``.

        Returns:
            False where somebody else locks the file, so that what has gathered is kept for the next time.
        """
        # One thread after the other: who makes the file keeps others from it, and SQLite does not wait there.
        with self._writing:
            return self._flush()

    def _flush(self) -> bool:
        with self._lock:
            entries, self._entries = self._entries, []
        if not entries:
            return True
        if os.getpid() != self._pid:  # SQLite's connections belong to the process that has opened them
            self.lost += len(entries)
            return True
        try:
            self._write(entries)
        except (sqlite3.DatabaseError, OSError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                self._close()
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                with contextlib.suppress(OSError, sqlite3.Error):
                    self.path.rename(aside_name(self.path))
                    for left in ("-wal", "-shm"):
                        self.path.with_name(self.path.name + left).unlink(missing_ok=True)
                    self._write(entries)
                    return True
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and len(entries) < _MOST_KEPT:
                with self._lock:
                    self._entries[:0] = entries  # for the next time: whoever locks the log is not waited for
                return False
            self.lost += len(entries)
        except LinkedFileError:  # somebody has put a link there while the store was open
            self.lost += len(entries)
        return True

    def finish(self, *, is_locked: bool = False) -> None:
        """Write what has gathered for the last time, and close the file; what cannot be written then is lost.

        Args:
            is_locked: Whether somebody else locked it a moment ago, so that nothing is written and nobody waits.
        """
        if not is_locked:
            self.flush()
        with self._writing:
            self._close()
        with self._lock:
            self.lost += len(self._entries)
            self._entries = []

    def _write(self, entries: list[_Entry]) -> None:
        refuse_links(self.path.parent, *_FILES)  # SQLite opens them by path
        require_room(self.path.parent)
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        with forks.whole_transaction(), connection:  # see there
            if _is_of_earlier(connection):
                connection.execute(_ADDED)
            for row, beginning in entries:
                number = connection.execute(_INSERT, row).lastrowid
                if beginning is not None and number is not None:
                    supersede(connection, number, beginning)

    def _opened(self) -> sqlite3.Connection:
        """Return the connection to the file that is there now, which stays open from flush to flush.

        Who closes the last one waits for the disk four times, for what may be lost; open, it waits once per 4 MB.
        """
        if self._connection is not None and self._file != _file_at(self.path):  # it was set aside, or removed
            self._close()
        if self._connection is None:
            create(self.path)
            self._connection = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, check_same_thread=False)
            self._file = _file_at(self.path)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_TABLE)
        return self._connection

    def _close(self) -> None:
        """Close the connection; a forked child leaves that to the process that has opened it."""
        if os.getpid() != self._pid:
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _file_at(path: Path) -> tuple[int, int] | None:
    """Return what identifies the file that lies at a path, or None where none does."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino

"""The logbook: what happened, by run, worker and item, in a SQLite file of its own that a reset keeps.

Entries may be lost (the last second before a kill, all of them while the disk is full): no result depends on them.
"""

from __future__ import annotations

import contextlib
import json
import logging
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
from omnibench.store.small_blocks import require_room

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
    logger TEXT NOT NULL, message TEXT NOT NULL
)"""

_Row = tuple[str, str, str, str | None, int, str, str, str]


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


_MATCHING = "FROM logs WHERE level >= ? AND (? IS NULL OR item IN (SELECT value FROM json_each(?)))"


def select(
    directory: Path, since: int | None, *, items: Sequence[str] | None, min_level: int, limit: int
) -> list[dict[str, Any]]:
    """Return log entries with all of their columns, oldest first.

    Args:
        directory: The store's directory.
        since: The first entries after this one; the newest ones when it is None.
        items: Only those about these items, by their names.
        min_level: Only those from this level on.
        limit: At most this many.

    Raises:
        StoreError: The log cannot be read.
    """
    matching = _matching(items, min_level)
    if since is None:
        newest = _ask(directory, f"SELECT * {_MATCHING} ORDER BY id DESC LIMIT ?", (*matching, limit))
        return newest[::-1]
    return _ask(directory, f"SELECT * {_MATCHING} AND id > ? ORDER BY id LIMIT ?", (*matching, since, limit))


def count(directory: Path, before: int | None, *, items: Sequence[str] | None, min_level: int) -> int:
    """Return how many log entries there are before an entry, or in all; see ``select``."""
    query = f"SELECT count(*) AS entries {_MATCHING} AND (? IS NULL OR id < ?)"
    rows = _ask(directory, query, (*_matching(items, min_level), before, before))
    return int(rows[0]["entries"]) if rows else 0


def _matching(items: Sequence[str] | None, min_level: int) -> tuple[int, str | None, str | None]:
    """Return the parameters of the condition that all questions have."""
    names = None if items is None else json.dumps(list(items))
    return min_level, names, names


def _ask(directory: Path, query: str, parameters: tuple[Any, ...]) -> list[dict[str, Any]]:
    path = directory / NAME
    refuse_links(directory, *_FILES)
    if not path.exists():
        return []
    try:
        with readable(path) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, parameters)]
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
        self._entries: list[_Row] = []
        self._lines: Counter[str | None] = Counter()
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def add(self, level: int, logger: str, message: str, item: str | None = None) -> None:
        """Add an entry; secrets in its text are masked.

        Args:
            level: As in ``logging``.
            logger: The source of the entry, e.g. ``omnibench`` or ``LensKit.stderr``.
            message: Its text.
            item: The item that it is about.
        """
        self._add(level, logger, masked(message), item)

    def _add(self, level: int, logger: str, message: str, item: str | None) -> None:
        moment = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
        text = message.encode("utf-8", "backslashreplace").decode()
        entry = (stamp, self.run, self.worker, item, level, logging.getLevelName(level), logger, text)
        with self._lock:
            self._entries.append(entry)

    def add_lines(self, level: int, logger: str, lines: bytes, item: str | None) -> None:
        """Add the lines that a guest printed, in which secrets are masked already, up to a number of lines per item."""
        for line in lines.decode("utf-8", "replace").splitlines():
            self._lines[item] += 1
            if self._lines[item] < _MOST_LINES:
                self._add(level, logger, line, item)
            elif self._lines[item] == _MOST_LINES:
                self.add(level, logger, "... more of this item's lines are in out.log and err.log only", item)

    def flush(self) -> None:
        """Write what has gathered; what cannot be written is counted in ``lost``."""
        # One thread after the other: who makes the file keeps others from it, and SQLite does not wait there.
        with self._writing:
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            entries, self._entries = self._entries, []
        if not entries:
            return
        try:
            self._write(entries)
        except (sqlite3.DatabaseError, OSError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                with contextlib.suppress(OSError, sqlite3.Error):
                    self.path.rename(aside_name(self.path))
                    for left in ("-wal", "-shm"):
                        self.path.with_name(self.path.name + left).unlink(missing_ok=True)
                    self._write(entries)
                    return
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and len(entries) < _MOST_KEPT:
                with self._lock:
                    self._entries[:0] = entries  # for the next time: whoever locks the log is not waited for
                return
            self.lost += len(entries)
        except LinkedFileError:  # somebody has put a link there while the store was open
            self.lost += len(entries)

    def finish(self) -> None:
        """Write what has gathered for the last time; what cannot be written then is lost."""
        self.flush()
        with self._lock:
            self.lost += len(self._entries)
            self._entries = []

    def _write(self, entries: list[_Row]) -> None:
        refuse_links(self.path.parent, *_FILES)  # SQLite opens them by path
        create(self.path)
        require_room(self.path.parent)
        with contextlib.closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_TABLE)
            connection.execute("BEGIN IMMEDIATE")
            with forks.whole_transaction(), connection:  # see there
                connection.executemany(
                    "INSERT INTO logs (time, run, worker, item, level, level_name, logger, message) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    entries,
                )

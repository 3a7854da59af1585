"""Waiting for the records while another process writes to them: patiently, but not in silence and not for ever."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from omnibench.errors import StoreError
from omnibench.store import holders
from omnibench.store.damage import primary_code
from omnibench.terminal import command_line, terminal_text

PATIENCE_SECONDS = 600.0
"""How long anybody waits for the lock of the records before the run is given up."""

TOLD_AFTER_SECONDS = 3.0
"""After so long somebody is told whom the run waits for; writes of our own take milliseconds."""

_HURRY_SECONDS = 2.0
"""How long somebody waits who has given up before, or is ending."""

_PAUSE_SECONDS = 0.02

Answer = TypeVar("Answer")


class LockedStoreError(StoreError):
    """Another process has kept the records locked for too long. That is nobody's failure: what waits goes on later."""


def is_locked(error: Exception) -> bool:
    """Whether an error only means that another process holds a lock of the database."""
    if isinstance(error, sqlite3.Error):
        return primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return type(error).__name__ == "Timeout"  # diskcache's


def described_writers(database: Path) -> str:
    """Return who keeps others from writing to a database, as far as that can be known, with what to do about it."""
    writing = holders.writers(database)
    other_writers = [str(holder) for holder in writing if holder.pid != os.getpid()]
    if other_writers:
        return " and ".join(other_writers)
    if writing:
        return f"this process itself ({os.getpid()}, in another thread)"
    return f"another process (`{command_line('lsof', database)}` may know which; in another container, only there)"


def on_stderr(sentence: str) -> None:
    """Tell somebody who has called a command or a script; a run has other ways."""
    sys.stderr.write(f"omnibench: {terminal_text(sentence)}\n")
    sys.stderr.flush()


class LockWait:
    """How one process waits for the lock of the records, in all of its threads.

    Args:
        notify: Called with a sentence when it takes long, and when it is over; by default it goes to stderr, for commands
            and scripts would seem to hang.
        while_waiting: Called again and again while somebody waits; raising gives up.
        patience: Seconds after which to give up; ``PATIENCE_SECONDS`` by default.
    """

    def __init__(
        self,
        notify: Callable[[str], None] = on_stderr,
        while_waiting: Callable[[], None] = lambda: None,
        patience: float | None = None,
    ) -> None:
        self._patience = PATIENCE_SECONDS if patience is None else patience
        self._notify = notify
        self._while_waiting = while_waiting
        self._guard = threading.Lock()
        self._told_since: float | None = None

    def hurry(self) -> None:
        """Wait only for a moment from now on: this process is ending, and nobody is to wait for that."""
        self._patience = _HURRY_SECONDS
        self._while_waiting = lambda: None

    def until_free(self, database: Path, attempt: Callable[[], Answer], patience: float | None = None) -> Answer:
        """Do something that takes a lock of a database, again and again while another process holds that.

        Args:
            database: The database.
            attempt: Tries it once, and waits for a second at most, or for its turn while other threads take theirs.
            patience: Seconds after which to give up without a word to anybody.

        Raises:
            LockedStoreError: The lock was held for too long.
        """
        began: float | None = None
        while True:
            try:
                answer = attempt()
            except Exception as error:
                if not is_locked(error):
                    raise
                began = began or time.monotonic()
                seconds = time.monotonic() - began
                limit = self._patience if patience is None else patience
                if seconds >= limit:
                    if patience is not None:  # nobody is told, and to find out who it is takes a while
                        raise LockedStoreError(f"the checkpoint records in {database.parent} are locked") from error
                    self._patience = min(limit, _HURRY_SECONDS)  # whoever else waits in this process has waited as long
                    raise LockedStoreError(
                        f"the checkpoint records in {database.parent} are locked: {described_writers(database)} has kept "
                        f"them so for {seconds:.0f} s. Nothing that was recorded is lost; run again when it has ended."
                    ) from error
                if patience is None and seconds >= TOLD_AFTER_SECONDS:
                    self._tell(database, began)
                self._while_waiting()
                time.sleep(_PAUSE_SECONDS)
            else:
                if began is not None:
                    self._tell_end()
                return answer

    def _tell(self, database: Path, began: float) -> None:
        with self._guard:
            if self._told_since is not None:
                return
            self._told_since = began
        self._notify(
            f"waiting for {described_writers(database)}, which has kept the records in {database.parent} locked for "
            f"{time.monotonic() - began:.0f} s; this goes on when they are free (after {_duration(self._patience)} it "
            "ends, with nothing lost)"
        )

    def _tell_end(self) -> None:
        with self._guard:
            began, self._told_since = self._told_since, None
        if began is not None:
            self._notify(f"the records are free again after {time.monotonic() - began:.0f} s")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - seconds of a minute


class TellLate:
    """Says for whom somebody waits, once, if that takes long: most waiting is over before it can be read.

    Args:
        tell: Called with the holder.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._pending: Callable[[str], None] | None = tell
        self._holder = ""
        self._began = time.monotonic()

    def note(self, holder: str) -> None:
        """Note for whom somebody waits."""
        self._holder = holder

    def look(self) -> None:
        """Say it if it has taken long by now; to be called again and again."""
        if self._pending is not None and time.monotonic() - self._began >= TOLD_AFTER_SECONDS:
            tell, self._pending = self._pending, None
            tell(self._holder)

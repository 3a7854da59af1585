"""Memory that the processes of a store have reserved on this machine, so that no two Fits begin that only fit one by one.

All entries of a machine stand in one lock file, which is held while it is read and written: what is free is judged, and
taken, by one at a time. An entry counts for as long as its process lives; see ``store.processes``.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.guest import forks
from omnibench.proc import rss_of
from omnibench.store.leases import is_free_in_time, opened
from omnibench.store.permissions import make_directory
from omnibench.store.processes import described, is_dead, this_process

_MOST_BYTES = 2**20
_PATIENCE_SECONDS = 5.0
"""How long the file is waited for: others of ours hold it for milliseconds, a process that is stopped for ever."""

COMPUTES, WAITS, IDLES = "computes", "waits", "idles"


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a worker has reserved.

    Attributes:
        id: Its number.
        state: ``computes`` an item, ``waits`` for memory, or ``idles``.
        item: The item that it is for, in words.
        size: Bytes that its guest needs in all, as far as it is fitting now.
        guest: The process id of its guest; 0 while it has none.
        process: The process of the worker; see ``processes.this_process``.
    """

    id: str
    state: str
    item: str
    size: int
    guest: int
    process: dict[str, Any]

    @property
    def has(self) -> int:
        """Bytes that its guest has now."""
        return rss_of(self.guest) if self.guest else 0

    @property
    def outstanding(self) -> int:
        """Bytes that its guest has not taken yet."""
        return max(0, self.size - self.has)

    @property
    def holder(self) -> str:
        """Whose it is, in words."""
        return f"{self.item} ({described(self.process)})"


class Reservations:
    """The reservations of one worker among those of the others.

    Args:
        root: The store's directory.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "leases" / f"memory-{_machine()}.lock"
        self._id = uuid.uuid4().hex[:12]

    @contextmanager
    def changed(self) -> Iterator[Board]:
        """Hold all reservations for a moment, to look at those of others and to change the own one.

        Raises:
            OSError: The file cannot be written, or somebody holds it for good.
        """
        make_directory(self._path.parent)
        descriptor = opened(self._path, os.O_RDWR | os.O_CREAT)
        try:
            if not is_free_in_time(descriptor, time.monotonic() + _PATIENCE_SECONDS):
                raise TimeoutError(f"somebody holds {self._path}")
            board = Board(self._id, _living(os.pread(descriptor, _MOST_BYTES, 0)))
            yield board
            text = json.dumps([_plain(entry) for entry in board.entries.values()]).encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text, 0)
        finally:
            forks.close(descriptor)


class Board:
    """The reservations of all workers at a moment.

    Attributes:
        entries: Of each worker, by its number.
    """

    def __init__(self, own: str, entries: dict[str, Reservation]) -> None:
        self._own = own
        self.entries = entries

    @property
    def of_others(self) -> list[Reservation]:
        """Those of the other workers."""
        return [entry for key, entry in self.entries.items() if key != self._own]

    @property
    def own(self) -> Reservation | None:
        """That of this worker."""
        return self.entries.get(self._own)

    def put(self, state: str, item: str = "", size: int = 0, guest: int = 0) -> None:
        """Replace the own reservation; see ``Reservation``."""
        self.entries[self._own] = Reservation(self._own, state, item, size, guest, this_process())

    def remove(self) -> None:
        """Remove the own reservation."""
        self.entries.pop(self._own, None)


def _plain(entry: Reservation) -> list[Any]:
    return [entry.id, entry.state, entry.item, entry.size, entry.guest, entry.process]


def _machine() -> str:
    """Return what names this machine, and where in it process numbers mean the same: several may share a store."""
    own = this_process()
    return hashlib.sha256(f"{own.get('boot', own['host'])} {own.get('namespaces')}".encode()).hexdigest()[:12]


def _living(content: bytes) -> dict[str, Reservation]:
    """Return the reservations of processes that live; what a crash has cut counts as none."""
    entries: dict[str, Reservation] = {}
    with suppress(ValueError, TypeError, RecursionError):
        for members in json.loads(content or b"[]"):
            entry = Reservation(*members)
            is_number = type(entry.size) is int and type(entry.guest) is int
            if is_number and not is_dead(entry.process) and not _is_absent(entry.process):
                entries[str(entry.id)] = entry
    return entries


def _is_absent(process: Any) -> bool:
    """Whether no process has the number: all entries of a file are of one machine, also where none says when it began."""
    try:
        os.kill(process["pid"], 0)
    except ProcessLookupError:
        return True
    except (KeyError, TypeError, OSError, OverflowError):
        return False
    return False

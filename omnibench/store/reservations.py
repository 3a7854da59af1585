"""What the processes of a store have reserved of this machine, so that no two Fits begin that only fit one by one.

All entries of a machine stand in one lock file, which is held while it is read and written: what is free is judged, and
taken, by one at a time. An entry counts for as long as its process lives; see ``store.processes``.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from omnibench.guest import forks
from omnibench.proc import rss_of, stat_of
from omnibench.store.admission import Needs
from omnibench.store.leases import is_free_in_time, opened
from omnibench.store.permissions import make_directory
from omnibench.store.processes import described, is_dead, this_process

_MOST_BYTES = 2**20
_PATIENCE_SECONDS = 5.0
"""How long the file is waited for: others of ours hold it for milliseconds, a process that is stopped for ever."""

COMPUTES, WAITS, IDLES = "computes", "waits", "idles"


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a worker has reserved, or waits for.

    Attributes:
        id: Its number.
        state: ``computes`` an item, ``waits`` for its resources, or ``idles``.
        item: The item that it is for, in words.
        size: Bytes that its guest needs in all, while it is fitting or waits for that.
        guest: The process id of its guest; 0 while it has none.
        process: The process of the worker; see ``processes.this_process``.
        cores: Cores that it computes with, or waits for.
        asks_cores: Whether the item says how many.
        gpus: How many GPUs of its own it has, or waits for, or which part of one.
        cards: Those that it has, as ``CUDA_VISIBLE_DEVICES`` names them.
        turn: When it began to compute, or to wait: larger than those of all that had begun before.
    """

    id: str
    state: str
    item: str
    size: int
    guest: int
    process: dict[str, Any]
    cores: float = 0.0
    asks_cores: bool = False
    gpus: float = 0
    cards: tuple[str, ...] = ()
    turn: int = 0

    @property
    def needs(self) -> Needs:
        """What it has, or waits for."""
        return Needs(self.size, self.cores, self.asks_cores, self.gpus)

    @property
    def has(self) -> int:
        """Bytes that its guest has now."""
        return rss_of(self.guest) if self.guest else 0

    @property
    def outstanding(self) -> int:
        """Bytes that its guest has not taken yet; nothing while it waits."""
        return max(0, self.size - self.has) if self.state == COMPUTES else 0

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
        self._path = root / "leases" / f"resources-{_machine()}.lock"
        self._id = uuid.uuid4().hex[:12]

    def are_asked_for(self) -> bool:
        """Whether anybody says how many cores a Fit is to have, by a look that waits for nobody."""
        if not os.path.lexists(self._path):  # as a rule; what follows takes twenty times as long
            return False
        with suppress(OSError):
            descriptor = opened(self._path, os.O_RDONLY)
            try:
                content = os.pread(descriptor, _MOST_BYTES, 0)
            finally:
                forks.close(descriptor)
            return any(entry.asks_cores for entry in _living(content).values())
        return False

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

    @property
    def computing(self) -> list[Reservation]:
        """Those of the other workers that compute."""
        return [entry for entry in self.of_others if entry.state == COMPUTES]

    @property
    def ahead(self) -> list[Reservation]:
        """Those of the other workers that wait and came before this one, the first first; those that are stopped do not count."""
        own = self.own
        turn = own.turn if own is not None and own.state == WAITS else self._next_turn
        waiting = [
            entry
            for entry in self.of_others
            if entry.state == WAITS and entry.turn < turn and not _is_stopped(entry.process)
        ]
        return sorted(waiting, key=lambda entry: entry.turn)

    def put(self, state: str, item: str = "") -> None:
        """Replace the own reservation by one that needs nothing; see ``Reservation``."""
        self._replace(Reservation(self._own, state, item, 0, 0, this_process()))

    def wait(self, item: str, needs: Needs) -> None:
        """Wait for what an item needs; who waits already keeps its turn."""
        own = self.own
        turn = own.turn if own is not None and own.state == WAITS else self._next_turn
        self._replace(self._needing(WAITS, item, needs, turn))

    def begin(self, item: str, needs: Needs, cards: Sequence[str] = ()) -> None:
        """Reserve what an item needs.

        Args:
            item: The item, in words.
            needs: What it needs.
            cards: The GPUs that it gets.
        """
        self._replace(replace(self._needing(COMPUTES, item, needs, self._next_turn), cards=tuple(cards)))

    def finish(self, item: str) -> None:
        """Give back memory and cores, and go on computing; GPUs stay."""
        own = self.own
        if own is None or own.state != COMPUTES:
            self.put(COMPUTES, item)
        else:
            self._replace(replace(own, size=0, cores=0.0, asks_cores=False))

    def note_guest(self, guest: int) -> None:
        """Note the process that takes what is reserved."""
        if self.own is not None:
            self._replace(replace(self.own, guest=guest))

    def _needing(self, state: str, item: str, needs: Needs, turn: int) -> Reservation:
        process = this_process()
        return Reservation(
            self._own, state, item, needs.memory, 0, process, needs.cores, needs.asks_cores, needs.gpus, turn=turn
        )

    def _replace(self, reservation: Reservation) -> None:
        self.entries[self._own] = reservation

    @property
    def _next_turn(self) -> int:
        return 1 + max((entry.turn for entry in self.entries.values()), default=0)

    def remove(self) -> None:
        """Remove the own reservation."""
        self.entries.pop(self._own, None)


def _plain(entry: Reservation) -> list[Any]:
    return [getattr(entry, member.name) for member in fields(entry)]


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
            if _is_sound(entry) and not is_dead(entry.process) and not _is_absent(entry.process):
                entries[str(entry.id)] = replace(entry, cards=tuple(entry.cards))
    return entries


def _is_sound(entry: Reservation) -> bool:
    members: tuple[Any, ...] = (entry.size, entry.guest, entry.turn, entry.cores, entry.gpus, entry.cards)
    *counts, cores, n_gpus, cards = members
    are_numbers = all(type(number) in (int, float) for number in (cores, n_gpus))
    return all(type(count) is int for count in counts) and are_numbers and type(cards) in (list, tuple)


def _is_stopped(process: Any) -> bool:
    """Whether somebody has stopped a process (SIGSTOP, Ctrl-Z), which then begins nothing."""
    return stat_of(process["pid"])[:1] == ["T"]


def _is_absent(process: Any) -> bool:
    """Whether no process has the number: all entries of a file are of one machine, also where none says when it began."""
    try:
        os.kill(process["pid"], 0)
    except ProcessLookupError:
        return True
    except (KeyError, TypeError, OSError, OverflowError):
        return False
    return False

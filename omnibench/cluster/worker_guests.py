"""The guests of a worker's process: a pool for each task that runs at once, kept from task to task."""

from __future__ import annotations

import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from omnibench.cluster.mailbox import AbandonedError, Mailbox, Message
from omnibench.cluster.terms import Terms
from omnibench.cluster.worker_cache import prune_beside
from omnibench.runners.environments import Environments
from omnibench.runners.pool import GuestPool

_free: dict[tuple[object, ...], list[WorkerGuests]] = {}
"""The pools that no task has, by the terms that they are for; the one that was used last is the last."""

_changing = threading.Lock()


class WorkerGuests:
    """A pool of guests, and what takes what they print.

    Args:
        terms: What the submitting process says.
        scratch: The worker's directory for temporary files, which goes when the worker ends.

    Attributes:
        environments: Where frameworks run.
        pool: The guests.
        scratch: A directory of the pool's own.
        mailbox: That of the task which has the pool; None while none has.
    """

    def __init__(self, terms: Terms, scratch: Path) -> None:
        self.mailbox: Mailbox | None = None
        self.environments = Environments(terms.environments)
        self.scratch = Path(tempfile.mkdtemp(prefix="guests-", dir=scratch))
        directory = Path(terms.directory)
        self.pool = GuestPool(
            self.environments,
            self.scratch,
            terms.threads,
            self._log,
            self._notify,
            work=directory if directory.is_dir() else self.scratch,
        )

    def _log(self, stream: str, lines: bytes) -> None:
        self._send({"kind": "log", "stream": stream, "lines": lines}, len(lines))

    def _notify(self, line: str) -> None:
        self._send({"kind": "notify", "line": line}, 0)

    def _send(self, message: Message, size: int) -> None:
        mailbox = self.mailbox  # the task may end meanwhile
        if mailbox is not None:
            with suppress(AbandonedError):  # the task itself ends of it
                mailbox.send(message, size, hurries=False)


def take(terms: Terms, scratch: Path) -> WorkerGuests:
    """Return a pool that no other task has, the one that was used last if there are several.

    Args:
        terms: What the submitting process says.
        scratch: The worker's directory for temporary files.
    """
    with _changing:
        pools = _free.setdefault(_key(terms), [])
        if pools:
            return pools.pop()
    return WorkerGuests(terms, scratch)


def give_back(terms: Terms, guests: WorkerGuests) -> None:
    """Leave a pool to the next task.

    Args:
        terms: As ``take`` had them.
        guests: The pool.
    """
    guests.mailbox = None
    with _changing:
        _free.setdefault(_key(terms), []).append(guests)


def _key(terms: Terms) -> tuple[object, ...]:
    return terms.run, str(terms.environments), terms.directory, terms.threads


def end_of_run(run: str) -> None:
    """End the guests of a run that is over.

    Args:
        run: The run.
    """
    with _changing:
        ended = [key for key in _free if key[0] == run]
        pools = [guests for key in ended for guests in _free.pop(key)]
    for guests in pools:
        guests.pool.close()
    prune_beside()

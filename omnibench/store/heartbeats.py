"""The thread that writes the records of a process's workers and what they log: a single one, however many of them compute.

On a cluster there are as many as items are computed at once: a thread for each would wake thousands of times a second, and
write hundreds of transactions, only to say that nothing has changed.
"""

from __future__ import annotations

import threading
from typing import Protocol

from omnibench.errors import StoreError
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.schema import Record, RecordType

FLUSH_SECONDS = 0.5
_PAUSE_SECONDS, _LONGEST_PAUSE = 0.02, 0.16
"""Seconds between two writes of the state: more and more in a series of short phases, which would keep the records busy."""
_ENDING_SECONDS = 30.0


class Beating(Protocol):
    """A worker as its heartbeat sees it; see ``workers.Worker``."""

    id: str
    is_ending: bool

    def due_record(self) -> Record | None:
        """Return the record of its state; None where it has not changed, and was written a moment ago."""

    def note_unwritten(self) -> None:
        """Have the record written in a moment, because it could not be."""

    def bring_out(self) -> None:
        """Write what was logged, and what people read of the state."""

    def finish(self) -> None:
        """Write what was logged for the last time."""


class Heartbeats:
    """Writes the records of workers that share a process and a store.

    Args:
        store: The store.
    """

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store
        self._changing = threading.Lock()
        self._workers: dict[str, Beating] = {}
        self._thread: threading.Thread | None = None
        self._wake, self._ending = threading.Event(), threading.Event()
        self._left = threading.Condition(self._changing)

    def begin(self, worker: Beating) -> None:
        """Write a worker's record from now on.

        Args:
            worker: The worker.
        """
        with self._changing:
            self._workers[worker.id] = worker
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, daemon=True, name="omnibench-heartbeat")
                self._thread.start()
        self._wake.set()

    def wake(self) -> None:
        """Write what has changed in a moment."""
        self._wake.set()

    def end(self, worker: Beating) -> None:
        """Write a worker's last record, and no further one; once is enough.

        Args:
            worker: The worker.
        """
        with self._changing:
            thread = self._thread
            self._ending.set()
            self._wake.set()
            self._left.wait_for(lambda: worker.id not in self._workers, _ENDING_SECONDS)
            is_last = not self._workers
        if is_last and thread is not None:
            thread.join(_ENDING_SECONDS)

    def _beat(self) -> None:
        pause = _PAUSE_SECONDS
        while self._write():
            if self._wake.wait(FLUSH_SECONDS):
                self._ending.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                pause = _PAUSE_SECONDS
            self._ending.clear()
            self._wake.clear()
        self._store.records.close()  # this thread's own connection

    def _write(self) -> bool:
        """Write what is due in one transaction; return whether any worker is left."""
        with self._changing:
            workers = list(self._workers.values())
            ending = [worker for worker in workers if worker.is_ending]
        due = {worker.id: worker.due_record() for worker in workers}
        records = {RecordType.WORKER.key(name): record for name, record in due.items() if record is not None}
        try:
            if records:
                self._store.records.note(records)
        except (StoreError, OSError):  # somebody else writes: tried again in a moment
            for worker in workers:
                if due[worker.id] is not None:
                    worker.note_unwritten()
        for worker in workers:
            worker.bring_out()
        for worker in ending:
            worker.finish()
        with self._changing:
            for worker in ending:
                del self._workers[worker.id]
            self._left.notify_all()
            if self._workers:
                return True
            self._thread = None
            return False

"""The thread that writes the records of a process's workers and what they log: a single one, however many of them compute.

On a cluster there are as many as items are computed at once: a thread for each would wake thousands of times a second, and
write hundreds of transactions, only to say that nothing has changed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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

    def bring_out(self, *, is_log_locked: bool) -> bool:
        """Write what was logged, and what people read of the state; return whether somebody else locks the log.

        Args:
            is_log_locked: Whether somebody did a moment ago: then what was logged waits.
        """

    def finish(self, *, is_log_locked: bool) -> None:
        """Write what was logged for the last time; nothing where somebody else locks the log."""


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
        if not self._wake.is_set():  # else it is written as well: this is forgotten before anything is read
            self._wake.set()

    def end(self, worker: Beating) -> None:
        """Write a worker's last record, and no further one; once is enough.

        Args:
            worker: The worker.
        """
        with self._changing:
            thread = self._thread
            if thread is None or not thread.is_alive():  # of a forked child it lives in the parent
                return
            self._ending.set()
            self._wake.set()
            self._left.wait_for(lambda: worker.id not in self._workers, _ENDING_SECONDS)
            is_last = not self._workers
        if is_last:
            thread.join(_ENDING_SECONDS)

    def _beat(self) -> None:
        pause = _PAUSE_SECONDS
        try:
            while self._write():
                if self._wake.wait(FLUSH_SECONDS):
                    self._ending.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                else:
                    pause = _PAUSE_SECONDS
                self._ending.clear()
                self._wake.clear()
        except BaseException:  # nobody is to wait for it; when it ends otherwise, another one may have begun already
            self._leave(list(self._workers.values()))
            raise
        self._store.records.close()  # this thread's own connection

    def _write(self) -> bool:
        """Write what is due in one transaction; return whether any worker is left."""
        with self._changing:
            workers = list(self._workers.values())
            ending = [worker for worker in workers if worker.is_ending]
        self._write_records(workers)
        is_log_locked = False
        for worker in workers:
            with self._failing_alone(worker):
                is_log_locked = worker.bring_out(is_log_locked=is_log_locked)
        for worker in ending:
            with self._failing_alone(worker):
                worker.finish(is_log_locked=is_log_locked)
        return self._leave(ending)

    def _write_records(self, workers: Sequence[Beating]) -> None:
        due: list[tuple[Beating, Record]] = []
        for worker in workers:
            with self._failing_alone(worker):
                record = worker.due_record()
                if record is not None:
                    due.append((worker, record))
        try:
            self._note(due)
        except Exception:  # one of them cannot be written down, whatever a framework has reported
            for entry in due:
                with self._failing_alone(entry[0]):
                    self._note([entry])

    def _note(self, due: Sequence[tuple[Beating, Record]]) -> None:
        if not due:
            return
        try:
            self._store.records.note({RecordType.WORKER.key(worker.id): record for worker, record in due})
        except (StoreError, OSError):  # somebody else writes: tried again in a moment
            for worker, _ in due:
                worker.note_unwritten()

    @contextmanager
    def _failing_alone(self, worker: Beating) -> Iterator[None]:
        """Let a worker whose state or log cannot be written go, as if it had a thread of its own, and the others stay."""
        try:
            yield
        except Exception:
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
            self._leave([worker])

    def _leave(self, workers: Iterable[Beating]) -> bool:
        """Write no more of workers; return whether others are left."""
        with self._changing:
            for worker in workers:
                self._workers.pop(worker.id, None)
            self._left.notify_all()
            if not self._workers:
                self._thread = None
            return bool(self._workers)

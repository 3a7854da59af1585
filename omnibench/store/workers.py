"""Workers: the processes that compute right now, for people and dashboards; leases decide who may compute an item."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
import uuid
from typing import Any

from omnibench.errors import StoreError
from omnibench.masking import masked_data
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.exports import Exports
from omnibench.store.logbook import NAME, NOTICE, LogBook
from omnibench.store.resumption import newest_members
from omnibench.store.schema import Phase, Record, RecordType, timestamp

HEARTBEAT_SECONDS = 5.0
_FLUSH_SECONDS = 0.5
_PAUSE_SECONDS, _LONGEST_PAUSE = 0.02, 0.16
"""Seconds between two writes of the state: more and more in a series of short phases, which would keep the records busy."""
_OF_SEARCH = ("trial", "trials", "best", "metric")
"""What a search says of itself in the progress of a worker."""

_SILENCE_STEP = 5
"""Seconds in which a guest's silence is counted, so that it costs as few writes as the heartbeat."""
_EXPORT_SHARE = 0.02
"""The share of the time that may go into progress.json, beside the exports that items cause when they end."""


class Worker:
    """This process as a worker of a run: its record, its heartbeat and its log entries, written by a thread.

    The thread also brings progress.json up to date when the worker has come to another item or phase.

    Args:
        store: The store it works on.
        run: The run's id.
        name: The name of the process, e.g. ``gw0``.
        exports: What brings progress.json up to date, where workers of this process share it; its own by default.
    """

    def __init__(self, store: CheckpointStore, run: str, name: str = "main", exports: Exports | None = None) -> None:
        self.store = store
        self.id = f"{run}.{name}.{uuid.uuid4().hex[:6]}"
        self.log = LogBook(store.root / NAME, run, self.id)
        started = timestamp()
        self._facts: dict[str, Any] = {
            "id": self.id,
            "run": run,
            "pid": os.getpid(),
            "host": platform.node(),
            "started": started,
            "heartbeat": started,
            "item": None,
            "phase": None,
            "progress": None,
            "silence": None,
            "snapshot": None,
            "completed": 0,
            "ended": None,
            "lock": store.lifeline,
        }
        self._lock = threading.Lock()
        self._moved = self._elsewhere = False
        self._ended = threading.Event()
        self._exports = exports or Exports(store, _EXPORT_SHARE)
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="omnibench-heartbeat")
        self._thread.start()

    def beside(self, name: str) -> Worker:
        """Return the worker of another thread; both together bring progress.json up to date as often as one would.

        Args:
            name: Its name.
        """
        return Worker(self.store, self._facts["run"], name, self._exports)

    def note_phase(self, item: str | None, phase: str | None = None) -> None:
        """Note the item and the phase that this worker computes now; None when it is idle."""
        with self._lock:
            goes_on = item == self._facts["item"] and phase is not None and phase.endswith(Phase.TUNE.value)
            kept = self._of_search() or None if goes_on else None  # a guest starts for a trial
            self._facts |= {"item": item, "phase": phase, "progress": kept, "silence": None, "snapshot": None}
            self._elsewhere = item is not None
        self._wake.set()

    def progress(self, values: dict[str, Any]) -> None:
        """Note how far the phase is, e.g. ``{"epoch": 3, "epochs": 20}``; written twice a second at most.

        What a search has said of its trial stays while that says something of itself.
        """
        with self._lock:
            of_search = self._of_search()
            self._facts["progress"] = {**({} if "trial" in values else of_search), **masked_data(values)}
            self._moved = True
            # progress.json says which trial it is.
            self._elsewhere = self._elsewhere or values.get("trial", of_search.get("trial")) != of_search.get("trial")

    def _of_search(self) -> dict[str, Any]:
        """Return what a search has said of its trial."""
        progress = self._facts["progress"] or {}
        return {name: progress[name] for name in _OF_SEARCH if name in progress} if "trial" in progress else {}

    def note_silence(self, seconds: float, is_stopped: bool = False) -> None:
        """Note for how long the guest has given no sign of life.

        Args:
            seconds: 0 while it gives some.
            is_stopped: Whether its process is stopped.
        """
        rounded = int(seconds) // _SILENCE_STEP * _SILENCE_STEP
        silence = {"seconds": rounded, "stopped": is_stopped} if seconds else None
        if silence != self._facts["silence"]:
            with self._lock:
                self._facts["silence"] = silence
                self._moved = True

    def note_snapshot(self, record: Record | None) -> None:
        """Note the newest snapshot of the Fit that this worker computes.

        Args:
            record: Its record; None where it begins anew.
        """
        with self._lock:
            self._facts["snapshot"] = None if record is None else newest_members(record)
            self._moved = True

    def note_host(self, host: str) -> None:
        """Note on which machine the guest runs.

        Args:
            host: Its name; nothing for this one.
        """
        if host != self._facts.get("at", ""):
            with self._lock:
                self._facts["at"] = host
                self._moved = True

    def note(self, line: str) -> None:
        """Log a line for whoever watches the run."""
        self.log.add(logging.WARNING, NOTICE, line)
        self._wake.set()

    def count_completed(self) -> None:
        """Count an item that this worker has brought to its end."""
        with self._lock:
            self._facts["completed"] += 1

    def _beat(self) -> None:
        next_beat, pause = 0.0, _PAUSE_SECONDS
        while not self._ended.is_set():
            changed = self._wake.is_set() or self._moved
            self._moved = False
            self._wake.clear()
            if changed or time.monotonic() >= next_beat:
                self._write()
                next_beat = time.monotonic() + HEARTBEAT_SECONDS
            self.log.flush()
            self._export()
            if self._wake.wait(_FLUSH_SECONDS):
                self._ended.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                pause = _PAUSE_SECONDS
        with self._lock:
            # Whoever ends it in the middle of an item has given up the thread that computes that, for it hangs or its disk
            # does: as of a worker that died, the record goes on to say where it was, so that the item reads as interrupted.
            if self._facts["item"] is None:
                self._facts["ended"] = timestamp()
        self._write()
        self.log.finish()
        self.store.records.close()  # this thread's own connection

    def _write(self) -> None:
        with self._lock:
            self._facts["heartbeat"] = timestamp()
            facts = dict(self._facts)
        try:
            self.store.records.note({RecordType.WORKER.key(self.id): facts})
        except (StoreError, OSError):  # somebody else writes: tried again in a moment
            self._moved = True

    def _export(self) -> None:
        """Bring progress.json up to date after this worker has come to another item or phase, if that is due."""
        with self._lock:
            due = self._elsewhere and not self._wake.is_set() and self._exports.due
            self._elsewhere = self._elsewhere and not due
        if due:
            self._exports.refresh_progress()

    def end(self) -> None:
        """Write the last state and stop."""
        self._ended.set()
        self._wake.set()
        self._thread.join(timeout=30)

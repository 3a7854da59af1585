"""Workers: who computes right now, for people and dashboards; leases decide who may compute an item."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
import uuid
from typing import Any

from omnibench.masking import masked_data
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.exports import Exports
from omnibench.store.heartbeats import Heartbeats
from omnibench.store.logbook import NAME, NOTICE, LogBook
from omnibench.store.resumption import newest_members
from omnibench.store.schema import Phase, Record, timestamp

HEARTBEAT_SECONDS = 5.0
_OF_SEARCH = ("trial", "trials", "best", "metric")
"""What a search says of itself in the progress of a worker."""

_SILENCE_STEP = 5
"""Seconds in which a guest's silence is counted, so that it costs as few writes as the heartbeat."""


class Worker:
    """This process as a worker of a run: its record, its heartbeat and its log entries, written by a thread.

    The thread also brings the readable copies up to date when the worker has come to another item or phase.

    Args:
        store: The store it works on.
        run: The run's id.
        name: The name of the process, e.g. ``gw0``.
        exports: What brings the readable copies up to date, which the items of this process have them do as well; its own by default.
        heartbeats: What writes its record, likewise.

    Attributes:
        is_ending: Whether it writes its last state.
    """

    def __init__(
        self,
        store: CheckpointStore,
        run: str,
        name: str = "main",
        exports: Exports | None = None,
        heartbeats: Heartbeats | None = None,
    ) -> None:
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
        self._moved = self._is_new_phase = self._elsewhere = self.is_ending = False
        self._next_beat = 0.0
        self._exports = exports or Exports(store)
        self._heartbeats = heartbeats or Heartbeats(store)
        self._heartbeats.begin(self)

    def for_thread(self, name: str) -> Worker:
        """Return the worker of another thread: a single one writes for both, and progress.json as often as for one.

        Args:
            name: Its name.
        """
        return Worker(self.store, self._facts["run"], name, self._exports, self._heartbeats)

    def note_phase(self, item: str | None, phase: str | None = None) -> None:
        """Note the item and the phase that this worker computes now; None when it is idle."""
        with self._lock:
            goes_on = item == self._facts["item"] and phase is not None and phase.endswith(Phase.TUNE.value)
            progress = self._of_search() or None if goes_on else None  # a guest starts for a trial
            self._facts |= {"item": item, "phase": phase, "progress": progress, "silence": None, "snapshot": None}
            self._elsewhere, self._moved, self._is_new_phase = item is not None, True, True
        self._heartbeats.wake()

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
        self._heartbeats.wake()

    def count_completed(self) -> None:
        """Count an item that this worker has brought to its end."""
        with self._lock:
            self._facts["completed"] += 1

    def due_record(self) -> Record | None:
        """Return the record of its state; None where it has not changed, and was written less than a heartbeat ago."""
        with self._lock:
            is_due = self._moved or self.is_ending or time.monotonic() >= self._next_beat
            if not is_due:
                return None
            self._moved = self._is_new_phase = False
            self._next_beat = time.monotonic() + HEARTBEAT_SECONDS
            # Whoever ends it in the middle of an item has given up the thread that computes that, for it hangs or its disk
            # does: as of a worker that died, the record goes on to say where it was, so that the item reads as interrupted.
            if self.is_ending and self._facts["item"] is None and self._facts["ended"] is None:
                self._facts["ended"] = timestamp()
            self._facts["heartbeat"] = timestamp()
            return dict(self._facts)

    def note_unwritten(self) -> None:
        """Have the record written in a moment, because it could not be."""
        self._moved = True

    def bring_out(self, *, is_log_locked: bool) -> bool:
        """Write what was logged, and the readable copies where they are due; return whether somebody else locks the log.

        Args:
            is_log_locked: Whether somebody did a moment ago: then what was logged waits.
        """
        is_log_locked = is_log_locked or not self.log.flush()
        self._export()
        return is_log_locked

    def finish(self, *, is_log_locked: bool) -> None:
        """Write what was logged for the last time; nothing where somebody else locks the log."""
        self.log.finish(is_locked=is_log_locked)

    def _export(self) -> None:
        """Bring the readable copies up to date after this worker has come to another item or phase, if that is due."""
        with self._lock:
            is_behind = self._elsewhere or self._exports.is_behind
            due = is_behind and not self._is_new_phase and self._exports.due
            # Cleared before it is written: whatever this worker comes to meanwhile is to be written after that.
            self._elsewhere = self._elsewhere and not due
        # What was not written, because the file is younger than the pause or for an error, is still to be written.
        if due and not self._exports.refresh_progress():
            with self._lock:
                self._elsewhere = self._facts["item"] is not None

    def end(self) -> None:
        """Write the last state and stop; once is enough."""
        self.is_ending = True
        self._heartbeats.end(self)

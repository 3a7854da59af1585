"""Workers: who computes right now. For people and dashboards; whether an item may be computed is its lease's business."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import uuid
from typing import Any

from omnibench.errors import StoreError
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.logbook import NAME, LogBook
from omnibench.store.records import timestamp

HEARTBEAT_SECONDS = 5.0
_FLUSH_SECONDS = 0.5


class Worker:
    """This process as a worker of a run: its record, its heartbeat and its log entries, written by a thread.

    Args:
        store: The store it works on.
        run: The run's id.
        name: What to call it, e.g. ``gw0``.
    """

    def __init__(self, store: CheckpointStore, run: str, name: str = "main") -> None:
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
            "completed": 0,
            "ended": None,
            "lock": store.lifeline,
        }
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="omnibench-heartbeat")
        self._thread.start()

    def at(self, item: str | None, phase: str | None = None) -> None:
        """Say which item and phase this worker is at now; nothing when it is idle."""
        with self._lock:
            self._facts |= {"item": item, "phase": phase}
        self._changed.set()

    def completed(self) -> None:
        """Count an item that this worker has brought to its end."""
        with self._lock:
            self._facts["completed"] += 1

    def _beat(self) -> None:
        waited = HEARTBEAT_SECONDS
        while not self._ended.is_set():
            if waited >= HEARTBEAT_SECONDS or self._changed.is_set():
                self._changed.clear()
                waited = 0.0
                self._write()
            self.log.flush()
            self._ended.wait(_FLUSH_SECONDS)
            waited += _FLUSH_SECONDS
        with self._lock:
            self._facts |= {"item": None, "phase": None, "ended": timestamp()}
        self._write()
        self.log.flush()
        self.store.records.close()  # this thread's own connection

    def _write(self) -> None:
        with self._lock:
            self._facts["heartbeat"] = timestamp()
            facts = dict(self._facts)
        with contextlib.suppress(StoreError, OSError):  # the next beat tries again
            self.store.records.note({f"worker/{self.id}": facts})

    def end(self) -> None:
        """Write the last state and stop."""
        self._ended.set()
        self._thread.join(timeout=30)

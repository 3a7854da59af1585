"""A worker that is in the middle of a Fit and hears requests for snapshots, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ITEM = "tiny-0123abcd/Popular-4567cdef"

RECORD = {
    "name": "snapshot_20261126_155402",
    "iteration": 37,
    "iterations": 50,
    "unit": "epoch",
    "size": 12_300_000,
    "seconds": 0.4,
}
"""What is of interest here of a snapshot's record."""

_SCRIPT = """
import json, sys, time
from pathlib import Path
from omnibench.engine import asking, chkpt
from omnibench.store import CheckpointStore
from omnibench.store.workers import Worker

root, directory, name, item, phase, reaction, settle, record = sys.argv[1:]
store = CheckpointStore(root, notify=lambda _: None)
worker = Worker(store, "run", name)
asking._LOOK_SECONDS, chkpt.SETTLE_SECONDS = 0.02, float(settle)
requests = asking.Requests(store.root, worker.id, lambda line: print(line, flush=True), Path(directory))
worker.note_phase(item, phase)
while (store.records.get(f"worker/{worker.id}") or {}).get("phase") != phase:
    time.sleep(0.02)
print("fits", flush=True)
try:
    with requests.during_fit(item, name):
        if reaction == "wait":
            sys.stdin.readline()
            reaction = "take"
        while not requests.pending():
            time.sleep(0.02)
        if reaction == "die":
            import os
            os._exit(1)
        if reaction == "fail":
            requests.failed("no room is left")
        if reaction == "nothing":
            requests.nothing("its Fit has no iterations")
        if reaction == "raise":
            raise ValueError("the algorithm is broken")
        if reaction == "take":
            requests.recorded(json.loads(record))
        while reaction in ("take", "fail", "nothing") and sys.stdin.readline():
            requests.pending()
    worker.note_phase(item, "Predict")
except ValueError:
    pass
worker.end()
store.close()
"""


@contextmanager
def fitting(
    root: Path,
    reaction: str,
    *,
    name: str = "main",
    item: str = ITEM,
    phase: str = "Fit",
    directory: Path | None = None,
    settle: float = 0.0,
    record: dict[str, Any] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Have a worker in the middle of a Fit.

    Args:
        root: The store's directory; made when it is missing.
        reaction: What it does once somebody asks for a snapshot: ``take``, ``fail``, ``nothing``, ``end``, ``raise``, ``die``; ``wait``
            hears of nothing before it is sent a line, and then does as ``take``.
        name: The worker's name.
        item: Its item.
        phase: What it says that it is in.
        directory: Its working directory; the store's parent by default.
        settle: For how many seconds a file ``CHKPT`` stays at least.
        record: The record of the snapshot that it takes.
    """
    arguments = [root, directory or root.parent, name, item, phase, reaction, settle, json.dumps(record or RECORD)]
    command = [sys.executable, "-c", _SCRIPT, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "fits\n"
        try:
            yield process
        finally:
            process.kill()


def wake(worker: subprocess.Popen[str]) -> None:
    """Let a worker that waits hear of requests."""
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()

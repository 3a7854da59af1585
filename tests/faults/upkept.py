"""Commands that keep a store tidy, on a disk without a single free page, and killed there."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from faults import invariants, plant
from faults.children import Child, run
from faults.disks import enter_namespace, leave_free, mount_small
from omnibench.commands.main import main

DISK = 20 * 2**20
"""Bytes of the disk: with less, a store keeps no reserve."""


def commanded(words: list[str]) -> dict[str, Any]:
    """Run a command; return its exit status and what it printed."""
    printed = StringIO()
    with redirect_stdout(printed):
        status = main(words)
    return {"status": status, "printed": printed.getvalue()}


def _full_stores(directory: Path, rounds: int) -> Iterator[tuple[Path, Path, plant.Errand]]:
    """Yield a finished store with an earlier generation, on a disk that is full: its directory, what fills it, its errand."""
    enter_namespace()
    for number in range(rounds):
        disk = directory / f"disk-{number}"
        disk.mkdir(parents=True)
        mount_small(disk, DISK)
        errand = plant.Errand(disk / "store", directory / "work")
        for words in (None, ["reset", "--yes"], None):
            ended = run(
                errand if words is None else partial(commanded, [*words, "--store", str(disk / "store")]),
                directory / "log",
            )
            assert ended.outcome is not None, ended
        yield disk / "store", leave_free(disk, 0), errand


def tidied(directory: Path, reference: dict[str, Any], words: list[str]) -> dict[str, Any]:
    """Run a command on a full disk. To be called in a child of its own.

    Returns:
        ``violations``, and the command's ``status`` and ``printed``.
    """
    violations: list[str] = []
    outcome: dict[str, Any] = {}
    for root, filler, errand in _full_stores(directory, 1):
        ended = run(partial(commanded, [*words, "--store", str(root)]), directory / "log")
        assert ended.outcome is not None, ended
        outcome = ended.outcome
        violations += [
            f"I1 damaged: {path}" for path in invariants.damaged_artifacts(root, invariants.records_of(root))
        ]
        filler.unlink()
        violations += invariants.broken_end(root, run(errand, directory / "log"), reference)
    return {"violations": violations, **outcome}


def killed(directory: Path, reference: dict[str, Any], words: list[str], rounds: int) -> dict[str, Any]:
    """Kill a command on a full disk ever later; return the violations, and how many kills have hit."""
    violations, hits = [], 0
    for number, (root, filler, errand) in enumerate(_full_stores(directory, rounds)):
        child = Child(partial(commanded, [*words, "--store", str(root)]), directory / "log")
        time.sleep(0.01 + 0.3 * number / rounds)
        child.send(signal.SIGKILL)
        hits += child.wait().outcome is None
        violations += [
            f"I1 damaged: {path}" for path in invariants.damaged_artifacts(root, invariants.records_of(root))
        ]
        filler.unlink()
        violations += invariants.broken_end(root, run(errand, directory / "log"), reference)
    return {"violations": violations, "hits": hits}

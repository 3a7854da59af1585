"""A real framework in a guest of its own: its host is killed at any moment, and the next run goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults import invariants, plant
from faults.children import Child
from faults.sweeps import Tally

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
_PATIENCE = 180.0
_KILLS = 20


def _guests_in(root: Path) -> list[int]:
    """The processes that work in a directory of a store."""
    guests = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(root):
                guests.append(int(process.name))
    return guests


def _finished_records(root: Path) -> dict[str, Any]:
    """The records of phases whose files are intact: what must not be computed again."""
    done = invariants.committed(root)
    records = invariants.records_of(root)
    return {
        key: record
        for key, record in records.items()
        if (key.partition("/")[0], str(record.get("fit_key"))) in done and key.startswith(("fit/", "predict/"))
    }


def _kill_when(
    root: Path, log: Path, moment: Callable[[float], bool], reference: dict[str, Any]
) -> tuple[list[str], str]:
    """Kill a run at a moment, check, resume, check; return what was wrong, and how far the run had come."""
    child = Child(plant.RealErrand(root), log)
    started = time.monotonic()
    while child.poll(0.002) is None and not moment(time.monotonic() - started):
        if time.monotonic() - started > _PATIENCE:
            break
    child.send(signal.SIGKILL)
    child.wait()
    violations = []
    deadline = time.monotonic() + 10
    while guests := _guests_in(root):
        if time.monotonic() > deadline:
            violations.append(f"guests survive their host: {guests}")
            for guest in guests:
                os.kill(guest, signal.SIGKILL)
            break
        time.sleep(0.02)
    violations += [f"I1 damaged: {path}" for path in invariants.damaged_artifacts(root, invariants.records_of(root))]
    before = _finished_records(root)
    resumed = Child(plant.RealErrand(root), log).wait(_PATIENCE)
    violations += invariants.broken_end(root, resumed, reference)
    after = invariants.records_of(root)
    violations += [f"I3 {key} was computed again" for key, record in before.items() if after.get(key) != record]
    return violations, f"{len(before)} phases were done"


def _reference(directory: Path) -> dict[str, Any]:
    ended = Child(plant.RealErrand(directory / "reference"), directory / "log").wait(_PATIENCE)
    assert ended.outcome is not None, ended.error
    return ended.outcome


class _Moment:
    """Some seconds after a number of artifacts of items is there (or the first item's directory, for none).

    Args:
        root: The store.
        artifacts: How many.
        delay: Seconds.
    """

    def __init__(self, root: Path, artifacts: int, delay: float = 0.0) -> None:
        self._root = root
        self._artifacts = artifacts
        self._delay = delay
        self._reached: float | None = None

    def __call__(self, passed: float) -> bool:
        if self._reached is None:
            paths = list(self._root.glob("tiny-*/*/fold_*/*.*")) if self._artifacts else []
            count = sum(path.suffix not in {".json", ".jsonl"} for path in paths)
            begun = bool(self._artifacts) or any(self._root.glob("tiny-*/*/fold_*"))
            self._reached = passed if begun and count >= self._artifacts else None
        return self._reached is not None and passed - self._reached >= self._delay


@pytest.mark.slow
def test_a_host_that_is_killed_after_a_fit_of_lenskit(
    directory: Path, environment_python: Callable[[str], Path]
) -> None:
    """No guest survives, the fitted model is used, and the table is that of a run that was left alone."""
    environment_python("LensKit")
    reference = _reference(directory)
    root = directory / "store"
    violations, far = _kill_when(root, directory / "log", _Moment(root, 2), reference)
    assert not violations, violations
    assert far != "0 phases were done"


@pytest.mark.faults
def test_a_host_that_is_killed_at_any_moment(
    directory: Path, environment_python: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """While the first fit is in flight, and soon after each artifact of each item."""
    environment_python("LensKit")
    reference = _reference(directory)
    tally = Tally("kill points of LensKit")
    came = []
    for number in range(_KILLS):
        # The first six fall into the time in which the guest starts and fits; then two for each few artifacts.
        artifacts, delay = (0, 0.5 * number) if number < 6 else (1 + (number - 6) * 12 // 14, 0.015 * (number % 2))
        root = directory / f"store-{number}"
        violations, far = _kill_when(root, directory / "log", _Moment(root, artifacts, delay), reference)
        came.append(far.partition(" ")[0])
        tally.take(f"{delay:.2f} s after {artifacts} artifacts ({far})", violations)
    with capsys.disabled():
        print(f"\n{tally} (phases done: {', '.join(came)})")
    tally.check()

"""Processes that stand still within or between their transactions, beside other runs: nothing is lost, nothing double."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from faults import frozen, invariants, plant
from faults.children import Child, run
from faults.sweeps import Tally
from faults.transactions import holding
from omnibench.guest import forks
from omnibench.store import holders, waiting

pytestmark = [
    pytest.mark.usefixtures("made_up_records"),
    pytest.mark.skipif(not holders.LOCKS.exists(), reason="only Linux tells who holds a lock"),
]

_PAUSE = 0.03
_ROUNDS = 20
_PATIENCE = 60.0
_WAYS = ("SIGSTOP", *frozen.ROOTS)


@dataclass(frozen=True)
class Pausing:
    """A run that stays in one of its transactions for a while.

    Attributes:
        errand: The run.
        number: Which transaction, from 1 on; 0 for none of them.
        mark: A file that is made there.
    """

    errand: plant.Errand
    number: int
    mark: Path

    def __call__(self) -> dict[str, Any]:
        """Run it; that others wait is told at once."""
        numbers = iter(range(1, 10_000))
        whole = forks.whole_transaction

        @contextlib.contextmanager
        def pausing() -> Iterator[None]:
            with whole():
                if next(numbers) == self.number:
                    self.mark.touch()
                    time.sleep(0.3)
                yield

        with (
            mock.patch.object(forks, "whole_transaction", pausing),
            mock.patch.object(waiting, "TOLD_AFTER_SECONDS", 0.1),
        ):
            return self.errand()


@contextlib.contextmanager
def standing_still(child: Child, way: str) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Yield what stops a process in a way, and what lets it go on."""
    if way == "SIGSTOP":
        yield lambda: child.send(signal.SIGSTOP), lambda: child.send(signal.SIGCONT)
        return
    with frozen.freezer(way) as group:
        group.take(child.pid)
        yield group.freeze, group.thaw


def _round(directory: Path, seed: int, way: str) -> tuple[list[str], bool]:
    """Two runs and more, one of which stands still for a while and is then let go on or killed.

    Returns:
        What was wrong, and whether it stood still within a transaction.
    """
    chance = random.Random(seed)
    directory.mkdir()
    root, work, log = directory / "store", directory / "work", directory / "log"
    errand = plant.Errand(root, work, plant.ONE_MORE, pause=_PAUSE)
    inside = chance.random() < 0.7
    still = Child(Pausing(errand, chance.randrange(1, 25) if inside else 0, directory / "mark"), log)
    violations: list[str] = []
    with standing_still(still, way) as (stop, go_on):
        others = [Child(Pausing(errand, 0, directory / "mark"), log)]
        deadline = time.monotonic() + (10 if inside else chance.uniform(0.05, 0.6))
        while not (directory / "mark").exists() and still.poll(0.005) is None and time.monotonic() < deadline:
            pass
        stopped = still.ended is None
        if stopped:
            stop()
        others.append(Child(Pausing(errand, 0, directory / "mark"), log))
        time.sleep(chance.uniform(0.5, 3.0))
        killed = stopped and chance.random() < 0.5
        if killed:
            still.send(signal.SIGKILL)
        go_on()
        reference = run(plant.Errand(directory / "reference", directory / "uncounted", plant.ONE_MORE), log).outcome
        assert reference is not None
        within = stopped and (directory / "mark").exists()
        for child in [*others, *([] if killed else [still])]:
            ended = child.wait(_PATIENCE)
            violations += invariants.broken_failure(ended, reference)
            told = " ".join(ended.outcome["told"]) if ended.outcome else ended.error.get("message", "")
            waits_for_the_lock = "waiting for" in told and "which has kept the records" in told
            if within and child is others[0] and waits_for_the_lock and f"process {still.pid}" not in told:
                violations.append(f"the holder is not named: {told}")
        if killed:
            still.wait(_PATIENCE)
    records = invariants.records_of(root)
    violations += [f"I1 damaged: {path}" for path in invariants.damaged_artifacts(root, records)]
    violations += invariants.broken_end(root, run(errand, log), reference)
    violations += invariants.broken_agreement(root)
    executed = plant.executed(work)
    if len(executed) > 2 * len(plant.items()) + killed:
        violations.append(f"I3 {len(executed)} executions of {2 * len(plant.items())} phases, killed: {killed}")
    return violations, within


def _skip_where_impossible(way: str) -> None:
    if way in frozen.ROOTS and frozen.root_of(way) is None:
        pytest.skip(f"no control groups of {way} can be made here")


@pytest.mark.faults
@pytest.mark.parametrize("way", _WAYS)
def test_many_that_stand_still(directory: Path, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty rounds: within a transaction and without, let go on and killed."""
    _skip_where_impossible(way)
    tally, inside = Tally(f"runs that stand still by {way}"), 0
    for seed in range(_ROUNDS):
        violations, within = _round(directory / str(seed), seed, way)
        tally.take(f"seed {seed}", violations)
        inside += within
    with capsys.disabled():
        print(f"\n{tally} ({inside} within a transaction)")
    assert inside
    tally.check()


@pytest.mark.slow
@pytest.mark.parametrize("version", frozen.ROOTS)
def test_a_holder_that_is_frozen_is_called_so(directory: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No signal lets it go on, so the advice is another one; once it is thawed it is a process like any other."""
    _skip_where_impossible(version)
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.5)
    errand = plant.Errand(directory / "store", directory / "work")
    run(errand, directory / "log")
    more = plant.Errand(directory / "store", directory / "work", plant.ONE_MORE)
    with frozen.freezer(version) as group, holding(directory / "store", "write") as holder:
        group.take(holder.pid)
        group.freeze()
        refused = run(more, directory / "log")
        assert f"process {holder.pid} (python" in refused.error["message"]
        assert "its container is paused: `docker unpause`" in refused.error["message"]
        group.thaw()
        assert "paused" not in str(holders.holder_of(holder.pid))
    ended = run(more, directory / "log")
    assert ended.outcome is not None
    assert not ended.outcome["failed"]

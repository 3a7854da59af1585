"""Several runs on one store at once, some of which are killed, interrupted or stopped."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from faults import invariants, plant
from faults.children import Child, run
from faults.sweeps import Tally

_RUNS = 3
_PAUSE = 0.03
"""Seconds that each Fit takes longer, so that the runs meet."""
_PATIENCE = 60.0


def _round(directory: Path, seed: int) -> tuple[list[str], int]:
    """One store, several runs, some signals; return what was wrong, and how many signals met a living run."""
    chance = random.Random(seed)
    directory.mkdir()
    root, work = directory / "store", directory / "work"
    errand = plant.Errand(root, work, plant.ONE_MORE, pause=_PAUSE)
    children = [Child(errand, directory / "log") for _ in range(_RUNS)]
    signals, ends = 0, 0
    stopped: list[Child] = []
    for _ in range(chance.randrange(1, 6)):
        time.sleep(chance.uniform(0.0, 0.12))
        child = chance.choice(children)
        number = chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP])
        if child.poll() is not None or child in stopped:
            continue
        child.send(number)
        signals += 1
        if number == signal.SIGSTOP:
            stopped.append(child)
        else:
            ends += 1
        if chance.random() < 0.4:  # somebody starts another one
            children.append(Child(errand, directory / "log"))
    time.sleep(chance.uniform(0.0, 0.1))
    for child in stopped:
        child.send(signal.SIGCONT)
    reference = plant.Errand(directory / "reference", directory / "uncounted", plant.ONE_MORE)
    expected = run(reference, directory / "log").outcome
    assert expected is not None
    violations = []
    for child in children:
        ended = child.wait(_PATIENCE)
        if ended.status >= 0 or ended.hung:
            violations += invariants.broken_failure(ended, expected)
    violations += [f"I1 damaged: {path}" for path in invariants.damaged_artifacts(root, invariants.records_of(root))]
    violations += invariants.broken_end(root, run(errand, directory / "log"), expected)
    violations += invariants.broken_agreement(root)
    executed = plant.executed(work)
    if len(executed) > 2 * len(plant.items()) + ends:
        violations.append(f"I3 {len(executed)} executions of {2 * len(plant.items())} phases with {ends} runs ended")
    return violations, signals


def _rounds(directory: Path, seeds: range) -> tuple[Tally, int]:
    tally, signals = Tally(f"rounds of {_RUNS} runs"), 0
    for seed in seeds:
        violations, sent = _round(directory / str(seed), seed)
        tally.take(f"seed {seed}", violations)
        signals += sent
    return tally, signals


def test_runs_that_meet(directory: Path) -> None:
    """Each phase is executed once, and once more for each run that was ended; all agree on the table."""
    tally, signals = _rounds(directory, range(4))
    assert signals > 0
    tally.check()


@pytest.mark.faults
def test_many_runs_that_meet(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sixty rounds."""
    tally, signals = _rounds(directory, range(100, 160))
    with capsys.disabled():
        print(f"\n{tally} ({signals} signals)")
    tally.check()

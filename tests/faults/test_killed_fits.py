"""Fits with snapshots by real runs of pytest, in which something is killed: the run, a worker, a guest, or all at once."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.projects import Project
from support.runs import guests_of, nobody_left, output_of, started, wait_until

from faults import fits, invariants
from faults.sweeps import Tally
from omnibench.store.gc import collect
from omnibench.store.schema import RecordType

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
_KILLS = 16
_PATIENCE = 300.0
_MOST_RUNS = 4
"""A run whose guest was killed may have failed items, and the next one tries them again."""

_WALK = """
import time
import numpy as np

class Walk:
    def __init__(self, pull: int = 1):
        self.pull = pull

    def fit(self, train, report):
        if report.iteration == 0:
            self.items = sorted(set(train["item"].tolist()))
            self.random = np.random.default_rng(self.pull)
            self.scores = np.zeros(len(self.items))
        for step in range(report.iteration + 1, 25):
            time.sleep(0.03)
            self.scores = self.scores + self.random.normal(size=len(self.items))
            report(iteration=step, iterations=24, loss=float(self.scores.mean()))

    def recommend(self, users, k):
        best = np.argsort(-self.scores, kind="stable")[:k]
        return {user: [(self.items[position], float(self.scores[position])) for position in best] for user in users}
"""

_BENCH = """
import numpy as np
import pandas as pd
from omnibench import *
from walk import Walk

rng = np.random.default_rng(3)
frame = pd.DataFrame({{"user": rng.integers(0, 60, 1500), "item": (rng.pareto(1.0, 1500) * 20).astype(int) % 90}})
data = from_frame(frame.drop_duplicates(), "small").pipe(UserHoldout(validation_size=0.2, test_size=0.2))
snapshots = Snapshots(every_iterations=2, keep_past=0, directory={directory!r}, naming_format="walk_%(count)")
plan = ExperimentPlan("killed", snapshots=snapshots)
plan.add_algorithm(Walk, {{"pull": Grid([1, 2, 3])}})

@benchmark(data, plan, Evaluator(NDCG([5, 10])))
def bench_killed(result): ...
"""

ALONE, TOGETHER = (), ("-n", "2")


@dataclass(frozen=True)
class Kill:
    """What is killed, and when.

    Attributes:
        victim: ``run`` (the process that was started), ``worker``, ``guest``, or ``group`` (all processes but guests).
        workers: The options of the run.
        outside: Whether snapshots lie outside of the store.
        delay: Seconds after the first snapshot.
    """

    victim: str
    workers: tuple[str, ...]
    outside: bool
    delay: float

    def __str__(self) -> str:
        where = "outside" if self.outside else "inside"
        return f"{self.victim}, {' '.join(self.workers) or 'alone'}, {where}, after {self.delay:.2f} s"


def _kills() -> list[Kill]:
    chance = random.Random(15)
    victims = [("run", ALONE), ("guest", ALONE), ("worker", TOGETHER), ("guest", TOGETHER), ("group", TOGETHER)]
    return [Kill(*victims[number % 5], bool(number % 2), chance.uniform(0.0, 1.2)) for number in range(_KILLS)]


class KilledFits:
    """A project with Fits that have snapshots, which is run undisturbed first.

    Args:
        project: The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._path = project.pytester.path
        self._facts: dict[str, Any] = {}

    def point(self, kill: Kill) -> list[str]:
        """Kill, check, run again until all items are done, check; return what was wrong."""
        if not self._facts:
            self._write(outside=False)
            self._project.run("--omnirec-checkpoint-dir=undisturbed").assert_outcomes(passed=3)
            self._facts = fits.facts_of(self._path / "undisturbed")
        self._write(outside=kill.outside)
        root = self._path / "checkpoints"
        with started(self._project, *kill.workers) as run:
            wait_until(lambda: bool(_snapshots(root)), _PATIENCE)
            time.sleep(kill.delay)
            self._strike(kill, run.pid)
            run.wait(_PATIENCE)
        wait_until(lambda: nobody_left(self._project))
        violations = [f"S1 damaged: {folder}" for folder in fits.damaged_snapshots(root)]
        expected, fitted = fits.resumes_at(root), fits.begins_of(root)
        for _ in range(_MOST_RUNS):
            outcomes = self._project.run("-p", "no:cacheprovider").parseoutcomes()
            if not outcomes.get("failed"):
                break
        if outcomes.get("passed", 0) + outcomes.get("cached", 0) != 3:
            violations.append(f"S3 it does not come through: {outcomes}")
        facts = fits.facts_of(root)
        keys = facts.keys() | self._facts.keys()
        violations += [f"S3 {key} is another" for key in keys if facts.get(key) != self._facts.get(key)]
        for key, begin in fits.begins_of(root).items():
            if key not in fitted and begin != expected.get(key, 0):
                violations.append(f"S4 {key[:8]} was begun after {begin}, and not after {expected.get(key, 0)}")
        collect(root)
        left = sorted(path.name for path in (root / "tmp").glob("*") if path.is_dir())
        violations += [f"S5 left under tmp: {left}"] if left else []
        violations += [f"S5 left: {path}" for path in fits.folders_in(self._path, root)]
        if violations:
            violations.append(output_of(self._project))
        root.rename(self._path / f"checkpoints-{len(list(self._path.glob('checkpoints-*')))}")
        return violations

    def _write(self, *, outside: bool) -> None:
        (self._path / "bench_tiny.py").unlink(missing_ok=True)
        directory = str(self._path / fits.KEPT) if outside else None
        self._project.pytester.makepyfile(walk=_WALK, bench_killed=_BENCH.format(directory=directory))

    def _strike(self, kill: Kill, run: int) -> None:
        if kill.victim == "group":
            os.killpg(run, signal.SIGKILL)
            return
        root = self._path / "checkpoints"
        victims = {"run": [run], "worker": _workers(root), "guest": guests_of(self._project)}[kill.victim]
        if victims:
            os.kill(random.Random(str(kill)).choice(victims), signal.SIGKILL)


def _snapshots(root: Path) -> dict[str, Any]:
    return fits.snapshots_in(root) if (root / "store" / "cache.db").exists() else {}


def _workers(root: Path) -> list[int]:
    """The processes of workers that are at something."""
    records = invariants.records_of(root)
    return sorted(record["pid"] for key, record in records.items() if RecordType.WORKER.has(key) and record["phase"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "kill", [Kill("group", TOGETHER, False, 0.3), Kill("guest", TOGETHER, True, 0.2)], ids=["group", "guest"]
)
def test_a_kill_among_workers_whose_fits_take_snapshots(project: Project, kill: Kill) -> None:
    """The next run goes on from the newest snapshot of each Fit, and ends with the same models, series and numbers."""
    violations = KilledFits(project).point(kill)
    assert not violations, "\n".join(violations)


@pytest.mark.faults
def test_fits_killed_at_any_moment(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Kills of runs alone and with workers, of a worker, of a guest, and of all at once; snapshots in the store and outside."""
    killed, tally = KilledFits(project), Tally("kill points of Fits")
    for kill in _kills():
        tally.take(str(kill), killed.point(kill))
        with capsys.disabled():
            print(f"{kill}: {len(tally.violations)} violations so far", flush=True)
    assert tally.tried == _KILLS
    tally.check()

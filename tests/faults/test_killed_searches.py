"""Real searches of LensKit's by real runs of pytest, in which something is killed: the run, a worker, or a guest."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.projects import Project
from support.runs import guests_of, nobody_left, output_of, started, wait_until

from faults import invariants
from faults.searches import Undisturbed, broken_trials, comparable, trials_in
from faults.sweeps import Tally
from omnibench.store.schema import Record, RecordType, TrialStatus
from omnibench.store.trials import FINISHED

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
_TRIALS = 6
_KILLS = 20
_PATIENCE = 300.0

_BENCH = """
import numpy as np
import pandas as pd
from omnibench import *

rng = np.random.default_rng(3)
frame = pd.DataFrame({{"user": rng.integers(0, 150, 6000), "item": (rng.pareto(1.0, 6000) * 20).astype(int) % 200}})
data = from_frame(frame.drop_duplicates(), "small").pipe(UserHoldout(validation_size=0.2, test_size=0.2))
plan = ExperimentPlan("killed", tuning=Tuning("NDCG@10", trials={trials}, sampler="{sampler}"))
plan.tune("LensKit.ItemKNNScorer", {{"max_nbrs": Int(1, 60), "min_sim": Log(1e-6, 0.3)}})

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
        finished: How many trials are finished before.
        delay: Seconds after that.
    """

    victim: str
    workers: tuple[str, ...]
    finished: int
    delay: float

    def __str__(self) -> str:
        return f"{self.victim}, {' '.join(self.workers) or 'alone'}, {self.delay:.2f} s after {self.finished} trials"

    @property
    def sampler(self) -> str:
        """A trial that is killed has failed, which a sampler that learns takes into account; so it is not asked."""
        return "random" if self.victim == "guest" else "tpe"


def _kills() -> list[Kill]:
    chance = random.Random(14)
    victims = [
        *[("run", ALONE)] * 5,
        *[("run", TOGETHER)] * 4,
        *[("worker", TOGETHER)] * 5,
        *[("group", TOGETHER)] * 2,
        *[("guest", ALONE)] * 2,
        *[("guest", TOGETHER)] * 2,
    ]
    return [Kill(*victim, chance.randrange(_TRIALS), chance.uniform(0.0, 0.4)) for victim in victims]


class KilledSearches:
    """A project with a search of LensKit's, which is run undisturbed first.

    Args:
        project: The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._path = project.pytester.path
        self._undisturbed: dict[str, Undisturbed] = {}
        self._results: dict[str, Mapping[str, str]] = {}

    def point(self, kill: Kill) -> tuple[list[str], str]:
        """Kill, check, resume, check; return what was wrong, and how far the killed run had come."""
        self._write(kill.sampler)
        undisturbed = self._reference(kill.sampler)
        root = self._path / "checkpoints"
        with started(self._project, *kill.workers) as run:
            wait_until(lambda: len(_finished(root)) >= kill.finished and self._is_at_it(kill), _PATIENCE)
            time.sleep(kill.delay)
            self._strike(kill, run.pid)
            run.wait(_PATIENCE)
        wait_until(lambda: nobody_left(self._project))
        before = _finished(root)
        violations = [f"I1 damaged: {path}" for path in invariants.damaged_artifacts(root, invariants.records_of(root))]
        failed = [key for key, trial in before.items() if trial["status"] == TrialStatus.FAILED]
        if kill.victim == "guest":
            violations += [f"{key} says {before[key]['error']}" for key in failed if "SIGKILL" not in str(before[key])]
            if len(failed) > 1:
                violations.append(f"{failed} have failed, and one guest was killed")
        else:
            violations += broken_trials(root, undisturbed.trials)
        resumed = self._project.run("-p", "no:cacheprovider")
        outcomes = resumed.parseoutcomes()
        if outcomes.get("passed", 0) + outcomes.get("cached", 0) != 1:  # a helper may have been killed
            violations.append(f"I2 it does not come through: {resumed.stdout}")
        after = trials_in(root)
        violations += [f"I3 {key} was computed again" for key, trial in before.items() if after[key] != trial]
        if failed:
            others = {key: trial for key, trial in after.items() if key not in failed}
            violations += [f"{key} is another" for key in others if not _same(others[key], undisturbed.trials[key])]
        else:
            violations += undisturbed.broken_end(root)
            if invariants.exported(root) != self._results[kill.sampler]:
                violations.append("I2 results.json has other numbers")
        left = sorted(path.name for path in (root / "tmp").glob("*") if path.is_dir())
        violations += [f"I4 left under tmp: {left}"] if left else []
        if violations:
            violations.append(output_of(self._project))
        root.rename(self._path / f"checkpoints-{len(list(self._path.glob('checkpoints-*')))}")
        return violations, f"{len(before)} trials"

    def _write(self, sampler: str) -> None:
        (self._path / "bench_tiny.py").unlink(missing_ok=True)
        self._project.pytester.makepyfile(bench_killed=_BENCH.format(trials=_TRIALS, sampler=sampler))

    def _reference(self, sampler: str) -> Undisturbed:
        if sampler not in self._undisturbed:
            root = self._path / f"undisturbed-{sampler}"
            self._project.run(f"--omnirec-checkpoint-dir={root.name}").assert_outcomes(passed=1)
            self._undisturbed[sampler] = Undisturbed.of(root)
            self._results[sampler] = invariants.exported(root)
        return self._undisturbed[sampler]

    def _is_at_it(self, kill: Kill) -> bool:
        """Whether there is what is to be killed."""
        if kill.victim == "guest":
            return bool(guests_of(self._project))
        return kill.victim != "worker" or bool(_workers(self._path / "checkpoints"))

    def _strike(self, kill: Kill, run: int) -> None:
        if kill.victim == "group":
            os.killpg(run, signal.SIGKILL)
            return
        root = self._path / "checkpoints"
        victims = {"run": [run], "worker": _workers(root), "guest": guests_of(self._project)}[kill.victim]
        if victims:
            os.kill(random.Random(str(kill)).choice(victims), signal.SIGKILL)


def _finished(root: Path) -> dict[str, Record]:
    if not (root / "store" / "cache.db").exists():
        return {}
    return {key: trial for key, trial in trials_in(root).items() if trial["status"] in FINISHED}


def _workers(root: Path) -> list[int]:
    """The processes of workers that are at something."""
    records = invariants.records_of(root) if (root / "store" / "cache.db").exists() else {}
    return sorted(record["pid"] for key, record in records.items() if RecordType.WORKER.has(key) and record["phase"])


def _same(trial: Record, expected: Record) -> bool:
    ours: Any = comparable(trial)
    return bool(ours == comparable(expected))


@pytest.mark.slow
def test_a_killed_worker_of_a_real_search(project: Project) -> None:
    """The next run ends with the same trials, choice and numbers, and computes nothing again."""
    violations, _ = KilledSearches(project).point(Kill("worker", TOGETHER, 2, 0.05))
    assert not violations, "\n".join(violations)


@pytest.mark.faults
def test_searches_killed_at_any_moment(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty kills: of runs alone and with workers, of a worker, of a guest, and of all at once."""
    searches, tally, came = KilledSearches(project), Tally("kill points of searches of LensKit"), []
    for kill in _kills():
        violations, far = searches.point(kill)
        came.append(far.partition(" ")[0])
        tally.take(f"{kill} ({far})", violations)
        with capsys.disabled():
            print(f"{kill}: {far} were there; {len(violations)} violations", flush=True)
    assert tally.tried == _KILLS
    tally.check()

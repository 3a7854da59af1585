"""Runs whose algorithms and metrics start processes, killed at random moments: nobody is left, nothing is held."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from support.projects import Project
from support.runs import GUARD, PATIENCE, name_of, nobody_left, output_of, processes_with, started, wait_until

from faults.families import FAMILIES
from faults.sweeps import Tally

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

_ROUNDS = 20
_PLAN = (
    "from families import *\nplan.add_algorithm(Family, {'then': 'go on', 'seconds': 1.0})\nplan.add_algorithm(Popular)"
)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _guests_and_theirs(project: Project) -> list[int]:
    """Everything that guests' supervisors have below them, and they themselves."""
    from omnibench.guest.supervisor import descendants

    guards = []
    for pid in processes_with(str(project.fits)):
        try:
            guards += [pid] if name_of(pid) == GUARD else []
        except OSError:
            continue
    return [pid for guard in guards for pid in (guard, *descendants(guard))]


def _round(project: Project, seed: int) -> list[str]:
    """A run that is killed at some moment in some way, and one that follows; return what was wrong."""
    chance = random.Random(seed)
    workers = chance.choice(["0", "2"])
    directory = f"--omnirec-checkpoint-dir=checkpoints-{seed}"
    ending = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
    with started(project, "-n", workers, directory, "--omnirec-grace=0s", output=f"{seed}.txt") as run:
        time.sleep(chance.uniform(0.5, 8.0))
        run.send_signal(ending)
        if ending != signal.SIGKILL:
            time.sleep(chance.uniform(0.0, 1.0))
            run.send_signal(ending)
        wait_until(lambda: run.poll() is not None)
        try:
            wait_until(lambda: not any(map(_lives, _guests_and_theirs(project))))
            wait_until(lambda: nobody_left(project))
            violations = []
        except pytest.fail.Exception:
            left = [pid for pid in processes_with(str(project.fits)) if pid != os.getpid()]
            violations = [f"I11 {len(left)} processes are left of a run with -n {workers} ended by {ending.name}"]
            for pid in left:
                os.kill(pid, signal.SIGKILL)
    with started(project, "-n", workers, directory, output=f"{seed}-again.txt") as again:
        try:
            status = again.wait(timeout=PATIENCE)
        except Exception:
            return [*violations, "I12 the next run hangs"]
    if status != 0:
        violations.append(f"I1 the next run ended with {status}: {output_of(project, f'{seed}-again.txt')[-300:]}")
    if "waiting for process" in output_of(project, f"{seed}-again.txt"):
        violations.append("I5 the next run waited for a dead process")
    return violations


def test_many_runs_with_families(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Pools, programs, daemons: whenever and however a run ends, they end with it, and the next run goes on."""
    project.pytester.makepyfile(families=FAMILIES)
    project.bench(plan=_PLAN)
    tally = Tally("runs with families")
    for seed in range(_ROUNDS):
        tally.take(f"seed {seed}", _round(project, seed))
    with capsys.disabled():
        print(f"\n{tally}")
    tally.check()

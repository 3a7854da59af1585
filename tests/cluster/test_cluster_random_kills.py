"""Forty items, and processes that are killed at random times: workers, guests, and the submitting process itself."""

from __future__ import annotations

import os
import random
import subprocess
import time

import pytest
from support.clusters import kill, measured, running_pytest
from support.projects import Project

pytestmark = pytest.mark.slow

_MOST_RUNS = 12
_KILLING_SECONDS = 25.0


def descendants(pid: int) -> dict[int, str]:
    """The processes below a process, with their commands."""
    lines = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in lines.splitlines()]
    found, below = {}, {pid}
    while children := {int(row[0]): row[-1] for row in rows if int(row[1]) in below and int(row[0]) not in found}:
        found |= children
        below = set(children)
    return found


def victim(run: int, chance: random.Random) -> int | None:
    """A worker, or a process of its guests; one time in eight the submitting process."""
    if chance.random() < 1 / 8:
        return run
    processes = [pid for pid, words in descendants(run).items() if "family_guard" not in words]
    return chance.choice(processes) if processes else None


def test_forty_items_with_kills_at_random_times(project: Project) -> None:
    """Whatever was killed when, the runs together end with the results of one that nothing has disturbed."""
    project.bench("plan.add_algorithm(Slow, {'seconds': 0.2, 'tag': Grid(list(range(20)))})")
    seed = int(os.environ.get("OMNIBENCH_TEST_SEED", time.time_ns() % 10**6))
    chance = random.Random(seed)
    n_killed = 0
    for _ in range(_MOST_RUNS):
        with running_pytest(project.pytester.path, "--omnirec-cluster=local:2", "--omnirec-max-attempts=50") as run:
            ends = time.monotonic() + _KILLING_SECONDS
            while run.poll() is None and time.monotonic() < ends:
                time.sleep(chance.uniform(0.5, 4.0))
                pid = victim(run.pid, chance)
                if pid is not None and run.poll() is None:
                    n_killed += 1
                    try:
                        kill(pid)
                    except ProcessLookupError:  # it has just ended
                        n_killed -= 1
            output, _ = run.communicate(timeout=400)
        if run.returncode == pytest.ExitCode.OK:
            break
    assert run.returncode == pytest.ExitCode.OK, f"seed {seed}: {output[-3000:]}"
    assert n_killed >= 3, f"seed {seed}"
    project.run_process("--omnirec-checkpoint-dir=here", "-n2").assert_outcomes(passed=40)
    assert measured(project.pytester.path / "checkpoints") == measured(project.pytester.path / "here"), f"seed {seed}"

"""Forty items, and processes that are killed at random times: workers, guests, and the submitting process itself."""

from __future__ import annotations

import os
import random
import subprocess
import time
from contextlib import suppress

import pytest
from support.clusters import kill, measured, running_pytest
from support.projects import Project

pytestmark = pytest.mark.slow

_DISTURBED_RUNS = 4
_KILLING_SECONDS = 25.0


def descendants(pid: int) -> dict[int, str]:
    """The processes below a process, with their commands."""
    lines = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in lines.splitlines()]
    found: dict[int, str] = {}
    below = {pid}
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


def disturb(project: Project, options: tuple[str, ...], chance: random.Random) -> int:
    """Run pytest and kill processes of it for a while; return how many."""
    n_killed = 0
    with running_pytest(project.pytester.path, *options) as run:
        ends = time.monotonic() + _KILLING_SECONDS
        while run.poll() is None and time.monotonic() < ends:
            time.sleep(chance.uniform(0.5, 4.0))
            pid = victim(run.pid, chance)
            if pid is not None and run.poll() is None:
                with suppress(ProcessLookupError):  # it has just ended
                    kill(pid)
                    n_killed += 1
        run.kill()  # the last of them
        run.communicate(timeout=300)
    return n_killed + 1


def test_forty_items_with_kills_at_random_times(project: Project) -> None:
    """Whatever was killed when, the runs together end with the results of one that nothing has disturbed."""
    project.bench("plan.add_algorithm(Slow, {'seconds': 0.2, 'tag': Grid(list(range(20)))})")
    seed = int(os.environ.get("OMNIBENCH_TEST_SEED", time.time_ns() % 10**6))
    chance = random.Random(seed)
    options = ("--omnirec-cluster=local:2", "--omnirec-max-attempts=50")
    n_killed = sum(disturb(project, options, chance) for _ in range(_DISTURBED_RUNS))
    assert n_killed >= _DISTURBED_RUNS, f"seed {seed}"
    last = project.run_process(*options)
    assert last.ret == pytest.ExitCode.OK, f"seed {seed}"
    project.run_process("--omnirec-checkpoint-dir=here", "-n2").assert_outcomes(passed=40)
    assert measured(project.pytester.path / "checkpoints") == measured(project.pytester.path / "here"), f"seed {seed}"

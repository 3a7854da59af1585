"""What the benches of tuning share: how long a command takes, and what it costs."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What a command has cost with its children.

    Attributes:
        wall: Wall seconds.
        cpu: Seconds of CPU, of the command and of all its children that have ended.
    """

    wall: float
    cpu: float


def measured(command: list[str | Path], directory: Path) -> Cost:
    """Run a command in a directory; without the plugins that happen to be installed, as everybody else does."""
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    with open(directory / "output.txt", "wb") as output:
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((directory / "output.txt").read_text()[-3000:])
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime)


def least(costs: list[Cost]) -> Cost:
    """Return the least wall and the least CPU seconds of repetitions."""
    return Cost(min(cost.wall for cost in costs), min(cost.cpu for cost in costs))

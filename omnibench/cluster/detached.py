"""A run that is held by a job of SLURM of its own, so that whoever has submitted it can log out."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from omnibench.cluster.commands import run_command
from omnibench.cluster.settings import SlurmSettings
from omnibench.errors import ClusterError
from omnibench.sizes import bytes_of

_NOTE, _OUTPUT = "detached.json", "detached.log"
_JOB_OF_RUN = "OMNIBENCH_JOB_OF_RUN"
"""The variable that names the job which holds a run, in that job and in those that it asks for."""

_WARNING_SECONDS = 120
"""So long before the job's walltime the run is asked to stop, which gives items time to take a snapshot."""

_LOOK_SECONDS = 1.0
_ENDED = (
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "TIMEOUT",
)
"""States of jobs of which nothing is to come, as squeue may list them for some minutes."""


@dataclass(frozen=True, slots=True)
class DetachedRun:
    """A run in a job of its own.

    Attributes:
        job: The job's id.
        output: The file with what the run prints.
        command: Its command, for people.
    """

    job: str
    output: str
    command: str

    def state(self) -> str:
        """Return SLURM's word for the state of the job, e.g. ``PENDING`` or ``RUNNING``; nothing when it has ended.

        Raises:
            ClusterError: SLURM does not answer.
        """
        answer = run_command("squeue", "--noheader", f"--jobs={self.job}", "--format=%T")
        if answer.returncode and "Invalid job id" not in answer.stderr:
            raise ClusterError(f"squeue does not say what has become of job {self.job}: {answer.stderr.strip()}")
        state = answer.stdout.strip()
        return "" if state in _ENDED else state

    def follow(self, write: Callable[[str], None]) -> None:
        """Write what the run has printed and what it prints, until its job has ended.

        Args:
            write: Called with whole lines.

        Raises:
            ClusterError: SLURM does not answer.
        """
        position, has_ended = 0, False
        while True:
            with suppress(FileNotFoundError), Path(self.output).open("rb") as output:  # it waits for a node
                output.seek(position)
                lines = output.read()
                lines = lines if has_ended else lines[: lines.rfind(b"\n") + 1]
                position += len(lines)
                if lines:
                    write(lines.decode(errors="backslashreplace"))
            if has_ended:
                return
            time.sleep(_LOOK_SECONDS)
            has_ended = not self.state()


def submit(arguments: Sequence[str], directory: Path, settings: SlurmSettings, store: Path) -> DetachedRun:
    """Submit a job that runs pytest, and note in the store which it is.

    Args:
        arguments: The arguments of pytest.
        directory: Its working directory.
        settings: The project's settings of SLURM.
        store: The checkpoint directory, in which there is a store already.

    Raises:
        ClusterError: SLURM does not take the job, or it cannot be noted.
    """
    notes = store / "store"
    command = shlex.join([settings.python or sys.executable, "-m", "pytest", *arguments])
    options = {
        "job-name": "omnibench-run",
        "output": str(notes / _OUTPUT).replace("%", "%%"),  # sbatch puts the job's id in the place of %j
        "partition": settings.partition,
        "account": settings.account,
        "time": settings.run_walltime,
        "cpus-per-task": "1",
        "mem": f"{bytes_of(settings.run_memory) // 2**20}M",
        "signal": f"B:INT@{_WARNING_SECONDS}",
        "chdir": str(directory),
    }
    lines = [f"#SBATCH --{name}={shlex.quote(value)}" for name, value in options.items() if value]
    setting = f'export {_JOB_OF_RUN}="$SLURM_JOB_ID"'
    script = "\n".join(["#!/bin/bash", *lines, setting, *settings.prologue, f"exec {command}", ""])
    (notes / _OUTPUT).unlink(missing_ok=True)
    answer = run_command("sbatch", "--parsable", script=script)
    if answer.returncode:
        raise ClusterError(f"SLURM does not take the job of the run: {answer.stderr.strip()}")
    run = DetachedRun(answer.stdout.strip().partition(";")[0], str(notes / _OUTPUT), f"pytest {shlex.join(arguments)}")
    partial = notes / f"{_NOTE}.partial"
    try:
        partial.write_text(json.dumps(asdict(run)), encoding="utf-8")
        partial.replace(notes / _NOTE)
    except OSError as error:
        raise ClusterError(
            f"job {run.job} holds the run, which cannot be noted in {notes} ({error}), so that nothing follows it; "
            f"`scancel {run.job}` ends it, and what it prints is in {run.output}."
        ) from error
    return run


def is_job_of_run() -> bool:
    """Whether this process is in the job that holds its run: what had the run be detached may stand in ``addopts``, which the job has, too."""
    return _JOB_OF_RUN in os.environ and os.environ[_JOB_OF_RUN] == os.environ.get("SLURM_JOB_ID")


def detached_run(store: Path) -> DetachedRun | None:
    """Return the run that was last submitted for a store, whether or not it goes on; None where there was none.

    Args:
        store: The checkpoint directory.
    """
    try:
        return DetachedRun(**json.loads((store / "store" / _NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None

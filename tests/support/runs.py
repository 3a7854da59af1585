"""Runs of pytest that tests interrupt: started in the background, watched, signalled."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.forked_runs import PLAIN, forked_pytest
from support.projects import Project

GUARD = "omnibench-guard"
"""What the supervisor of a guest is called."""

PATIENCE = 180.0
"""Seconds until a test takes what does not come for lost: a slow machine is no failure."""


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for a condition; fail when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("waited in vain")
        time.sleep(0.02)


def processes_with(text: str) -> list[int]:
    """The processes whose environment or command line mentions a text."""
    pids = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            marks = (directory / "environ").read_bytes() + (directory / "cmdline").read_bytes()
            if text.encode() in marks and "Z" not in (directory / "stat").read_text().rpartition(")")[2].split()[0]:
                pids.append(int(directory.name))
    return pids


def guests_of(project: Project) -> list[int]:
    """The guests of a project's runs, without their supervisors and what they have started themselves."""
    return [
        pid
        for pid in processes_with(str(project.fits))
        if b"OMNIBENCH_GUEST=1" in Path(f"/proc/{pid}/environ").read_bytes()
        and os.getsid(pid) == pid  # what a guest's daemons leave behind has the same parent
        and name_of(parent_of(pid)) == GUARD
    ]


def parent_of(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def name_of(pid: int) -> str:
    """What a process is called in lists of processes."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def nobody_left(project: Project) -> bool:
    """Whether no process of a project's runs is left (this one, which made the project, does not count)."""
    return processes_with(str(project.fits)) in ([], [os.getpid()])


@contextlib.contextmanager
def started(
    project: Project,
    *arguments: str,
    program: Sequence[str] = ("-m", "pytest", "-v", PLAIN),
    output: str = "run.txt",
    may_fork: bool = True,
) -> Iterator[subprocess.Popen[bytes]]:
    """A run of pytest in its own process group, killed at the end if it is still there. It writes to a file.

    It is forked where that is as good (``support.forked_runs``), unless it is to be started as users start it.
    """
    directory = project.pytester.path
    environment = {**os.environ, "PYTHONPATH": str(directory)}  # tox has Python look nowhere by itself
    with (directory / output).open("wb") as printed:
        forked = None
        if may_fork and tuple(program[:2]) == ("-m", "pytest"):
            words = [*program[2:], *arguments]
            forked = forked_pytest(words, environment, printed, printed, directory=directory, session=True)
        process: Any = forked or subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    except BaseException:
        print(output_of(project, output))  # else nobody learns what the run did instead
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def output_of(project: Project, output: str = "run.txt") -> str:
    """What the run in the background has printed."""
    return (project.pytester.path / output).read_text()

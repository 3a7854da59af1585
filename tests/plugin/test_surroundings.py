"""Limits that a run could not say anything of in mid-run: it is refused before, with the limit and its value."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.projects import Project

from omnibench import proc
from omnibench.plugin.surroundings import allowed_workers

PIDS = Path("/sys/fs/cgroup/pids")


@pytest.fixture
def room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Write a control group that has room for so many more processes and threads; NumPy starts two threads."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    monkeypatch.setattr(proc, "PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(proc, "CONTROL_GROUPS", tmp_path)
    (tmp_path / "job").mkdir()
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/job\n")

    def write(room: int) -> None:
        (tmp_path / "job" / "pids.max").write_text(f"{room + 6}\n")
        (tmp_path / "job" / "pids.current").write_text("6\n")

    return write


def test_workers_that_find_no_threads_are_refused(room_for: Callable[[int], None]) -> None:
    """A number of workers that was asked for has room, or the run ends with the limit and what would fit."""
    notes: list[str] = []
    room_for(34)
    assert allowed_workers(2, automatic=False, notify=notes.append) == 2
    room_for(30)
    with pytest.raises(pytest.UsageError, match=r"2 workers need about 34 .* room for 30: .* \(pids.max\).* -n 1 fits"):
        allowed_workers(2, automatic=False, notify=notes.append)
    room_for(6)
    with pytest.raises(pytest.UsageError, match=r"may have 12 processes .*\(pids.max\).*Without -n fewer are needed"):
        allowed_workers(2, automatic=False, notify=notes.append)
    assert not notes


def test_an_automatic_number_of_workers_fits(room_for: Callable[[int], None]) -> None:
    """``-n auto`` starts as many as there is room for, and says why they are fewer."""
    notes: list[str] = []
    room_for(40)
    assert allowed_workers(4, automatic=True, notify=notes.append) == 2
    assert notes[0].startswith("2 workers instead of 4: 4 workers need about 68 more processes and threads")
    assert "(pids.max)" in notes[0]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep this limit")
@pytest.mark.parametrize("workers", [0, 2])
def test_too_little_address_space(workers: int, project: Project) -> None:
    """A run would hang, or end without a word; the limit and its value are said before, and nothing is recorded."""
    project.bench()
    command = f"ulimit -v 600000; exec {sys.executable} -m pytest -n {workers} --omnirec-checkpoint-dir=store"
    result = project.pytester.run("sh", "-c", command)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: benchmarks need at least *: a process may have 586 MiB *(RLIMIT_AS)*Nothing ran."]
    )
    assert not (project.pytester.path / "store").exists()


@pytest.fixture
def control_group() -> Iterator[Path]:
    """A control group of processes, where one may be made."""
    group = PIDS / f"omnibench-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    yield group
    group.rmdir()


@pytest.mark.slow
@pytest.mark.parametrize("maximum", [12, 20, 28, 36])
def test_too_few_processes(maximum: int, control_group: Path, project: Project) -> None:
    """With a real limit: the run ends with its name and value, and no item counts as failed."""
    (control_group / "pids.max").write_text(str(maximum))
    project.bench()
    command = f"echo 0 > {control_group}/cgroup.procs; exec timeout 300 {sys.executable} -m pytest -n 2"
    result = project.pytester.run("sh", "-c", command)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: 2 workers need about * may have {maximum} processes and threads (pids.max)*"])
    after = project.run("--omnirec-failed=skip")
    assert after.ret == 0
    after.stdout.fnmatch_lines(["*0 done, 0 failed, 2 pending*"])

"""Limits: an error that comes from one names it, its value and how it is raised; any other error is left alone."""

from __future__ import annotations

import errno
import os
import resource
import socket
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.children import run

from omnibench import limits, proc
from omnibench.errors import LimitReachedError, StoreError
from omnibench.limits import limit_error, limits_told, reached_limit, resource_of, with_limit

linux = pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="only Linux tells how much there is")


def named_by(action: Callable[[], object], tmp_path: Path) -> str:
    """Return which limit a child has run into by doing something."""

    def meet() -> dict[str, Any]:
        try:
            action()
        except BaseException as error:
            return {"limit": reached_limit(error)}
        return {"limit": "none was met"}

    ended = run(meet, tmp_path / "log")
    assert ended.outcome is not None, ended
    return str(ended.outcome["limit"])


@linux
def test_open_files(tmp_path: Path) -> None:
    """The number of files that a process may have open, and how far it can be raised."""
    limit = 20 + max(map(int, os.listdir("/proc/self/fd")))  # a number above it would count as one too many

    def open_many() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, 10 * limit))
        kept = []
        while True:
            kept.append(open("/dev/null", encoding="ascii"))  # noqa: SIM115 - until it fails

    named = named_by(open_many, tmp_path)
    assert named.startswith(f"a process may have {limit} files open at once (RLIMIT_NOFILE), and has {limit}: ")
    assert f"`ulimit -n {10 * limit}`" in named


@linux
def test_memory_of_a_process(tmp_path: Path) -> None:
    """The address space; threads need some as well."""

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**31, resource.RLIM_INFINITY))
        bytearray(2**32)

    assert "a process may have 2,048 MiB of address space (RLIMIT_AS)" in named_by(fill, tmp_path)

    def start_threads() -> None:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 2**20, resource.RLIM_INFINITY))
        while True:
            threading.Thread(target=threading.Event().wait, args=(20,), daemon=True).start()

    assert "of address space (RLIMIT_AS)" in named_by(start_threads, tmp_path)


@linux
@pytest.mark.skipif(os.geteuid() != 0, reason="the limit of a user who has no other process")
def test_processes_of_a_user(tmp_path: Path) -> None:
    """The number of processes and threads that a user may have."""
    (tmp_path / "log").touch()

    def start_threads() -> None:
        os.setuid(54321)
        resource.setrlimit(resource.RLIMIT_NPROC, (5, 5))
        while True:
            threading.Thread(target=threading.Event().wait, args=(20,), daemon=True).start()

    limit = named_by(start_threads, tmp_path)
    assert limit.startswith("a user may have 5 processes and threads (RLIMIT_NPROC), and has 5: only an administrator")


@pytest.mark.parametrize("version", [1, 2])
def test_control_groups(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tightest limit of the groups that a process lies in, as both versions of control groups write it."""
    memory, pids = (tmp_path / "memory", tmp_path / "pids") if version == 1 else (tmp_path, tmp_path)
    names = ("limit_in_bytes", "usage_in_bytes", "oom_control") if version == 1 else ("max", "current", "events")
    for group, maximum in ((memory, "9223372036854771712" if version == 1 else "max"), (memory / "job", str(2**30))):
        group.mkdir(exist_ok=True)
        for name, text in zip(names, (maximum, str(2**29), "under_oom 0\noom_kill 3\n"), strict=True):
            (group / f"memory.{name}").write_text(text)
    (pids / "job").mkdir(parents=True, exist_ok=True)
    (pids / "job" / "pids.max").write_text("100\n")
    (pids / "job" / "pids.current").write_text("100\n")
    lines = "4:memory:/job\n3:pids:/job\n" if version == 1 else "0::/job\n"
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(lines)
    monkeypatch.setattr(proc, "PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(proc, "CONTROL_GROUPS", tmp_path)
    (tmp_path / "proc" / "vmstat").write_text("pgfault 12\noom_kill 7\n")
    assert proc.oom_kills() == (3, 7)
    assert "may use 1,024 MiB of memory (memory." in limits.memory_limits()
    assert "may have 100 processes and threads (pids.max), and has 100" in reached_limit("can't start new thread")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "files"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), None),
        ("OpenBLAS: pthread_create failed for thread 1 of 2: Resource temporarily unavailable", "processes"),
        ("bash: fork: retry: Resource temporarily unavailable", "processes"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", None),
        (RuntimeError("can't start new thread"), "processes"),
        (MemoryError(), "memory"),
        ("RuntimeError: bad_alloc", "memory"),
        (OSError(errno.ENOSPC, "No space left on device"), None),
        (ValueError("a file is missing"), None),
        ("unable to open database file", None),
    ],
)
def test_what_an_error_tells_of(error: BaseException | str, expected: str | None) -> None:
    """Files, processes and threads, or memory; everything else is no matter of a limit."""
    assert resource_of(error) == expected
    if expected is None:
        assert (reached_limit(error), with_limit(error)) == ("", str(error))


def test_who_would_have_to_wait_has_met_no_limit() -> None:
    """What is "temporarily unavailable" tells of a limit where a process was to be started, and of none elsewhere."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(BlockingIOError) as waiting:
            ours.recv(1)

    def fork_exec() -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with pytest.raises(BlockingIOError) as started:
        fork_exec()
    shown = [
        (error.value, str(error.value), "".join(traceback.format_exception(error.value)))
        for error in (waiting, started)
    ]
    assert [resource_of(error) for error, _, _ in shown] == [None, "processes"]
    assert [resource_of(text, trace) for _, text, trace in shown] == [None, "processes"]


def test_the_cause_counts_and_may_be_its_own() -> None:
    """An error that was raised from another is about the same; a circle ends."""
    outer = RuntimeError("the item could not be made")
    outer.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert resource_of(outer) == "files"
    outer.__cause__ = outer
    assert resource_of(outer) is None


def test_too_little_memory_is_the_items_matter() -> None:
    """Files and threads are no item's failure, memory is: it would need as much in the next run."""
    assert limit_error(MemoryError()) is None
    assert limit_error(ValueError("no")) is None
    assert isinstance(limit_error(RuntimeError("can't start new thread")), LimitReachedError)


def test_the_start_of_a_process_is_no_items_matter() -> None:
    """Neither is memory then; other errors are what they are. It ends the run as trouble of the store does."""
    assert issubclass(LimitReachedError, StoreError)
    with pytest.raises(RuntimeError, match="another"), limits_told("this"):
        raise RuntimeError("another")
    for error, noun in (
        (RuntimeError("no: can't start new thread"), "processes or threads"),
        (MemoryError("no"), "memory"),
    ):
        with (
            pytest.raises(
                LimitReachedError, match=f"^this needs more {noun} than there may be: .*no: .*no item counts"
            ),
            limits_told("this"),
        ):
            raise error

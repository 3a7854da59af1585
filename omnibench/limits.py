"""Limits of a process, its user and its container: which of them an error comes from, and how it is raised.

`Cannot allocate memory`, `Too many open files` and `can't start new thread` tell that there is a limit; a user has to
know which, for there are several of each: ulimit's, the control group's (Docker, Slurm, systemd), the kernel's.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from omnibench import proc
from omnibench.errors import LimitReachedError
from omnibench.proc import groups_of, number_in, text_of

_MEBIBYTE = 2**20
TIGHT = 0.8
"""The share of a limit from which on it is named; below it, only where it is the tightest."""

Resource = Literal["files", "processes", "memory"]

_ERRNOS: dict[int, Resource] = {
    errno.EMFILE: "files",
    errno.ENFILE: "files",
    errno.ENOMEM: "memory",
}
_NOUNS: dict[Resource, str] = {"files": "open files", "processes": "processes or threads", "memory": "memory"}
_PHRASES: tuple[tuple[str, Resource], ...] = (
    ("too many open files", "files"),
    ("can't start new thread", "processes"),
    ("pthread_create", "processes"),
    ("cannot allocate memory", "memory"),
    ("can't allocate memory", "memory"),
    ("unable to allocate", "memory"),
    ("bad_alloc", "memory"),
    ("memoryerror", "memory"),
    ("out of memory", "memory"),
    ("cublas_status_alloc_failed", "memory"),
    ("oom when allocating", "memory"),
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that is set.

    Attributes:
        maximum: How much of it there may be.
        amount: How much there is now.
        text: A sentence without its full stop: the limit, its value, its name, and how it is raised.
    """

    maximum: int
    amount: int
    text: str

    @property
    def share(self) -> float:
        """How much of it is taken, from 0 to 1."""
        return self.amount / max(self.maximum, 1)


_UNAVAILABLE = os.strerror(errno.EAGAIN).casefold()
_STARTS = re.compile(r"\b(fork\w*|_fork_exec|posix_spawnp?|Popen|start_new_thread|pthread_create)\b")
"""What starts a process or a thread. Of anything else, "Resource temporarily unavailable" says that it would have to wait."""


def resource_of(error: BaseException | str, trace: str = "") -> Resource | None:
    """Return of which resource there was too little, or None where an error is of no such kind.

    Args:
        error: The error (those that have caused it count as well), or a text, e.g. the last line of a traceback.
        trace: The traceback of an error that is given as a text.
    """
    text = error if isinstance(error, str) else ""
    current = None if isinstance(error, str) else error
    met: set[int] = set()
    while current is not None and id(current) not in met:  # an error may be its own cause
        met.add(id(current))
        if isinstance(current, MemoryError):
            return "memory"
        if isinstance(current, OSError) and current.errno == errno.EAGAIN:
            if _is_start("".join(traceback.format_tb(current.__traceback__)[-1:])):
                return "processes"
        elif isinstance(current, OSError) and current.errno in _ERRNOS:
            return _ERRNOS[current.errno]
        text += f"{current}\n"
        current = current.__cause__ or current.__context__
    folded = text.casefold()
    if "unable to open database file" in folded:  # how SQLite says that it got no descriptor; it has other reasons, too
        limit = file_limit()
        return "files" if limit is not None and limit.share > TIGHT else None
    if isinstance(error, str) and _UNAVAILABLE in folded and _is_start(error + _raised_at(trace)):
        return "processes"
    return next((resource_name for phrase, resource_name in _PHRASES if phrase in folded), None)


def _is_start(text: str) -> bool:
    """Whether a line of code, or what a program has said, is of the start of a process or of a thread."""
    return _STARTS.search(text) is not None


def _raised_at(trace: str) -> str:
    """Return the last frame of the traceback of an error that says "Resource temporarily unavailable"."""
    before = trace.casefold().find(_UNAVAILABLE)
    return trace[max(0, trace.rfind("  File ", 0, before)) : before]


def reached_limit(error: BaseException | str, pid: int | None = None, trace: str = "") -> str:
    """Return which limit an error comes from, its value and how to raise it; nothing where it comes from none.

    Args:
        error: As in ``resource_of``.
        pid: The process that met it, if it still lives; by default this one, whose limits its children have as well.
        trace: As in ``resource_of``.

    Returns:
        Sentences such as ``this process may have 64 files open (RLIMIT_NOFILE), and has 64: raise it by ...``.
    """
    resource_name = resource_of(error, trace)
    if resource_name is None:
        return ""
    process = os.getpid() if pid is None or not os.path.exists(f"/proc/{pid}") else pid
    limits = sorted(_limits(resource_name, process), key=lambda limit: -limit.share)
    tight = [limit for limit in limits if limit.share > TIGHT] or limits[:1]
    return "; ".join(limit.text for limit in tight)


def limit_error(error: BaseException, activity: str = "", *, memory: bool = False) -> LimitReachedError | None:
    """Return the error to raise in the place of one that tells of too many files, processes or threads; else None.

    Args:
        error: What was raised.
        activity: What met the limit, as the beginning of a sentence.
        memory: Whether want of memory counts, too. What an item computes needs as much of it in the next run, so that
            this is the item's failure; the start of a process is nobody's.
    """
    resource_name = resource_of(error)
    if resource_name is None or (resource_name == "memory" and not memory):
        return None
    head = f"{activity} needs more {_NOUNS[resource_name]} than there may be: " if activity else ""
    limit = reached_limit(error) or "no limit is known that this comes from"
    return LimitReachedError(
        f"{head}{error}: {limit}. What was recorded is safe, and no item counts as failed; raise the limit and run again."
    )


@contextmanager
def limits_told(activity: str) -> Iterator[None]:
    """Raise an error that comes from a limit, also from that of memory, as what it is; see ``limit_error``.

    Args:
        activity: What meets the limit, as the beginning of a sentence.

    Raises:
        LimitReachedError: There are too many files, processes or threads, or there is too little memory.
    """
    try:
        yield
    except (RuntimeError, OSError, MemoryError) as error:
        if limit := limit_error(error, activity, memory=True):
            raise limit from error
        raise


def with_limit(error: BaseException | str, pid: int | None = None, trace: str = "") -> str:
    """Return the text of an error, with the limit that it comes from, if it does; see ``reached_limit``."""
    limit = reached_limit(error, pid, trace)
    return f"{error} ({limit})" if limit else str(error)


def process_limits() -> list[Limit]:
    """Return the limits of how many processes and threads there may be, those with the least room first."""
    limits = (*_user_limits(os.getpid()), *_group_limits("pids"), *_machine_limits())
    return sorted(limits, key=lambda limit: limit.maximum - limit.amount)


def address_limit() -> Limit | None:
    """Return how much address space this process may have, and has had; None where there is no limit."""
    return next(_address_limits(os.getpid()), None)


def memory_limits() -> str:
    """Return the memory limits of this process's control groups, as sentences; nothing where there is none."""
    return "; ".join(limit.text for limit in _group_limits("memory"))


def _limits(resource_name: Resource, pid: int) -> Iterator[Limit]:
    if resource_name == "files":
        limit = file_limit(pid)
        yield from () if limit is None else (limit,)
    if resource_name == "processes":
        yield from _user_limits(pid)
        yield from _group_limits("pids")
        yield from _address_limits(pid, ", of which each thread needs some for its stack")
        yield from _machine_limits()
    if resource_name == "memory":
        yield from _address_limits(pid)
        yield from _group_limits("memory")


def _ulimit(name: str, pid: int) -> tuple[int, int] | None:
    """Return a limit of a process that is set, with the highest that it may be raised to; else None."""
    number = getattr(resource, name, None)
    if number is None:
        return None
    try:
        soft, hard = resource.prlimit(pid, number) if hasattr(resource, "prlimit") else resource.getrlimit(number)
    except (OSError, ValueError):
        soft, hard = resource.getrlimit(number)
    return None if soft == resource.RLIM_INFINITY else (soft, hard)


def _raise(option: str, soft: int, hard: int, unit: int = 1) -> str:
    """Say how a limit of ``ulimit`` is raised."""
    if hard == resource.RLIM_INFINITY:
        return f"raise it with `ulimit {option} unlimited` in the shell before the run"
    if hard > soft:
        return f"raise it with `ulimit {option} {hard // unit}` in the shell before the run"
    return f"only an administrator or the batch system can raise it (`ulimit -H {option}` says the same)"


def file_limit(pid: int | None = None) -> Limit | None:
    """Return how many files a process may have open, and has; None where there is no limit.

    Args:
        pid: The process; by default this one.
    """
    pid = os.getpid() if pid is None else pid
    limit = _ulimit("RLIMIT_NOFILE", pid)
    if limit is None:
        return None
    soft, hard = limit
    try:
        amount = len(os.listdir(f"/proc/{pid}/fd" if os.path.isdir("/proc/self") else "/dev/fd"))
    except OSError as error:  # to list them takes one as well
        amount = soft if error.errno == errno.EMFILE else 0
    return Limit(
        soft,
        amount,
        f"a process may have {soft} files open at once (RLIMIT_NOFILE), and has {amount}: {_raise('-n', soft, hard)}",
    )


def _user_limits(pid: int) -> Iterator[Limit]:
    limit = _ulimit("RLIMIT_NPROC", pid)
    if limit is None or os.geteuid() == 0:  # which Linux does not apply to root
        return
    soft, hard = limit
    amount = _threads_of_user()
    yield Limit(
        soft,
        amount,
        f"a user may have {soft} processes and threads (RLIMIT_NPROC), and has {amount}: {_raise('-u', soft, hard)}, or run "
        "with fewer workers (-n)",
    )


def _threads_of_user() -> int:
    """Return how many threads the processes of this user have."""
    amount = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        text = text_of(status)
        if number_in(text, r"^Uid:\s+(\d+)") == os.getuid():
            amount += number_in(text, r"^Threads:\s+(\d+)")
    return amount


def _machine_limits() -> Iterator[Limit]:
    machine = number_in(text_of(Path("/proc/sys/kernel/threads-max")), r"(\d+)")
    if machine:
        threads = number_in(text_of(Path("/proc/loadavg")), r"/(\d+)")
        yield Limit(
            machine,
            threads,
            f"this machine may run {machine} threads (kernel.threads-max), and runs {threads}: raise it with "
            f"`sysctl kernel.threads-max={2 * machine}`",
        )


def _address_limits(pid: int, remark: str = "") -> Iterator[Limit]:
    status = text_of(Path(f"/proc/{pid}/status"))
    for name, option, member, noun in (
        ("RLIMIT_AS", "-v", "VmPeak", "address space"),
        ("RLIMIT_DATA", "-d", "VmData", "data"),
    ):
        limit = _ulimit(name, pid)
        if limit is not None:
            soft, hard = limit
            amount = number_in(status, rf"^{member}:\s+(\d+)") * 1024
            yield Limit(
                soft,
                amount,
                f"a process may have {_mebibytes(soft)} of {noun} ({name}){remark}, and {'had' if member == 'VmPeak' else 'has'} "
                f"{_mebibytes(amount)}: {_raise(option, soft, hard, 1024)}",
            )


def _group_limits(controller: Literal["memory", "pids"]) -> Iterator[Limit]:
    """Yield the tightest limit of this process's control group and of those that it lies in."""
    limits = _pids_limits() if controller == "pids" else _memory_limits()
    yield from sorted(limits, key=lambda limit: limit.maximum)[:1]


def _pids_limits() -> Iterator[Limit]:
    for group in groups_of(None, "pids"):
        maximum = number_in(text_of(group / "pids.max"), r"^(\d+)")
        amount = number_in(text_of(group / "pids.current"), r"^(\d+)")
        if maximum:
            yield Limit(
                maximum,
                amount,
                f"the control group {_name(group)} may have {maximum} processes and threads (pids.max), and has {amount}: give "
                "the container or service more (`docker run --pids-limit`, systemd's TasksMax), or run with fewer workers (-n)",
            )


def _memory_limits() -> Iterator[Limit]:
    for group in proc.memory_groups():
        yield Limit(
            group.limit,
            group.usage,
            f"the control group {_name(group.path)} may use {_mebibytes(group.limit)} of memory ({group.file}), and uses "
            f"{_mebibytes(group.usage)}: give the job or container more (`sbatch --mem`, `docker run --memory`), or run "
            "with fewer workers (-n)",
        )


def _name(group: Path) -> str:
    return "/" + group.relative_to(proc.CONTROL_GROUPS).as_posix().removeprefix(".")


def _mebibytes(size: int) -> str:
    return f"{size / _MEBIBYTE:,.0f} MiB"

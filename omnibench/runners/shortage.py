"""Shortage of threads and processes: a limit of the machine, which is nobody's failure where a guest cannot even start."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnibench.errors import LimitError

_NO_THREAD = "can't start new thread"
"""What Python says when the system gives it no thread, for whatever reason."""
_ERRNOS = (errno.EAGAIN, errno.ENOMEM)
_UNLIMITED = "max"


def is_shortage(error: BaseException | str) -> bool:
    """Whether an error, or its text, says that there was no thread, process or memory to be had."""
    if isinstance(error, OSError):
        return error.errno in _ERRNOS
    return isinstance(error, MemoryError) or _NO_THREAD in str(error)


@contextmanager
def shortage_told(activity: str) -> Iterator[None]:
    """Raise a shortage as what it is.

    Args:
        activity: What needs the thread or the process, as the beginning of a sentence.

    Raises:
        LimitError: There was none to be had.
    """
    try:
        yield
    except (RuntimeError, OSError, MemoryError) as error:
        if not is_shortage(error):
            raise
        raise LimitError(
            f"{activity} needs a thread, a process or memory that this machine does not give to process {os.getpid()} "
            f"({type(error).__name__}: {error}){limits_text()}. What was recorded is safe, and no item counts as failed: "
            "raise the limit or run with fewer workers (-n), and run again."
        ) from error


def limits_text() -> str:
    """Return the limits that threads and processes meet here, as the continuation of a sentence; nothing without any."""
    limits = []
    for name, option, noun in (
        ("RLIMIT_AS", "-v", "{} MiB of address space, of which each thread needs some for its stack"),
        ("RLIMIT_NPROC", "-u", "{} processes and threads of this user"),
    ):
        soft = resource.getrlimit(getattr(resource, name))[0]
        if soft != resource.RLIM_INFINITY and not (name == "RLIMIT_NPROC" and os.geteuid() == 0):  # root is exempt
            limits.append(f"{noun.format(soft // 2**20 if name == 'RLIMIT_AS' else soft)} (`ulimit {option}`)")
    for path in (Path("/sys/fs/cgroup/pids.max"), Path("/sys/fs/cgroup/pids/pids.max")):
        try:
            most = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if most != _UNLIMITED:
            limits.append(f"{most} processes and threads of the control group ({path})")
    return f"; the limits are {', '.join(limits)}" if limits else ""

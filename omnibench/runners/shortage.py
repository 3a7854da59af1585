"""Whose it is that a guest ran out of files, processes, threads or memory: the item's, which has taken them, or others'."""

from __future__ import annotations

import os
from pathlib import Path

from omnibench import limits
from omnibench.guest.supervisor import descendants
from omnibench.memory import memory_capacity
from omnibench.proc import number_in, oom_kills, text_of
from omnibench.runners.gpu_errors import gpu_error
from omnibench.sizes import size_text

USUAL = 512
"""Who gets so many open files, or processes and threads, for itself has enough: half of what systems usually allow."""


def open_files(pid: int) -> int:
    """Return how many files a process has open, as far as the system tells."""
    directory = f"/proc/{pid}/fd"
    try:
        return os.stat(directory).st_size or len(os.listdir(directory))  # since Linux 6.2 that is its size
    except OSError:
        return 0


def judged(error: str, trace: str, pid: int, files_before: int) -> tuple[str, bool]:
    """Return a guest's error with the limit that it comes from, and whether the limit is to blame, not the item.

    What is open when the error arrives tells little of files: the frames that had them are gone. When it was raised all
    were taken, so that what was not open before is what the request has taken itself.

    Args:
        error: The error's text.
        trace: Its traceback.
        pid: The guest, which lives.
        files_before: How many files it had open when the request began.
    """
    if with_words := gpu_error(error):
        return with_words, False
    resource = limits.resource_of(error, trace)
    if resource == "files":
        limit = limits.file_limit(pid)
        if limit is None or not files_before:
            return error, False
        own = max(0, limit.maximum - files_before)
        text = limit.text.replace(f"and has {limit.amount}:", f"and had {files_before} before this began:")
        if own < USUAL:
            return f"{error} ({text})", True
        return f"{error} ({text}; or close what is not needed any more of the {own} that this has opened itself)", False
    if resource == "processes":
        full = [limit for limit in limits.process_limits() if limit.share > limits.TIGHT]
        if full:
            own = _tasks(pid)
            text = f"{error} ({'; '.join(limit.text for limit in full)}"
            if own < USUAL:
                return f"{text})", True
            return f"{text}; or end what is not needed any more of the {own} that this has begun itself)", False
    return limits.with_limit(error, pid, trace), False


def killed(peak: int, before: tuple[int, int]) -> str:
    """Return by whom a guest was killed that SIGKILL has ended, as far as the kernel tells, and how much memory it had.

    Args:
        peak: The most bytes that it was seen to have; 0 where nobody has looked.
        before: What ``proc.oom_kills`` said when its request began.
    """
    kills, capacity = oom_kills(), memory_capacity()
    if kills[0] > before[0]:
        reason = f"by the kernel for want of memory ({limits.memory_limits() or 'of the machine'})"
    elif kills[1] > before[1]:
        reason = "most likely by the kernel for want of memory, which has ended a process of this machine just now"
    else:
        reason = "by the kernel for want of memory or by somebody"
    total = f" of the {size_text(capacity)} that are here" if capacity else ""
    return f"{reason}; it had at least {size_text(peak)}{total}" if peak else reason


def killed_for_memory(before: tuple[int, int]) -> bool:
    """Whether the kernel has ended a process for want of memory meanwhile, of this control group or of the machine.

    Args:
        before: What ``proc.oom_kills`` said.
    """
    return any(after > earlier for after, earlier in zip(oom_kills(), before, strict=True))


def _tasks(pid: int) -> int:
    """Return how many threads a process and all below it have."""
    return sum(
        number_in(text_of(Path(f"/proc/{process}/status")), r"^Threads:\s+(\d+)")
        for process in (pid, *descendants(pid))
    )

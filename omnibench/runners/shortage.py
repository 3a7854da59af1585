"""Whose it is that a guest ran out of files, processes or threads: the item's, which has taken them, or its surroundings'."""

from __future__ import annotations

import os
from pathlib import Path

from omnibench import limits
from omnibench.guest.supervisor import descendants
from omnibench.proc import number_in, text_of

USUAL = 512
"""Who gets so many open files, or processes and threads, for itself has enough: half of what systems usually allow."""


def open_files(pid: int) -> int:
    """Return how many files a process has open, as far as the system tells."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
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


def _tasks(pid: int) -> int:
    """Return how many threads a process and all below it have."""
    return sum(
        number_in(text_of(Path(f"/proc/{process}/status")), r"^Threads:\s+(\d+)")
        for process in (pid, *descendants(pid))
    )

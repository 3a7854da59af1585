"""Shortage of threads and processes: a limit of the machine, which is nobody's failure where a guest cannot even start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from omnibench.limits import LimitReachedError, reached_limit, resource_of


def is_shortage(error: BaseException | str) -> bool:
    """Whether an error, or its text, says that there was no thread, process or memory to be had."""
    return resource_of(error) in ("processes", "memory")


@contextmanager
def shortage_told(activity: str) -> Iterator[None]:
    """Raise a shortage as what it is.

    Args:
        activity: What needs the thread or the process, as the beginning of a sentence.

    Raises:
        LimitReachedError: There was none to be had.
    """
    try:
        yield
    except (RuntimeError, OSError, MemoryError) as error:
        if not is_shortage(error):
            raise
        limit = reached_limit(error)
        raise LimitReachedError(
            f"{activity} needs a thread, a process or memory that this machine does not give to process {os.getpid()} "
            f"({type(error).__name__}: {error}){f'; {limit}' if limit else ''}. What was recorded is safe, and no item "
            "counts as failed: raise the limit or run with fewer workers (-n), and run again."
        ) from error

"""Limits that a run cannot live with, refused before it begins.

Where they are met in mid-run, nobody can say so: execnet waits for ever for a worker whose threads could not start, NumPy's
OpenBLAS sends its own process a SIGINT when it gets no thread, which looks like a Ctrl-C, and pytest needs memory to print
that there is none.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable

import pytest

_TASKS_PER_WORKER = 15
"""Processes and threads that a worker needs, as measured on Linux with a user's class: 4 threads of xdist in the overseeing
process, 8 of the worker, its guest with 2 and what supervises that; OpenBLAS's come on top."""

_LEAST_ADDRESS_SPACE = 2**30
"""Bytes that pytest, pandas and omnibench need on a machine of two cores: with 1,000,000 KiB (``ulimit -v``) a run ended without
a word, with 1,050,000 it passed."""

_ADDRESS_SPACE_PER_THREAD = 2**26
"""What glibc sets aside for the memory of a thread, at least."""

_MOST_BLAS_THREADS = 64
"""OpenBLAS is built for so many in NumPy's packages."""

_refusal_key = pytest.StashKey[str]()


class Unread(pytest.Module):
    """A bench file that is not imported, since there is too little memory to come to an end then."""

    def collect(self) -> list[pytest.Item]:
        """Collect nothing."""
        return []


def has_little_address_space(config: pytest.Config) -> bool:
    """Whether benchmarks do not come to an end within the limit of the address space, which ``refuse`` tells then."""
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return False
    from omnibench.limits import address_limit

    limit, least = address_limit(), _LEAST_ADDRESS_SPACE + _ADDRESS_SPACE_PER_THREAD * max(0, _blas_threads() - 2)
    if limit is None or limit.maximum >= least:
        return False
    config.stash[_refusal_key] = (
        f"benchmarks need at least {least // 2**20:,} MiB of address space in each process, and frameworks more: {limit.text}. "
        "Nothing ran."
    )
    return True


def refuse(config: pytest.Config) -> None:
    """End the session if there is too little of something for its benchmarks. An error of the collection would show our lines.

    Raises:
        pytest.UsageError: There is.
    """
    refusal = config.stash.get(_refusal_key, "")
    if refusal:
        raise pytest.UsageError(refusal)


def allowed_workers(requested: int, *, automatic: bool, notify: Callable[[str], None]) -> int:
    """Return how many workers the limits of processes and threads allow.

    Args:
        requested: How many are wanted.
        automatic: Whether nobody has named a number (``-n auto``), so that there may be fewer.
        notify: Called with a sentence when there are fewer.

    Raises:
        pytest.UsageError: That many cannot run here.
    """
    from omnibench.limits import process_limits

    limit = next(iter(process_limits()), None)
    if limit is None:
        return requested
    each = _TASKS_PER_WORKER + _blas_threads()
    room = max(0, limit.maximum - limit.amount)
    allowed = room // each
    if allowed >= requested:
        return requested
    noun = "worker needs" if requested == 1 else "workers need"
    sentence = f"{requested} {noun} about {requested * each} more processes and threads, and there is room for {room}: {limit.text}"
    if automatic and allowed:
        notify(f"{allowed} worker{'s' if allowed > 1 else ''} instead of {requested}: {sentence}")
        return allowed
    step = f"-n {allowed} fits" if allowed else "without -n fewer are needed"
    raise pytest.UsageError(f"{sentence}. {step[0].upper()}{step[1:]}. What was recorded is safe, and nothing ran.")


def _blas_threads() -> int:
    """Return how many threads NumPy's linear algebra starts in each process."""
    for name in ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"):
        number = os.environ.get(name, "")
        if number.isdecimal() and int(number):
            return int(number)
    from omnibench.runners.machine import available_cores

    return min(available_cores(), _MOST_BLAS_THREADS)

"""A process with everything that it has started: all of it stands still, goes on and ends together.

A signal to a program behind a wrapper (``sh -c``, ``make``, ``env``) would reach the wrapper alone. Where there is no /proc,
only the process itself is known.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable

from .family_guard import numbers_of
from .supervisor import descendants, end_all

_STANDSTILL_SECONDS = 5.0
"""So long processes are waited for that have been stopped: on a busy machine it takes a while until each has run once more."""
_UNINTERRUPTED_SECONDS = 0.25
"""So long one that cannot be interrupted: it waits for a disk, or for a child that stands still before it has become a program."""
_LOOK_SECONDS = 0.001
_STOPPED, _UNINTERRUPTED = (b"T", b"t"), b"D"


def stop_tree(root: int) -> list[int]:
    """Have a process and all below it stand still, and return them. Nobody is started meanwhile who is left out.

    Args:
        root: The process.
    """
    begun = time.monotonic()
    pids: list[int] = []
    while True:
        seconds = time.monotonic() - begun
        still = _STOPPED if seconds < _UNINTERRUPTED_SECONDS else (*_STOPPED, _UNINTERRUPTED)
        are_still = bool(pids) and all(_is_still(pid, still) for pid in pids)
        # Looked for once the others stand still: none of them starts any more.
        further = [pid for pid in (root, *descendants(root)) if pid not in pids]
        if (are_still and not further) or seconds > _STANDSTILL_SECONDS:
            return pids
        signal_all(further, signal.SIGSTOP)
        pids += further
        time.sleep(_LOOK_SECONDS)


def kill_tree(root: int, patience: float) -> None:
    """Kill a process and all below it.

    Args:
        root: The process.
        patience: Seconds for which it is waited until they have ended.
    """
    pids = stop_tree(root)  # first, since what a killed process has started is no longer below it
    end_all(pids)
    deadline = time.monotonic() + patience
    while any(numbers_of(pid)[1] for pid in pids) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes that may have ended."""
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended, or has become somebody else's
            os.kill(pid, number)


def _is_still(pid: int, still: tuple[bytes, ...]) -> bool:
    """Whether all threads of a process are in one of some states, or have ended."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return True
    states = [fields[0] for _, fields in map(numbers_of, map(int, threads)) if fields]
    return all(state in still for state in states)

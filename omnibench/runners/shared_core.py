"""The core that a worker and its guest share while items are small, where as many workers as there are cores run.

Worker and guest take turns many times per item, and then sleep. On a machine whose cores have other workers, the system wakes each of
them on whatever core is free at that moment, so that hardly any step finds its data in the core's cache: items of 10 ms take a
fifth to a quarter less CPU where both stay on one core (``benchmarks/scale/small_items.py``). Nothing that a user has written is kept
there: guests compute on all cores (``guest.affinity``), and metrics likewise; and nothing that takes long is, for only items of less than
``SMALL_SECONDS`` that follow each other begin it, and a longer answer of a guest ends it. Where others want the core as well, the system
knows better: at load 8 on two cores an item took half as long again on a core of its own.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SMALL_SECONDS = 0.1
"""What an item takes at most that counts as a small one."""

SMALL_ITEMS = 5
"""How many small items follow each other before the next one is computed on one core."""

LOOK_ITEMS, REST_ITEMS = 10, 100
"""After how many items it is asked how long they have waited for their core, and how many items go by where that was long."""

MOST_WAITING = 0.3
"""Which part of the time a thread waits at most for the core that it is kept on."""

_all_cores: dict[int, set[int]] = {}
"""By number of a thread that is kept on one core, those that it may use otherwise."""


def allowed_cores() -> set[int]:
    """Return the cores that the calling thread may use, or could if it were not kept on one for a while.

    Raises:
        AttributeError: This system does not tell; macOS and Windows do not.
    """
    return _all_cores.get(threading.get_native_id()) or os.sched_getaffinity(0)


def waited_seconds() -> float:
    """Return how long the calling thread has waited so far for a core that was computing something else; 0 where nobody knows."""
    with suppress(OSError, ValueError), open("/proc/thread-self/schedstat", "rb", buffering=0) as file:
        return int(file.read().split()[1]) / 1e9
    return 0.0


class SharedCore:
    """The core that a process shares with its guests while its items are small.

    Args:
        number: The core's number; None where there is none to share.
    """

    def __init__(self, number: int | None = None) -> None:
        self._number = number
        self._small = 0
        self._kept_thread = 0
        self._kept_items, self._kept_seconds, self._waited = 0, 0.0, 0.0

    @classmethod
    def dealt(cls, worker: str, workers: int) -> SharedCore:
        """Return the core of a worker, dealt out in turn by its number (``gw3``) where all cores have as many workers.

        Args:
            worker: xdist's name of the worker; other processes share none.
            workers: How many workers the run has.
        """
        match = re.fullmatch(r"gw(\d+)", worker)
        if match is None or not hasattr(os, "sched_setaffinity"):
            return cls()
        cores = sorted(allowed_cores())
        return cls(cores[int(match[1]) % len(cores)]) if len(cores) > 1 and workers % len(cores) == 0 else cls()

    @property
    def number(self) -> int | None:
        """The core on which the calling process is right now, and its guests wait; None while they may be anywhere."""
        return self._number if self._kept_thread else None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Compute an item, on the shared core if it follows small ones. It is for one thread of a process."""
        if self._number is None:
            yield
            return
        began, is_kept = time.perf_counter(), False
        try:
            if self._small >= SMALL_ITEMS:
                self._keep()
                is_kept = bool(self._kept_thread)
            yield
        finally:
            self.leave()
            seconds = time.perf_counter() - began
            self._small = self._small + 1 if seconds < SMALL_SECONDS else min(self._small, 0)
            if is_kept:
                self._judge(seconds)

    def _judge(self, seconds: float) -> None:
        """Let some items go by where others want the core, too."""
        if self._kept_items == 0:
            self._waited, self._kept_seconds = waited_seconds(), 0.0
        else:
            self._kept_seconds += seconds
        self._kept_items += 1
        if self._kept_items > LOOK_ITEMS:
            self._kept_items = 0
            if waited_seconds() - self._waited > MOST_WAITING * self._kept_seconds:
                self._small = -REST_ITEMS

    @contextmanager
    def left(self) -> Iterator[None]:
        """Do what takes long at times, or is the user's, on any core."""
        was_kept = bool(self._kept_thread)
        self.leave()
        try:
            yield
        finally:
            if was_kept:
                self._keep()

    def leave(self) -> None:
        """Go on with the current item on any core; any thread may say so, such as one that waits for a guest."""
        thread = self._kept_thread
        if not thread:
            return
        with suppress(OSError):  # its cores were changed from outside meanwhile, and so they stay
            os.sched_setaffinity(thread, _all_cores[thread])
        self._kept_thread = 0
        _all_cores.pop(thread, None)

    def _keep(self) -> None:
        """Keep the calling thread, unless it is kept already."""
        thread = threading.get_native_id()
        if thread in _all_cores:
            return
        with suppress(OSError):
            cores = os.sched_getaffinity(0)
            if self._number in cores:
                _all_cores[thread], self._kept_thread = cores, thread  # first: a signal may come in between
                os.sched_setaffinity(0, {self._number})

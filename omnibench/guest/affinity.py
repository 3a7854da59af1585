"""On which cores a guest waits for requests, and computes."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Affinity:
    """The cores of the thread that answers requests, and of those that read them. Make it before an adapter begins threads of its own.

    While small items come one after the other, a host has its guest wait on the core on which it waits itself (see
    ``runners.shared_core``). What the guest computes, and every thread and process that it begins meanwhile, may use all cores
    that it may use at all.
    """

    def __init__(self) -> None:
        # By itself: of a process that was cloned, its number may be that of the parent's.
        current = threading.current_thread()
        thread_numbers = (thread.native_id for thread in threading.enumerate() if thread is not current)
        self._readers = [number for number in thread_numbers if number is not None]
        self._free: set[int] = set()
        self._core: int | None = None

    def wait_on(self, core: int | None) -> None:
        """Wait for the next request on a core.

        Args:
            core: Its number; None for any core. One that this process may not use, or does not any more, counts as None.
        """
        if core is None and self._core is None:
            return
        with suppress(OSError):  # another set of cores was given to this process meanwhile, and holds
            free = os.sched_getaffinity(0)
            allowed = {core} if core in free else free
            if core != self._core:
                for reader in self._readers:
                    os.sched_setaffinity(reader, allowed)
                self._core = core
            if allowed is not free:
                os.sched_setaffinity(0, allowed)
                self._free = free

    def compute(self) -> None:
        """Compute on every core that this thread could use before it waited on one."""
        if self._free:
            with suppress(OSError):
                os.sched_setaffinity(0, self._free)
            self._free = set()

"""The memory of a guest, which goes back to the system between requests: large data of a fit is not needed after it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Callable

LARGE = 128 << 20
"""From how many more bytes on it is worth looking for what can be given back."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""What glibc's malloc.h calls what ``mallopt`` sets."""
_MAPPED, _TRIMMED = 32 << 20, 64 << 20
"""What glibc raises its own limits to by itself, on a system of 64 bits."""


class Freeing:
    """Gives back to the system what requests leave behind, where that is much."""

    def __init__(self) -> None:
        self._least = private()

    def give_back(self) -> None:
        """Collect garbage, and return freed memory to the system; nothing where little has been added since the last time."""
        resident = private()
        if resident - self._least < LARGE:
            self._least = min(self._least, resident)
            return
        gc.collect()
        _trim()
        self._least = private()


class Garbage:
    """What is left of the models of earlier requests: it is looked for where there may be much of it."""

    def __init__(self) -> None:
        self._at_first = private()

    def collect(self) -> None:
        """Collect it, unless this process has become little larger than it was at first: looking takes a millisecond."""
        if not self._at_first or private() - self._at_first >= LARGE:
            gc.collect()


def private() -> int:
    """Return the memory of this process in bytes, without the pages of files, such as a fold's; 0 where it cannot be read."""
    with contextlib.suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:
        _, resident, shared, *_ = map(int, file.read().split())
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    return 0


@functools.cache
def reuse_freed() -> None:
    """Let blocks of up to 32 MB be taken from memory that was freed, as glibc itself does when it has seen such a block freed.

    Until then it maps many arrays of some megabytes anew, and the system clears their pages: a third of the time in which users are ranked who
    reach few items. What is held for later is 64 MB at most, and goes back with what else a request leaves.
    """
    setting = _of_libc("mallopt")
    if setting is not None:
        setting(_M_MMAP_THRESHOLD, _MAPPED)
        setting(_M_TRIM_THRESHOLD, _TRIMMED)


def _trim() -> None:
    """Let go of what the allocators of C's library and, where it is imported, of Arrow hold for later."""
    trim = _of_libc("malloc_trim")
    if trim is not None:
        trim(0)
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()


def _of_libc(name: str) -> Callable[..., int] | None:
    """Return a function that glibc has; None with another C library."""
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):  # no such function; Windows takes no None
        return None
    return function

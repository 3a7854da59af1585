"""The memory of a guest, which goes back to the system between requests: large data of a fit is not needed after it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Callable

from .meter import peak_rss

LARGE = 128 << 20
"""From how many more bytes on it is worth looking for what can be given back."""

_LARGEST_MAPPED = (32 << 20) - (1 << 16)
"""Bytes of a block after which glibc takes blocks of up to 32 MB from freed memory: just below the most that has this effect."""


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
        if not self._at_first or (peak_rss() - self._at_first >= LARGE and private() - self._at_first >= LARGE):
            gc.collect()


def private() -> int:
    """Return the memory of this process in bytes, without the pages of files, such as a fold's; 0 where it cannot be read."""
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb", buffering=0) as file:
        _, resident, shared, *_ = map(int, file.read().split())
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    return 0


@functools.cache
def reuse_freed() -> None:
    """Have glibc take blocks of up to 32 MB from memory that was freed, as it does by itself once it has seen such a block freed.

    Until then it maps many arrays of some megabytes anew, and the system clears their pages: a third of the time in which users are ranked who
    reach few items. So one block is taken here, not written to, and freed. Where the user has set a threshold (``MALLOC_MMAP_THRESHOLD_``,
    ``GLIBC_TUNABLES``), glibc leaves it at that.

    What follows in the same process keeps it so, as after any array of this size. Of what is freed, each of glibc's arenas keeps up to
    64 MB at its end, and what lies below a block in use, until ``Freeing`` gives it back.
    """
    import numpy as np  # which not everybody who asks for this process's memory needs

    np.empty(_LARGEST_MAPPED, dtype=np.uint8)


def _trim() -> None:
    """Let go of what the allocators of C's library and, where it is imported, of Arrow hold for later."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()


def _malloc_trim() -> Callable[[int], int] | None:
    """Return glibc's function; None with another C library."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no such function; Windows takes no None
        return None

"""Scratch memory of loops over blocks, kept from one block to the next."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_LARGEST = (1 << 25) - (1 << 16)
"""Bytes of the largest allocation that teaches glibc anything: its DEFAULT_MMAP_THRESHOLD_MAX, less what it adds."""


@cache
def keep_scratch_memory() -> None:
    """Make the C library keep some tens of megabytes that were freed, instead of giving them back to the system at once.

    A loop over blocks frees as much with each of them as glibc gives back, so that the system hands it out anew, emptied, for
    the next block: half of the time of such a loop, and more on virtual machines. glibc raises the limit to twice the size of
    an allocation that it mapped and that is freed (mallopt(3), M_MMAP_THRESHOLD), which costs nothing where nothing is written
    there. Other C libraries, and a glibc that is told otherwise by MALLOC_TRIM_THRESHOLD_, do not mind.
    """
    np.empty(_LARGEST, dtype=np.uint8)

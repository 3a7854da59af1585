"""The memory of this machine or container."""

from __future__ import annotations

import os
import re
from pathlib import Path

from omnibench.proc import memory_groups

_MEMORY = Path("/proc/meminfo")


def available_memory() -> int | None:
    """Return how many bytes this machine or container can still use without swapping; None where that is unknown."""
    amounts = [group.available for group in memory_groups()]
    machine = _machine("MemAvailable")
    return min([*amounts, machine] if machine is not None else amounts, default=None)


def memory_capacity() -> int | None:
    """Return how many bytes this machine or container has in all, whoever uses them now; None where that is unknown."""
    amounts = [group.limit for group in memory_groups()]
    machine = total_memory()
    return min([*amounts, machine] if machine is not None else amounts, default=None)


def total_memory() -> int | None:
    """Return how many bytes of memory the machine has, or None where that is unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def free_swap() -> int:
    """Return how many bytes of other programs the machine could move to its disk; 0 in a container that has a limit."""
    return 0 if memory_groups() else _machine("SwapFree") or 0


def _machine(name: str) -> int | None:
    """Return the bytes of an entry of ``/proc/meminfo``; None where it is not there."""
    try:
        match = re.search(rf"^{name}:\s+(\d+) kB", _MEMORY.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) * 1024 if match else None

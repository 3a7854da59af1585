"""The memory of this machine or container."""

from __future__ import annotations

import os
import re
from pathlib import Path

from omnibench.proc import groups_of

_MEMORY = Path("/proc/meminfo")


def available_memory() -> int | None:
    """Return how many bytes this machine or container can still use without swapping; None where that is unknown."""
    amounts = [amount for amount in (_available_to_machine(), _available_to_container()) if amount is not None]
    return min(amounts, default=None)


def total_memory() -> int | None:
    """Return how many bytes of memory the machine has, or None where that is unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _available_to_machine() -> int | None:
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB", _MEMORY.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) * 1024 if match else None


def _available_to_container() -> int | None:
    """Return the bytes left under the tightest limit of this process's control groups, or None without a limit."""
    amounts = map(_available_to_group, groups_of(None, "memory"))
    return min((amount for amount in amounts if amount is not None), default=None)


def _available_to_group(group: Path) -> int | None:
    """Return the bytes left under a control group's limit, counting cached files as free; None without a limit."""
    try:
        limit_text = (group / "memory.max").read_text(encoding="ascii").strip()
        if limit_text == "max":
            return None
        limit = int(limit_text)
        used_bytes = int((group / "memory.current").read_text(encoding="ascii"))
        cached = re.search(r"^inactive_file (\d+)", (group / "memory.stat").read_text(encoding="ascii"), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return max(0, limit - used_bytes + (int(cached[1]) if cached else 0))

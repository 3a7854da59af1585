"""What Linux tells of processes and of their control groups in files; nothing where there are none."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROCESSES = Path("/proc")
CONTROL_GROUPS = Path("/sys/fs/cgroup")


def text_of(path: Path | str) -> str:
    """Return the content of a file, or nothing where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall().decode(errors="replace")
    except OSError:
        return ""


def number_in(text: str, pattern: str) -> int:
    """Return the number that the first group of a pattern finds in a text, whose lines have ends; 0 where it finds none."""
    match = re.search(pattern, text, re.MULTILINE)
    return int(match[1]) if match else 0


def stat_of(pid: int) -> list[str]:
    """Return what ``/proc/PID/stat`` tells behind the name of the program, the state first; nothing of no process."""
    return text_of(f"{PROCESSES}/{pid}/stat").rpartition(")")[2].split()


def groups_of(pid: int | None, controller: str) -> list[Path]:
    """Return the directories of a process's control group, and of those that it lies in (versions 1 and 2).

    Args:
        pid: The process; None for this one.
        controller: What version 1 has groups of their own for, e.g. ``memory``.
    """
    groups: list[Path] = []
    for line in text_of(PROCESSES / ("self" if pid is None else str(pid)) / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            roots = [CONTROL_GROUPS / controllers, CONTROL_GROUPS / controller]
        elif not controllers:
            roots = [CONTROL_GROUPS, CONTROL_GROUPS / "unified"]
        else:
            continue
        for root in roots:
            group = root / path.lstrip("/")
            # A limit may stand anywhere above, e.g. at a Slurm job's group; a container may see its own group as the root.
            groups += [above for above in (group, *group.parents) if above.is_relative_to(root) and above.is_dir()]
    return list(dict.fromkeys(groups))


_NO_LIMIT = 2**60
"""What version 1 of control groups has for no limit is near 2**63."""


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """A control group that has a limit of memory, which binds this process.

    Attributes:
        path: Its directory.
        file: The name of the file in which the limit stands.
        limit: Bytes that its processes may use together.
        usage: Bytes that they use.
        cached: Bytes of these that are cached files, which are given up where memory is needed.
    """

    path: Path
    file: str
    limit: int
    usage: int
    cached: int

    @property
    def available(self) -> int:
        """Bytes that are left."""
        return max(0, self.limit - self.usage + self.cached)


def memory_groups() -> list[MemoryGroup]:
    """Return the control groups that limit the memory of this process (versions 1 and 2), its own before those above it."""
    groups = groups_of(None, "memory")
    return [group for path in groups if (group := _memory_group(path, is_own=path == groups[0])) is not None]


def _memory_group(path: Path, *, is_own: bool) -> MemoryGroup | None:
    """Return a control group with its limit, or None where it has none, or none that binds the groups beneath it."""
    statistics = text_of(path / "memory.stat")
    if (path / "memory.max").exists():
        limit = number_in(text_of(path / "memory.max"), r"^(\d+)$")
        usage, inactive = text_of(path / "memory.current"), r"^inactive_file (\d+)"
        file = "memory.max"
    else:
        if not is_own and text_of(path / "memory.use_hierarchy").strip() == "0":  # version 1 lets groups count alone
            return None
        file = "memory.limit_in_bytes"
        # A container may not see the groups that it lies in, whose tightest limit stands here as well.
        limits = (
            number_in(text_of(path / file), r"^(\d+)$"),
            number_in(statistics, r"^hierarchical_memory_limit (\d+)"),
        )
        limit = min(filter(None, limits), default=0)
        usage, inactive = text_of(path / "memory.usage_in_bytes"), r"^total_inactive_file (\d+)"
    if not 0 < limit < _NO_LIMIT or not usage:
        return None
    return MemoryGroup(path, file, limit, number_in(usage, r"^(\d+)"), number_in(statistics, inactive))


def oom_kills() -> tuple[int, int]:
    """Return how many processes the kernel has ended for want of memory: of this process's control group, and of the machine."""
    groups = groups_of(None, "memory")
    names = ("memory.events", "memory.oom_control")
    text = next((text for group in groups for name in names if (text := text_of(group / name))), "")
    return number_in(text, r"^oom_kill (\d+)"), number_in(text_of(PROCESSES / "vmstat"), r"^oom_kill (\d+)")


def rss_of(pid: int) -> int:
    """Return a process's resident set now, in bytes; 0 where Linux does not say."""
    pages = text_of(f"{PROCESSES}/{pid}/statm").split()  # a tenth of what `status` takes, and several per item
    return int(pages[_RESIDENT]) * os.sysconf("SC_PAGE_SIZE") if len(pages) > _RESIDENT else 0


_RESIDENT = 1
"""The position of the resident set in ``statm``."""


def peak_rss_of(pid: int) -> int:
    """Return a process's largest resident set so far, in bytes; 0 where Linux does not say."""
    return number_in(text_of(f"{PROCESSES}/{pid}/status"), r"^VmHWM:\s+(\d+)") * 1024

"""What Linux tells of processes and of their control groups in files; nothing where there are none."""

from __future__ import annotations

import re
from pathlib import Path

PROCESSES = Path("/proc")
CONTROL_GROUPS = Path("/sys/fs/cgroup")


def text_of(path: Path) -> str:
    """Return the content of a file, or nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def number_in(text: str, pattern: str) -> int:
    """Return the number that the first group of a pattern finds in a text, whose lines have ends; 0 where it finds none."""
    match = re.search(pattern, text, re.MULTILINE)
    return int(match[1]) if match else 0


def stat_of(pid: int) -> list[str]:
    """Return what ``/proc/PID/stat`` tells behind the name of the program, the state first; nothing of no process."""
    return text_of(PROCESSES / str(pid) / "stat").rpartition(")")[2].split()


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

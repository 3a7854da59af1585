"""Which process holds something, so that others can tell whether it is still there: a number alone does not tell.

Numbers are given to new processes, containers have their own, and machines are started again. A process is therefore named by
its number, the moment of its start, the machine's boot and the namespaces that both are counted in.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Mapping
from typing import Any

from omnibench.proc import stat_of

_STATE, _START = 0, 19
"""Positions in what ``stat_of`` returns."""
_LONGEST_HOST = 255
_GONE = ("Z", "X", "x")
"""The states of processes that have ended, and that nobody has asked for yet."""


def this_process() -> dict[str, Any]:
    """Return what tells this process from every other: plain data."""
    return _described(os.getpid())


@functools.lru_cache(maxsize=2)
def _described(pid: int) -> dict[str, Any]:
    """Describe this process; a forked child, whose number is another, describes itself."""
    start = _look(pid)[1]
    return {"pid": pid, "host": platform.node(), **({"start": start, **_machine()} if start else {})}


def _machine() -> dict[str, str]:
    """Return what has to be equal for two processes to count numbers and moments alike; nothing where it is not known."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        spaces = [
            os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "time") if os.path.lexists(f"/proc/self/ns/{name}")
        ]
    except OSError:
        return {}
    return {"boot": boot, "namespaces": " ".join(spaces)}


def _look(pid: int) -> tuple[str, str]:
    """Return the state and the moment of the start of a process, or nothing where /proc does not tell."""
    fields = stat_of(pid)
    return (fields[_STATE], fields[_START]) if fields else ("", "")


def is_this_process(holder: Any) -> bool:
    """Whether something is held by this process.

    Args:
        holder: What ``this_process`` returned there, maybe with more beside it; anything else is nobody.
    """
    return isinstance(holder, Mapping) and this_process().items() <= holder.items()


def is_dead(holder: Any) -> bool:
    """Whether a process has ended for certain; one of which that cannot be known here may live.

    Args:
        holder: What ``this_process`` returned there; anything else is nobody of whom anything is known.
    """
    if not isinstance(holder, Mapping) or type(pid := holder.get("pid")) is not int or pid <= 0:
        return False
    own = this_process()
    if not holder.get("start") or any(holder.get(name) != own.get(name) for name in ("boot", "namespaces")):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is somebody else's
        pass
    state, start = _look(pid)
    return state in _GONE or (bool(start) and start != holder["start"])


def described(holder: Any) -> str:
    """Return a process in words, e.g. ``process 4711 on host``."""
    try:
        return f"process {int(holder['pid'])} on {str(holder['host'])[:_LONGEST_HOST]}"
    except (KeyError, TypeError, ValueError, OverflowError):
        return "another process"

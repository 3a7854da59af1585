"""What this machine has: cores, memory that is free, GPUs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from itertools import takewhile
from pathlib import Path

from omnibench.errors import OmnibenchError

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")


def available_cores() -> int:
    """Return how many cores this process may compute on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory() -> int | None:
    """Return how many bytes can still be used without swapping, here or in this container; None where nobody knows."""
    free = [one for one in (_available_to_machine(), _available_to_container()) if one is not None]
    return min(free, default=None)


def total_memory() -> int | None:
    """Return how many bytes of memory there are, or None where nobody knows."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _available_to_machine() -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", _MEMORY.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _available_to_container() -> int | None:
    """Return what is left of the tightest limit of this process's control groups, where there is one."""
    try:
        told = re.search(r"^0::/(.*)$", Path("/proc/self/cgroup").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    group = _CONTROL_GROUPS / (told[1] if told else "")
    # A limit may stand anywhere above, e.g. at a Slurm job's group. A container may see its own as the root.
    groups = [one for one in (group, *group.parents) if one.is_relative_to(_CONTROL_GROUPS)]
    return min((left for one in groups if (left := _left_in(one)) is not None), default=None)


def _left_in(group: Path) -> int | None:
    """Return what is left of a control group's limit; files that are only cached count as free."""
    try:
        told = (group / "memory.max").read_text(encoding="ascii").strip()
        if told == "max":
            return None
        limit = int(told)
        used = int((group / "memory.current").read_text(encoding="ascii"))
        cached = re.search(r"^inactive_file (\d+)", (group / "memory.stat").read_text(encoding="ascii"), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return max(0, limit - used + (int(cached[1]) if cached else 0))


@cache
def gpus() -> tuple[str, ...]:
    """Return the NVIDIA GPUs that processes started here would see, as ``CUDA_VISIBLE_DEVICES`` names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:  # what stands behind an impossible one is invisible too, says CUDA's programming guide
        return tuple(takewhile(lambda one: one not in ("", "-1"), (one.strip() for one in visible.split(","))))
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    return tuple(re.findall(r"^GPU (\d+):", listed.stdout, re.MULTILINE)) if listed.returncode == 0 else ()


def device_class(choice: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        OmnibenchError: ``cuda`` is wanted, and there is no GPU.
    """
    if choice == "cuda" and not gpus():
        raise OmnibenchError(
            "the device is to be cuda, but there is no NVIDIA GPU that nvidia-smi or CUDA_VISIBLE_DEVICES knows of; "
            "--omnirec-device=auto takes one where there is one."
        )
    return "cuda" if choice != "cpu" and gpus() else "cpu"


def dealt_gpu(worker: str) -> str | None:
    """Return the GPU of a worker: dealt out in turn by its number (``gw3``); None for the only process, which has all.

    Args:
        worker: xdist's name of the worker.
    """
    found = re.fullmatch(r"gw(\d+)", worker)
    return gpus()[int(found[1]) % len(gpus())] if found and gpus() else None

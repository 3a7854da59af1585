"""Resources of this machine: cores, available memory, GPUs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from itertools import takewhile
from pathlib import Path

from omnibench.errors import OmnibenchError
from omnibench.proc import groups_of

_MEMORY = Path("/proc/meminfo")


def available_cores() -> int:
    """Return how many cores this process may compute on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


@cache
def gpus() -> tuple[str, ...]:
    """Return the NVIDIA GPUs that processes started here would see, as ``CUDA_VISIBLE_DEVICES`` names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:  # what stands behind an impossible one is invisible too, says CUDA's programming guide
        return tuple(
            takewhile(lambda device: device not in ("", "-1"), (device.strip() for device in visible.split(",")))
        )
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    listing = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    return tuple(re.findall(r"^GPU (\d+):", listing.stdout, re.MULTILINE)) if listing.returncode == 0 else ()


def device_class(choice: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        OmnibenchError: The choice is ``cuda``, and there is no GPU.
    """
    if choice == "cuda" and not gpus():
        raise OmnibenchError(
            "the device is to be cuda, but there is no NVIDIA GPU that nvidia-smi or CUDA_VISIBLE_DEVICES knows of; "
            "--omnirec-device=auto takes one where there is one."
        )
    return "cuda" if choice != "cpu" and gpus() else "cpu"


def dealt_gpu(worker: str) -> str | None:
    """Return the GPU of a worker, dealt out in turn by its number (``gw3``); None for a single process, which has all.

    Args:
        worker: xdist's name of the worker.
    """
    match = re.fullmatch(r"gw(\d+)", worker)
    return gpus()[int(match[1]) % len(gpus())] if match and gpus() else None

"""Resources of this machine: cores and GPUs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from itertools import takewhile

from omnibench.errors import OmnibenchError
from omnibench.runners.shared_core import allowed_cores

CPU, CUDA, DETERMINISTIC = "cpu", "cuda", "cuda-deterministic"
"""The device classes, which keys name: a GPU's fastest operations, or those whose results are the same in every run."""


def available_cores() -> int:
    """Return how many cores this process may compute on."""
    return len(allowed_cores()) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    """Return the device class for ``auto`` or for a device class.

    Raises:
        OmnibenchError: The choice is a GPU, and there is none.
    """
    if is_gpu(choice) and not gpus():
        raise OmnibenchError(
            f"the device is to be {choice}, but there is no NVIDIA GPU that nvidia-smi or CUDA_VISIBLE_DEVICES knows of; "
            "--omnirec-device=auto takes one where there is one."
        )
    if choice == CPU or not gpus():
        return CPU
    return choice if is_gpu(choice) else CUDA


def is_gpu(device: str) -> bool:
    """Whether a device class is that of GPUs."""
    return device in (CUDA, DETERMINISTIC)


def dealt_gpu(worker: str) -> str | None:
    """Return the GPU of a worker, dealt out in turn by its number (``gw3``); None for a single process, which has all.

    Args:
        worker: xdist's name of the worker.
    """
    match = re.fullmatch(r"gw(\d+)", worker)
    return gpus()[int(match[1]) % len(gpus())] if match and gpus() else None

"""What a request or a phase costs: wall and CPU seconds, and the requested memory peaks."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any

_programs: list[resource.struct_rusage] = []
"""What the programs have used that were run for the request."""


def add_program(usage: resource.struct_rusage) -> None:
    """Count what a program has used that has ended, as a part of the request's cost."""
    _programs.append(usage)


def peak_rss() -> int:
    """Return the largest resident set of this process so far, or of a program that was run for the request, in bytes."""
    usages = [resource.getrusage(resource.RUSAGE_SELF), *_programs]
    peak = max(usage.ru_maxrss for usage in usages)
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peak() -> None:
    """Reset the peak memory count (Linux), so that an item does not inherit the peak of an earlier one."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "wb", buffering=0) as control:
        control.write(b"5")


class Meter:
    """A meter of a request's cost: wall and CPU seconds, and the requested memory peaks in bytes.

    Args:
        track: Of ``rss`` (resident set of this process), ``gpu`` (allocated by PyTorch on the current device) and
            ``python`` (allocated by Python, as tracemalloc sees it; this slows everything down).
    """

    def __init__(self, track: Sequence[str]) -> None:
        self.track = track
        _programs.clear()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        if "rss" in track:
            forget_peak()
        self._traces = "python" in track and not tracemalloc.is_tracing()
        if self._traces:
            tracemalloc.start()
        cuda = _cuda()
        if "gpu" in track and cuda is not None:
            cuda.reset_peak_memory_stats()

    def read(self) -> dict[str, Any]:
        """Return the costs so far; None for peaks that were not requested or cannot be measured."""
        facts: dict[str, Any] = {
            "seconds": time.perf_counter() - self._wall,
            "cpu_seconds": time.process_time()
            - self._cpu
            + sum(usage.ru_utime + usage.ru_stime for usage in _programs),
            "peak_rss": peak_rss() if "rss" in self.track else None,
            "gpu_peak": None,
            "python_peak": None,
        }
        cuda = _cuda()
        if "gpu" in self.track and cuda is not None:
            facts["gpu_peak"] = int(cuda.max_memory_allocated())
        if "python" in self.track and tracemalloc.is_tracing():
            facts["python_peak"] = tracemalloc.get_traced_memory()[1]
        return facts

    def stop(self) -> None:
        """Stop measuring."""
        if self._traces:
            tracemalloc.stop()


def _cuda() -> Any:
    """Return ``torch.cuda`` when this process has used a GPU, else None. Never imports PyTorch."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None

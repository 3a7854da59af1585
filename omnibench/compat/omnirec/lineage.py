"""Lineage: what was done to a dataset, where and with what, step by step."""

from __future__ import annotations

import functools
import getpass
import os
import platform
from dataclasses import dataclass, field
from datetime import datetime
from pprint import pformat
from typing import Any

from omnibench import __version__
from omnibench.compat.omnirec.types import CountSummary


def append_field(lines: list[str], label: str, value: object, indent: int = 1) -> None:
    """Append ``label: value`` to the lines of a description; values of several lines go below their label."""
    margin = "  " * indent
    if value is None:
        text = "unknown"
    elif isinstance(value, dict | list | tuple | set):
        text = pformat(value, sort_dicts=False)
    else:
        text = value.isoformat() if isinstance(value, datetime) else str(value)
    first, *more = text.splitlines() or [""]
    if more:
        lines += [f"{margin}{label}:", *(f"{margin}  {line}" for line in (first, *more))]
    else:
        lines.append(f"{margin}{label}: {first}")


def _author() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may have no user of this number
        return "unknown"


@dataclass(frozen=True)
class SystemInfo:
    """The machine on which a step was applied.

    Attributes:
        os: The operating system.
        cpu: The processor.
        cpu_cores: The number of cores.
        ram: Memory in bytes.
        gpu: The graphics card; not looked up, because no step uses one.
        gpu_vram: The memory of each card in bytes; likewise.
        python_version: Python's version.
    """

    os: str
    cpu: str
    cpu_cores: int | None
    ram: int | None
    gpu: str | None
    gpu_vram: tuple[int, ...] | None
    python_version: str

    @classmethod
    @functools.cache
    def detect(cls) -> SystemInfo:
        """Return this machine's description."""
        try:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (ValueError, OSError):
            memory = None
        cpu = platform.processor() or platform.machine() or "unknown"
        return cls(platform.platform(), cpu, os.cpu_count(), memory, None, None, platform.python_version())


@dataclass
class Trace:
    """One step of a dataset's lineage.

    Attributes:
        component: The step's class.
        params: The arguments of its constructor.
        executed_at: When it was applied, in UTC.
        runtime: Seconds; None for a step that computes only when its result is needed.
        hostname: The machine's name.
        library_version: Who applied it.
        author: The account.
        system_info: The machine.
        before_rows: Interactions before it.
        before_columns: Columns before it.
        after_rows: Interactions after it.
        after_columns: Columns after it.
    """

    component: str
    params: dict[str, Any]
    executed_at: datetime
    runtime: float | None = None
    hostname: str = field(default_factory=lambda: platform.node() or "unknown")
    library_version: str = f"omnibench {__version__}"
    author: str = field(default_factory=_author)
    system_info: SystemInfo = field(default_factory=SystemInfo.detect)
    before_rows: CountSummary | None = None
    before_columns: CountSummary | None = None
    after_rows: CountSummary | None = None
    after_columns: CountSummary | None = None

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        runtime = "" if self.runtime is None else f" [runtime={self.runtime:.4f}s]"
        return f"{self.component}({arguments}){runtime}"

    __str__ = __repr__

    def format_details(self) -> str:
        """Return everything that is noted of the step, a line each."""
        lines = [f"Component: {self.component}"]
        system = self.system_info
        append_field(lines, "Parameters", self.params)
        append_field(lines, "Executed at (UTC)", self.executed_at)
        append_field(lines, "Runtime", None if self.runtime is None else f"{self.runtime:.4f}s")
        append_field(lines, "Hostname", self.hostname)
        append_field(lines, "Library version", self.library_version)
        append_field(lines, "Author", self.author)
        lines.append("  System info:")
        memory = None if system.ram is None else f"{system.ram / 2**30:.1f} GiB"
        described = {
            "OS": system.os,
            "CPU": system.cpu,
            "CPU cores": system.cpu_cores,
            "RAM": memory,
            "GPU": system.gpu,
        }
        for label, value in {**described, "Python version": system.python_version}.items():
            append_field(lines, label, value, indent=2)
        for label, before, after in (
            ("Rows", self.before_rows, self.after_rows),
            ("Columns", self.before_columns, self.after_columns),
        ):
            lines.append(f"  {label}:")
            append_field(lines, "Before", before, indent=2)
            append_field(lines, "After", after, indent=2)
        return "\n".join(lines)

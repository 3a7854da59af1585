"""What each framework costs before it computes anything: ``python benchmarks/frameworks/framework_costs.py [--write]``.

Of each environment its size (files that it shares with others counted in each, and once), the seconds of its build when uv's cache
has all packages, and the memory of a guest that has imported everything and does nothing. Environments are built anew in a
scratch directory, on the file system of the cache directory, because uv links files only within one.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from omnibench.paths import cache_directory
from omnibench.runners.environments import environment_of
from omnibench.runners.gateway import Guest
from omnibench.runners.info import RunnerInfo
from omnibench.runners.registry import runners

RESULTS = Path(__file__).parent / "costs.json"
"""What docs/frameworks.py makes its table of."""


def costs(runner: RunnerInfo, scratch: Path) -> dict[str, float]:
    """Measure a framework, in seconds and bytes."""
    environment = environment_of(runner)
    begin = time.monotonic()
    python = environment.ensure()
    build_seconds = time.monotonic() - begin
    idle = []
    for name in ("first", "again"):  # the first one compiles the sources
        directory = scratch / f"{runner.name}-{name}"
        directory.mkdir()
        begin = time.monotonic()
        with Guest(runner, python, directory, directory, 1, {}, lambda _, __: None) as guest:
            start_seconds = time.monotonic() - begin
            idle.append(proportional_bytes(guest.pid))
    return {
        "bytes": environment.size(),
        "build_seconds": build_seconds,
        "start_seconds": start_seconds,
        "idle_bytes": idle[-1],
    }


def proportional_bytes(pid: int) -> int:
    """Return the memory of a process, in which what it shares with others counts in part (``Pss`` of Linux)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def bytes_together(directory: Path) -> int:
    """Return the size of the files below a directory, each counted once however many names it has."""
    return sum({(status.st_dev, status.st_ino): status.st_size for status in _statuses(directory)}.values())


def _statuses(directory: Path) -> Iterator[os.stat_result]:
    for folder, _, names in os.walk(directory):
        for name in names:
            yield os.lstat(os.path.join(folder, name))


def table(measured: Mapping[str, Mapping[str, float]]) -> str:
    """Return what was measured as text."""
    lines = [f"{'framework':10} {'size':>8} {'build':>8} {'start':>8} {'idle':>8}"]
    for name, costs_of_framework in measured.items():
        size, build, start, idle = (
            costs_of_framework[key] for key in ("bytes", "build_seconds", "start_seconds", "idle_bytes")
        )
        lines.append(f"{name:10} {size / 1e9:5.2f} GB {build:6.1f} s {start:6.1f} s {idle / 1e6:5.0f} MB")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help=f"write {RESULTS.name}, of which docs/frameworks.md is made"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=cache_directory()) as name:
        scratch = Path(name)
        os.environ["OMNIBENCH_CACHE_DIR"] = str(scratch / "cache")
        measured = {runner.name: costs(runner, scratch) for runner in runners() if runner.distribution}
        together = bytes_together(scratch / "cache")
    print(table(measured))
    print(f"all environments together, what they share counted once: {together / 1e9:.2f} GB")
    if arguments.write:
        RESULTS.write_text(json.dumps({"frameworks": measured, "bytes_together": together}, indent=1) + "\n")


if __name__ == "__main__":
    main()

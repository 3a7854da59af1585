"""Processes whose control group is frozen, as by ``docker pause``: they do not run, and no signal but one says so."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

ROOTS = {"version 1": Path("/sys/fs/cgroup/freezer"), "version 2": Path("/sys/fs/cgroup/unified")}
"""Where groups can be made; with version 2 alone it is mounted at ``/sys/fs/cgroup``."""

_PATIENCE = 60.0


def root_of(version: str) -> Path | None:
    """Return the directory below which groups of a version can be made and frozen here; None where they cannot."""
    roots = [ROOTS[version], *([Path("/sys/fs/cgroup")] if version == "version 2" else [])]
    marker = "cgroup.procs" if version == "version 1" else "cgroup.controllers"
    return next((root for root in roots if (root / marker).exists() and os.access(root, os.W_OK)), None)


class Freezer:
    """A control group that can be frozen.

    Args:
        directory: Its directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    def take(self, pid: int) -> None:
        """Put a process into it; what that starts from now on is in there too."""
        (self.directory / "cgroup.procs").write_text(str(pid))

    def freeze(self) -> None:
        """Stop all processes of the group, until it is thawed."""
        self._set("FROZEN", "1")

    def thaw(self) -> None:
        """Let them go on."""
        self._set("THAWED", "0")

    def _set(self, state: str, number: str) -> None:
        first, second = self.directory / "freezer.state", self.directory / "cgroup.freeze"
        (first if first.exists() else second).write_text(state if first.exists() else number)
        deadline = time.monotonic() + _PATIENCE
        while self._state() != state:
            assert time.monotonic() < deadline, f"the group is not {state.lower()}"
            time.sleep(0.005)

    def _state(self) -> str:
        if (self.directory / "freezer.state").exists():
            return (self.directory / "freezer.state").read_text().strip()
        return "FROZEN" if "frozen 1" in (self.directory / "cgroup.events").read_text() else "THAWED"

    def remove(self) -> None:
        """Thaw the group, and remove it once its processes have ended."""
        self.thaw()
        deadline = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(OSError):
                self.directory.rmdir()
                return
            assert time.monotonic() < deadline, "processes are left in the group"
            time.sleep(0.02)


@contextlib.contextmanager
def freezer(version: str) -> Iterator[Freezer]:
    """Make a group, and remove it behind the block, whose processes have to end in it."""
    root = root_of(version)
    assert root is not None
    group = Freezer(root / f"omnibench-{uuid.uuid4().hex[:8]}")
    try:
        yield group
    finally:
        group.remove()

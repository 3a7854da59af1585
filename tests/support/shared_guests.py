"""Guests that tests share: a framework's import takes longer than most tests, and a guest is made to serve many items."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omnibench.runners.gateway import Guest
from omnibench.runners.registry import get_runner
from omnibench.runners.thread_variables import thread_variables


class WatchedGuest:
    """A guest, and what it prints and leaves.

    Args:
        name: The framework.
        python: Its interpreter.
        root: An empty directory.
    """

    def __init__(self, name: str, python: Path, root: Path) -> None:
        self.printed = b""
        self.work = root / "work"
        self.temporary = root / "temporary"
        for folder in (self.work, self.temporary, root / "pipes"):
            folder.mkdir()
        variables = {**thread_variables(1), "TMPDIR": str(self.temporary)}
        self.guest = Guest(get_runner(name), python, root / "pipes", self.work, 1, variables, self.log)

    def log(self, stream: str, lines: bytes) -> None:
        """Keep what is printed."""
        if stream == "out":
            self.printed += lines

    @property
    def threads(self) -> int:
        """The number of threads that the process has."""
        return len(os.listdir(f"/proc/{self.guest.pid}/task"))

    @property
    def leftovers(self) -> list[str]:
        """The files that lie where it works and where its temporary files are."""
        return sorted(str(path) for folder in (self.work, self.temporary) for path in folder.rglob("*"))


@contextmanager
def running_guests(
    python_of: Callable[[str], Path], factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], WatchedGuest]]:
    """Yield what starts the guest of a framework, or gives the one that runs; all of them end with the context.

    Args:
        python_of: Gives a framework's interpreter.
        factory: Makes their directories.
    """
    running: dict[str, WatchedGuest] = {}

    def start(name: str) -> WatchedGuest:
        if name in running and not running[name].guest.alive:
            running.pop(name).guest.close()
        if name not in running:
            python = Path(sys.executable) if name == "Own" else python_of(name)
            running[name] = WatchedGuest(name, python, factory.mktemp(name))
        return running[name]

    try:
        yield start
    finally:
        for watched in running.values():
            watched.guest.close()

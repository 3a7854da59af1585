"""What workers of xdist make once for all of them: directories beside those that each has for itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def shared_directory(factory: pytest.TempPathFactory, name: str) -> Path:
    """Make a directory for all workers of a run; without workers, or in another run, it is another one."""
    own = factory.getbasetemp()
    directory = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    directory.mkdir(exist_ok=True)
    return directory


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one worker at a time use a path; the lock of one that dies is free."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def made_whole(directory: Path) -> Iterator[Path]:
    """Give an empty directory that gets its name once it is filled, so that nobody takes a half of one for all of it."""
    partial = directory.with_name(f"{directory.name}.partial-{os.getpid()}")
    partial.mkdir()
    yield partial
    partial.rename(directory)

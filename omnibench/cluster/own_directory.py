"""Directories of a run that the next run removes where this one is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnibench.store.workspaces import Workspace


@contextmanager
def closing_workspace(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a directory that nobody else can read, and remove it afterwards.

    Args:
        parent: Where it is made.
        prefix: What its name begins with, and those of others that were left over, which are removed.
    """
    workspace = Workspace(parent, prefix)
    try:
        yield workspace.directory
    finally:
        workspace.remove()

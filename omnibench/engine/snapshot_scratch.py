"""Where a guest writes snapshots before they are published: on the file system on which they will lie."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnibench.errors import OmnibenchError
from omnibench.snapshots.control import Snapshots
from omnibench.store import CheckpointStore
from omnibench.store.snapshot_files import PARTIAL
from omnibench.store.workspaces import Workspace, left_over


@contextmanager
def written_aside(store: CheckpointStore, control: Snapshots) -> Iterator[tuple[Path, str]]:
    """Yield a folder for what a guest writes, and why none of it can become a snapshot; empty where it can.

    Args:
        store: The store, in which snapshots lie whose user has named no other directory.
        control: What was asked for.

    Raises:
        OmnibenchError: The user's directory cannot be written, and snapshots are strict.
    """
    workspace, trouble = (None, "") if control.directory is None else _workspace(control.directory, control.strict)
    if workspace is None:
        with store.temporary() as scratch:
            yield scratch, trouble
        if control.directory is not None:  # it may have been a moment's trouble, and nobody comes here again
            for left in left_over(control.directory, PARTIAL):
                shutil.rmtree(left, ignore_errors=True)
        return
    try:
        yield workspace.directory, ""
    finally:
        workspace.remove()


def _workspace(outside: Path, strict: bool) -> tuple[Workspace | None, str]:
    """Return a folder in a directory of the user's; None and the reason where that cannot be written."""
    try:
        return Workspace(outside, PARTIAL), ""
    except OSError as error:
        reason = f"snapshots cannot be written to {str(outside)!r} ({error.strerror or error})"
        if strict:
            advice = "name another directory in Snapshots(directory=...), or make it writable"
            raise OmnibenchError(f"{reason}; {advice}.") from error
        return None, reason

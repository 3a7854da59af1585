"""A run: its id, whether there is anything to go on from, and the store of one that keeps nothing."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

from omnibench.errors import OmnibenchError
from omnibench.store.leases import Workspace


def new_run_id() -> str:
    """Return an id for a run: when, and a few digits."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:8]}"


def throwaway() -> Workspace:
    """Return a directory for a store that nobody keeps; it is gone when its process is, if need be by the next one."""
    return Workspace(Path(tempfile.gettempdir()) / f"omnibench-{os.getuid()}")


def require(begun: Iterable[bool]) -> None:
    """Refuse a run that has nothing to go on from.

    Raises:
        OmnibenchError: Of none of the items anything is recorded.
    """
    if not any(begun):
        raise OmnibenchError(
            "there is nothing to resume: nothing is recorded of the selected items. Check --omnirec-checkpoint-dir, or "
            "leave out --omnirec-resume=require."
        )

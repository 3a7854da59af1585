"""One process at a time downloads and reads a data set: the others wait, and then have it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnibench.announcements import announce

_UNSUPPORTED = (38, 45, 95)
"""Numbers of the errors of file systems that have no locks."""


@contextmanager
def only_process(path: Path, waiting: str) -> Iterator[None]:
    """Hold a lock file, which is free again when this process ends, however that happens.

    Args:
        path: The lock file; it stays there.
        waiting: What to announce while another process has it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            announce(waiting)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:  # what is written is published in one step all the same
            if error.errno not in _UNSUPPORTED:
                raise
        yield
    finally:
        os.close(descriptor)

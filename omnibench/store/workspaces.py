"""Directories for what a process has at hand, which whoever comes later removes when the process is dead."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from omnibench.guest import forks
from omnibench.store.leases import is_held, opened, write_holder
from omnibench.store.permissions import file_mode, is_shared, make_directory

_OWNER_AND_NONCE = r"\d+\.[0-9a-z_]{8}"
"""The end of a workspace's name: the process, and what makes the name free."""


def _is_left_over(workspace: Path) -> bool:
    """Whether a workspace is this user's, and its process is dead. One without a lock is just being made."""
    try:
        status = workspace.lstat()
        return (
            status.st_uid == os.geteuid() and (workspace / ".lock").is_file() and is_held(workspace / ".lock") is None
        )
    except OSError:
        return False


class Workspace:
    """A directory that is its process's own, and that others may remove when the process is dead.

    Process numbers do not tell who is dead (containers have their own), so the directory holds a lock file
    that is held for life.

    Args:
        parent: The directory to make it in; made when it is missing.
        prefix: What its name begins with.
    """

    def __init__(self, parent: Path, prefix: str = "work.") -> None:
        make_directory(parent)
        self._pid = os.getpid()
        self.directory = Path(
            tempfile.mkdtemp(prefix=f"{prefix}{self._pid}.", dir=parent)
        )  # 0700, and its name is free
        if is_shared(parent):  # others see who lives
            self.directory.chmod(stat.S_IMODE(self.directory.stat().st_mode) | stat.S_IRGRP | stat.S_IXGRP)
        new = self.directory / ".lock.new"
        mode = 0o600 | file_mode(self.directory) & stat.S_IRGRP
        self._descriptor = opened(new, os.O_RDWR | os.O_CREAT, mode)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_holder(self._descriptor, "")
        new.rename(self.lock)  # so that nobody sees a lock that is not held yet
        name = re.compile(re.escape(prefix) + _OWNER_AND_NONCE)
        for directory in parent.glob(f"{prefix}*"):
            if directory != self.directory and name.fullmatch(directory.name) and _is_left_over(directory):
                shutil.rmtree(directory, ignore_errors=True)

    @property
    def lock(self) -> Path:
        """Its lock file."""
        return self.directory / ".lock"

    def remove(self) -> None:
        """Remove the directory and all that is in it; calling it again does nothing, nor does a forked child."""
        if self._descriptor >= 0 and os.getpid() == self._pid:
            shutil.rmtree(self.directory, ignore_errors=True)
            forks.close(self._descriptor)
            self._descriptor = -1

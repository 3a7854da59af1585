"""Directories for what a process has at hand, which whoever comes later removes when the process is dead."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.guest import forks
from omnibench.paths import dangling
from omnibench.store.leases import is_held, locked_directory, opened, write_holder
from omnibench.store.permissions import file_mode, is_shared, make_directory

_OWNER_AND_NONCE = r"\d+\.[0-9a-z_]{8}"
"""The end of a workspace's name: the process, and what makes the name free."""

_LOCK = ".lock"
"""The file in a workspace that its process holds for life."""

_PATIENCE_SECONDS = 5.0
"""How long the parent's lock is waited for: others of ours hold it for milliseconds, a member of the group for ever."""


def _is_left_over(workspace: Path, *, without_lock: bool) -> bool:
    """Whether a workspace is this user's, and its process is dead.

    Args:
        workspace: The directory.
        without_lock: Whether one without a lock is, too; else it may just be being made.
    """
    lock = workspace / _LOCK
    try:
        if workspace.lstat().st_uid != os.geteuid():
            return False
        return is_held(lock) is None if lock.is_file() else without_lock
    except OSError:
        return False


def _left_over(parent: Path, prefix: str, *, is_alone: bool) -> list[Path]:
    """Return the workspaces of dead processes in a directory; whoever holds it sees no half-made ones."""
    name = re.compile(re.escape(prefix) + _OWNER_AND_NONCE)
    workspaces = (directory for directory in parent.glob(f"{prefix}*") if name.fullmatch(directory.name))
    return [directory for directory in workspaces if _is_left_over(directory, without_lock=is_alone)]


def remove_workspace(directory: Path) -> None:
    """Remove a workspace as far as possible, its lock last: without it, what is left looks like one that is being made, for ever.

    Args:
        directory: The workspace, below which processes that have not ended yet may still write.
    """
    for _ in range(2):  # a disk that refuses once need not leave it lying there for ever
        with suppress(OSError):
            for entry in list(os.scandir(directory)):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry, ignore_errors=True)
                elif entry.name != _LOCK:
                    with suppress(OSError):
                        os.unlink(entry)
            if all(name == _LOCK for name in os.listdir(directory)):
                shutil.rmtree(directory, ignore_errors=True)


def left_over(parent: Path, prefix: str) -> list[Path]:
    """Return the workspaces of dead processes in a directory, which need not be there.

    Args:
        parent: The directory.
        prefix: What their names begin with.
    """
    try:
        if parent.stat().st_mode & stat.S_IWOTH:
            return _left_over(parent, prefix, is_alone=False)
        with locked_directory(parent, _PATIENCE_SECONDS) as is_alone:
            return _left_over(parent, prefix, is_alone=is_alone)
    except OSError:
        return []


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
        self._spare: list[Path] = []  # threads share it: each takes another one
        # Whoever holds the directory sees no half-made ones; the system's own could be held by a stranger for ever.
        is_private = not parent.stat().st_mode & stat.S_IWOTH
        with locked_directory(parent, _PATIENCE_SECONDS) if is_private else nullcontext(False) as is_alone:
            self.directory = Path(
                tempfile.mkdtemp(prefix=f"{prefix}{self._pid}.", dir=parent)
            )  # 0700, its name is free
            try:
                self._descriptor = self._hold(shared=is_shared(parent))
            except BaseException:
                shutil.rmtree(self.directory, ignore_errors=True)
                raise
            for directory in _left_over(parent, prefix, is_alone=is_alone):
                if directory != self.directory:
                    remove_workspace(directory)

    def _hold(self, *, shared: bool) -> int:
        """Hold the lock for life; return its descriptor."""
        if shared:  # others see who lives
            self.directory.chmod(stat.S_IMODE(self.directory.stat().st_mode) | stat.S_IRGRP | stat.S_IXGRP)
        new = self.directory / ".lock.new"
        descriptor = opened(new, os.O_RDWR | os.O_CREAT, 0o600 | file_mode(self.directory) & stat.S_IRGRP)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            write_holder(descriptor, "")
            new.rename(self.lock)  # so that nobody sees a lock that is not held yet
        except BaseException:
            forks.close(descriptor)
            raise
        return descriptor

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """Yield an empty directory in it; afterwards it is removed, or kept for the next one if it is empty again.

        Making and removing one takes about half a millisecond, several times per item.
        """
        directory, is_spare = self._empty_directory(), False
        try:
            yield directory
            with suppress(OSError), os.scandir(directory) as left:
                is_spare = next(left, None) is None
        finally:
            if is_spare:
                self._spare.append(directory)
            else:
                shutil.rmtree(directory, ignore_errors=True)

    def _empty_directory(self) -> Path:
        with suppress(IndexError):
            spare = self._spare.pop()
            if os.path.isdir(spare):
                return spare
        directory = self.directory / uuid.uuid4().hex[:12]
        directory.mkdir(mode=0o700)
        return directory

    @property
    def lock(self) -> Path:
        """Its lock file."""
        return self.directory / _LOCK

    def remove(self) -> None:
        """Remove the directory and all that is in it; calling it again does nothing, nor does a forked child."""
        if self._descriptor >= 0 and os.getpid() == self._pid:
            remove_workspace(self.directory)
            forks.close(self._descriptor)
            self._descriptor = -1


def workspace_in(parent: Path) -> Workspace:
    """Make a workspace in a directory that the user has named.

    Args:
        parent: The directory; made when it is missing.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        return Workspace(parent)
    except OSError as error:
        reason = dangling(parent) or error.strerror or error
        raise StoreError(
            f"the directory {str(parent)!r} for temporary files cannot be written ({reason}); name another with "
            "--omnirec-tmp-dir, or make it writable."
        ) from error

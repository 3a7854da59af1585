"""The file ``CHKPT``: who makes one in the working directory of a run asks its Fits for a snapshot now.

Every process of the run that is in the middle of a Fit looks for it by itself, whatever its store, so that none has to
know of the others. Each holds a shared lock (``flock``) on the file until it has answered; the last of them removes it. A
moment passes before that, in which the others find it as well.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from omnibench.guest import forks

NAME = "CHKPT"

SETTLE_SECONDS = 2.5
"""So long the file stays at least after a process has found it: each process looks about once a second."""

_LOOK_SECONDS = 0.1

_MOST_BYTES = 4096
"""A larger file is somebody's data that happens to have the name, and is not removed."""

_Stamp = tuple[int, int, int]
"""Device, inode, and the time of the last change, in nanoseconds."""


def working_directory() -> Path:
    """Return the directory that this process works in; where it was removed, a path in which no file can be."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.devnull)


class ChkptFile:
    """The file ``CHKPT`` of a working directory, as one worker sees it.

    Args:
        directory: The working directory.
        notify: Called with a sentence when the file cannot be taken for a request, or not be removed.
    """

    def __init__(self, directory: Path, notify: Callable[[str], None]) -> None:
        self.path = directory / NAME
        self._notify = notify
        self._descriptor = -1
        self._stamp: _Stamp | None = None
        """Of the file that is held, or was answered last."""
        self._since = 0.0
        self._is_answered = False
        self._refused: _Stamp | None = None
        """Of a file of which was said that it is none of ours, or cannot be removed."""

    def look(self) -> bool:
        """Return whether the file is there and asks for a snapshot that this worker has not answered yet."""
        status = self._status()
        stamp = None if status is None else _stamp_of(status)
        if self._descriptor >= 0:
            if stamp is None or stamp[:2] != (self._stamp or ())[:2]:  # somebody has taken the request back
                self._let_go()
            elif not self._is_answered:
                self._stamp = stamp  # whoever touches it again meanwhile asks for the same
                return True
            elif time.monotonic() >= self._since + SETTLE_SECONDS:
                self._remove()
            return False
        if status is None or stamp is None or stamp == self._refused:
            return False
        if self._is_answered and stamp == self._stamp:  # others were not ready; they may have died since
            self._take(stamp)
            self._remove()
            return False
        return self._is_request(status, stamp) and self._take(stamp)

    def answer(self) -> None:
        """Note that this worker has done, or said, what it could; the file goes when all others have, too."""
        if self._descriptor >= 0:
            self._is_answered = True

    def settle(self) -> None:
        """Remove the file that was answered as soon as may be, before this worker turns to something else."""
        while self._descriptor >= 0 and self._is_answered:
            if time.monotonic() >= self._since + SETTLE_SECONDS:
                self._remove()
            else:
                time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Let go of the file, and remove it at once where it was answered."""
        if self._descriptor >= 0:
            if self._is_answered:
                self._remove()
            self._let_go()

    def _status(self) -> os.stat_result | None:
        try:
            return os.lstat(self.path)
        except OSError:
            return None

    def _is_request(self, status: os.stat_result, stamp: _Stamp) -> bool:
        reason = ""
        if not stat.S_ISREG(status.st_mode):
            reason = "it is no regular file"
        elif status.st_size > _MOST_BYTES:
            reason = f"with {status.st_size:,} bytes it looks like data"
        elif not os.access(self.path, os.R_OK):
            reason = "it cannot be read"
        if reason:
            self._refuse(stamp, f"{self.path} asks for no snapshot: {reason}; `touch {NAME}` makes a file that does.")
        return not reason

    def _refuse(self, stamp: _Stamp, sentence: str) -> None:
        self._refused = stamp
        self._notify(sentence)

    def _take(self, stamp: _Stamp) -> bool:
        """Open and lock the file; return whether this worker has it now."""
        try:
            with forks.undivided():
                descriptor = forks.withhold(
                    os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
                )
        except OSError:  # it has just gone
            return False
        if not _is_locked(descriptor, fcntl.LOCK_SH) or _stamp_of(os.fstat(descriptor))[:2] != stamp[:2]:
            forks.close(descriptor)  # somebody is removing it, or has put another one there
            return False
        self._descriptor, self._stamp, self._is_answered = descriptor, stamp, False
        self._since = time.monotonic()
        return True

    def _remove(self) -> None:
        """Remove the file unless others have still to answer, or it asks anew; let go of it."""
        descriptor, stamp = self._descriptor, self._stamp
        if descriptor < 0 or stamp is None:
            return
        self._is_answered = True
        status = self._status() if _is_locked(descriptor, fcntl.LOCK_EX) else None
        if status is not None and _stamp_of(status) == stamp:
            try:
                self.path.unlink(missing_ok=True)
            except OSError as error:
                reason = error.strerror or error
                self._refuse(stamp, f"{self.path} was answered and cannot be removed ({reason}); remove it.")
        self._let_go()

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            forks.close(self._descriptor)
            self._descriptor = -1


def _is_locked(descriptor: int, operation: int) -> bool:
    """Lock a file, or change its lock, unless others have it; where a file system has no locks, nobody has."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _stamp_of(status: os.stat_result) -> _Stamp:
    return status.st_dev, status.st_ino, status.st_ctime_ns

"""One publisher per key: a lease is an flock, so it ends with its process and needs no clock."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.permissions import file_mode, is_shared, make_directory
from omnibench.store.strangers import cannot_be_written, refuse_strangers

_POLL_SECONDS = 0.05

_OWNER_AND_NONCE = r"\d+\.[0-9a-z_]{8}"
"""The end of a workspace's name: the process, and what makes the name free."""


class Lease:
    """The right to publish under one key, until it is released or the process ends.

    Attributes:
        token: The fencing token, unique to this lease; it goes into every record published under it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.token = uuid.uuid4().hex
        self._descriptor = descriptor
        holder = {"token": self.token, "pid": os.getpid(), "host": platform.node()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)

    def check(self) -> None:
        """Raise unless the lock file still names this lease.

        Raises:
            StoreError: Somebody removed the file and took the lease again.
        """
        try:
            token = json.loads(self.path.read_text(encoding="utf-8"))["token"]
        except (OSError, ValueError, KeyError, TypeError):
            token = None
        if token != self.token:
            raise StoreError(f"the lease {self.path.name} was lost to another process; its result is not published")


@contextmanager
def lease(
    path: Path, on_wait: Callable[[str], None] = lambda _: None, while_waiting: Callable[[], None] = lambda: None
) -> Iterator[Lease]:
    """Hold the lease of a key, waiting for whoever has it.

    Args:
        path: The key's lock file. It stays there for good: removing lock files is what makes them race.
        on_wait: Called once with the holder's description when the lease is taken; raising gives up.
        while_waiting: Called again and again; raising gives up.
    """
    with _locked(path, fcntl.LOCK_EX, on_wait, while_waiting) as descriptor:
        yield Lease(path, descriptor)


@contextmanager
def free_leases(
    take: Callable[[str, Callable[[str], None]], AbstractContextManager[Lease]], keys: Iterable[str], busy: list[str]
) -> Iterator[dict[str, Lease]]:
    """Hold the leases of those keys that nobody else holds.

    Args:
        take: Takes the lease of a key, and calls what it is given when somebody holds it; see ``lease``.
        keys: The keys.
        busy: Gets the keys whose leases somebody holds.
    """
    with ExitStack() as stack:
        leases: dict[str, Lease] = {}
        for key in keys:
            try:
                leases[key] = stack.enter_context(take(key, _refuse_to_wait))
            except _BusyError:
                busy.append(key)
        yield leases


class _BusyError(StoreError):
    pass


def _refuse_to_wait(holder: str) -> None:
    raise _BusyError(f"{holder} computes it")


@contextmanager
def shared_use(path: Path, on_wait: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Use a store together with others; wait while somebody has it for ``exclusive_use``."""
    with _locked(path, fcntl.LOCK_SH, on_wait):
        yield


@contextmanager
def exclusive_use(path: Path) -> Iterator[None]:
    """Use a store while nobody else does.

    Raises:
        StoreError: Somebody is using it.
    """
    refuse_strangers(path.parent.parent)

    def refuse(_: str) -> None:
        raise StoreError(
            f"the store {str(path.parent.parent)!r} is in use by a run right now (or by another command). Wait for it "
            "to end, or end it; `omnibench status` shows who that is."
        )

    with cannot_be_written(path.parent.parent), _locked(path, fcntl.LOCK_EX, refuse):
        yield


@contextmanager
def _locked(
    path: Path, operation: int, on_wait: Callable[[str], None], while_waiting: Callable[[], None] = lambda: None
) -> Iterator[int]:
    make_directory(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, file_mode(path.parent))
    try:
        tries = 0
        while True:
            try:
                fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                tries += 1
                if tries == 2:  # noqa: PLR2004 - at the first it may be somebody who only asks (`is_held`)
                    on_wait(_holder(path))
                while_waiting()
                time.sleep(_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def is_held(path: Path) -> str | None:
    """Return who holds a lease right now, or None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: whoever else asks is no holder
    except BlockingIOError:
        return _holder(path)
    else:
        return None
    finally:
        os.close(descriptor)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


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
        self.directory = Path(
            tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}.", dir=parent)
        )  # 0700, and its name is free
        if is_shared(parent):  # others see who lives
            self.directory.chmod(stat.S_IMODE(self.directory.stat().st_mode) | stat.S_IRGRP | stat.S_IXGRP)
        new = self.directory / ".lock.new"
        mode = 0o600 | file_mode(self.directory) & stat.S_IRGRP
        self._descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        """Remove the directory and all that is in it; calling it again does nothing."""
        if self._descriptor >= 0:
            shutil.rmtree(self.directory, ignore_errors=True)
            os.close(self._descriptor)
            self._descriptor = -1

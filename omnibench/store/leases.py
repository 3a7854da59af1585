"""One publisher per key: a lease is an flock, so it ends with its process and needs no clock."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store import holders

_POLL_SECONDS = 0.05


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

    def refuse(_: str) -> None:
        raise StoreError(
            f"the store {str(path.parent.parent)!r} is in use by a run right now (or by another command). Wait for it "
            "to end, or end it; `omnibench status` shows who that is."
        )

    with _locked(path, fcntl.LOCK_EX, refuse):
        yield


@contextmanager
def _locked(
    path: Path, operation: int, on_wait: Callable[[str], None], while_waiting: Callable[[], None] = lambda: None
) -> Iterator[int]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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


@contextmanager
def _locked_directory(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
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
        description = f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        description = "another process"
    advice = next((locker.advice for locker in holders.lockers(path) if locker.advice), "")
    return f"{description} ({advice})" if advice else description


class Workspace:
    """A directory that is its process's own, and that others may remove when the process is dead.

    Process numbers do not tell who is dead (containers have their own), so the directory holds a lock file
    that is held for life.

    Args:
        parent: The directory to make it in; made when it is missing.
    """

    _PREFIX = "work."
    _NAME = re.compile(r"work\.\d+\.[0-9a-f]{8}")

    def __init__(self, parent: Path) -> None:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{os.getpid()}.{uuid.uuid4().hex[:8]}"
        self.directory = parent / f"{self._PREFIX}{name}"
        with _locked_directory(parent):  # whoever holds it sees no half-made ones
            self.directory.mkdir(mode=0o700)
            self._descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for directory in parent.glob(f"{self._PREFIX}*"):
                is_other_workspace = directory != self.directory and self._NAME.fullmatch(directory.name)
                if is_other_workspace and is_held(directory / ".lock") is None:
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

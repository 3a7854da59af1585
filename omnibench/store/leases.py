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
from typing import Any

from omnibench.errors import StoreError
from omnibench.paths import dangling
from omnibench.store.beneath import LinkedFileError, open_file, read_bytes, refuse_links

DIRECTORY = "leases"
"""The directory of a store's locks. It is no link, as nothing in a store is."""

_POLL_SECONDS = 0.05

_MOST_BYTES = 4096
"""Of a lock file that are read; ours have about 130."""

_LONGEST_HOST = 255


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
            token = _holder_in(self.path)["token"]
        except (OSError, ValueError, KeyError, TypeError, StoreError):
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
    base, name = _base_of(path)
    refuse_links(base, Path(name).parent)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        obstruction = dangling(path.parent) or f"{str(path.parent)!r} is no directory"
        raise StoreError(f"{obstruction}; make that directory, or remove what is in its place.") from error
    descriptor = _opened(path, os.O_RDWR | os.O_CREAT)
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
        descriptor = _opened(path, os.O_RDONLY)
    except (OSError, LinkedFileError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: whoever else asks is no holder
    except BlockingIOError:
        return _holder(path)
    else:
        return None
    finally:
        os.close(descriptor)


def _opened(path: Path, flags: int) -> int:
    """Open a lock file, which is no link."""
    base, name = _base_of(path)
    return open_file(base, name, flags)


def _base_of(path: Path) -> tuple[Path, str]:
    """Return the directory that may be a link, and what a lock file is called beneath it."""
    if path.parent.name == DIRECTORY:
        return path.parent.parent, f"{DIRECTORY}/{path.name}"
    return path.parent, path.name  # of an environment in the user's own cache, or of a workspace


def _holder_in(path: Path) -> Any:
    """Return what a lock file says of who holds it."""
    return json.loads(read_bytes(*_base_of(path), _MOST_BYTES))


def _holder(path: Path) -> str:
    try:
        holder = _holder_in(path)
        return f"process {int(holder['pid'])} on {str(holder['host'])[:_LONGEST_HOST]}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError, StoreError):
        return "another process"


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

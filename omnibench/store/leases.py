"""One publisher per key: a lease is an flock, so it ends with its process and needs no clock.

A lock outlives its process where somebody else has a copy of its descriptor. Children that Python forks have none (see
``guest.forks``); those of foreign code may. So a lock file says which process holds it, and one whose holder is dead
for certain counts as free: who wants it puts a new file in its place. ``fcntl`` locks, which no child inherits, are
no way out: a process loses them as soon as it closes the file anywhere, which reading it in another thread does.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from omnibench.errors import StoreError
from omnibench.guest import forks
from omnibench.paths import dangling
from omnibench.store import holders
from omnibench.store.beneath import LinkedFileError, open_file, read_bytes, refuse_links
from omnibench.store.permissions import make_directory
from omnibench.store.processes import described, is_dead, is_this_process, this_process
from omnibench.store.refusals import cannot_be_written
from omnibench.store.strangers import refuse_strangers

DIRECTORY = "leases"
"""The directory of a store's locks. It is no link, as nothing in a store is."""

_POLL_SECONDS = 0.05
_LOOKS_AT_THE_DEAD = 20
"""So many times in a row a lock has to be found in the name of one dead process before it counts as left behind: who has
just got it may not have written its own name yet."""

_MOST_BYTES = 4096
"""Of a lock file that are read; ours have about 130."""


class Lease:
    """The right to publish under one key, until it is released or the process ends.

    Attributes:
        token: The fencing token, unique to this lease; it goes into every record published under it.
    """

    def __init__(self, path: Path, token: str, descriptor: int) -> None:
        self.path = path
        self.token = token
        self._descriptor = descriptor
        self._pid = os.getpid()

    def check(self) -> None:
        """Raise unless the lock file still names this lease, and this process has taken it.

        Raises:
            StoreError: Somebody removed the file and took the lease again, or what it says cannot be read any more; or this
                is a forked child of the holder.
        """
        if os.getpid() != self._pid:
            raise StoreError(
                f"process {os.getpid()} was forked from process {self._pid} while that computed an item, and publishes "
                "nothing of it. A child that you fork has to end by os._exit()."
            )
        try:
            # Read by the descriptor that holds the lock: the same file, without a look at each directory on the way to it.
            is_there = _is_at(self.path, self._descriptor)
            token = json.loads(os.pread(self._descriptor, _MOST_BYTES, 0))["token"] if is_there else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            token = None
        if token != self.token:
            raise StoreError(f"the lease {self.path.name} was lost to another process; its result is not published")


@contextmanager
def lease(
    path: Path, on_wait: Callable[[str], None] = lambda _: None, while_waiting: Callable[[], None] = lambda: None
) -> Iterator[Lease]:
    """Hold the lease of a key, waiting for whoever has it.

    Args:
        path: The key's lock file. It stays there: only who has the store for ``exclusive_use`` may remove lock files.
        on_wait: Called once with the holder's description when the lease is taken; raising gives up.
        while_waiting: Called again and again; raising gives up.
    """
    token = uuid.uuid4().hex
    with _locked(path, fcntl.LOCK_EX, on_wait, while_waiting, token) as descriptor:
        yield Lease(path, token, descriptor)


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

    with ExitStack() as held:
        with cannot_be_written(path.parent.parent):
            held.enter_context(_locked(path, fcntl.LOCK_EX, refuse))
        yield  # what is refused from here on says itself what it was


@contextmanager
def _locked(
    path: Path,
    operation: int,
    on_wait: Callable[[str], None],
    while_waiting: Callable[[], None] = lambda: None,
    token: str = "",
) -> Iterator[int]:
    """Hold a lock, and yield its descriptor; with a token, the file says so, with the process that holds it."""
    base, name = _base_of(path)
    refuse_links(base, name.rpartition("/")[0])
    try:
        make_directory(path.parent)
    except FileExistsError as error:
        obstruction = dangling(path.parent) or f"{str(path.parent)!r} is no directory"
        raise StoreError(f"{obstruction}; make that directory, or remove what is in its place.") from error
    is_told = False

    def tell(holder: str) -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            on_wait(holder)

    while True:
        descriptor = opened(path, os.O_RDWR | os.O_CREAT)
        try:
            if not _await(path, descriptor, operation, tell, while_waiting, token):
                continue
            if token:
                write_holder(descriptor, token)
            if not _is_at(path, descriptor) and token:  # somebody has put another file in its place meanwhile
                continue
            pid = os.getpid()
            try:
                yield descriptor
            finally:
                if token and os.getpid() == pid:
                    with suppress(OSError):
                        os.ftruncate(descriptor, 0)  # or its next holder had the name of this one for a moment
            return
        finally:
            forks.close(descriptor)


def _await(
    path: Path,
    descriptor: int,
    operation: int,
    on_wait: Callable[[str], None],
    while_waiting: Callable[[], None],
    token: str,
) -> bool:
    """Wait until a file is locked; return whether it is, or is not the one to lock any more."""
    tries, left_behind = 0, 0
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            tries += 1
        else:
            return True
        left_behind = left_behind + 1 if token and _is_left_behind(path) else 0
        if left_behind > _LOOKS_AT_THE_DEAD:
            _replace(path)
            return False
        if tries > 1 and not left_behind:  # at the first it may be somebody who only asks (`is_held`)
            on_wait(_holder(path))
        while_waiting()
        time.sleep(_POLL_SECONDS)
        if token and tries > 1 and not _is_at(path, descriptor) and path.exists():
            return False


def _replace(path: Path) -> None:
    """Put an empty file in the place of a lock file that a dead process has left locked, unless somebody else has done so."""
    with locked_directory(path.parent):
        if _is_left_behind(path):
            fresh = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
            forks.close(opened(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL))
            fresh.replace(path)


def opened(path: Path, flags: int, mode: int | None = None) -> int:
    """Open a lock file, which is no link, so that forked children do not inherit it; ``forks.close`` closes it.

    Args:
        path: The lock file.
        flags: As for ``os.open``.
        mode: The permissions of a new one; see ``open_file``.
    """
    with forks.undivided():
        return forks.withhold(open_file(*_base_of(path), flags, mode))


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is the one that lies at a path."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except OSError:
        return False


@contextmanager
def locked_directory(directory: Path, patience: float = math.inf) -> Iterator[bool]:
    """Hold a directory's own lock, while what is in it is made, replaced or removed; yield whether it is held.

    Args:
        directory: The directory.
        patience: Seconds to wait for others, who may be strangers that hold it for ever.
    """
    with forks.undivided():
        descriptor = forks.withhold(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    try:
        yield is_free_in_time(descriptor, time.monotonic() + patience)
    finally:
        forks.close(descriptor)


def is_free_in_time(descriptor: int, deadline: float) -> bool:
    """Lock a file that others may hold; return whether it is locked.

    Args:
        descriptor: The open file.
        deadline: The moment of the monotonic clock at which to give up.
    """
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


def is_held(path: Path) -> str | None:
    """Return who holds a lease right now, or None when nobody does who lives."""
    try:
        descriptor = opened(path, os.O_RDONLY)
    except (OSError, LinkedFileError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: whoever else asks is no holder
    except BlockingIOError:
        return None if _is_left_behind(path) else _holder(path)
    else:
        return None
    finally:
        forks.close(descriptor)


def _base_of(path: Path) -> tuple[Path, str]:
    """Return the directory that may be a link, and what a lock file is called beneath it."""
    directory = path.parent
    if directory.name == DIRECTORY:
        return directory.parent, f"{DIRECTORY}/{path.name}"
    return directory, path.name  # of an environment in the user's own cache, or of a workspace


def write_holder(descriptor: int, token: str) -> None:
    """Write into a lock file which process holds it, and by which token."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"token": token, **this_process()}).encode(), 0)


def _read_holder(path: Path) -> Any:
    return json.loads(read_bytes(*_base_of(path), _MOST_BYTES))


def _holder_in(path: Path) -> Any:
    """Return what a lock file says of who holds it; None where it says nothing that can be read."""
    try:
        return _read_holder(path)
    except (OSError, ValueError, RecursionError, LinkedFileError):
        return None


def _is_left_behind(path: Path) -> bool:
    """Whether a lock file that is locked names a process that is dead for certain."""
    return is_dead(_holder_in(path))


def _holder(path: Path) -> str:
    holder = _holder_in(path)
    description = described(holder)
    if is_this_process(holder):  # nothing has stopped it; the kernel's table is long where it holds a thousand leases
        return description
    advice = next((locker.advice for locker in holders.lockers(path) if locker.advice), "")
    return f"{description} ({advice})" if advice else description

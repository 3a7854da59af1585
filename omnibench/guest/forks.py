"""Forked children hold nothing of ours: no lock of a store and no pipe between a worker and its guest.

A fork copies every descriptor, whether it closes on exec or not, and a lock (``flock``) lives as long as any copy of its
descriptor: the children of a pool would keep a dead worker's leases, and keep both ends of a pipe open. In a child, our
descriptors are therefore replaced by ``/dev/null`` before any of its code runs. They are not closed: their numbers would
be given to other files, which whoever believes to own the numbers would close.

Descriptors of SQLite stay: its locks (``fcntl``) belong to a process and are not inherited, and SQLite that finds its files
gone beneath it may take itself for the last user and remove the log. A fork waits for the end of a transaction instead,
so that a child has no half of one to roll back; see ``whole_transaction``.

Nor does a child collect its parent's garbage: what is finalized there, e.g. a connection of SQLite, may wait for a lock
that another thread of the parent had at that moment, and nobody ever releases.
"""

from __future__ import annotations

import gc
import os
import threading
import weakref
from contextlib import AbstractContextManager
from typing import Any, Protocol


class OpenFile(Protocol):
    """A file object that knows its descriptor."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def fileno(self) -> int:
        """Return the descriptor."""


_transaction = threading.RLock()
"""Held by a transaction, in which locks may be waited for and files opened; a fork holds it before the other one."""
_opening = threading.RLock()
"""Held while a file is opened or closed; nothing is waited for meanwhile."""
_descriptors: set[int] = set()
_files: weakref.WeakSet[OpenFile] = weakref.WeakSet()


def undivided() -> AbstractContextManager[bool]:
    """Let forks of other threads wait while a file is opened and withheld; only for what waits for nobody."""
    return _opening


def whole_transaction() -> AbstractContextManager[bool]:
    """Let forks of other threads wait for the end of a transaction that has begun."""
    return _transaction


def withhold(descriptor: int) -> int:
    """Withhold a descriptor from forked children, until it is closed by ``close``.

    Args:
        descriptor: A descriptor that was opened within ``undivided``, so that no child has it already.

    Returns:
        The descriptor.
    """
    _descriptors.add(descriptor)
    return descriptor


def close(descriptor: int) -> None:
    """Close a descriptor that was withheld."""
    with undivided():
        _descriptors.discard(descriptor)
        os.close(descriptor)


def withhold_file(file: OpenFile) -> None:
    """Withhold the descriptor of a file object from forked children, for as long as the object is open."""
    with undivided():
        _files.add(file)


def withhold_gateway(gateway: Any) -> None:
    """Withhold both pipes of an execnet gateway from forked children: their end tells that this process has ended."""
    for name in ("infile", "outfile"):
        withhold_file(getattr(gateway._io, name))


_collected_before: list[bool] = []
"""Whether Python collected garbage before the fork in progress; there is one at a time."""


def _before() -> None:
    _transaction.acquire()
    _opening.acquire()
    _collected_before[:] = [gc.isenabled()]
    gc.disable()


def _in_parent() -> None:
    if _collected_before == [True]:
        gc.enable()
    _opening.release()
    _transaction.release()


def _in_child() -> None:
    gc.freeze()
    _in_parent()  # the only thread that is left is the one that holds them
    descriptors = [*_descriptors, *(file.fileno() for file in _files if not file.closed)]
    _descriptors.clear()
    _files.clear()
    if not descriptors:
        return
    try:
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # there are too many open files
        nothing = -1
    for descriptor in descriptors:
        if nothing >= 0:
            os.dup2(nothing, descriptor, inheritable=False)
        else:
            os.close(descriptor)
    if nothing >= 0:
        os.close(nothing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)

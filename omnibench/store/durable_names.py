"""Names of files and directories that last: a directory is synced after a name in it was made, and before a record depends on it."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MOST_DURABLE = 32
"""Directories of which a store knows that their names are durable. Each is held open: by default a process may open 1024 files."""
_HOLDING = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_names_above(path: Path) -> None:
    """Make the name of a file or directory durable, and those of all directories above it on its file system.

    Who has made these does not matter, nor whether an attempt to make them durable has failed before.

    Raises:
        OSError: The disk refuses, or the path is not there.
    """
    device = os.stat(path).st_dev
    for directory in path.parents:
        if os.stat(directory).st_dev != device:
            return
        with suppress(PermissionError):  # who may make a name in a directory need not be allowed to read it
            sync_directory(directory)


@dataclass(frozen=True, slots=True)
class _HeldDirectory:
    """A directory that is held open, so that no other one gets its inode.

    Attributes:
        descriptor: Its descriptor.
        device: The device that it is on.
        inode: Its inode.
    """

    descriptor: int
    device: int
    inode: int

    @classmethod
    def at(cls, path: str) -> _HeldDirectory | None:
        """Hold the directory at a path; None where that cannot be done."""
        try:
            descriptor = os.open(path, _HOLDING)
        except OSError:
            return None
        status = os.fstat(descriptor)
        return cls(descriptor, status.st_dev, status.st_ino)

    def is_at(self, path: str) -> bool:
        """Whether it has this path."""
        try:
            status = os.lstat(path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == (self.device, self.inode)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


class UnsyncedNames:
    """Directories in which files or directories have names that may not be durable yet, because no record depends on them so far.

    Threads share it: who commits waits until a directory is durable that another thread is at.
    """

    def __init__(self) -> None:
        # By paths as texts: each record asks for all directories above its files, and objects of paths cost more.
        self._to_sync: dict[str, Path] = {}
        self._beneath: dict[
            str, str
        ] = {}  # directories whose names, and those above, have to be durable: each with its root
        self._noted: dict[str, _HeldDirectory] = {}  # their names become durable when their parents are synced
        self._known_durable: OrderedDict[str, _HeldDirectory] = OrderedDict()  # the one needed last comes last
        self._lock = threading.Lock()

    def note(self, directory: Path) -> None:
        """Note that a directory has got a name."""
        with self._lock:
            self._to_sync[str(directory)] = directory

    def note_ancestors(self, directory: Path, root: Path, new_directories: Iterable[Path] = ()) -> None:
        """Note the names of a directory and of those above it; ``sync`` looks which of them this has made durable itself before.

        Who has made them does not matter: another process may have done so just now, and be long in coming to its own record.

        Args:
            directory: The directory, which lies below the root.
            root: The store's directory.
            new_directories: Those of them that were made just now.
        """
        with self._lock:
            for new in new_directories:
                beneath = f"{new}/"
                for path in [path for path in self._known_durable if f"{path}/".startswith(beneath)]:
                    self._known_durable.pop(path).close()
            self._beneath[str(directory)] = str(root)

    def _look_at_names(self) -> None:
        """Note what has to be synced for the names of directories: those of all files of a phase are looked at once."""
        seen: set[str] = set()
        for directory, root in self._beneath.items():
            path = directory
            while path not in (root, "") and path not in seen:
                seen.add(path)
                parent = path.rpartition("/")[0] or os.path.dirname(path)
                if not self._is_durable(path):
                    self._note_name_of(path, parent or os.curdir)
                path = parent
        self._beneath.clear()

    def _is_durable(self, directory: str) -> bool:
        """Whether the directory that lies at a path has a name that this has made durable."""
        durable = self._known_durable.get(directory)
        if durable is None:
            return False
        if durable.is_at(directory):
            self._known_durable.move_to_end(directory)
            return True
        self._known_durable.pop(directory).close()
        return False

    def _note_name_of(self, directory: str, parent: str) -> None:
        if parent not in self._to_sync:
            self._to_sync[parent] = Path(parent)
        noted = self._noted.pop(directory, None)
        if noted is not None:
            noted.close()
        open_directory = _HeldDirectory.at(directory)
        if open_directory is not None:  # else it is synced with each record
            self._noted[directory] = open_directory

    def sync(self) -> None:
        """Make the names in all of them durable; a directory that was removed meanwhile has none.

        Raises:
            OSError: The disk refuses; what is not durable is tried again by the next call.
        """
        with self._lock:
            self._look_at_names()
            for directory, path_of_it in sorted(self._to_sync.items()):
                inside = [path for path in self._noted if (os.path.dirname(path) or os.curdir) == directory]
                try:
                    sync_directory(path_of_it)
                except FileNotFoundError:
                    for path in inside:
                        self._noted.pop(path).close()
                else:
                    for path in inside:
                        self._keep(path, self._noted.pop(path))
                del self._to_sync[directory]

    def _keep(self, path: str, directory: _HeldDirectory) -> None:
        """Keep that a directory has a durable name, unless it has lost it since that was noted."""
        if not directory.is_at(path):
            directory.close()
            return
        self._known_durable[path] = directory
        if len(self._known_durable) > _MOST_DURABLE:
            self._known_durable.popitem(last=False)[1].close()

    def close(self) -> None:
        """Let go of all directories; nothing is known to be durable any more."""
        with self._lock:
            for directory in (*self._noted.values(), *self._known_durable.values()):
                directory.close()
            self._noted.clear()
            self._known_durable.clear()

    def __del__(self) -> None:
        """Let go of them also where a store was not closed."""
        self.close()

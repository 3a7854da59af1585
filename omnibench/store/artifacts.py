"""Artifacts: files that appear complete or not at all, and are checked before they are used again."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.beneath import (
    LinkedFileError,
    has_link,
    is_reached,
    open_file,
    opened_directory,
    refuse_links,
    relative_path,
)
from omnibench.store.permissions import make_directory
from omnibench.store.schema import Artifact

UNRESOLVED = "is a link or reached through one, which is not followed"
"""What is wrong with an artifact whose path ``resolve`` does not return; no record of ours has one that leads out."""


_MOST_DURABLE = 256
"""Directories of which a process remembers that their names are durable: each item has one of its own."""


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class UnsyncedNames:
    """Directories in which files or directories have names that may not be durable yet, because no record depends on them so far.

    Threads share it: who commits waits until a directory is durable that another thread is at.
    """

    def __init__(self) -> None:
        self._directories: set[Path] = set()
        self._undurable: dict[
            Path, tuple[int, int]
        ] = {}  # directories whose own names are in those, with device and inode
        self._durable: dict[Path, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def note(self, directory: Path) -> None:
        """Note that a directory has got a name."""
        with self._lock:
            self._directories.add(directory)

    def note_way(self, directory: Path, root: Path, new_directories: Iterable[Path] = ()) -> None:
        """Note the names of a directory and of those above it, but for those that this process has made durable itself.

        Who has made them does not matter: another process may have done so just now, and be long in coming to its own record.

        Args:
            directory: The directory, which lies below the root.
            root: The store's directory.
            new_directories: Those of them that were made just now; one that was removed before may have had the same inode.

        Raises:
            OSError: One of them is not there.
        """
        with self._lock:
            for new in new_directories:
                self._durable.pop(new, None)
            while directory != root:
                status = os.lstat(directory)
                identity = status.st_dev, status.st_ino
                if self._durable.get(directory) == identity:  # and so are those above it
                    return
                self._undurable[directory] = identity
                directory = directory.parent
                self._directories.add(directory)

    def sync(self) -> None:
        """Make the names in all of them durable; a directory that was removed meanwhile has none.

        Raises:
            OSError: The disk refuses; what is not durable is tried again by the next call.
        """
        with self._lock:
            for directory in sorted(self._directories):
                with suppress(FileNotFoundError):
                    sync_directory(directory)
                self._directories.discard(directory)
            if len(self._durable) >= _MOST_DURABLE:
                self._durable.clear()
            self._durable.update(self._undurable)
            self._undurable.clear()


def sync_tree(directory: Path) -> None:
    """Make every file and directory below a directory durable."""
    for path in [directory, *directory.rglob("*")]:
        if path.is_dir():
            sync_directory(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(file: Path, content: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a file durably and atomically: its readers see the old content or the new one, never a part.

    Args:
        file: The file, links followed; one that is there keeps its permissions.
        content: The new content, or the parts of it, one after the other.

    Raises:
        OSError: It could not be written; what was there is as it was.
    """
    scratch = scratch_beside(file)
    try:
        with scratch.open("xb") as opened:
            opened.writelines([content] if isinstance(content, bytes) else content)
            if file.exists():
                os.fchmod(opened.fileno(), stat.S_IMODE(file.stat().st_mode))
            opened.flush()
            os.fsync(opened.fileno())
        scratch.replace(file)
        sync_directory(file.parent)
    except BaseException:  # parts are made while they are written, which may fail in any way
        with suppress(OSError):
            scratch.unlink()
        raise


def scratch_beside(file: Path) -> Path:
    """Return a free name on the same file system."""
    return file.with_name(f".{uuid.uuid4().hex}.partial")


def publish(
    partial: Path, final: Path, root: Path, unsynced: UnsyncedNames | None = None, *, is_new: bool = False
) -> Artifact:
    """Move a finished file to where its readers look, durably, and describe it.

    Args:
        partial: The file, on the same file system.
        final: The path that it gets; a file that is there is replaced.
        root: The store's directory, which the described path is relative to.
        unsynced: Gets the names that the caller makes durable before a record depends on them; without it they are durable
            when this returns.
        is_new: Whether no record names the path, and nobody takes a file there for a whole one. Then the file is moved first
            and synced where it lies, which writes to a file system's journal once in the place of twice: its sync has the
            name in it as well. A file that is there is replaced by a synced one all the same.

    Raises:
        StoreError: It would lie outside of the store.
        OSError: The disk refuses; nothing has been put at the path.
    """
    relative = relative_path(final, root)
    directory, name = os.path.split(relative)
    was_reached = is_reached(root, directory)
    if not was_reached:
        refuse_links(root, directory)
    with open(partial, "rb", buffering=0) as file:
        written = _written(os.fstat(file.fileno()))
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if not was_reached:
            make_directories(final.parent, root, unsynced)
        with opened_directory(root, directory) as parent:
            is_first = is_new and not _is_there(name, parent)
            if not is_first:
                os.fsync(file.fileno())
            os.replace(partial, name, dst_dir_fd=parent)
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if is_first:
                try:
                    os.fsync(file.fileno())
                except BaseException:
                    with suppress(OSError):
                        os.unlink(name, dir_fd=parent)
                    raise
    if unsynced is None:
        sync_directory(final.parent)
    else:
        unsynced.note(final.parent)
    if _written(status) != written:
        raise StoreError(f"{final} was written to while it was published; nothing but omnibench may write there.")
    return _described(relative, sha256, status)


def _is_there(name: str, directory: int) -> bool:
    """Whether a directory, by its descriptor, has anything of a name."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _written(status: os.stat_result) -> tuple[int, int, int]:
    """Return what writing to a file changes, and renaming it does not."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def describe(path: Path, root: Path, sha256: str) -> Artifact:
    """Describe a file that stands where its readers look."""
    return _described(relative_path(path, root), sha256, path.lstat())


def _described(path: str, sha256: str, status: os.stat_result) -> Artifact:
    described = {"path": path, "size": status.st_size, "sha256": sha256}
    return {**described, "stat": _stat(status)}  # type: ignore[typeddict-item]  # mypy does not see the keys


def _stat(status: os.stat_result) -> list[int]:
    """Return what changes whenever somebody writes to a file or puts another in its place."""
    return [status.st_ino, status.st_mtime_ns, status.st_ctime_ns]


def refuse_outside(path: Path, root: Path) -> None:
    """Raise StoreError when a path leads out of the store, or its directory is reached through a link."""
    refuse_links(root, os.path.dirname(relative_path(path, root)))


def make_directories(directory: Path, root: Path, unsynced: UnsyncedNames | None = None) -> None:
    """Create a directory below the root, with durable names for whom the store is for.

    Args:
        directory: The directory; one that is there stays as it is.
        root: The store's directory.
        unsynced: Gets the names that the caller makes durable before a record depends on them; without it those of
            directories that are made here are durable when this returns.

    Raises:
        StoreError: It would lie outside of the root, or be reached through a link.
    """
    relative = relative_path(directory, root)
    missing: list[Path] = []
    if not is_reached(root, relative):
        refuse_links(root, relative)
        existing = directory
        while existing != root and not existing.exists():
            missing.append(existing)
            existing = existing.parent
        for absent in reversed(missing):
            make_directory(absent)
            if unsynced is None:
                sync_directory(absent.parent)
    if unsynced is not None:
        unsynced.note_way(directory, root, missing)


def resolve(artifact: Artifact, root: Path) -> Path | None:
    """Return the artifact's path, or None when that leads out of the store, or is a link or reached through one."""
    try:
        return None if has_link(root, artifact["path"]) else root / artifact["path"]
    except LinkedFileError:
        return None


def is_intact(artifact: Artifact, root: Path, verify: str = "full") -> bool:
    """Whether the file is there and is what was recorded.

    Args:
        artifact: The description of the file in its record.
        root: The store's directory.
        verify: ``full`` compares size and sha256; ``stat`` trusts a file whose inode and times are those of the
            moment when it was recorded, and looks at the others in full; ``off`` compares the size alone.
    """
    try:
        with os.fdopen(open_file(root, artifact["path"]), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size != artifact["size"]:
                return False
            if verify == "off" or (verify == "stat" and artifact.get("stat") == _stat(status)):
                return True
            return hashlib.file_digest(file, "sha256").hexdigest() == artifact["sha256"]
    except (OSError, LinkedFileError):
        return False


def set_aside(artifact: Artifact, root: Path) -> Path | None:
    """Rename a damaged file so that nobody reads it and somebody can look at it; return its new path."""
    path = resolve(artifact, root)
    if path is None or not path.exists():
        return None
    return path.replace(aside_name(path))


def aside_name(path: Path) -> Path:
    """Return a free name beside a path for what is set aside."""
    return path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}")

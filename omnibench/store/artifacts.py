"""Artifacts: files that appear complete or not at all, and are checked before they are used again."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from omnibench.errors import StoreError
from omnibench.store.at_once import take_at_once
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


_LARGE = 1 << 24
"""Bytes of files that take a disk longer than a sync of less."""


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _OpenFile:
    """A file that is closed when nobody needs it any more: a thread may still sync it when the one that waits is interrupted.

    Args:
        path: Where it lies.
        descriptor: Its descriptor, which is this object's.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @property
    def size(self) -> int:
        """Its bytes."""
        return os.fstat(self._descriptor).st_size

    def sync(self) -> None:
        """Make its content durable."""
        os.fsync(self._descriptor)

    def __del__(self) -> None:
        os.close(self._descriptor)


class Unsynced:
    """Files, and directories with new names, that are not durable yet, because no record depends on them so far.

    Threads share the directories: who commits waits until one is durable that another thread is at. Files are those of the
    thread that has published them, which hears of it if one cannot be written.
    """

    def __init__(self) -> None:
        self._directories: set[Path] = set()
        self._lock = threading.Lock()
        self._of_thread = threading.local()

    def note(self, directory: Path) -> None:
        """Note that a directory has got a name."""
        with self._lock:
            self._directories.add(directory)

    def note_file(self, path: Path, file: BinaryIO) -> None:
        """Note that the content of a file is not durable.

        Args:
            path: Where it lies.
            file: The file, open; it may be closed.
        """
        self._files.append(_OpenFile(path, os.dup(file.fileno())))

    @property
    def _files(self) -> list[_OpenFile]:
        """What this thread has published since its last commit."""
        try:
            files: list[_OpenFile] = self._of_thread.files
        except AttributeError:
            files = self._of_thread.files = []
        return files

    def sync(self) -> None:
        """Make them durable: the files of this thread, and the names in all directories, all at once.

        Raises:
            OSError: The disk refuses. The files are removed, since the system may say of one next time that it was written;
                names are tried again by the next call.
        """
        files, self._of_thread.files = self._files, []
        actions = [file.sync for file in files]
        try:
            if sum(file.size for file in files) > _LARGE:  # other threads do not wait for them
                take_at_once(actions)
                actions = []
            with self._lock:
                directories = sorted(self._directories)
                take_at_once([*actions, *(functools.partial(_sync_names, directory) for directory in directories)])
                self._directories.clear()
        except OSError:
            for file in files:
                with suppress(OSError):
                    file.path.unlink()
            raise


def _sync_names(directory: Path) -> None:
    with suppress(FileNotFoundError):  # one that was removed meanwhile has no names
        sync_directory(directory)


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


def publish(partial: Path, final: Path, root: Path, unsynced: Unsynced | None = None) -> Artifact:
    """Move a finished file to where its readers look, and describe it.

    Args:
        partial: The file, on the same file system.
        final: The path that it gets; a file that is there is replaced.
        root: The store's directory, which the described path is relative to.
        unsynced: Hears of what is not durable when this returns, and is to be before a record depends on it; without it,
            content and name are. Where the file replaces another, which a record may name, its content is.

    Raises:
        StoreError: It would lie outside of the store.
    """
    relative = relative_path(final, root)
    directory, name = os.path.split(relative)
    was_reached = is_reached(root, directory)
    if not was_reached:
        refuse_links(root, directory)
    with open(partial, "rb") as file:
        is_synced = unsynced is None or os.path.lexists(final)
        if is_synced:
            os.fsync(file.fileno())
        written = _written(os.fstat(file.fileno()))
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if not was_reached:
            make_directories(final.parent, root, sync_directory if unsynced is None else unsynced.note)
        with opened_directory(root, directory) as parent:
            os.replace(partial, name, dst_dir_fd=parent)
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if unsynced is not None:
            unsynced.note(final.parent)
            if not is_synced:
                unsynced.note_file(final, file)
    if unsynced is None:
        sync_directory(final.parent)
    if _written(status) != written:
        raise StoreError(f"{final} was written to while it was published; nothing but omnibench may write there.")
    return _described(relative, sha256, status)


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


def make_directories(directory: Path, root: Path, named: Callable[[Path], None] = sync_directory) -> None:
    """Create a directory below the root, for whom the store is for.

    Args:
        directory: The directory.
        root: The store's directory.
        named: Called with each directory in which a name was made; by default it makes the names durable.

    Raises:
        StoreError: It would lie outside of the root, or be reached through a link.
    """
    relative = relative_path(directory, root)
    if is_reached(root, relative):
        return
    refuse_links(root, relative)
    missing = []
    while directory != root and not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for absent in reversed(missing):
        make_directory(absent)
        named(absent.parent)


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

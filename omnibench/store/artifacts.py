"""Artifacts: files that appear complete or not at all, and are checked before they are used again."""

from __future__ import annotations

import hashlib
import os
import stat
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store import durable_names
from omnibench.store.beneath import (
    LinkedFileError,
    has_link,
    is_reached,
    open_directory,
    open_file,
    refuse_links,
    relative_path,
)
from omnibench.store.durable_names import UnsyncedNames
from omnibench.store.permissions import make_directory
from omnibench.store.schema import Artifact

_SMALL_BYTES = 1 << 18
"""Up to so many bytes, a file is read at once."""

UNRESOLVED = "is a link or reached through one, which is not followed"
"""What is wrong with an artifact whose path ``resolve`` does not return; no record of ours has one that leads out."""


def sync_tree(directory: Path) -> None:
    """Make every file and directory below a directory durable."""
    for path in [directory, *directory.rglob("*")]:
        if path.is_dir():
            durable_names.sync_directory(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    with open(path, "rb", buffering=0) as file:
        return _sha256_in(file, os.fstat(file.fileno()).st_size)


def _sha256_in(file: FileIO, size: int) -> str:
    """Return the sha256 of an open file of about a size; of small ones without the buffer that large ones are read by."""
    digest = hashlib.sha256(file.readall()) if size <= _SMALL_BYTES else hashlib.file_digest(file, "sha256")
    return digest.hexdigest()


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
        durable_names.sync_directory(file.parent)
    except BaseException:  # parts are made while they are written, which may fail in any way
        with suppress(OSError):
            scratch.unlink()
        raise


def scratch_beside(file: Path) -> Path:
    """Return a free name on the same file system."""
    return file.with_name(f".{uuid.uuid4().hex}.partial")


def publish(
    partial: Path, final: Path, root: Path, unsynced: UnsyncedNames, *, is_unrecorded: bool = False
) -> Artifact:
    """Move a finished file to where its readers look, durably, and describe it.

    Args:
        partial: The file, on the same file system.
        final: The path that it gets; a file that is there is replaced.
        root: The store's directory, which the described path is relative to.
        unsynced: Gets the names that the caller makes durable before a record depends on them.
        is_unrecorded: Whether no record names the path, and nobody takes a file there for a whole one. Then a first file is
            put there before it is synced, which writes to a file system's journal once in the place of twice: its sync has
            the name in it as well.

    Raises:
        StoreError: It would lie outside of the store.
        OSError: The disk refuses; what was at the path is there as it was, and where nothing was, there may be a file that is
            not durable, if ``is_unrecorded``.
    """
    relative = relative_path(final, root)
    directory, _, name = relative.rpartition("/")
    folder = final.parent
    was_reached = is_reached(root, directory)
    if not was_reached:
        refuse_links(root, directory)
    with open(partial, "rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        sha256 = _sha256_in(file, before.st_size)
        if not was_reached:
            make_directories(folder, root, unsynced)
        parent = open_directory(root, directory)
        try:
            status = _move_and_sync(partial, file.fileno(), name, parent, is_unrecorded=is_unrecorded)
        finally:
            os.close(parent)
    unsynced.note(folder)
    unsynced.note_ancestors(folder, root)  # also those that another store of this process has reached
    _refuse_changed(final, before, status)
    return _described(relative, sha256, status)


def publish_unsynced(partial: Path, final: Path, root: Path) -> tuple[Artifact, bytes]:
    """Move a small finished file to where its readers look, and describe it. Neither it nor its name is durable then.

    Args:
        partial: The file, on the same file system.
        final: The path that it gets; a file that is there is replaced.
        root: The store's directory, which the described path is relative to.

    Returns:
        The description, and the file's content.

    Raises:
        StoreError: It would lie outside of the store, or was written to meanwhile.
        OSError: The disk refuses; what was at the path is there as it was.
    """
    relative = relative_path(final, root)
    directory, _, name = relative.rpartition("/")
    make_directories(final.parent, root, None)
    with open(partial, "rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        content = file.readall()
    parent = open_directory(root, directory)
    try:
        os.replace(partial, name, dst_dir_fd=parent)
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    finally:
        os.close(parent)
    _refuse_changed(final, before, status)
    return _described(relative, hashlib.sha256(content).hexdigest(), status), content


def _refuse_changed(final: Path, before: os.stat_result, status: os.stat_result) -> None:
    if _written(status) != _written(before):
        raise StoreError(f"{final} was written to while it was published; nothing but omnibench may write there.")


def _move_and_sync(partial: Path, descriptor: int, name: str, parent: int, *, is_unrecorded: bool) -> os.stat_result:
    """Give a file its name in a directory, make its content durable, and return what it is then.

    Args:
        partial: The file.
        descriptor: It, opened.
        name: The name.
        parent: The directory's descriptor.
        is_unrecorded: See ``publish``.
    """
    if is_unrecorded and _has_linked(partial, name, parent):
        # Where this fails the file stays: another process may have put a durable one there meanwhile, and recorded it.
        os.fsync(descriptor)
        os.unlink(partial)
    else:
        os.fsync(descriptor)
        os.replace(partial, name, dst_dir_fd=parent)
    return os.stat(name, dir_fd=parent, follow_symlinks=False)


def _has_linked(partial: Path, name: str, parent: int) -> bool:
    """Give a file a name in a directory beside the one that it has; False where something has it, or files have one name only."""
    try:
        os.link(partial, name, dst_dir_fd=parent, follow_symlinks=False)
    except (OSError, NotImplementedError):
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


def make_directories(directory: Path, root: Path, unsynced: UnsyncedNames | None) -> None:
    """Create a directory below the root, for whom the store is for.

    Args:
        directory: The directory; one that is there stays as it is.
        root: The store's directory.
        unsynced: Gets the names of the directory and of those above it, which the caller makes durable before a record depends
            on them; None where they do not have to be durable.

    Raises:
        StoreError: It would lie outside of the root, or be reached through a link.
    """
    relative = relative_path(directory, root)
    missing: list[Path] = []
    if not is_reached(root, relative):
        refuse_links(root, relative)
        existing = directory
        while existing != root and not os.path.exists(existing):
            missing.append(existing)
            existing = existing.parent
        for absent in reversed(missing):
            make_directory(absent)
    if unsynced is not None:
        unsynced.note_ancestors(directory, root, missing)


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
        with os.fdopen(open_file(root, artifact["path"]), "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if status.st_size != artifact["size"]:
                return False
            if verify == "off" or (verify == "stat" and artifact.get("stat") == _stat(status)):
                return True
            return _sha256_in(file, status.st_size) == artifact["sha256"]
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

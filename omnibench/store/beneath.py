"""Files beneath a store's directory: opened component by component, and never through a link.

A store may come from anybody, and a link in it may lead anywhere: to a file that a run would write into, or to one that
it would take for its own. So no link in a store is followed, also none that stays inside. The directory itself may be
one, and so may its parents: that is the user's own choice.

What is opened by path all the same, by SQLite above all, is looked at first with ``refuse_links``.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.permissions import file_mode, mode_beneath

_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
OF_ALL = (
    *(
        "STORE.json",
        "leases",
        "leases/opening.lock",
        "leases/store.lock",
        "tmp",
        "requests",
        "datasets",
        "records.jsonl",
    ),
    *("store", *(f"store/cache.db{ending}" for ending in ("", "-wal", "-shm", "-journal"))),
    *(f"logs.db{ending}" for ending in ("", "-wal", "-shm", "-journal")),
    *("out.log", "err.log", "progress.json", "results.json", "damaged-records.jsonl"),
)
"""What every store may have beside the directories of its datasets and items. Part of it is opened by path: by SQLite."""

_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # who opens a pipe would wait for its other end


class LinkedFileError(StoreError):
    """A name in a store is a link, or no file of the expected type, so it is not touched."""


def _parts(relative: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names on the way to a path, as texts: many paths are looked at per item, and objects of them cost more."""
    text = os.fspath(relative)
    parts = tuple(part for part in text.split("/") if part not in ("", "."))
    if text.startswith("/") or ".." in parts or "\0" in text:
        raise LinkedFileError(f"{text!r} leads out of the checkpoint directory; nothing is read or written there")
    return parts


def relative_path(path: Path, root: Path) -> str:
    """Return a path relative to a store's directory, as text; empty for the directory itself.

    Raises:
        LinkedFileError: It does not lie beneath it.
    """
    text, base = str(path), f"{root}/"  # of the root of a file system neither matches, which is looked at below
    if text.startswith(base) and "/../" not in f"/{text}/":
        return text[len(base) :]
    if path.is_relative_to(root) and ".." not in path.parts:  # the root itself, or one that is relative
        return "" if path == root else path.relative_to(root).as_posix()
    raise LinkedFileError(
        f"{str(path)!r} is outside of the checkpoint directory {str(root)!r}; nothing is written there"
    )


def _refusal(path: Path) -> LinkedFileError:
    try:
        target = f" to {os.readlink(path)!r}"
    except OSError:
        target = ""
    if not target:
        return LinkedFileError(f"{str(path)!r} is no regular file or directory, so it is not touched; remove it.")
    return LinkedFileError(
        f"{str(path)!r} is a link{target}. Links inside of a checkpoint directory are not followed, so nothing is read or "
        "written there. Replace it by what it leads to; to keep checkpoints on another disk, make the whole directory a "
        "link, or choose one there with --omnirec-checkpoint-dir."
    )


_reached: dict[str, tuple[int, int]] = {}
"""Directories that were reached through no link, by path, with device and inode: the same one need not be reached again."""
_MOST_REACHED = 256


def _note_reached(path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        if len(_reached) >= _MOST_REACHED:
            _reached.clear()
        _reached[path] = status.st_dev, status.st_ino


def _is_reached(path: str) -> bool:
    """Whether the directory lies at a path that was reached through no link before."""
    identity = _reached.get(path)
    if identity is None:
        return False
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity


def is_reached(root: Path, relative: str | os.PathLike[str]) -> bool:
    """Whether the directory lies at a path beneath a store's that this process has reached before, through no link."""
    return _is_reached("/".join((str(root), *_parts(relative))))


def _left(root: Path, relative: str | os.PathLike[str]) -> tuple[str, tuple[str, ...]]:
    """Return the directory from which the way to a path has to be looked at, and the names that are left of it."""
    parts = _parts(relative)
    for length in (len(parts), len(parts) - 1):
        if length > 0 and _is_reached(path := "/".join((str(root), *parts[:length]))):
            return path, parts[length:]
    return str(root), parts


def has_link(root: Path, relative: str | os.PathLike[str]) -> bool:
    """Whether a path beneath a store's directory, or a directory on its way, is a link."""
    path, left = _left(root, relative)
    for part in left:
        path = f"{path}/{part}"
        try:
            status = os.lstat(path)
        except OSError:
            return False
        if stat.S_ISLNK(status.st_mode):
            return True
        _note_reached(path, status)
    return False


def refuse_links(root: Path, *names: str | os.PathLike[str]) -> None:
    """Refuse a store in which one of some files or directories is a link, or neither; those that are missing are not.

    Args:
        root: The store's directory.
        names: Their paths, relative to it.

    Raises:
        LinkedFileError: One of them is a link, or reached through one.
    """
    present: dict[str, bool] = {}
    for name in names:
        path, left = _left(root, name) if len(names) == 1 else (str(root), _parts(name))
        for part in left:
            path = f"{path}/{part}"
            if path not in present:  # the files of the database have one directory
                present[path] = _is_present(path)
            if not present[path]:
                break


def _is_present(path: str) -> bool:
    """Whether a file or directory is there; what is neither is refused."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise _refusal(Path(path))
    _note_reached(path, status)
    return True


def paths_like(root: Path, pattern: str) -> list[Path]:
    """Return what fits a pattern beneath a store's directory, sorted; unlike ``Path.glob``, without following links.

    Args:
        root: The store's directory.
        pattern: Patterns of names, by slashes, e.g. ``*-*/*-*/fold_*``.
    """
    paths = [root]
    for part in pattern.split("/"):
        inner: list[Path] = []
        for path in paths:
            with suppress(NotADirectoryError, FileNotFoundError), os.scandir(path) as entries:
                inner += [path / entry.name for entry in entries if _fits(entry, part)]
        paths = inner
    return sorted(paths)


def _fits(entry: os.DirEntry[str], pattern: str) -> bool:
    return fnmatch.fnmatchcase(entry.name, pattern) and not entry.is_symlink()


def tree(root: Path, relative: str | os.PathLike[str]) -> Path:
    """Return the path of a directory beneath a store's, in which no file is a link; for those who read it by path.

    Args:
        root: The store's directory.
        relative: The directory's path, relative to it; it need not be there.

    Raises:
        LinkedFileError: It, a directory on its way, or something in it is a link.
    """
    refuse_links(root, relative)
    for directory, directories, names in os.walk(root / relative):
        for name in (*directories, *names):
            path = Path(directory, name)
            if not (path.is_dir() or path.is_file()) or path.is_symlink():
                raise _refusal(path)
    return root / relative


@contextmanager
def opened_directory(root: Path, relative: str | os.PathLike[str]) -> Iterator[int]:
    """Open a directory beneath a store's, and close it again.

    Args:
        root: The store's directory, which may be a link.
        relative: The path of a directory, relative to it.

    Raises:
        LinkedFileError: It, or a directory on its way, is a link.
        OSError: It is not there.
    """
    descriptor = open_directory(root, relative)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_directory(root: Path, relative: str | os.PathLike[str]) -> int:
    """Open a directory beneath a store's, and return its descriptor; see ``opened_directory``."""
    return _open_directory(root, _parts(relative))


def _open_directory(root: Path, parts: Sequence[str]) -> int:
    descriptor = _open_reached("/".join((str(root), *parts)))
    return _open_stepwise(root, parts) if descriptor is None else descriptor


def _open_reached(path: str) -> int | None:
    """Open the directory that was reached at a path before; None where it was not, or another one lies there now."""
    if path not in _reached:
        return None
    try:
        descriptor = os.open(path, _DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if _reached.get(path) == (status.st_dev, status.st_ino):
        return descriptor
    os.close(descriptor)
    return None


def _open_stepwise(root: Path, parts: Sequence[str]) -> int:
    """Open a directory beneath a store's, each on the way from the one before it; see ``opened_directory``."""
    descriptor = os.open(root, _DIRECTORY)
    path = str(root)
    try:
        for part in parts:
            path = f"{path}/{part}"
            try:
                inner = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            except OSError as error:
                if os.path.islink(path):
                    raise _refusal(Path(path)) from error
                raise
            os.close(descriptor)
            descriptor = inner
        _note_reached(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_file(root: Path, relative: str | os.PathLike[str], flags: int = os.O_RDONLY, mode: int | None = None) -> int:
    """Open a regular file beneath a store's directory, and return its descriptor.

    Args:
        root: The store's directory, which may be a link.
        relative: The file's path, relative to it.
        flags: As for ``os.open``.
        mode: The permissions of a file that is created; by default for whom its directory is for.

    Raises:
        LinkedFileError: It is a link or no regular file, or a directory on its way is a link.
        OSError: It cannot be opened.
    """
    *parents, name = _parts(relative)
    parent = _open_directory(root, parents)
    try:
        if mode is None:
            mode = _file_mode_in(root, parents, parent) if flags & os.O_CREAT else 0
        descriptor = os.open(name, (flags & ~os.O_TRUNC) | _SAFE, mode, dir_fd=parent)
    except OSError as error:
        if _is_odd(parent, name):
            raise _refusal(root / relative) from error
        raise
    finally:
        os.close(parent)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refusal(root / relative)  # noqa: TRY301 - the descriptor is to be closed all the same
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _file_mode_in(root: Path, parents: Sequence[str], parent: int) -> int:
    """Return the mode of a new file in an open directory; see ``permissions.file_mode``."""
    return mode_beneath(os.fstat(parent).st_mode) if parents else file_mode(root)


def _is_odd(parent: int, name: str) -> bool:
    """Whether a name is there and neither a file nor a directory."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def read_bytes(root: Path, relative: str | os.PathLike[str], most: int = -1) -> bytes:
    """Return the content of a file beneath a store's directory, or its first bytes; see ``open_file``."""
    with os.fdopen(open_file(root, relative), "rb") as file:
        return file.read(most)


def write_new(root: Path, relative: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file beneath a store's directory that takes the place of whatever has its name; return its path.

    Raises:
        LinkedFileError: A directory on its way is a link.
        OSError: It cannot be written.
    """
    *parents, name = _parts(relative)
    with opened_directory(root, "/".join(parents)) as parent, suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)
    with os.fdopen(open_file(root, relative, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(content)
    return root / relative

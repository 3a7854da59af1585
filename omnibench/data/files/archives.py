"""Members of archives as paths that go through the archive: ``ml-1m.zip/ml-1m/ratings.dat``."""

from __future__ import annotations

import fnmatch
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from omnibench.errors import DataError

_SHOWN_MEMBERS = 8


def is_archive(path: Path) -> bool:
    """Whether a path's suffix is that of an archive."""
    return path.suffix.lower() == ".zip"


def archive_of(path: Path) -> Path:
    """Return the archive that a path goes through; the path itself where it goes through none."""
    if path.exists():
        return path
    return next((parent for parent in path.parents if parent.is_file() and is_archive(parent)), path)


def size_of(path: Path) -> int:
    """Return the number of bytes of a file, or of the member of an archive when it is unpacked."""
    archive = archive_of(path)
    if archive == path:
        return path.stat().st_size
    with zipfile.ZipFile(archive) as file:
        return file.getinfo(_name_in(archive, path)).file_size


def member_path(archive: Path, pattern: str | None) -> Path:
    """Return the path through an archive to its only member, or the only one that a pattern names.

    Args:
        archive: The archive.
        pattern: The member's name, or a pattern of it such as ``*/ratings.csv``; None for the only one.

    Raises:
        DataError: There are several, or none; the error lists them.
    """
    names = _members(archive)
    chosen = [name for name in names if pattern is None or fnmatch.fnmatchcase(name, pattern)]
    if len(chosen) == 1:
        return archive / chosen[0]
    if not names:
        raise DataError(f"{archive} is an archive without files; check the path.")
    shown = ", ".join(map(repr, names[:_SHOWN_MEMBERS])) + (", ..." if len(names) > _SHOWN_MEMBERS else "")
    if pattern is not None and not chosen:
        raise DataError(f"{archive.name} has no member {pattern!r}. It has {shown}.")
    example = chosen[0] if chosen else names[0]
    problem = f"has {len(names)} files" if pattern is None else f"has {len(chosen)} files that {pattern!r} names"
    raise DataError(f"{archive.name} {problem}: {shown}. Say which one to read, e.g. member={example!r}.")


def open_member(archive: Path, path: Path) -> IO[bytes]:
    """Open the member of an archive that a path leads to.

    Raises:
        DataError: There is no such member, or it is encrypted.
    """
    name = _name_in(archive, path)
    try:
        return zipfile.ZipFile(archive).open(name)
    except RuntimeError as error:  # zipfile's word for a password that is missing
        raise DataError(f"{path} is encrypted; unpack it, and give the file.") from error


def _name_in(archive: Path, path: Path) -> str:
    wanted = PurePosixPath(path.relative_to(archive).as_posix())
    name = next((name for name in _members(archive) if PurePosixPath(name) == wanted), None)
    if name is None:
        raise DataError(f"{archive} has no member {str(wanted)!r} any more; check the file.")
    return name


def _members(archive: Path) -> list[str]:
    """Return the names of the files in an archive, without what macOS adds to them."""
    try:
        with zipfile.ZipFile(archive) as file:
            names = [member.filename for member in file.infolist() if not member.is_dir()]
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{archive} is damaged or cut off: {error}. It was not copied or downloaded completely; fetch it again."
        ) from error
    return [name for name in names if not name.startswith("__MACOSX/") and not PurePosixPath(name).name.startswith(".")]

"""Paths that go through an archive to one of its members: ``ml-1m.zip/ml-1m/ratings.dat``."""

from __future__ import annotations

import zipfile
from pathlib import Path

from omnibench.data.files.archives import ARCHIVE_SUFFIXES
from omnibench.data.files.members import RawFile, members


def is_archive(path: Path) -> bool:
    """Whether a path's name is that of an archive."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def archive_in(path: Path) -> Path:
    """Return the archive that a path goes through; the path itself where it goes through none."""
    if path.exists():
        return path
    return next((parent for parent in path.parents if is_archive(parent) and parent.is_file()), path)


def member_paths(archive: Path, pattern: str | None) -> list[Path]:
    """Return the paths through an archive to its only member, or to those that a pattern names.

    Args:
        archive: The archive.
        pattern: A member's name, or a pattern of several such as ``*/ratings.csv``; None for the only one.

    Raises:
        DataError: There is none, or the archive is none or has several; the error lists them.
    """
    files = members(archive, [] if pattern is None else [pattern])
    return [archive / file.member.replace("!", "/") for file in files]


def raw_file(path: Path) -> RawFile:
    """Return a path as a file, or as the member of an archive, which may be in another archive."""
    archive = archive_in(path)
    if archive == path:
        return RawFile(path)
    member = ""
    for part in path.relative_to(archive).parts:
        separator = "" if not member else "!" if member.lower().endswith(ARCHIVE_SUFFIXES) else "/"
        member += separator + part
    return RawFile(archive, member)


def size_of(path: Path) -> int:
    """Return the number of bytes of a file, or about that of the member of an archive."""
    archive = archive_in(path)
    member = raw_file(path).member.split("!")[0]
    if not member or not zipfile.is_zipfile(archive):
        return archive.stat().st_size
    with zipfile.ZipFile(archive) as file:
        return sum(entry.file_size for entry in file.infolist() if entry.filename == member)

"""Raw files of a data set: files, files in folders, and members of archives, also of archives within archives."""

from __future__ import annotations

import fnmatch
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from omnibench.data.files.archives import ARCHIVE_SUFFIXES, BROKEN_MEMBERS, Archive, archive_of, refuse_outside
from omnibench.data.files.compression import begin, owning
from omnibench.errors import DataError

_LISTED = 8
"""Members that an error lists."""

_INNER = re.compile(rf"((?:{'|'.join(map(re.escape, ARCHIVE_SUFFIXES))}))!", re.IGNORECASE)
"""Where the name of an archive ends and that of its member begins."""


class RawFile(NamedTuple):
    """A file, or a member of an archive.

    Attributes:
        path: The file on disk.
        member: The member's name; ``inner.tar!ratings.csv`` is one of an archive inside of the archive, an empty text the
            whole file.
    """

    path: Path
    member: str = ""

    @property
    def label(self) -> str:
        """What errors call it."""
        return f"{self.path}!{self.member}" if self.member else str(self.path)


def members(path: Path, patterns: Sequence[str] = ()) -> list[RawFile]:
    """Return the raw files that a file, an archive or a folder holds.

    Args:
        path: A file; a zip, tar or 7z archive, told by its content; or a folder, as an archive is unpacked into.
        patterns: Names of members, or patterns as ``fnmatch`` has them; ``inner.tar!*.csv`` are members of an archive inside
            of the archive. A folder around all members may be left out. Without any, an archive has to have a single
            member. A file that is no archive is itself the member.

    Returns:
        The members in the order of the patterns; those of one pattern by their names, or as a tar archive has them.

    Raises:
        DataError: There is no such file or member, a member is a link or leads out of the archive, the archive is cut off,
            or its only member is not its only one.
    """
    if not path.exists():
        raise DataError(f"there is no file {str(path)!r}; check the path.")
    if path.is_dir():
        return _below(path, patterns)
    with OpenArchives() as archives:
        if archives.archive(path) is None:
            return [RawFile(path)]
        if not patterns:
            return [RawFile(path, name) for name in _resolved(archives, path, (), "")]
        names: dict[str, None] = {}
        for pattern in patterns:
            names.update(dict.fromkeys(_resolved(archives, path, (), pattern)))
        if not names:
            archive = archives.archive(path)
            assert archive is not None, "it has been opened above"
            raise DataError(f"{path} has no member {' or '.join(map(repr, patterns))}. {_listed(archive.names())}")
        return [RawFile(path, name) for name in names]


def open_member(file: RawFile) -> BinaryIO:
    """Open a raw file, decompressed where its content is compressed; closing it closes its archive.

    Raises:
        DataError: It is not there, or its archive is cut off.
    """
    archives = OpenArchives()
    try:
        stream = archives.open(file)
    except BaseException:
        archives.close()
        raise
    return owning(stream, archives)


def unreadable_member(file: RawFile, error: Exception) -> str:
    """Return what to say of a raw file that breaks off while it is read."""
    problem = str(error) or type(error).__name__
    is_cut = isinstance(error, EOFError | zlib.error | lzma.LZMAError | tarfile.TarError | zipfile.BadZipFile)
    if is_cut or (isinstance(error, OSError) and error.errno is None):
        return f"{file.label} is cut off or damaged: {problem}. It was not copied or downloaded completely; fetch it again."
    return f"{file.label} cannot be read: {problem}"


class OpenArchives:
    """Archives that stay open from one member to the next, so that a compressed one is read once and not once per member."""

    def __init__(self) -> None:
        self._chain: list[tuple[tuple[str, ...], Archive]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all."""
        while self._chain:
            self._chain.pop()[1].close()

    def open(self, file: RawFile) -> BinaryIO:
        """Open a raw file; it is to be closed before the next is opened.

        Raises:
            DataError: It is not there, or its archive is cut off.
        """
        if not file.member:
            return _begun(_open(file.path), file)
        *outer, name = _INNER.sub(r"\1\0", file.member).split("\0")
        archive = self.archive(file.path, tuple(outer))
        if archive is None:
            raise DataError(f"{file.path} is no archive, so it has no member {file.member!r}.")
        return _begun(self._opened(archive, name, file), file)

    def archive(self, path: Path, outer: tuple[str, ...] = ()) -> Archive | None:
        """Return an archive, open; None where a file is none.

        Args:
            path: The file.
            outer: The names of archives inside of each other; the last one is returned.

        Raises:
            DataError: It is not there, or cut off.
        """
        keys = [(str(path), *outer[:depth]) for depth in range(len(outer) + 1)]
        while self._chain and self._chain[-1][0] not in keys:
            self._chain.pop()[1].close()
        for depth in range(len(self._chain), len(keys)):
            file = RawFile(path, "!".join(outer[:depth]))
            stream = _open(path) if depth == 0 else self._opened(self._chain[-1][1], outer[depth - 1], file)
            archive = archive_of(stream, outer[depth - 1] if depth else path.name, file.label)
            if archive is None:
                return None
            self._chain.append((keys[depth], archive))
        return self._chain[-1][1]

    def _opened(self, archive: Archive, name: str, file: RawFile) -> BinaryIO:
        refuse_outside(name, str(file.path))
        try:
            if archive.is_link(name):
                raise DataError(
                    f"{file.path}: the member {name!r} is a link or a device, not a file; the file is not to be trusted."
                )
            return archive.open(name)
        except KeyError as error:
            raise DataError(f"{file.path} has no member {file.member!r}. {_listed(archive.names())}") from error
        except BROKEN_MEMBERS as error:
            raise DataError(unreadable_member(file, error)) from error


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error


def _begun(stream: BinaryIO, file: RawFile) -> BinaryIO:
    try:
        return begin(stream)[0]
    except BROKEN_MEMBERS as error:
        stream.close()
        raise DataError(unreadable_member(file, error)) from error


def _resolved(archives: OpenArchives, path: Path, outer: tuple[str, ...], pattern: str) -> list[str]:
    """Return the full names of the members of an archive that match a pattern; an empty pattern is the only one."""
    archive = archives.archive(path, outer)
    label = RawFile(path, "!".join(outer)).label
    assert archive is not None, "its name or content says that it is an archive"
    try:
        names = archive.names()
    except BROKEN_MEMBERS as error:
        raise DataError(unreadable_member(RawFile(path, "!".join(outer)), error)) from error
    pieces = _INNER.sub(r"\1\0", pattern).split("\0")
    if pattern:
        matching = _matching(names, pieces[0])
        if not matching and len(pieces) > 1:  # the outer archive may have been unpacked already
            return _resolved(archives, path, outer, "!".join(pieces[1:]))
    else:
        matching = [name for name in names if not _is_hidden(name)]
        if len(matching) != 1:
            raise DataError(f"{label} has {len(matching)} members; say which is read: member=... {_listed(names)}")
    full: list[str] = []
    for name in matching:
        refuse_outside(name, label)
        if archive.is_link(name):
            raise DataError(f"{label}: the member {name!r} is a link or a device, not a file; it is not to be trusted.")
        inner = "!".join(pieces[1:])
        if inner or name.lower().endswith(ARCHIVE_SUFFIXES):
            full += _resolved(archives, path, (*outer, name), inner)
        else:
            full.append("!".join((*outer, name)))
    return full


def _matching(names: Sequence[str], pattern: str) -> list[str]:
    if pattern in names:
        return [pattern]
    visible = [name for name in names if not _is_hidden(name)]
    return [name for name in visible if fnmatch.fnmatchcase(name, pattern)] or [
        name for name in visible if fnmatch.fnmatchcase(name, f"*/{pattern}")
    ]


def _is_hidden(name: str) -> bool:
    """Whether macOS has written a member beside what people have packed."""
    path = PurePosixPath(name)
    return path.name.startswith("._") or "__MACOSX" in path.parts or path.name == ".DS_Store"


def _below(folder: Path, patterns: Sequence[str]) -> list[RawFile]:
    """Return the files below a folder that match patterns."""
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    if not patterns:
        if len(files) != 1:
            raise DataError(f"{folder} has {len(files)} files; say which is read: member=... {_listed(files)}")
        return members(folder / files[0])
    resolved: dict[RawFile, None] = {}
    for pattern in patterns:
        outer, *inner = _INNER.sub(r"\1\0", pattern).split("\0")
        matching = _matching(files, outer)
        for name in matching:
            resolved.update(dict.fromkeys(members(folder / name, ["!".join(inner)] if inner else ())))
        if inner and not matching:  # which has been unpacked, too
            resolved.update(dict.fromkeys(RawFile(folder / name) for name in _matching(files, inner[-1])))
    if not resolved:
        raise DataError(f"{folder} has no file {' or '.join(map(repr, patterns))}. {_listed(files)}")
    return list(resolved)


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "It is empty."
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"It has {', '.join(map(repr, names[:_LISTED]))}{more}."

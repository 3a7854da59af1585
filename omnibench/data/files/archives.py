"""Archives of several files: zip, tar and 7z, whose members are read where they are."""

from __future__ import annotations

import io
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO, Protocol, cast

from omnibench.data.files.compression import HEAD, begin, rewindable
from omnibench.errors import DataError

BROKEN_MEMBERS = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
"""What reading a broken file or member raises."""

ARCHIVE_SUFFIXES = (
    ".zip",
    ".tar",
    ".tgz",
    ".tbz2",
    ".txz",
    ".tar.gz",
    ".tar.bz2",
    ".tar.xz",
    ".tar.zst",
    ".7z",
    ".rar",
)
"""What the names of archives end in."""

_ZIPPED_FORMATS = (".xlsx", ".xlsm", ".npz")
"""Formats of one file that happen to be zip archives."""


class Archive(Protocol):
    """Files within a file."""

    def names(self) -> list[str]:
        """Return the names of its members that are no directories."""

    def is_link(self, name: str) -> bool:
        """Whether a member is a link or a device rather than a file."""

    def open(self, name: str) -> BinaryIO:
        """Open a member; KeyError if there is none of this name."""

    def close(self) -> None:
        """Close it, and the file that it is in."""


def archive_of(stream: BinaryIO, name: str, label: str) -> Archive | None:
    """Return the archive that a stream is; None where it is none.

    Args:
        stream: The open file, or a member of another archive; it is closed with the archive, or at once if it is none.
        name: Its name.
        label: What errors call it.

    Raises:
        DataError: It is cut off, of a format that is not read, or no archive although its name says so.
    """
    if name.lower().endswith(_ZIPPED_FORMATS):
        stream.close()
        return None
    plain = stream
    try:
        plain, head = begin(stream)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _Zip(plain if _is_file(plain) else rewindable(plain), label)
        if head.startswith(b"7z\xbc\xaf\x27\x1c"):
            return _SevenZip(plain if _is_file(plain) else rewindable(plain), label)
        if _is_tar(head):
            return _Tar(plain if plain.seekable() else rewindable(plain))
    except BROKEN_MEMBERS as error:
        plain.close()
        raise DataError(
            f"{label} cannot be read as an archive: {str(error) or type(error).__name__}. It was not copied or downloaded completely, "
            "or is another file; fetch it again."
        ) from error
    except BaseException:
        plain.close()
        raise
    plain.close()
    if head.startswith(b"Rar!"):
        raise DataError(f"{label} is a RAR archive, which is not read; unpack it, and give the folder or its file.")
    if name.lower().endswith(ARCHIVE_SUFFIXES):
        begins = f"begins with {head[:40]!r}" if head else "is empty"
        raise DataError(
            f"{label} is no archive, although its name says so: it {begins}. A page may have been downloaded in its place; fetch "
            "it again."
        )
    return None


def refuse_outside(name: str, label: str) -> None:
    """Refuse the name of a member that leads out of the folder of its archive.

    Raises:
        DataError: It is absolute, or has ``..`` in it.
    """
    windows = PureWindowsPath(name)
    if PurePosixPath(name).is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise DataError(
            f"{label}: the member {name!r} leads out of the archive, which no data set's does; the file is not to be trusted."
        )


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_file(stream: BinaryIO) -> bool:
    return isinstance(getattr(stream, "raw", None), io.FileIO)


class _Zip:
    def __init__(self, stream: BinaryIO, label: str) -> None:
        self._stream, self._label = stream, label
        self._archive = zipfile.ZipFile(stream)

    def names(self) -> list[str]:
        return sorted(member.filename for member in self._archive.infolist() if not member.is_dir())

    def is_link(self, name: str) -> bool:
        mode = self._archive.getinfo(name).external_attr >> 16
        return stat.S_IFMT(mode) not in (0, stat.S_IFREG)

    def open(self, name: str) -> BinaryIO:
        try:
            return cast("BinaryIO", self._archive.open(name))
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or a compression that Python does not have
            raise DataError(
                f"{self._label}: the member {name!r} cannot be read ({error}). Unpack the archive with another program, and "
                "give the folder or its file."
            ) from error

    def close(self) -> None:
        self._archive.close()
        self._stream.close()


class _Tar:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 - close() closes it
        self._passed: dict[str, tarfile.TarInfo] = {}

    def names(self) -> list[str]:
        self._pass("")
        return [name for name, member in self._passed.items() if not member.isdir()]

    def is_link(self, name: str) -> bool:
        return not self._member(name).isfile()

    def open(self, name: str) -> BinaryIO:
        stream = self._archive.extractfile(self._member(name))
        if stream is None:
            raise KeyError(name)
        return cast("BinaryIO", stream)

    def close(self) -> None:
        self._archive.close()
        self._stream.close()

    def _member(self, name: str) -> tarfile.TarInfo:
        if name not in self._passed:
            self._pass(name)
        return self._passed[name]

    def _pass(self, name: str) -> None:
        """Go on to a member, or to the end: a compressed archive is read once where its members are read in their order."""
        while (member := self._archive.next()) is not None:
            self._passed[member.name] = member
            if member.name == name:
                return


class _SevenZip:
    def __init__(self, stream: BinaryIO, label: str) -> None:
        try:
            import py7zr
        except ImportError as error:
            raise DataError(
                f"{label} is a 7z archive, for which omnibench needs another package: pip install py7zr. Or unpack it, and "
                "give the folder or its file."
            ) from error
        self._stream, self._label = stream, label
        try:
            self._archive: Any = py7zr.SevenZipFile(cast("Any", stream))
        except py7zr.exceptions.ArchiveError as error:
            raise ValueError(str(error)) from error

    def names(self) -> list[str]:
        return sorted(member.filename for member in self._archive.list() if not member.is_directory)

    def is_link(self, name: str) -> bool:
        return any(member.filename == name and member.is_symlink for member in self._archive.list())

    def open(self, name: str) -> BinaryIO:
        import py7zr

        if name not in self._archive.getnames():
            raise KeyError(name)
        with tempfile.TemporaryDirectory(prefix="omnibench-") as folder:
            try:
                self._archive.reset()
                self._archive.extract(path=folder, targets=[name])
            except py7zr.exceptions.ArchiveError as error:
                raise DataError(f"{self._label}: the member {name!r} cannot be unpacked ({error}).") from error
            return (Path(folder) / name).open("rb")  # an open file outlives its name

    def close(self) -> None:
        self._archive.close()
        self._stream.close()

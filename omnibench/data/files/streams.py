"""The bytes of a file as pyarrow's parser takes them: not compressed, in UTF-8, fields separated by a single character."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, Any, cast

from omnibench.data.files.archives import BROKEN_MEMBERS
from omnibench.data.files.compression import HEAD, compression_of
from omnibench.data.files.members import open_member
from omnibench.data.files.through import archive_in, raw_file
from omnibench.errors import DataError

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
"""The last suffix of files that are compressed as a whole."""

JSON_SUFFIXES = ("json", "jsonl", "ndjson")
"""The suffixes of files of JSON objects."""

UNIT_SEPARATOR = "\x1f"
"""Stands for a separator of several characters, such as ``::``."""

BROKEN = (*BROKEN_MEMBERS, csv.Error)
"""What reading broken content raises; pyarrow's and pandas' own errors are ValueErrors."""

CHUNK = 1 << 24
"""Bytes that are rewritten at once."""


def uncompressed_name(path: Path) -> Path:
    """Return a path without the suffix that says how it is compressed."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path


def format_of(path: Path) -> str:
    """Return the format that a path's suffix stands for, whether it is compressed or not; a directory is of Parquet files."""
    return "parquet" if path.is_dir() else uncompressed_name(path).suffix.lower().lstrip(".")


def compression(path: Path) -> str:
    """Return the suffix of how a file is compressed, told by its content: names of published files are not always true."""
    if archive_in(path) != path:
        return ""
    with path.open("rb") as stream:
        return compression_of(stream.read(HEAD))


def open_binary(path: Path) -> IO[bytes]:
    """Open a file, decompressed where it is compressed, or the member of an archive."""
    if archive_in(path) != path:
        return open_member(raw_file(path))
    suffix = compression(path)
    if suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if suffix == ".bz2":
        return cast("IO[bytes]", bz2.open(path, "rb"))
    if suffix == ".xz":
        return cast("IO[bytes]", lzma.open(path, "rb"))
    if suffix == ".zst":
        import pyarrow as pa

        return cast("IO[bytes]", pa.CompressedInputStream(path.open("rb"), "zstd"))
    return path.open("rb")


def open_seekable(path: Path) -> IO[bytes]:
    """Open a file whose reader goes back and forth in it: in memory, where it is compressed or in an archive."""
    if compression(path) or archive_in(path) != path:
        with open_binary(path) as stream:
            return io.BytesIO(stream.read())
    return path.open("rb")


def is_encoding(name: str) -> bool:
    """Whether text may be in an encoding; ``rot13`` and ``base64`` are Python's, but not of text in bytes."""
    try:
        b"a".decode(name)
    except (LookupError, TypeError):
        return False
    except UnicodeError:  # a letter has more bytes there
        return True
    return True


def open_utf8(path: Path, encoding: str, separator: str) -> IO[bytes]:
    """Open a file in UTF-8, with ``UNIT_SEPARATOR`` for a separator of several characters."""
    stream = open_binary(path)
    if encoding == "utf-8" and len(separator) == 1:
        return stream
    return io.BufferedReader(_Rewritten(stream, encoding, separator, path), CHUNK)


def single(separator: str) -> str:
    """Return the single character that separates the fields of what ``open_utf8`` opens."""
    return separator if len(separator) == 1 else UNIT_SEPARATOR


class RewrittenText(io.RawIOBase, ABC):
    """A text in any encoding as a stream in UTF-8, rewritten chunk by chunk.

    Args:
        stream: The bytes of the text.
        encoding: As Python calls it.
    """

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._pending = ""
        self._buffer = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._buffer and not self._ended:
            self._buffer = memoryview(self._next())
        size = min(len(buffer), len(self._buffer))
        buffer[:size] = self._buffer[:size]
        self._buffer = self._buffer[size:]
        return size

    def _next(self) -> bytes:
        chunk = self._stream.read(CHUNK)
        self._ended = not chunk
        text, self._pending = self._pending + self._decoder.decode(chunk, final=self._ended), ""
        return self._rewritten(text).encode()

    @abstractmethod
    def _rewritten(self, text: str) -> str:
        """Return a chunk rewritten; what has to wait for the next one goes into ``_pending``, unless the text has ended."""


class _Rewritten(RewrittenText):
    """A stream in another encoding, or with a longer separator, as it is rewritten."""

    def __init__(self, stream: IO[bytes], encoding: str, separator: str, path: Path) -> None:
        super().__init__(stream, encoding)
        self._separator = separator
        self._path = path

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _rewritten(self, text: str) -> str:
        if len(self._separator) == 1:
            return text
        if UNIT_SEPARATOR in text:  # which is none of those that are put there below
            raise DataError(
                f"{self._path} holds the character {UNIT_SEPARATOR!r}, which stands for the separator {self._separator!r} while "
                "it is read; read it with pandas and use from_frame."
            )
        text = text.replace(self._separator, UNIT_SEPARATOR)
        # The beginning of a separator may stand at the end of a chunk.
        for size in range(len(self._separator) - 1, 0, -1):
            if not self._ended and text.endswith(self._separator[:size]):
                text, self._pending = text[:-size], text[-size:]
                break
        return text

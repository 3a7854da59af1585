"""Compressed streams, told by what they begin with: the suffix of a published file is not always true."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shutil
import tempfile
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

HEAD = 512
"""Bytes that tell what a stream is."""

_LAYERS = 3
"""How often a stream may be compressed."""

_BUFFER = 1 << 20


class Closable(Protocol):
    """What is to be closed."""

    def close(self) -> None:
        """Close it."""


def owning(stream: BinaryIO, owner: Closable) -> BinaryIO:
    """Return a stream that closes what it reads from when it is closed."""
    return cast("BinaryIO", io.BufferedReader(_Owning(stream, owner), _BUFFER))


class _Owning(io.RawIOBase):
    def __init__(self, stream: BinaryIO, owner: Closable) -> None:
        self._stream = stream
        self._owner = owner

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._owner.close()
        super().close()


def begin(stream: BinaryIO) -> tuple[BinaryIO, bytes]:
    """Return a stream from its beginning, decompressed where it is compressed, and its first bytes.

    Args:
        stream: An open file, at any position, that can be rewound; closing what is returned closes it.
    """
    stream.seek(0)
    head = stream.read(HEAD)
    stream.seek(0)
    for _ in range(_LAYERS):
        opener = _opener(head)
        if opener is None:
            break
        plain = opener(stream)
        head = plain.read(HEAD)
        if plain.seekable():
            plain.seek(0)
        else:
            stream.seek(0)
            plain = opener(stream)
        stream = owning(plain, stream)
    return stream, head


def rewindable(stream: BinaryIO) -> BinaryIO:
    """Return a stream whose content may be read in any order at once: a copy in a temporary file without a name."""
    copy = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - it is closed by who reads it
    try:
        shutil.copyfileobj(stream, copy, _BUFFER)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    stream.close()
    return copy


def compression_of(head: bytes) -> str:
    """Return the suffix of how a stream is compressed, told by what it begins with; an empty text where it is not."""
    if head.startswith(b"\x1f\x8b\x08"):
        return ".gz"
    if re.match(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", head):
        return ".bz2"
    if head.startswith(b"\xfd7zXZ\x00"):
        return ".xz"
    return ".zst" if head.startswith(b"\x28\xb5\x2f\xfd") else ""


def _opener(head: bytes) -> Callable[[BinaryIO], BinaryIO] | None:
    openers: dict[str, Callable[[BinaryIO], BinaryIO]] = {
        ".gz": lambda stream: cast("BinaryIO", gzip.GzipFile(fileobj=stream)),
        ".bz2": lambda stream: cast("BinaryIO", bz2.BZ2File(stream)),
        ".xz": lambda stream: cast("BinaryIO", lzma.LZMAFile(stream)),  # noqa: SIM115 - it is closed by who reads it
        ".zst": _zstd,
    }
    return openers.get(compression_of(head))


def _zstd(stream: BinaryIO) -> BinaryIO:
    import pyarrow as pa

    return cast("BinaryIO", pa.CompressedInputStream(_Borrowed(stream), "zstd"))


class _Borrowed(io.RawIOBase):
    """A stream that stays open when pyarrow is done with it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

"""Ways in which a file on a disk goes bad."""

from __future__ import annotations

from pathlib import Path


def flip(path: Path, offset: int, bits: int = 1) -> None:
    """Flip bits of one byte; negative offsets count from the end."""
    content = bytearray(path.read_bytes())
    content[offset] ^= bits
    path.write_bytes(content)


def zero(path: Path, offset: int, length: int = 64) -> None:
    """Overwrite some bytes with zeros, as a block that was never written."""
    content = bytearray(path.read_bytes())
    end = min(len(content), offset + length)
    content[offset:end] = bytes(end - offset)
    path.write_bytes(content)


def cut(path: Path, length: int) -> None:
    """Truncate to a length."""
    path.write_bytes(path.read_bytes()[:length])


def extend(path: Path, tail: bytes = b"\0") -> None:
    """Append bytes."""
    path.write_bytes(path.read_bytes() + tail)


def swap(one: Path, other: Path) -> None:
    """Exchange two files."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)

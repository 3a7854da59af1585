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


def swap(first: Path, second: Path) -> None:
    """Exchange two files."""
    former, latter = first.read_bytes(), second.read_bytes()
    first.write_bytes(latter)
    second.write_bytes(former)

"""Means to find what must not stand in any file: every file below a directory, also inside of what is compressed."""

from __future__ import annotations

import gzip
import io
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq

_PARQUET, _ZIP, _GZIP, _SQLITE = b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"SQLite format 3\0"


def contents(file: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and what they stand for where they are compressed or a database."""
    content = file.read_bytes()
    yield content
    yield from _unpacked(content)
    if content.startswith(_SQLITE):  # a long value lies on several pages; the copy has its own write-ahead log
        with tempfile.TemporaryDirectory() as scratch:
            for part in file.parent.glob(f"{file.name}*"):
                shutil.copy(part, scratch)
            with closing(sqlite3.connect(Path(scratch, file.name))) as connection:
                yield "\n".join(connection.iterdump()).encode("utf-8", "surrogateescape")


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(_PARQUET):
        with pq.ParquetFile(io.BytesIO(content)) as parquet:
            yield repr(parquet.metadata.metadata).encode()
            yield repr(parquet.read().to_pylist()).encode()
    elif content.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
    elif content.startswith(_GZIP):
        yield gzip.decompress(content)


def found(directory: Path, *needles: str) -> list[str]:
    """Return the files below a directory that hold one of some texts, in any case, with what stands around it."""
    hits = []
    for file in sorted(directory.rglob("*")):
        if not file.is_file() or file.is_symlink():
            continue
        name = str(file.relative_to(directory))
        for content in (name.encode(), *contents(file)):
            folded = content.lower()
            for needle in needles:
                position = folded.find(needle.lower().encode())
                if position >= 0:
                    hits.append(f"{name}: {content[max(0, position - 60) : position + 60]!r}")
    return list(dict.fromkeys(hits))

"""Places that items are published in: a directory, a web server, or what fsspec reaches.

A path in a place is made of names of ours alone. What a place answers is not trusted: everything is read up to a size that is
known before, and compared with its digest by whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit, urlunsplit

from omnibench.errors import SharingError

CHUNK = 2**20
"""Bytes that are read at a time."""

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?:://|::)")
"""How addresses begin, and directories do not."""


class Location(Protocol):
    """A place, with files in it.

    Attributes:
        name: What people call it: its address without passwords.
        is_remote: Whether several files are better asked for at once.
    """

    name: str
    is_remote: bool

    def read(self, path: str, most: int) -> bytes | None:
        """Return a file, or None where it is not there.

        Args:
            path: Its path.
            most: The bytes that it may have.

        Raises:
            SharingError: It is longer, or cannot be read.
        """
        ...

    def copy(self, path: str, size: int, target: BinaryIO) -> bool:
        """Write a file into another one, and return whether it is there.

        Args:
            path: Its path.
            size: The bytes that it has to have.
            target: The other file, which is emptied first.

        Raises:
            SharingError: It has other than these, or cannot be read.
        """
        ...

    def names(self, directory: str, ending: str) -> Sequence[str] | None:
        """Return the names of all files below a directory that end so; None where the place cannot tell."""
        ...

    def has(self, path: str) -> bool:
        """Whether a file is there."""
        ...

    def writing(self) -> AbstractContextManager[Path]:
        """Return a context in which files may be written, and a directory for those that are put; at its end they are there.

        Raises:
            SharingError: Nothing can be written there, or another process writes right now.
        """
        ...

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all.

        Raises:
            SharingError: It cannot be written.
        """
        ...

    def put(self, path: str, source: Path) -> None:
        """Write a file that lies in the directory for them, whole or not at all; there it is gone afterwards.

        Raises:
            SharingError: It cannot be written.
        """
        ...


def public_name(address: str) -> str:
    """Return an address without what may be secret in it: user, password, query."""
    if not SCHEME.match(address):
        return address
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def too_long(name: str, path: str, most: int) -> SharingError:
    """Return the error that says that a file is larger than it may be."""
    return SharingError(f"{path} of {name} has over {most:,} bytes, which it cannot have; nothing of it is taken over.")

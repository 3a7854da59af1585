"""Published items on a web server, which can be read and not written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NoReturn

from omnibench.data.downloads.connection import TransferError, answer_of
from omnibench.errors import SharingError
from omnibench.sharing.locations import CHUNK, public_name, too_long

_ATTEMPTS = 3
_PAUSE = 0.5
"""Seconds before a server is asked again, and twice as many before the third time."""

_MOST_FAILURES = 8
"""So many files in a row that a server does not send mean that it is away: thousands of others are not waited for as well."""

_ABSENT = ("answers 404", "answers 410")


class WebLocation:
    """A directory of a web server.

    Args:
        address: Its address.
    """

    is_remote = True

    def __init__(self, address: str) -> None:
        self.name = public_name(address)
        path, mark, query = address.partition("?")
        self._address, self._query = path.rstrip("/"), mark + query
        self._failures, self._failure = 0, ""

    def read(self, path: str, most: int) -> bytes | None:
        """Return a file, or None where it is not there; see ``Location.read``."""
        import io

        content = io.BytesIO()
        return content.getvalue() if self._fetched(path, most, content) else None

    def copy(self, path: str, size: int, target: BinaryIO) -> bool:
        """Write a file into another one; see ``Location.copy``."""
        is_there = self._fetched(path, size, target)
        if is_there and target.tell() != size:
            raise SharingError(f"{path} of {self.name} has not the {size:,} bytes that its record says.")
        return is_there

    def _fetched(self, path: str, most: int, target: BinaryIO) -> bool:
        if self._failures >= _MOST_FAILURES:
            raise SharingError(f"{path} of {self.name} was not asked for: {self._failure}.")
        for attempt in range(1, _ATTEMPTS + 1):
            target.seek(0)
            target.truncate()
            try:
                self._fetch(path, most, target)
            except TransferError as error:
                if str(error).startswith(_ABSENT):
                    self._failures = 0
                    return False
                if not error.is_passing or attempt == _ATTEMPTS:
                    self._note(error)
                    raise SharingError(f"{path} of {self.name} was not fetched: the server {error}.") from error
                time.sleep(_PAUSE * attempt)
            else:
                self._failures = 0
                return True
        raise AssertionError("the last attempt returns or raises")

    def _note(self, error: TransferError) -> None:
        """Count a failure that is the server's, not the file's."""
        if not error.has_answered or error.is_passing:
            self._failure = f"for the files before it the server {error}; pull again when it answers"
            self._failures += 1
        else:
            self._failures = 0

    def _fetch(self, path: str, most: int, target: BinaryIO) -> None:
        with answer_of(f"{self._address}/{path}{self._query}") as answer:
            announced = answer.headers.get("Content-Length", "")
            if announced.isdecimal() and int(announced) > most:
                raise too_long(self.name, path, most)
            read = 0
            for chunk in answer.iter_content(CHUNK):
                read += len(chunk)
                if read > most:
                    raise too_long(self.name, path, most)
                target.write(chunk)
            if announced.isdecimal() and read < int(announced):
                raise TransferError("broke off", is_passing=True)

    def names(self, directory: str, ending: str) -> Sequence[str] | None:
        """Return None: web servers do not say which files they have."""
        return None

    def has(self, path: str) -> bool:
        """Whether a file is there."""
        try:
            with answer_of(f"{self._address}/{path}{self._query}", method="HEAD"):
                return True
        except TransferError as error:
            if str(error).startswith(_ABSENT):
                return False
            raise SharingError(f"{self.name} cannot be asked: the server {error}.") from error

    def writing(self) -> AbstractContextManager[Path]:
        """Refuse to write."""
        self._refuse()

    def write(self, path: str, content: bytes) -> None:
        """Refuse to write."""
        self._refuse()

    def put(self, path: str, source: Path) -> None:
        """Refuse to write."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        """Refuse to write.

        Raises:
            SharingError: Always; it says where one can publish instead.
        """
        raise SharingError(
            f"{self.name} is a web server, which only gives files away. Publish into a directory that it serves, into a "
            "clone of its git repository, or by fsspec, e.g. s3://BUCKET/PATH or hf://datasets/OWNER/NAME."
        )

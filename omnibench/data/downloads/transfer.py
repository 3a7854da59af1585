"""One file from one address into a partial file, which the next attempt goes on with."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.downloads.connection import TransferError, answer_of
from omnibench.paths import remember
from omnibench.sizes import size_text

if TYPE_CHECKING:
    import requests

_CHUNK = 1 << 18
_FRUITLESS_ATTEMPTS = 3
"""In a row that come no further than the ones before: then the server is given up."""
_ATTEMPTS = 50
_PAUSE_SECONDS = 0.25
_SPARE_BYTES = 64 << 20
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_PAGE = re.compile(rb"\s*(?:<!doctype html|<html|<head)", re.IGNORECASE)

Progress = Callable[[int, "int | None"], None]
"""Takes how many bytes are there, and how many there will be, where that is known."""


class _Beginning(NamedTuple):
    """What an earlier attempt has left.

    Attributes:
        size: Bytes that are there.
        validator: What the server called this version of the file: an ETag, or its date; nothing where it has neither.
    """

    size: int
    validator: str


def download(url: str, partial: Path, show: Progress, *, verify: bool = True) -> None:
    """Download a file, going on where an earlier attempt for the same address has broken off.

    Args:
        url: The address.
        partial: Where the bytes go; beside it is noted which version of the file they are of.
        show: Called again and again with what is there.
        verify: Whether the certificate of the server is checked.

    Raises:
        TransferError: The server does not send the whole file; what it has sent stays there.
        OSError: It cannot be written.
    """
    fruitless = most = 0
    for attempt in range(_ATTEMPTS):
        try:
            _attempt(url, partial, show, verify=verify)
        except TransferError as error:
            # Where a server begins anew, what it had sent before is no progress.
            fruitless = 0 if _size(partial) > most else fruitless + 1
            most = max(most, _size(partial))
            if not error.is_passing or fruitless == _FRUITLESS_ATTEMPTS or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE_SECONDS * 2**fruitless)
        else:
            _note(partial).unlink(missing_ok=True)
            return


def is_page(first: bytes) -> bool:
    """Whether the first bytes of a file are those of a web page."""
    return _PAGE.match(first) is not None


def discard(partial: Path) -> None:
    """Remove a partial file, and what is noted of it."""
    partial.unlink(missing_ok=True)
    _note(partial).unlink(missing_ok=True)


def _attempt(url: str, partial: Path, show: Progress, *, verify: bool) -> None:
    beginning = _beginning(url, partial)
    headers = {"Range": f"bytes={beginning.size}-", "If-Range": beginning.validator} if beginning.size else {}
    received, total = beginning.size, None
    try:
        with answer_of(url, headers=headers, verify=verify) as answer:
            total = _total(answer)
            if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and total == beginning.size:
                return  # it was complete
            first = _first_byte(answer)
            if first not in (0, beginning.size):
                discard(partial)
                total = None
                raise _elsewhere()
            received = first
            _note_version(url, partial, answer)
            _require_room(partial, (total or 0) - received)
            show(received, total)
            with partial.open("ab" if received else "wb", buffering=0) as file:  # a killed process keeps what it has
                for chunk in _chunks(answer, received):
                    _write_all(file, chunk)
                    received += len(chunk)
                    show(received, total)
                os.fsync(file.fileno())
    except TransferError as error:
        if not (error.is_passing and total):
            raise
        raise TransferError(f"{error} after {received:,} of {total:,} bytes", is_passing=True) from error
    if received == 0:
        raise TransferError("sends an empty file")
    if total is not None and received < total:
        raise TransferError(f"broke off after {received:,} of {total:,} bytes", is_passing=True)


def _write_all(file: io.FileIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def _elsewhere() -> TransferError:
    return TransferError("does not go on where it broke off", is_passing=True)


def _chunks(answer: requests.Response, received: int) -> Iterator[bytes]:
    """Yield the content as it comes in: what is waited for in vain would be lost with a connection that breaks off.

    Raises:
        TransferError: It is a page for people.
    """
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        chunks = iter(answer.iter_content(_CHUNK))
    else:
        read: Any = getattr(answer.raw, "read1", answer.raw.read)
        chunks = iter(lambda: read(_CHUNK), b"")
    for chunk in chunks:
        if received == 0 and is_page(chunk):  # whatever its type is said to be: no data set begins like that
            raise TransferError("answers with a web page instead of the file; it may want you to sign in")
        yield chunk


def _beginning(url: str, partial: Path) -> _Beginning:
    """Return what can be gone on with: bytes of a version that the server can be asked for by its name."""
    try:
        note = json.loads(_note(partial).read_text(encoding="utf-8"))
        if note["url"] == url and note["validator"]:
            return _Beginning(_size(partial), str(note["validator"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing is noted, or nothing readable
    return _Beginning(0, "")


def _note_version(url: str, partial: Path, answer: requests.Response) -> None:
    etag = answer.headers.get("ETag", "")
    is_encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
    validator = answer.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
    remember(_note(partial), json.dumps({"url": url, "validator": "" if is_encoded else validator}))


def _note(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.version")


def _first_byte(answer: requests.Response) -> int:
    """Return the number of the first byte that is sent: 0 also where the file has changed, or the server knows no ranges.

    Of an answer that has no such byte, -1.
    """
    if answer.status_code == HTTPStatus.OK:
        return 0
    match = _RANGE.match(answer.headers.get("Content-Range", ""))
    return int(match[1]) if match and match[1] else -1


def _total(answer: requests.Response) -> int | None:
    """Return the number of bytes of the whole file, where the server says so."""
    match = _RANGE.match(answer.headers.get("Content-Range", ""))
    if match:
        return int(match[2]) if match[2] != "*" else None
    if answer.headers.get("Content-Encoding", "identity") != "identity" or answer.status_code != HTTPStatus.OK:
        return None
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _size(partial: Path) -> int:
    with suppress(OSError):
        return partial.stat().st_size
    return 0


def _require_room(partial: Path, size: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    if size > free - _SPARE_BYTES:
        raise TransferError(
            f"has {size_text(size)} to send, and the disk of {partial.parent} has room for {size_text(free)}"
        )

"""Requests for a snapshot: files in a store by which one process asks another that is in the middle of a Fit.

``requests/<token>.request`` names workers with their items, and is locked (``flock``) for as long as somebody waits for the
answers, so that a request ends with its asker, as a lease does. ``requests/<token>.<position>.answer`` is a worker's. Who has
asked removes both, and the directory with the last of them; what dead askers have left goes with the next request, and with
``omnibench gc``.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from omnibench.errors import StoreError
from omnibench.guest import forks
from omnibench.store.beneath import LinkedFileError, has_link, read_bytes, refuse_links, write_new
from omnibench.store.leases import is_held, opened
from omnibench.store.permissions import is_shared, make_directory
from omnibench.store.processes import this_process
from omnibench.store.refusals import cannot_be_written
from omnibench.store.strangers import refuse_strangers

DIRECTORY = "requests"
"""The directory of a store's requests; it is there only while there are some."""

_TOKEN = r"[0-9a-f]{32}"  # noqa: S105 - the form of a name
_REQUEST = re.compile(rf"({_TOKEN})\.request")
_ANSWER = re.compile(rf"({_TOKEN})\.\d{{1,6}}\.answer(?:\.new)?")

_UNNAMED = re.compile(rf"{_TOKEN}\.new")
"""A request that is being written."""

_UNNAMED_SECONDS = 60.0
"""A request is written in a moment: an older one that nobody has locked was left by somebody who has died over it."""

_MOST_BYTES = 2**20
_MOST_REQUESTS = 100
"""So many are looked at, whoever has put more there."""

_TRIES = 5
"""The directory may go, with the last request of somebody else, before a new one is in it."""


class Target(NamedTuple):
    """What is asked for a snapshot.

    Attributes:
        worker: The worker's id.
        item: The name of the item that it computes.
    """

    worker: str
    item: str


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that somebody waits for.

    Attributes:
        token: What its files are called by.
        targets: What is asked for a snapshot, by position.
    """

    token: str
    targets: tuple[Target, ...]

    def positions(self, worker: str, item: str) -> list[int]:
        """Return the positions at which a worker's item stands, which is one or none."""
        return [position for position, target in enumerate(self.targets) if target == (worker, item)]


def request_tokens(root: Path) -> list[str]:
    """Return the tokens of all requests in a store, whether somebody waits for them or not; cheap where there is none.

    Args:
        root: The store's directory.
    """
    return [match[1] for name in _names(root) if (match := _REQUEST.fullmatch(name))][:_MOST_REQUESTS]


def read_request(root: Path, token: str) -> OpenRequest | None:
    """Return a request that somebody waits for, or None where nobody does any more or it cannot be read.

    Args:
        root: The store's directory.
        token: The request's token.
    """
    if is_held(root / DIRECTORY / f"{token}.request") is None:
        return None
    content = _read(root, f"{token}.request")
    targets = content.get("targets") if content is not None else None
    if not isinstance(targets, list):
        return None
    pairs = [target for target in targets if isinstance(target, list) and [type(part) for part in target] == [str, str]]
    return OpenRequest(token, tuple(Target(*pair) for pair in pairs)) if len(pairs) == len(targets) else None


def write_answer(root: Path, request: OpenRequest, position: int, answer: Mapping[str, Any]) -> None:
    """Answer a request for one of its targets; nobody may be waiting for it any more.

    Args:
        root: The store's directory.
        request: The request.
        position: The target's position in it.
        answer: Plain data.
    """
    if is_held(root / DIRECTORY / f"{request.token}.request") is None:
        return
    path = root / DIRECTORY / f"{request.token}.{position}.answer"
    with suppress(OSError, LinkedFileError):  # there is no room, or the asker has gone: it sees that nothing comes
        new = write_new(root, f"{DIRECTORY}/{path.name}.new", json.dumps(dict(answer)).encode())
        _open_to_readers(new)
        new.replace(path)


def read_answer(root: Path, token: str, position: int) -> dict[str, Any] | None:
    """Return the answer for one of a request's targets, or None while there is none.

    Args:
        root: The store's directory.
        token: The request's token.
        position: The target's position in it.
    """
    return _read(root, f"{token}.{position}.answer")


@contextmanager
def placed_request(root: Path, targets: Sequence[Target]) -> Iterator[str]:
    """Ask for snapshots; yield the request's token. It is withdrawn, with its answers, at the end.

    Args:
        root: The store's directory.
        targets: What is asked.

    Raises:
        StoreError: The store cannot be written, or is another user's.
    """
    refuse_strangers(root)
    refuse_links(root, DIRECTORY)
    remove_dead_requests(root)
    token = uuid.uuid4().hex
    content = {"token": token, **this_process(), "targets": [list(target) for target in targets]}
    with cannot_be_written(root):
        descriptor = _written(root, token, json.dumps(content).encode())
    try:
        yield token
    finally:
        _remove(root, [name for name in _names(root) if name.startswith(f"{token}.")])
        forks.close(descriptor)


def _written(root: Path, token: str, content: bytes) -> int:
    """Write a request and lock it, before it has its name; return its descriptor, which holds the lock."""
    directory = root / DIRECTORY
    for tries_left in reversed(range(_TRIES)):
        try:
            make_directory(directory)
            _open_to_group(root)
            descriptor = opened(directory / f"{token}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except FileNotFoundError:
            if not tries_left:
                raise
        else:
            break
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        written = 0
        while written < len(content):
            written += os.write(descriptor, content[written:])
        _open_to_readers(directory / f"{token}.new")
        (directory / f"{token}.new").rename(directory / f"{token}.request")
    except BaseException:
        _remove(root, [f"{token}.new"])
        forks.close(descriptor)
        raise
    return descriptor


def remove_dead_requests(root: Path) -> None:
    """Remove the requests that nobody waits for any more, with their answers.

    Args:
        root: The store's directory.
    """
    names = _names(root)
    requests = {match[1] for name in names if (match := _REQUEST.fullmatch(name))}
    alive = {token for token in requests if is_held(root / DIRECTORY / f"{token}.request") is not None}
    dead = [
        name
        for name in names
        if (match := _REQUEST.fullmatch(name) or _ANSWER.fullmatch(name)) and match[1] not in alive
    ]
    left = [name for name in names if _UNNAMED.fullmatch(name) and _was_left_unnamed(root / DIRECTORY / name)]
    _remove(root, [*dead, *left])


def _was_left_unnamed(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > _UNNAMED_SECONDS and is_held(path) is None
    except OSError:
        return False


def _open_to_group(root: Path) -> None:
    """Let the group of a shared store ask and answer in our directory, whatever the umask."""
    directory = root / DIRECTORY
    status = directory.stat()
    if is_shared(root) and status.st_uid == os.geteuid():
        directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_ISGID | stat.S_IRWXG)


def _open_to_readers(path: Path) -> None:
    """Let the group of a shared store read a request or an answer, whatever the umask: it is made for others."""
    if is_shared(path.parent.parent):
        with suppress(OSError):
            path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IRGRP)


def _remove(root: Path, names: Sequence[str]) -> None:
    """Remove files of requests, and their directory when it is empty; what is not ours to remove stays."""
    directory = root / DIRECTORY
    for name in names:
        with suppress(OSError):
            (directory / name).unlink()
    with suppress(OSError):  # others have requests in it
        directory.rmdir()


def _names(root: Path) -> list[str]:
    """Return what is in the directory of requests; nothing where there is none, or a link."""
    try:
        return [] if has_link(root, DIRECTORY) else sorted(os.listdir(f"{root}/{DIRECTORY}"))
    except OSError:
        return []


def _read(root: Path, name: str) -> dict[str, Any] | None:
    try:
        content = json.loads(read_bytes(root, f"{DIRECTORY}/{name}", _MOST_BYTES))
    except (OSError, ValueError, RecursionError, StoreError):
        return None
    return content if isinstance(content, dict) else None

"""The files of a request to a guest, on the submitter's side: which there are, and how they come and go.

A request names files by path. Those that a guest reads (data set, model, snapshot) are inputs; it writes into the
directories of its outputs, in which there may be inputs as well. Where the worker sees the same files, inputs go by path, and
outputs are written into a directory of the session's own near their place, from where the submitter moves them: what a
machine that was given up still writes lands nowhere. Elsewhere files go by content, in pieces.

A small item takes milliseconds, so that paths are texts here, and that directory serves all requests of a session.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnibench.errors import ClusterError

PIECE_BYTES = 8 * 2**20

_OF_FOLD = re.compile(r"fold_\d+/")
_VISIBLE_SECONDS = 10.0
"""How long a file that a worker has written may take to be seen here: network file systems are not at once of one mind."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a root.

    Attributes:
        path: Its path below the root; empty where the root is a file itself.
        size: Its bytes.
        sha256: Its digest; empty where it goes by path.
    """

    path: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Root:
    """A directory, or a single file, that a request names.

    Attributes:
        name: ``dataset``, ``model``, ``resume``, ``output`` or ``snapshots``.
        path: Where the submitter has it.
        is_output: Whether the guest writes there.
        files: What is there already; nothing where inputs go by path.
    """

    name: str
    path: str
    is_output: bool = False
    files: tuple[File, ...] = field(default=())


def own_directory(root: Root, token: str) -> str:
    """Return the directory in which a session writes the outputs of a root that it shares with the submitter.

    That of models and lists lies beside the root, a temporary directory of the run's, and is the same for all requests.
    """
    parent = os.path.dirname(root.path) if root.name == "output" else root.path
    return f"{parent}/.session-{token}"


class RequestFiles:
    """The files of one request.

    Args:
        request: The request.
        token: The session that is asked.
        is_shared: Whether the session sees this machine's files.
    """

    def __init__(self, request: Mapping[str, Any], token: str, *, is_shared: bool) -> None:
        self._token, self._is_shared = token, is_shared
        self.roots = [
            Root(name, path, is_output, self._files(request, name, path, is_output=is_output))
            for name, path, is_output in _named(request)
        ]
        self._by_name = {root.name: root for root in self.roots}

    def _files(self, request: Mapping[str, Any], name: str, path: str, *, is_output: bool) -> tuple[File, ...]:
        if self._is_shared and not is_output:
            return ()
        if os.path.isfile(path):
            return (self._file("", path),)
        own_fold = f"fold_{request['fold']}"
        return tuple(
            self._file(relative, f"{path}/{relative}")
            for relative in sorted(files_below(path))
            if name != "dataset" or _OF_FOLD.match(relative) is None or relative.startswith(f"{own_fold}/")
        )

    def _file(self, relative: str, path: str) -> File:
        return File(relative, os.stat(path).st_size, "" if self._is_shared else _digest(path))

    def piece(self, name: str, relative: str, offset: int) -> bytes:
        """Return a piece of a file that the session asks for.

        Args:
            name: The root's name.
            relative: The file's path below the root.
            offset: Where the piece begins.
        """
        root = self._by_name[name]
        assert any(file.path == relative for file in root.files), "a session gets what its request names"
        with Path(root.path, relative).open("rb") as file:
            file.seek(offset)
            return file.read(PIECE_BYTES)

    def take(self, message: Mapping[str, Any]) -> None:
        """Put a file, or a piece of it, that the session has written to where the guest was to write it.

        Raises:
            ClusterError: It did not come as it was written.
        """
        root, relative = self._by_name[message["root"]], message["path"]
        if not root.is_output or relative.startswith("/") or ".." in relative.split("/"):
            raise ClusterError(f"a worker wrote {relative!r} outside of what it was to write.")
        target = f"{root.path}/{relative}"
        if "/" in relative:
            os.makedirs(os.path.dirname(target), exist_ok=True, mode=0o700)
        if self._is_shared:
            _move(f"{own_directory(root, self._token)}/{relative}", target)
            return
        with open(target, "wb" if message["offset"] == 0 else "ab") as file:
            file.write(message["data"])
        if message["sha256"] and _digest(target) != message["sha256"]:
            raise ClusterError(f"{os.path.basename(target)} was damaged on its way from the worker.")

    def drop(self) -> None:
        """Remove what a session that was lost or given up has written and nobody takes; the session removes what it still writes."""
        if self._is_shared:
            for root in self.roots:
                if root.is_output:
                    shutil.rmtree(own_directory(root, self._token), ignore_errors=True)

    def take_ask(self) -> str:
        """Take what somebody has written into the file in which the guest looks for requests; nothing while nobody has."""
        root = self._by_name.get("snapshots")
        if root is None:
            return ""
        ask = Path(root.path, "ask")
        try:
            text = ask.read_text(encoding="utf-8")
            if text:  # else it is being written
                ask.unlink()
        except OSError:
            return ""
        return text


def _named(request: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield the roots of a request: name, path, whether the guest writes there."""
    yield "dataset", request["dataset"], False
    if "model" in request:
        yield "model", request["model"], False
    output = request["output"]
    yield "output", output if request["op"] == "fit" else os.path.dirname(output), True
    snapshots = request.get("snapshots")
    if snapshots is not None:
        yield "snapshots", snapshots["directory"], True
        if "resume" in snapshots:
            yield "resume", snapshots["resume"]["directory"], False


def files_below(directory: str, prefix: str = "") -> Iterator[str]:
    """Yield the paths of the regular files below a directory, relative to it, but those of sessions that were given up.

    Args:
        directory: The directory, which need not be there.
        prefix: What each path begins with.
    """
    try:
        entries = list(os.scandir(directory))
    except FileNotFoundError:  # nothing was written yet
        return
    for entry in entries:
        if entry.is_file():
            yield prefix + entry.name
        elif entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".session-"):
            yield from files_below(entry.path, f"{prefix}{entry.name}/")


_digests: dict[tuple[str, int, int], str] = {}


def _digest(path: str) -> str:
    """Return the sha256 of a file, which is read once as long as it does not change."""
    status = os.stat(path)
    key = path, status.st_size, status.st_mtime_ns
    if key not in _digests:
        with open(path, "rb") as file:
            _digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _digests[key]


def _move(source: str, target: str) -> None:
    deadline = time.monotonic() + _VISIBLE_SECONDS
    while True:
        try:
            os.replace(source, target)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return

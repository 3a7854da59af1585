"""The files of a request to a guest, on the worker's side: found or fetched before, handed back after."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from omnibench.cluster.files import PIECE_BYTES, File, Root, files_below, own_directory
from omnibench.cluster.worker_cache import in_use, note_use, worker_cache
from omnibench.errors import ClusterError
from omnibench.store.compression import decompress, is_compressed
from omnibench.store.leases import lease

Fetch = Callable[[str, str, int], bytes]
"""Returns a piece of a file by its root, its path and the offset."""

Send = Callable[[dict[str, Any], int], None]

_verified: set[tuple[str, int]] = set()
"""The files of the cache that this process has read in full, by digest and time of change."""


class Staging:
    """The files of one request on this machine.

    Args:
        roots: What the request names.
        token: The session.
        scratch: A directory for what is of this request alone, which is made when something is.
        is_shared: Whether this machine sees the submitter's files.
        fetch: Asks the submitter for a piece of a file.
        check: Called while another process of this machine fetches a file; raising gives up.
    """

    def __init__(
        self,
        roots: Sequence[Root],
        token: str,
        scratch: Path,
        fetch: Fetch,
        check: Callable[[], None],
        *,
        is_shared: bool,
    ) -> None:
        self._roots, self._token, self._scratch = roots, token, scratch
        self._fetch, self._check, self._is_shared = fetch, check, is_shared
        self._use = ExitStack()
        self._has_scratch = False
        self._paths: dict[str, str] = {}
        self._longest_first: list[str] = []
        self._states: dict[str, tuple[int, int]] = {}

    def stage(self, *, with_model: bool) -> None:
        """Make the files of a request be here; until ``clear`` none of them is pruned.

        Args:
            with_model: Whether the guest needs the model; it may have it in memory.
        """
        if not self._is_shared:
            self._use.enter_context(in_use())
        for root in self._roots:
            if root.name == "model" and not with_model:
                continue
            if root.is_output:
                self._paths[root.path] = self._stage_output(root)
            elif not self._is_shared:
                self._paths[root.path] = str(self._stage_input(root))
            if root.name == "model" and is_compressed(Path(root.path)):
                model = Path(self._paths.get(root.path, root.path))
                self._paths[root.path] = str(decompress(model, self._own_scratch()))
        self._longest_first = sorted(self._paths, key=len, reverse=True)

    def _own_scratch(self) -> Path:
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        self._has_scratch = True
        return self._scratch

    def _stage_output(self, root: Root) -> str:
        directory = own_directory(root, self._token) if self._is_shared else str(self._own_scratch() / root.name)
        if root.name == "output" or root.files:  # a guest makes the other one when it has a snapshot
            _make_empty(directory)
        for file in root.files:
            target = f"{directory}/{file.path}"
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            shutil.copyfile(f"{root.path}/{file.path}" if self._is_shared else self._cached(root, file), target)
        self._states.update((f"{directory}/{relative}", state) for relative, state in _states_below(directory))
        return directory

    def _stage_input(self, root: Root) -> Path:
        """Return where the files of an input lie: links to the cache, in a directory that is the same for the same files."""
        if len(root.files) == 1 and not root.files[0].path:
            cached = self._cached(root, root.files[0])
            target = self._own_scratch() / Path(root.path).name
            target.symlink_to(cached)
            return target
        described = "\n".join(f"{file.path} {file.sha256}" for file in root.files)
        digest = hashlib.sha256(described.encode()).hexdigest()[:32]
        directory = worker_cache() / "directories" / digest
        for file in root.files:
            cached, link = self._cached(root, file), directory / file.path
            link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not link.is_symlink():
                partial = link.with_name(f"{link.name}.{self._token}")
                partial.symlink_to(cached)
                partial.replace(link)
        return directory

    def _cached(self, root: Root, file: File) -> Path:
        """Return a file of this machine's cache, which is fetched by the first process that needs it.

        Raises:
            ClusterError: It did not come as the submitter has it.
        """
        target = worker_cache() / "files" / file.sha256[:2] / file.sha256
        if _is_whole(target, file):
            note_use(target)
            return target
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lease(target.with_suffix(".lock"), while_waiting=self._check):
            if not _is_whole(target, file):
                partial = target.with_suffix(".partial")
                with partial.open("wb") as copy:
                    while (offset := copy.tell()) < file.size:
                        piece = self._fetch(root.name, file.path, offset)
                        if not piece:
                            break
                        copy.write(piece)
                if not _is_whole(partial, file):
                    partial.unlink()
                    raise ClusterError(f"{file.path or Path(root.path).name} was damaged on its way to the worker.")
                partial.chmod(0o400)
                partial.replace(target)
        return target

    def rewritten(self, data: Any) -> Any:
        """Return a request with the paths that its files have here."""
        if isinstance(data, dict):
            return {key: self.rewritten(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return type(data)(map(self.rewritten, data))
        if isinstance(data, str):
            for root in self._longest_first:
                if data == root or data.startswith(f"{root}/"):
                    return self._paths[root] + data[len(root) :]
        return data

    def hand_back(self, send: Send) -> None:
        """Send the files that the guest has written since this was called last.

        Args:
            send: Sends a message, which has about so many bytes.
        """
        for root in self._roots:
            if not root.is_output:
                continue
            directory = self._paths[root.path]
            for relative, state in _states_below(directory):
                path = f"{directory}/{relative}"
                if self._states.get(path) != state and relative.rpartition("/")[2] != "ask":
                    self._states[path] = state
                    self._send_file(send, root, Path(path), relative)

    def _send_file(self, send: Send, root: Root, path: Path, relative: str) -> None:
        message = {"kind": "file", "root": root.name, "path": relative}
        if self._is_shared:
            send(message, 0)
            return
        digest, size = hashlib.sha256(), path.stat().st_size
        with path.open("rb") as file:
            while True:
                offset = file.tell()
                piece = file.read(PIECE_BYTES)
                digest.update(piece)
                is_last = file.tell() >= size
                sha256 = digest.hexdigest() if is_last else ""
                send({**message, "offset": offset, "data": piece, "sha256": sha256}, len(piece))
                if is_last:
                    return

    def ask(self, text: str) -> None:
        """Write into the file in which the guest looks for requests.

        Args:
            text: What is asked for.
        """
        for root in self._roots:
            if root.name == "snapshots":
                directory = Path(self._paths[root.path])
                directory.mkdir(mode=0o700, exist_ok=True)
                (directory / "ask").write_text(text, encoding="utf-8")

    def drop(self, folder: str) -> None:
        """Remove a snapshot that the submitter has.

        Args:
            folder: Its name.
        """
        for root in self._roots:
            if root.name == "snapshots":
                shutil.rmtree(Path(self._paths[root.path], folder), ignore_errors=True)

    @property
    def own_directories(self) -> list[str]:
        """The directories of the session's own that it shares with the submitter, for what that takes and for later requests."""
        return [own_directory(root, self._token) for root in self._roots if root.is_output] if self._is_shared else []

    def clear(self) -> None:
        """Remove what is of this request alone; what is shared, the submitter has yet to take."""
        self._use.close()
        if self._has_scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


def _make_empty(directory: str) -> None:
    """Make a directory, or empty it of what a request has left that nobody has taken."""
    try:
        left = list(os.scandir(directory))
    except FileNotFoundError:
        os.mkdir(directory, mode=0o700)
        return
    for entry in left:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with suppress(
                FileNotFoundError
            ):  # the submitter has taken it: a network file system may show what was there
                os.unlink(entry.path)


def _states_below(directory: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the files below a directory with their states, but those that the submitter has taken meanwhile."""
    for relative in files_below(directory):
        with suppress(FileNotFoundError):
            yield relative, _state(f"{directory}/{relative}")


def _state(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _is_whole(path: Path, file: File) -> bool:
    """Whether a file is there, and what it is to be; it is read in full once by each process."""
    try:
        size, changed = _state(path)
    except OSError:
        return False
    if size != file.size:
        return False
    if (file.sha256, changed) not in _verified:
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != file.sha256:
                return False
        _verified.add((file.sha256, changed))
    return True

"""Every operation that changes the disk is a point: a run may be ended before it, or the operation may fail.

The functions of Python through which the store reaches the operating system are replaced in this process,
which is a child that ends after its run. Calls of other threads pass uncounted, so that the n-th operation is
the same one in every run.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.children import CRASHED

CRASH, FULL, BROKEN, MOVED = "crash", "ENOSPC", "EIO", "moved"
HOWS = (CRASH, FULL, BROKEN, MOVED)

_SQL_ERRORS = {
    FULL: ("database or disk is full", sqlite3.SQLITE_FULL, "SQLITE_FULL"),
    BROKEN: ("disk I/O error", sqlite3.SQLITE_IOERR, "SQLITE_IOERR"),
}
_NAMED = ("rename", "replace", "link", "symlink", "unlink", "remove", "rmdir", "mkdir", "truncate", "chmod")
_DESCRIBED = ("write", "pwrite", "ftruncate", "fsync", "fdatasync")
_FREEING = ("unlink", "remove", "rmdir")
"""What succeeds on a full disk."""

_real_write, _real_open, _real_rename = os.write, os.open, os.rename
_Connection = sqlite3.Connection


@dataclass
class Points:
    """Counts the operations below a directory, and plants a fault at one of them.

    Attributes:
        root: The checkpoint directory.
        trail: The file that each operation's name is written to, before it happens.
        at: The number of the operation that goes wrong, from 1; 0 for none.
        how: ``crash`` (the process ends there), ``ENOSPC`` or ``EIO`` (the operation fails), or ``moved`` (somebody
            moves the checkpoint directory away just then).
        lasting: Whether all later operations that need the disk fail too, as on a disk that stays full.
        kinds: The words of the operations that are points; all of them if there are none. SQL is said again while another
            thread writes, so that the n-th of all operations is another one on a busy machine.
    """

    root: Path
    trail: Path
    at: int = 0
    how: str = CRASH
    lasting: bool = False
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.seen = 0
        self._thread = threading.get_ident()

    def reached(self, name: str, argument: object) -> bool:
        """Count an operation; return whether it has to fail, or end the process before it."""
        if threading.get_ident() != self._thread or (self.kinds and name not in self.kinds):
            return False
        self.seen += 1
        _real_write(self._trail, f"{self.seen} {name} {argument}\n".encode(errors="replace"))
        if self.how == MOVED:
            if self.seen == self.at and self.root.exists():
                _real_rename(self.root, moved(self.root))
            return False
        if self.how == CRASH:
            return self.seen == self.at
        return self.at > 0 and (self.seen == self.at or (self.lasting and self.seen > self.at and name not in _FREEING))

    def strike(self, path: object) -> None:
        """End the process, or fail."""
        if self.how == CRASH:
            os._exit(CRASHED)
        number = errno.ENOSPC if self.how == FULL else errno.EIO
        raise OSError(number, os.strerror(number), str(path))

    def strike_sql(self) -> None:
        """End the process, or fail as SQLite does."""
        if self.how == CRASH:
            os._exit(CRASHED)
        message, code, name = _SQL_ERRORS[self.how]
        error = sqlite3.OperationalError(message)
        error.sqlite_errorcode, error.sqlite_errorname = code, name
        raise error

    def concerns(self, path: object) -> bool:
        """Whether a path lies below the checkpoint directory."""
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(str(self.root))

    def _path_of(self, descriptor: int) -> str:
        """Return what a descriptor stands for; where nobody tells, it is taken for the store's."""
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            return str(self.root)

    def plant(self) -> None:
        """Replace the functions of this process, for the rest of its life."""
        self._trail = _real_open(self.trail, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for name in _NAMED:
            setattr(os, name, self._named(name, getattr(os, name)))
        for name in _DESCRIBED:
            setattr(os, name, self._described(name, getattr(os, name)))
        namespace: Any = os
        namespace.open = self._os_open(os.open)
        namespaces: Any = (builtins, io)
        for namespace in namespaces:
            namespace.open = self._open(io.open)
        _replace_connect(self)

    def _named(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            # rmtree removes what is in a directory by descriptor and bare name.
            inside = options.get("dir_fd") is not None or any(map(self.concerns, (path, *arguments[:1])))
            if inside and self.reached(name, path):
                self.strike(path)
            return real(path, *arguments, **options)

        return call

    def _described(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *arguments: Any) -> Any:
            path = self._path_of(descriptor)
            if self.concerns(path) and self.reached(name, path):
                if name in ("write", "pwrite"):  # half of it arrives
                    real(descriptor, arguments[0][: len(arguments[0]) // 2], *arguments[1:])
                self.strike(path)
            return real(descriptor, *arguments)

        return call

    def _os_open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, flags: int, *arguments: Any, **options: Any) -> Any:
            changes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            parent = options.get("dir_fd")  # the store opens its files below descriptors of their directories
            location = path if parent is None else f"{self._path_of(parent)}/{path}"
            if changes and self.concerns(location) and self.reached("os.open", location):
                self.strike(location)
            return real(path, flags, *arguments, **options)

        return call

    def _open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        points = self

        class Counted(io.FileIO):
            """A file whose writes are points."""

            def write(self, content: Any) -> int:
                if points.reached("write", self.name):
                    whole = bytes(content)
                    super().write(whole[: len(whole) // 2])
                    points.strike(self.name)
                return super().write(content)

            def truncate(self, size: int | None = None) -> int:
                if points.reached("truncate", self.name):
                    points.strike(self.name)
                return super().truncate(size)

        def call(
            file: Any,
            mode: str = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            closefd: bool = True,
            opener: Any = None,
        ) -> Any:
            if not set(mode) & set("wax+") or not self.concerns(file):
                return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
            if self.reached("open", file):
                self.strike(file)
            raw = Counted(file, mode.replace("b", "").replace("t", ""), opener=opener)
            if buffering == 0:
                return raw
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            if "b" in mode:
                return buffered
            return io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)

        return call


def _replace_connect(points: Points) -> None:
    """Make every SQL statement a point, a COMMIT also afterwards, and the closing of a connection."""
    real = sqlite3.connect

    class Connection(_Connection):
        """A connection whose statements are points."""

        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            # Reading changes nothing, so there is nothing new to crash into, but it can fail; undoing cannot.
            word = statement.split(maxsplit=1)[0].upper()
            reads, undoes = word == "SELECT", word == "ROLLBACK"
            counts = not undoes if points.how != CRASH else not reads
            if counts and points.reached("sql", " ".join(statement.split())[:60]):
                if word == "COMMIT" and points.how != CRASH:
                    super().execute("ROLLBACK")  # as SQLite itself does when a COMMIT fails for such a reason
                points.strike_sql()
            cursor = super().execute(statement, *arguments)
            if word == "COMMIT" and points.how == CRASH and points.reached("sql", "after COMMIT"):
                points.strike_sql()
            return cursor

        def close(self) -> None:
            if points.how == CRASH and points.reached("sql", "close"):  # closing tells nobody what failed
                points.strike_sql()
            super().close()

    def connect(*arguments: Any, **options: Any) -> Any:
        return real(*arguments, **{"factory": Connection, **options})

    namespace: Any = sqlite3
    namespace.connect = connect


def moved(root: Path) -> Path:
    """Return where a checkpoint directory is moved to."""
    return root.with_name(f"{root.name}.moved")


def operations(trail: Path) -> list[str]:
    """Return the names of the operations that a run came to, in order."""
    return [line.partition(" ")[2] for line in trail.read_text(encoding="utf-8", errors="replace").splitlines()]

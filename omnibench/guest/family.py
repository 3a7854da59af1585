"""Sections in which code of the user's computes in this process: what it starts there ends with this process.

The guard that sees to that (see ``guest.family_guard``) is started with the first section; a run that computes no such code
has none, unless code that was tried at its declaration has left processes behind. Whatever else is started outside of
sections, e.g. by a fixture, is none of ours.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

from omnibench.guest import family_guard

MARK = "OMNIBENCH_FAMILY"
"""The variable that programs inherit which are started within a section."""

_ENVIRONMENT = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
"""What an interpreter may need to start."""


class _Guard:
    """The guard of this process, and what it has to be told.

    Attributes:
        pid: The process that it guards; 0 while there is none, or no guard could be started.
        threads: The threads in sections, with those that were there before and are in none.
        is_member: Whether this process was forked within a section.
        survivors: What was started before there was a guard and is to end with this process, and when that was.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.threads: dict[int, frozenset[int]] = {}
        self.is_member = False
        self.survivors: dict[int, int] = {}
        self._token = ""
        self._pipe = -1
        self._identity: tuple[int, int] = (0, 0)
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the guard unless there is one; without processes or descriptors to spare, the code computes without."""
        if self.pid or sys.platform != "linux" or not sys.executable:
            return
        with contextlib.ExitStack() as opened:
            nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            opened.callback(os.close, nothing)
            reading, writing = os.pipe()
            opened.callback(os.close, reading)
            self._make_token()
            command = [sys.executable, "-I", "-S", family_guard.__file__, str(os.getpid()), f"{MARK}={self._token}"]
            streams = [
                (os.POSIX_SPAWN_DUP2, descriptor, number)
                for number, descriptor in enumerate((reading, nothing, nothing))
            ]
            try:
                os.set_blocking(writing, False)
                state = os.fstat(writing)
                os.posix_spawn(command[0], command, _ENVIRONMENT, file_actions=streams, setsid=True, setsigmask=())
            except (OSError, NotImplementedError):
                os.close(writing)
                return
            self.pid, self._pipe, self._identity = os.getpid(), writing, (state.st_dev, state.st_ino)
        for pid, start in self.survivors.items():
            self.say(f"f {pid} {start}")

    def _make_token(self) -> None:
        """Make what marks programs, once: another guard of this process looks for what has begun under the first one."""
        self._token = self._token or os.urandom(16).hex()

    def say(self, message: str) -> None:
        """Send a message, if the pipe is still what it was: a child may have closed everything, and opened other files."""
        try:
            state = os.fstat(self._pipe)
            if (state.st_dev, state.st_ino) == self._identity:
                os.write(self._pipe, f"{message}\n".encode())
        except BlockingIOError:  # somebody has stopped the guard
            pass
        except OSError:
            if not self.is_member:  # somebody has ended the guard: the next section starts another
                self.pid = 0

    def enter(self) -> None:
        """Begin a section in this thread."""
        with self._lock, contextlib.suppress(OSError):  # too many open files, for one
            self.start()
            if not self.pid:
                return
            own = threading.get_native_id()
            outside_threads = self._outside_threads()
            self.threads[own] = outside_threads
            self.say(f"b {own} {_joined(outside_threads)} / {_joined(family_guard.children_of(self.pid))}")
            os.environ[MARK] = self._token

    def leave(self) -> None:
        """End the section of this thread."""
        with self._lock:
            own = threading.get_native_id()
            outside_threads = self.threads.pop(own, None)
            if outside_threads is not None:
                self.say(f"e {own} / {_joined(family_guard.children_of(self.pid, outside_threads))}")
            if not self.threads:
                os.environ.pop(MARK, None)

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Note what is started inside and lives on, and start the guard only for that; programs are marked meanwhile."""
        process = os.getpid()
        try:
            outside_threads, before = self._outside_threads(), frozenset(family_guard.children_of(process))
        except OSError:  # no Linux, or too many open files
            yield
            return
        self._make_token()
        os.environ[MARK] = self._token
        try:
            yield
        finally:
            if process == os.getpid():  # no child that code of the user's has forked, and that returns
                self._keep(set(family_guard.children_of(process, outside_threads)) - before)

    def _keep(self, started: set[int]) -> None:
        with self._lock, contextlib.suppress(OSError):
            if not self.threads:
                os.environ.pop(MARK, None)
            self.survivors |= {pid: start for pid in started if (start := _start_of(pid)) is not None}
            if self.survivors:
                self.start()

    def _outside_threads(self) -> frozenset[int]:
        """Return the threads that are there and in no section, without this one."""
        threads = frozenset(int(name) for name in os.listdir("/proc/self/task"))
        return threads - {threading.get_native_id(), *self.threads}

    def forget(self) -> None:
        """In a child that has no guard: what its parent has started is none of its own."""
        self.survivors.clear()
        self._token = ""

    def note_fork(self, forking: int) -> None:
        """Report this child, if its thread was in a section or its parent is a member."""
        self._lock = threading.Lock()
        is_inside = any(forking not in outside_threads for outside_threads in self.threads.values())
        self.threads.clear()
        if is_inside:
            self.is_member = True
        elif not self.is_member:  # e.g. of a fixture: it may run benchmarks of its own
            self.pid = 0
            os.close(self._pipe)
            self.forget()
        if self.is_member and (start := _start_of(os.getpid())) is not None:
            self.say(f"f {os.getpid()} {start}")


def _start_of(pid: int) -> int | None:
    """Return when a process was started; None if it is dead."""
    fields = family_guard.numbers_of(pid)[1]
    return int(fields[19]) if fields else None


def _joined(numbers: frozenset[int] | list[int]) -> str:
    return " ".join(map(str, numbers))


_guard = _Guard()
_forking = threading.local()


@contextlib.contextmanager
def own_code() -> Iterator[None]:
    """Note what is started by the code inside, and by threads that it starts: it is ended when this process has ended."""
    if _guard.pid not in (0, os.getpid()):  # a forked child's code is its parent's section
        yield
        return
    _guard.enter()
    try:
        yield
    finally:
        if _guard.pid in (0, os.getpid()):
            _guard.leave()


@contextlib.contextmanager
def tried_code() -> Iterator[None]:
    """As ``own_code``, for a trial at declaration: a guard is started only for what lives on, as cached runs declare, too."""
    with own_code() if _guard.pid else _guard.noting():
        yield


def end_started() -> None:
    """End what code of the user's has started in this process, as far as it lives: SIGTERM, and a second later SIGKILL."""
    if _guard.pid == os.getpid():
        _guard.say("k")


def _before_fork() -> None:
    _forking.thread = threading.get_native_id()


def _after_fork_in_child() -> None:
    if _guard.pid:
        _guard.note_fork(_forking.thread)
    else:
        _guard.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)

"""Sections in which code of the user's computes in this process: what it starts there ends with this process.

The guard that sees to that (see ``guest.family_guard``) is started with the first section; a run that computes no such code
has none. Whatever is started outside of sections, e.g. by a fixture, is none of ours.
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
    """

    def __init__(self) -> None:
        self.pid = 0
        self.threads: dict[int, frozenset[int]] = {}
        self.is_member = False
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
            self._token = os.urandom(16).hex()
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
            others = frozenset(int(name) for name in os.listdir("/proc/self/task")) - {own, *self.threads}
            self.threads[own] = others
            self.say(f"b {own} {_joined(others)} / {_joined(family_guard.children_of(self.pid))}")
            os.environ[MARK] = self._token

    def leave(self) -> None:
        """End the section of this thread."""
        with self._lock:
            own = threading.get_native_id()
            others = self.threads.pop(own, None)
            if others is not None:
                self.say(f"e {own} / {_joined(family_guard.children_of(self.pid, others))}")
            if not self.threads:
                os.environ.pop(MARK, None)

    def note_fork(self, forking: int) -> None:
        """Report this child, if its thread was in a section or its parent is a member."""
        self._lock = threading.Lock()
        is_inside = any(forking not in others for others in self.threads.values())
        self.threads.clear()
        if is_inside:
            self.is_member = True
        elif not self.is_member:  # e.g. of a fixture: it may run benchmarks of its own
            self.pid = 0
            os.close(self._pipe)
        if self.is_member:
            fields = family_guard.numbers_of(os.getpid())[1]
            if fields:
                self.say(f"f {os.getpid()} {int(fields[19])}")


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


def end_started() -> None:
    """End what code of the user's has started in this process, as far as it lives: SIGTERM, and a second later SIGKILL."""
    if _guard.pid == os.getpid():
        _guard.say("k")


def _before_fork() -> None:
    _forking.thread = threading.get_native_id()


def _after_fork_in_child() -> None:
    if _guard.pid:
        _guard.note_fork(_forking.thread)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)

"""Guests of inner runs, forked by an interpreter that has imported pandas: half a CPU second less for each of them."""

from __future__ import annotations

import array
import atexit
import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

import pytest
from execnet import gateway_io
from execnet.gateway_base import ExecModel, Popen2IO

from omnibench.runners.gateway import GUEST_MARK
from support import preloaded

_PREFIXES = (
    *("ARROW_", "BLIS_", "COV", "LC_", "LD_", "MALLOC_", "MKL_", "NUMBA_", "NUMEXPR_", "OMP_", "OPENBLAS_", "PANDAS_"),
    *("PYTHON", "RAYON_", "TF_", "VECLIB_"),
)
_NAMES = ("LANG", "LANGUAGE", "TZ")
"""Variables that an interpreter, or what it imports, reads when it starts: who wants others gets another interpreter."""

_ROOM_BYTES = 2**15
"""The variables of no test are longer."""

_MOST = 2
"""So many of these interpreters are kept, with 80 MB each; whoever wants another environment starts guests as users do."""

_PROGRAM = "exec((lambda text: (exec(open(%r, encoding='utf-8').read(), text), text['serve'](%d, %r))[1])({}))"
"""It leaves no name behind that the program in a child would find."""


class ForkedProcess:
    """A child of this process, with the methods of ``subprocess.Popen`` that hosts of guests call.

    Args:
        pid: Its process id.
        stdin: The end of its standard input that is written to.
        stdout: The end of its standard output that is read.
    """

    def __init__(self, pid: int, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None) -> None:
        self.pid = pid
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None
        self._waiting = threading.Lock()

    def poll(self) -> int | None:
        """Return its exit status, negative where a signal ended it; None while it runs."""
        with self._waiting:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: It has not ended in time.
        """
        deadline, pause = None if timeout is None else time.monotonic() + timeout, 0.0005
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("guest", timeout or 0.0)
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(15)

    def kill(self) -> None:
        """End it."""
        self.send_signal(9)


class Interpreter:
    """An interpreter that has imported pandas, and forks a child for each request.

    Args:
        environment: The variables that it starts with.
        tests: The directory of these tests, where it is to fork runs as well.
        requests: The other end of the socket of one that runs.
    """

    def __init__(self, environment: dict[str, str], tests: str = "", requests: socket.socket | None = None) -> None:
        self._asking = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        if requests is not None:
            self._requests = requests
            return
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = _PROGRAM % (preloaded.__file__, theirs.fileno(), tests)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", program],
                env={**environment, preloaded.ROOM: " " * _ROOM_BYTES},
                cwd="/",
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self.close)

    def fork(self, environment: dict[str, str], program: str, arguments: list[str], **more: Any) -> ForkedProcess:
        """Return a child of this process that runs a program, as ``python -c`` does, in this directory."""
        request = {"environment": environment, "arguments": ["-c", *arguments], "program": program, **more}
        (stdin, writes), (reads, stdout) = os.pipe(), os.pipe()
        with os.fdopen(stdin), os.fdopen(stdout, "wb"), contextlib.ExitStack() as ours:
            to_child, of_child = ours.enter_context(os.fdopen(writes, "wb")), ours.enter_context(os.fdopen(reads, "rb"))
            pid = self.ask(request, [stdin, stdout, 2])
            ours.pop_all()
        return ForkedProcess(pid, to_child, of_child)

    def ask(self, request: dict[str, Any], streams: list[int]) -> int:
        """Have a child forked, in this directory; return its process id.

        Raises:
            OSError: The interpreter has ended, or may not fork.
        """
        descriptors = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))
        with self._asking:
            self._requests.sendmsg([json.dumps({"directory": os.getcwd(), **request}).encode()], [descriptors])
            answer = self._requests.recv(preloaded.MESSAGE_BYTES)
        pid = int(answer or -1)
        if pid < 0:
            raise BrokenPipeError("the interpreter has ended, or may not fork")
        return pid

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended; only the process that has started it knows."""
        return self._process is not None and self._process.poll() is not None

    def close(self) -> None:
        """End it; what it has forked goes on."""
        self._requests.close()
        if self._process is not None:
            self._process.wait()


Variables = tuple[tuple[str, str], ...]
_interpreters: dict[Variables, Interpreter | None] = {}
"""By the variables that they start with; None stands for one that the next run will have."""


def _forget() -> None:
    """Leave the interpreters to the process that has started them.

    What they fork is a child of that one. A fork of it, as the harness of faults makes them, could neither wait for it nor end
    it, and the guest would not see who it works for.
    """
    _interpreters.clear()


os.register_at_fork(after_in_child=_forget)


def variables_at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those variables that an interpreter, or what it imports, reads when it starts."""
    return {name: value for name, value in environment.items() if name.startswith(_PREFIXES) or name in _NAMES}


def guest_of(arguments: list[str]) -> tuple[dict[str, str], str, list[str]] | None:
    """Return the environment, the program and the arguments of the guest of a user's class; None of anything else."""
    if arguments[0] != "env" or sys.executable not in arguments or f"{GUEST_MARK}=1" not in arguments:
        return None
    python = arguments.index(sys.executable)
    environment, words = dict(os.environ), iter(arguments[1:python])
    for word in words:
        if word == "-u":
            environment.pop(next(words), None)
        else:
            name, _, value = word.partition("=")
            environment[name] = value
    unbuffered, _, program, *rest = arguments[python + 1 :]
    return (environment, program, rest) if unbuffered == "-u" else None


def forked_process(arguments: list[str]) -> ForkedProcess | None:
    """Return the guest of a user's class; None where the arguments start something else, or in a rare environment."""
    guest = guest_of(arguments)
    if guest is None:
        return None
    interpreter = _interpreters.get(key := tuple(sorted(variables_at_the_start(guest[0]).items())))
    if interpreter is None and len(_interpreters) < _MOST:
        _interpreters[key] = None
    return interpreter.fork(*guest) if interpreter is not None else None


class ForkingIO(gateway_io.Popen2IOMaster):
    """execnet's pipes to a process, which is forked where it is the guest of a user's class."""

    def __init__(self, args: list[str], execmodel: ExecModel) -> None:
        process: Any = None
        with contextlib.suppress(OSError):  # what forks has ended: the process is started
            process = self.forked(args)
        if process is None:
            super().__init__(args, execmodel)
            return
        self.popen = process
        Popen2IO.__init__(self, process.stdin, process.stdout, execmodel=execmodel)

    @staticmethod
    def forked(arguments: list[str]) -> ForkedProcess | None:
        """Return a process that is forked for these arguments; None where it is to be started."""
        return forked_process(arguments)


CAN_FORK = sys.platform == "linux" and platform.machine() in preloaded._CLONE_CALLS
"""Whether the system call is known here."""


@contextlib.contextmanager
def forked_guests() -> Iterator[None]:
    """Let guests of users' classes be forked that this process starts meanwhile, where the kernel can do so.

    Interpreters are started here, by the main thread: what they fork gets the signal that its parent has died when the
    thread ends that has started the interpreter.
    """
    for key in [key for key, interpreter in _interpreters.items() if interpreter is None]:
        _interpreters[key] = Interpreter(dict(key))
    with pytest.MonkeyPatch.context() as patch:
        if CAN_FORK:
            patch.setattr(gateway_io, "Popen2IOMaster", ForkingIO)
        yield

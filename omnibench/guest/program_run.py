"""A program that runs: what it prints is passed on line by line while it does, and it ends when nobody listens any more."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from .meter import add_program
from .program_commands import ProgramError, ending

_LAST_LINES = 20
_SHOWN_LINES = 5
_ENDING_SECONDS = 2.0


class RunningProgram:
    """A program that has been started. It stays in the process group of this process, with which it is ended.

    Args:
        command: The program and its arguments.
        work: Its working directory.

    Raises:
        ProgramError: It cannot be started.
    """

    def __init__(self, command: Sequence[str], work: Path) -> None:
        self._command = command
        self._has_ended = False
        self._events: queue.SimpleQueue[str | tuple[int, Any]] = queue.SimpleQueue()
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        try:
            self._process = subprocess.Popen(command, cwd=work, text=True, errors="replace", **pipes)
        except OSError as error:
            line = shlex.join(command)
            raise ProgramError(f"{command[0]} cannot be started ({error.strerror}); the command was: {line}") from error
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._pass_on, args=streams, daemon=True)
            for streams in ((self._process.stdout, sys.stdout), (self._process.stderr, sys.stderr))
        ]
        for thread in (*self._readers, threading.Thread(target=self._wait, daemon=True)):
            thread.start()

    def lines(self) -> Iterator[str]:
        """Yield what it prints, on stdout and on stderr, as soon as a line is complete; the last when it has ended.

        It is killed where the caller stops listening.

        Raises:
            ProgramError: It has ended with another status than 0; the message has its last words.
        """
        try:
            while isinstance(event := self._events.get(), str):
                yield event
        except BaseException:
            self._send(signal.SIGKILL)
            raise
        wait_status, usage = event
        self._process.returncode = status = os.waitstatus_to_exitcode(wait_status)
        add_program(usage)
        for reader in self._readers:  # what it has left in the background may hold the pipes for longer
            reader.join(_ENDING_SECONDS)
        while not self._events.empty():
            yield str(self._events.get())
        if status:
            words = "".join(list(self._last)[-_SHOWN_LINES:]).strip()
            remark = f"; it said: {words}" if words else ", and said nothing on stderr"
            raise ProgramError(
                f"{Path(self._command[0]).name} {ending(status)}{remark}\nThe command was: {shlex.join(self._command)}"
            )

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Have it stand still inside, so that nothing that it has written changes."""
        self._send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended: its number may be another process's by then."""
        if not self._has_ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _pass_on(self, stream: IO[str], log: IO[str]) -> None:
        for printed in stream:
            if stream is self._process.stderr:
                self._last.append(printed)
            log.write(printed)
            self._events.put(printed)
        log.flush()

    def _wait(self) -> None:
        _, wait_status, usage = os.wait4(self._process.pid, 0)
        self._has_ended = True
        self._events.put((wait_status, usage))

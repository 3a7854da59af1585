"""A program that runs: it says by lines with a mark how far it is, stands still on request, and ends when nobody listens any more."""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from .meter import add_program
from .process_tree import kill_tree, signal_all, stop_tree
from .program_commands import ProgramError, ending
from .program_output import ProgramOutput

MARK = "omnibench"
"""The first word of lines that are for the guest; all others are for the log alone."""

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
        self._changed = threading.Condition()
        """Held by whoever reads what the program prints, and told when there is a line, or the program has ended."""
        self._marked: deque[str] = deque()
        self._end: tuple[int, Any] | None = None
        """How it has ended (as an exit status), and what it has used."""
        self._last: deque[str] = deque(maxlen=_SHOWN_LINES)
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        try:
            self._process = subprocess.Popen(command, cwd=work, bufsize=0, **pipes)
        except OSError as error:
            line = shlex.join(command)
            raise ProgramError(f"{command[0]} cannot be started ({error.strerror}); the command was: {line}") from error
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._errors = ProgramOutput(self._process.stderr, sys.stderr)
        self._outputs = (ProgramOutput(self._process.stdout, sys.stdout), self._errors)
        self._listener, self._waiter = (
            threading.Thread(target=target, daemon=True) for target in (self._listen, self._wait)
        )
        self._listener.start()
        self._waiter.start()

    def lines(self) -> Generator[str, None, None]:
        """Yield the lines with the mark that it prints on stdout and on stderr, as soon as each is complete, until it has ended.

        It is killed with all that it has started where the caller stops listening.

        Raises:
            ProgramError: It has ended with another status than 0; the message has its last words.
        """
        try:
            while (line := self._next_line()) is not None:
                yield line
        except BaseException:
            self._kill()
            raise
        assert self._end is not None, "else there would have been a line"
        status, usage = self._end
        add_program(usage)
        self._listener.join(_ENDING_SECONDS)  # what it has left in the background may hold the pipes for longer
        yield from self._printed()
        if status:
            words = "\n".join(self._last).strip()
            remark = f"; it said: {words}" if words else ", and said nothing on stderr"
            raise ProgramError(
                f"{Path(self._command[0]).name} {ending(status)}{remark}\nThe command was: {shlex.join(self._command)}"
            )

    @contextlib.contextmanager
    def paused(self) -> Iterator[list[str]]:
        """Have it stand still inside with all that it has started, so that nothing that it has written changes.

        Yields:
            The lines with the mark that it has printed before, as far as ``lines`` has not yielded them; it will not.
        """
        pids = [] if self._end else stop_tree(self._process.pid)
        try:
            yield self._printed()
        finally:
            if self._end:  # its number may be another process's by now
                pids = [pid for pid in pids if pid != self._process.pid]
            signal_all(pids, signal.SIGCONT)

    def _next_line(self) -> str | None:
        """Wait for a line; None where the program has ended, and there is none that was read before."""
        with self._changed:
            self._changed.wait_for(lambda: self._marked or self._end)
            return self._marked.popleft() if self._marked else None

    def _printed(self) -> list[str]:
        """Return all lines with the mark that are in the pipes and that nobody has taken yet."""
        with self._changed:
            for output in self._outputs:
                while output.is_open and self._read(output):
                    pass
            lines = list(self._marked)
            self._marked.clear()
        return lines

    def _read(self, output: ProgramOutput) -> bool:
        """Read a piece of what it has printed; return whether there was any."""
        lines = output.read()
        self._marked += [line for line in lines or () if line.split(maxsplit=1)[:1] == [MARK]]
        if output is self._errors:  # of a progress bar, what is seen of it on a terminal
            self._last += [line.rstrip().rpartition("\r")[2] for line in lines or ()]
        return lines is not None

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            for output in self._outputs:
                selector.register(output, selectors.EVENT_READ, output)
            while selector.get_map():
                for key, _ in selector.select():
                    with self._changed:
                        self._read(key.data)
                        if not key.data.is_open:
                            selector.unregister(key.data)
                            key.data.close()
                        if self._marked:
                            self._changed.notify_all()

    def _wait(self) -> None:
        _, wait_status, usage = os.wait4(self._process.pid, 0)
        with self._changed:
            self._process.returncode = status = os.waitstatus_to_exitcode(wait_status)
            self._end = status, usage
            self._changed.notify_all()

    def _kill(self) -> None:
        if self._end is None:
            kill_tree(self._process.pid, _ENDING_SECONDS)
            for thread in (self._waiter, self._listener):
                thread.join(_ENDING_SECONDS)
        if self._end is not None:
            add_program(self._end[1])

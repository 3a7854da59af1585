"""Children: a warm process is forked for every run, which takes milliseconds where a new interpreter takes seconds."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from omnibench.errors import OmnibenchError

KILLED = -signal.SIGKILL
CRASHED = 137
"""The exit status of a child that a planted crash has ended."""
_write = os.write  # below whatever faults are injected into Python's functions
PATIENCE = 60.0
"""Seconds after which a run that takes a tenth of a second hangs."""


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        status: Its exit status, or minus the signal that killed it.
        outcome: What its action returned, if it did.
        error: ``{type, expected, message, details}`` of what its action raised; ``expected`` for OmnibenchError.
        hung: It had to be killed because it did not end.
    """

    status: int
    outcome: dict[str, Any] | None = None
    error: dict[str, Any] = field(default_factory=dict)
    hung: bool = False

    def __str__(self) -> str:
        if self.hung:
            return "it hangs"
        if self.outcome is not None:
            return f"it came through; failed: {self.outcome.get('failed')}"
        return f"status {self.status}, {self.error.get('type')}: {self.error.get('message')}"


class Child:
    """A running child.

    Args:
        action: What it does; its result is plain data.
        stopped: Whether it stops itself at the start until it gets a SIGCONT.
        log: The file that takes its output.
    """

    def __init__(self, action: Callable[[], dict[str, Any]], log: Path, *, stopped: bool = False) -> None:
        self._reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads; the child uses none of what xdist's or numpy's may hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            _live(action, writer, log, stopped=stopped)
        os.close(writer)
        self._received = b""
        self.ended: Ended | None = None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still lives."""
        if self.ended is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float = PATIENCE) -> Ended:
        """Wait for its end; kill it when it takes longer."""
        if self.poll(seconds) is None:
            os.kill(self.pid, signal.SIGKILL)
            hung = self.poll(PATIENCE)
            assert hung is not None, "a killed process ends"
            self.ended = Ended(hung.status, hung.outcome, hung.error, hung=True)
        assert self.ended is not None
        return self.ended

    def poll(self, seconds: float = 0.0) -> Ended | None:
        """Return how it ended, or None when it still lives after some seconds."""
        deadline = time.monotonic() + seconds
        while self.ended is None:
            readable, _, _ = select.select([self._reader], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                return None
            chunk = os.read(self._reader, 65536)
            self._received += chunk
            if not chunk:  # the writing end is gone, and so is the child
                self._reap()
        return self.ended

    def _reap(self) -> None:
        os.close(self._reader)
        _, status = os.waitpid(self.pid, 0)
        answer = json.loads(self._received) if self._received.endswith(b"\n") else {}
        self.ended = Ended(os.waitstatus_to_exitcode(status), answer.get("outcome"), answer.get("error", {}))


def run(action: Callable[[], dict[str, Any]], log: Path) -> Ended:
    """Run an action in a child, to its end."""
    return Child(action, log).wait()


def _live(action: Callable[[], dict[str, Any]], writer: int, log: Path, *, stopped: bool) -> NoReturn:
    """Be the child, and never return into the tests."""
    status = 1
    try:
        try:
            status = _act(action, writer, log, stopped=stopped)
        finally:
            os._exit(status)
    finally:  # an interrupt may hit between the two
        os._exit(status)


def _act(action: Callable[[], dict[str, Any]], writer: int, log: Path, *, stopped: bool) -> int:
    answer: dict[str, Any]
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        # pytest's capture and its warning filters are not the child's.
        sys.stdout = sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115 - for life
        warnings.resetwarnings()
        gc.freeze()  # a guest collects before each Fit, which would touch (and copy) all that the parent has
        if stopped:
            os.kill(os.getpid(), signal.SIGSTOP)
        answer = {"outcome": action()}
        status = 0
    except BaseException as error:
        answer = {"error": described(error)}
        status = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a mask would hold for this thread alone
    message = json.dumps(answer).encode() + b"\n"
    while message:
        message = message[_write(writer, message) :]
    return status


def described(error: BaseException) -> dict[str, Any]:
    """Return an error as plain data."""
    return {
        "type": type(error).__name__,
        "expected": isinstance(error, OmnibenchError | KeyboardInterrupt),
        "message": str(error),
        "details": "".join(traceback.format_exception(error)),
    }

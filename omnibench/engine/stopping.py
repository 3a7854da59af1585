"""Requests to stop: the first signal lets the phase in progress finish within a grace period, the second ends it.

Signals are those that mean "stop": SIGINT (Ctrl-C) and SIGTERM (``kill``, Slurm, systemd, a container's end).

A phase looks at the grace period itself while it waits for a guest. What does not, because it hangs in Python code of the
user's that may have swallowed the first signal, or in a worker, is ended as by a second signal, a few seconds after the
grace period.

What is forked meanwhile has the same handlers, which would keep a pool from ending its workers by SIGTERM: in a child it
works as before. The first Ctrl-C of a terminal, which children hear as well, leaves them to the phase that they work for.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self

from omnibench.guest.family import end_started
from omnibench.notebooks import is_interactive

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_ENDING_SECONDS = 5.0
"""So long after the grace period, what should have ended by itself is ended: guests need a moment, records are written."""

_LOOK_SECONDS = 0.1

_entered: weakref.WeakSet[Stopping] = weakref.WeakSet()
"""Those whose handlers a forked child has."""


class StoppedError(KeyboardInterrupt):
    """The run was asked to stop. A KeyboardInterrupt, because that is how pytest and scripts end on request."""

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows of it: the sentence, and none of our lines."""
        return [str(self)]


class StoppedScriptError(StoppedError, SystemExit):
    """The run of a script was asked to stop. Nobody has to catch it: the script ends without a traceback.

    Args:
        message: What the run has come to.
        code: The exit status: 128 and the signal's number, as shells have it.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def stopped_for_good(message: str, reason: str) -> StoppedError:
    """Return the error that ends a script, or only its cell where somebody types one after the other.

    Args:
        message: What the run has come to.
        reason: The signal's name.
    """
    if is_interactive():
        return StoppedError(message)
    return StoppedScriptError(message, 128 + signal.Signals[reason] if reason in signal.Signals.__members__ else 130)


class Stopping:
    """Handles signals to stop while it is entered; in any thread but the main one it receives none.

    Args:
        grace: Seconds that a phase in progress gets.
        notify: Called with a sentence at the first signal.
        insistent: Whether a second signal ends the phase at once. A worker is not: it hears a signal from its
            terminal and from its controller, and the controller's second one is a SIGKILL.
        on_first_signal: Called at the first signal, also while no phase is in progress.
        on_second_signal: Called at a second one, before it ends the phase; also when the phase is ended for being late.

    Attributes:
        on_first_signal: Called at the first signal.
        on_second_signal: Called at a second one.
        reason: The first signal's name, or nothing while there was none.
    """

    def __init__(
        self,
        grace: float,
        notify: Callable[[str], None],
        *,
        insistent: bool = True,
        on_first_signal: Callable[[], None] = lambda: None,
        on_second_signal: Callable[[], None] = lambda: None,
    ) -> None:
        self.grace = grace
        self.reason = ""
        self._notify = notify
        self._insistent = insistent
        self.on_first_signal = on_first_signal
        self.on_second_signal = on_second_signal
        self._deadline = 0.0
        """The end of the grace period; 0 while there is none, and when it was ended."""
        self._in_phase = ""
        self._depth = 0
        self._is_late = False
        self._leaving = threading.Lock()
        self._earlier_handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._depth += 1
        if self._depth == 1:
            self.reason = ""  # what was stopped earlier may run again
            self._is_late = False
            if threading.current_thread() is threading.main_thread():
                for number in _SIGNALS:
                    self._earlier_handlers[number] = signal.signal(number, self._on_signal)
                _entered.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        with self._leaving:  # behind it, nobody sends a signal that these handlers have to hear
            self._deadline = 0.0
        self._restore(*_SIGNALS)
        _entered.discard(self)

    def _restore(self, *numbers: int) -> None:
        for number in numbers:
            handler = self._earlier_handlers.pop(number, None)
            if handler is not None:  # None: it was set outside of Python, and cannot be put back
                signal.signal(number, handler)

    def let_go(self) -> None:
        """Leave signals to others, in a forked child; the first SIGINT goes by, unless it has come before the fork."""
        self._leaving = threading.Lock()
        self._deadline = 0.0
        self._restore(signal.SIGTERM)
        if self.reason:
            self._restore(signal.SIGINT)
        elif signal.SIGINT in self._earlier_handlers:
            signal.signal(signal.SIGINT, lambda number, _: self._restore(number))

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._is_late and not self._depth:
            return  # it ended by itself at the last moment
        first = not self.reason
        if first:
            self.reason = signal.Signals(number).name
            self._deadline = time.monotonic() + self.grace
            self.on_first_signal()
        if not self._insistent:
            return
        if first:
            with contextlib.suppress(
                RuntimeError
            ):  # no thread is to be had, so that nobody ends what hangs but a second signal
                _thread.start_new_thread(
                    self._end_late, ()
                )  # threading's own start takes locks that this thread may hold
        if first and self._in_phase:
            with contextlib.suppress(RuntimeError):  # the signal came while this very thread was writing
                self._notify(
                    f"{self.reason}: stopping; {self._in_phase} has {self.grace:g} s to finish what it is at. "
                    "Once more (Ctrl-C) stops at once."
                )
            return
        if not first:
            self.hurry()
            self.on_second_signal()
            end_started()
        raise StoppedError(f"stopped by {self.reason}")

    def _end_late(self) -> None:
        """Send a second signal when the grace period has long been over and this is still entered: something hangs."""
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._leaving:
                if not self._deadline:
                    return
                if time.monotonic() >= self._deadline + _ENDING_SECONDS:
                    self._is_late = True
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                    return

    @contextlib.contextmanager
    def phases(self, item: str) -> Iterator[None]:
        """Keep the first signal from interrupting the phases inside; ``check`` and ``expired`` raise instead.

        Args:
            item: The name of what is in progress, for messages.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # no signal gets there
            return
        self._in_phase = item
        try:
            yield
        finally:
            self._in_phase = ""

    def ask(self, reason: str) -> None:
        """Ask to stop, as the first signal does: the phases in progress get the grace period.

        Args:
            reason: Why; the first reason stays.
        """
        if not self.reason:
            self.reason = reason
            self._deadline = time.monotonic() + self.grace

    def hurry(self) -> None:
        """End the grace period."""
        self._deadline = 0.0

    def check(self) -> None:
        """Raise if a stop was requested; to be called between phases.

        Raises:
            StoppedError: The run is to stop.
        """
        if self.reason:
            raise StoppedError(f"stopped by {self.reason}")

    def expired(self) -> None:
        """Raise if a stop was requested and the grace period is over; to be called while waiting for a phase.

        Raises:
            StoppedError: The phase is to be given up.
        """
        if self.reason and time.monotonic() >= self._deadline:
            raise StoppedError(f"stopped by {self.reason}")


_masks = threading.local()


def _before_fork() -> None:
    """Keep signals waiting until a child has the handlers that are right for it."""
    _masks.earlier = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS) if _entered else None


def _after_fork() -> None:
    if _masks.earlier is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _masks.earlier)


def _after_fork_in_child() -> None:
    for stopping in tuple(_entered):
        stopping.let_go()
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)

"""Messages between a task and the process that has submitted it, on the worker's side.

A client of Dask reaches a worker only through the scheduler, and a task cannot call its client. So the client asks: a
call of ``exchange`` brings messages, and waits for some to take away; while no call waits, a task rings when it has any, by an event
of Dask's that says no more than that. Each side counts, so that a call may be repeated when its answer was lost. Messages are
plain data; files come in pieces, and a task waits while too much is on its way. Dask runs ``exchange`` in its event loop; the
worker of a process that has started it is called in a thread, by ``exchange_here``.

A task whose submitter is gone must not go on. The scheduler takes a task back when its client is gone, which is seen in a
second; where the scheduler is gone as well, nobody calls any more.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

from omnibench.errors import OmnibenchError

Message = dict[str, Any]
"""``kind``, and what that kind has."""

_LEAST_PATIENCE = 60.0
"""So long at least a task goes on while it hears nothing of the process that has submitted it."""

_MOST_BYTES = 32 * 2**20
"""What may wait to be taken away."""

_ONE_ANSWER = 12 * 2**20

_GATHERING_SECONDS = 0.05
"""So long a message that does not hurry waits for others: each call costs the submitter milliseconds."""

_LOOK_SECONDS = 0.5

_open: dict[str, Mailbox] = {}
_heard: dict[str, float] = {}
"""When something was heard of the submitting process of each run."""


class AbandonedError(OmnibenchError):
    """Nobody waits for what a task computes."""


class Mailbox:
    """The messages of one task. Use it as a context manager in the task's thread.

    Args:
        token: Names it for the submitter.
        run: The submitter's run.
        loop: The worker's event loop, in which ``exchange`` runs.
        is_wanted: Whether the scheduler still wants the task's result.
        patience: Seconds that the submitter may be out of reach.
        ring: Tells a submitter that calls through the event loop that there are messages; called in any thread.
    """

    def __init__(
        self,
        token: str,
        run: str,
        loop: asyncio.AbstractEventLoop,
        is_wanted: Callable[[], bool],
        patience: float = 0.0,
        ring: Callable[[], None] = lambda: None,
    ) -> None:
        self._ring = ring
        self._rings = True
        self._token, self._run, self._loop, self._is_wanted = token, run, loop, is_wanted
        self._patience = max(patience, _LEAST_PATIENCE)
        self._changed = threading.Condition()
        self._outgoing: deque[tuple[Message, int]] = deque()
        self._first_outgoing = self._bytes = 0
        self._incoming: deque[Message] = deque()
        self._n_received = 0
        self._n_due = 0
        """How many messages, of all that there ever were, are not to wait any longer."""
        self._gathers_until = math.inf
        """When those that wait for others are due, too."""
        self._n_calls_in_loop = 0
        self._is_filled = asyncio.Event()

    def __enter__(self) -> Self:
        _heard[self._run] = time.monotonic()
        _open[self._token] = self
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            _open.pop(self._token, None)
            self._wake_calls()

    def _wake_calls(self) -> None:
        """Have calls that wait look again; the lock is held."""
        self._changed.notify_all()
        if self._n_calls_in_loop:
            self._loop.call_soon_threadsafe(self._is_filled.set)

    def check(self) -> None:
        """Raise when nobody waits for the task any more.

        Raises:
            AbandonedError: The submitter is gone.
        """
        if not self._is_wanted():
            raise AbandonedError("the scheduler has taken the task back")
        if time.monotonic() - _heard.get(self._run, 0.0) > self._patience:
            raise AbandonedError(f"nothing was heard of its submitter for {self._patience:g} s")

    def send(self, message: Message, size: int = 0, *, hurries: bool = True, is_followed: bool = False) -> None:
        """Put a message into the box, once there is room.

        Args:
            message: Plain data.
            size: About how many bytes it has, if these are many.
            hurries: Whether it is taken away at once; else it waits a moment for others, as what nobody waits for may.
            is_followed: Whether another one comes behind it at once, for which it waits.

        Raises:
            AbandonedError: Nobody takes anything away any more.
        """
        with self._changed:
            while self._bytes and self._bytes + size > _MOST_BYTES:
                self.check()
                self._changed.wait(_LOOK_SECONDS)
            self._outgoing.append((message, size))
            self._bytes += size
            if (hurries and not is_followed) or self._bytes > _ONE_ANSWER:
                self._announce()
            elif not is_followed and self._gathers_until == math.inf:
                self._gathers_until = time.monotonic() + _GATHERING_SECONDS
                self._wake_calls()
                if self._is_to_ring:
                    self._loop.call_soon_threadsafe(self._loop.call_later, _GATHERING_SECONDS, self._end_gathering)

    @property
    def _is_to_ring(self) -> bool:
        """Whether no call waits, nor comes by itself; the lock is held."""
        return self._rings and not self._n_calls_in_loop

    def _announce(self) -> None:
        """Have all that is in the box be taken away: by the calls that wait, or by one that is rung for; the lock is held."""
        self._note_due()
        self._wake_calls()
        if self._is_to_ring:
            self._ring()

    def _end_gathering(self) -> None:
        """Have what has waited for others be taken away."""
        with self._changed:
            if self._outgoing and self._is_to_ring:
                self._announce()

    def _note_due(self) -> None:
        """Have all that is in the box be taken away; the lock is held."""
        self._n_due = self._first_outgoing + len(self._outgoing)
        self._gathers_until = math.inf

    @property
    def _is_due(self) -> bool:
        """Whether a call is to end; the lock is held."""
        if time.monotonic() >= self._gathers_until:
            self._note_due()
        return self._n_due > self._first_outgoing or _open.get(self._token) is not self

    def _seconds_until(self, deadline: float) -> float:
        """Return how long a call is to wait before it looks again; the lock is held."""
        return 0.0 if self._is_due else max(0.0, min(deadline, self._gathers_until) - time.monotonic())

    def receive(self, timeout: float | None = None) -> Message | None:
        """Return the next message; None when none has come in time.

        Args:
            timeout: Seconds, or None for as long as it takes.

        Raises:
            AbandonedError: The submitter is gone.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._incoming:
                left = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - time.monotonic())
                if left <= 0:
                    return None
                self._changed.wait(left)
                self.check()
            return self._incoming.popleft()

    async def exchange(
        self, received: int, first: int, messages: Sequence[Message], wait: float
    ) -> tuple[int, list[Message]]:
        """Take messages in, and hand others out, in the worker's event loop; see the function of this name."""
        deadline = time.monotonic() + wait
        with self._changed:
            self._take_in(received, first, messages)
            self._n_calls_in_loop += 1
        try:
            while True:
                with self._changed:
                    self._is_filled.clear()
                    left = self._seconds_until(deadline)
                    if not left:
                        self._n_calls_in_loop -= 1  # at this moment: what is sent afterwards has to ring
                        return self._hand_out()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._is_filled.wait(), left)
        except BaseException:
            with self._changed:
                self._n_calls_in_loop -= 1
            raise

    def exchange_here(
        self, received: int, first: int, messages: Sequence[Message], wait: float
    ) -> tuple[int, list[Message]]:
        """Take messages in, and hand others out, in a thread that may wait; see ``exchange``."""
        deadline = time.monotonic() + wait
        with self._changed:
            self._rings = False
            self._take_in(received, first, messages)
            while left := self._seconds_until(deadline):
                self._changed.wait(left)
            return self._hand_out()

    def _take_in(self, received: int, first: int, messages: Sequence[Message]) -> None:
        """Put messages where the task receives them, and forget those that the caller has; the lock is held."""
        _heard[self._run] = time.monotonic()
        while self._outgoing and self._first_outgoing < received:
            self._bytes -= self._outgoing.popleft()[1]
            self._first_outgoing += 1
        if not self._outgoing:
            self._gathers_until = math.inf
        self._incoming.extend(messages[max(0, self._n_received - first) :])
        self._n_received = max(self._n_received, first + len(messages))
        self._changed.notify_all()

    def _hand_out(self) -> tuple[int, list[Message]]:
        """Return the number of the first message, and as many as one answer has; the lock is held."""
        answer: list[Message] = []
        size = 0
        for message, its_size in self._outgoing:
            if answer and size + its_size > _ONE_ANSWER:
                break
            answer.append(message)
            size += its_size
        return self._first_outgoing, answer


async def exchange(
    token: str, received: int, first: int, messages: Sequence[Message], wait: float
) -> tuple[int, list[Message]] | None:
    """Bring messages to a task of this worker, and return those that it has; None where there is no such task.

    Args:
        token: The task's.
        received: How many of its messages the caller has.
        first: The number of the first message that is brought.
        messages: The messages.
        wait: Seconds to wait for messages while there are none.

    Returns:
        The number of the first message, and the messages.
    """
    mailbox = _open.get(token)
    return None if mailbox is None else await mailbox.exchange(received, first, messages, wait)


def exchange_here(
    token: str, received: int, first: int, messages: Sequence[Message], wait: float
) -> tuple[int, list[Message]] | None:
    """Do as ``exchange``, in a thread that may wait."""
    mailbox = _open.get(token)
    return None if mailbox is None else mailbox.exchange_here(received, first, messages, wait)


def hear_of(run: str) -> None:
    """Note that the submitting process of a run lives.

    Args:
        run: The run.
    """
    _heard[run] = time.monotonic()

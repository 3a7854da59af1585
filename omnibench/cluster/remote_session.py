"""A session as the submitting process has it: submitted, waited for, talked to, and ended."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from omnibench.cluster.clients import failure_of
from omnibench.cluster.locations import Sessions, WorkerLocation
from omnibench.cluster.mailbox import Message
from omnibench.cluster.waits import Wait
from omnibench.errors import CutOffError, LostGuestError

_WAIT_SECONDS = 1.0
"""So long a call waits on the worker while there are no messages; then the session rings when it has any."""

_CHECK_SECONDS = 60.0
"""After so long without a ring the session is called all the same: it may have got lost."""

_RETRY_SECONDS = 0.5
_KEPT_SECONDS = 2.0
"""So long a session goes from item to item on a worker that other runs may wait for: to begin one costs as much as a small item."""

_LOST_SECONDS = 60.0
"""So long a worker that the scheduler has not given up may not answer."""

_KILLED_WORKER = "KilledWorker: "
"""The scheduler's exception for a task whose worker is gone; whatever else a task has failed with, it has raised itself."""


class RemoteSession:
    """A session on a worker. It has to be ended.

    Args:
        connection: The cluster.
        resources: What its worker has to have free, by Dask's names.
        hear: Called with the messages that a guest prints and tells of the environment; see ``worker_guests``.
        wait: The item, while the session waits for a place.

    Attributes:
        token: Names it.
        location: The worker that it is on.

    Raises:
        ClusterError: The cluster cannot be used any more.
    """

    def __init__(
        self,
        connection: Sessions,
        resources: Mapping[str, float],
        hear: Callable[[Message], bool],
        wait: Wait,
    ) -> None:
        self._connection, self._hear = connection, hear
        self._outgoing: list[Message] = []
        self._n_sent = self._n_taken = 0
        self._incoming: deque[Message] = deque()
        self._is_silent = False
        self._called = 0.0
        self.location: WorkerLocation
        self.token, self._future, self.location = connection.begin(resources, wait)
        self._ends_at = time.monotonic() + (math.inf if connection.has_own_workers else _KEPT_SECONDS)

    @property
    def is_due(self) -> bool:
        """Whether others are to have its place once its item has ended: somebody of this run waits, or another run may for long."""
        return time.monotonic() > self._ends_at or self._connection.has_waiting

    def send(self, message: Message) -> None:
        """Send a message, with the next call of ``receive``."""
        self._outgoing.append(message)

    def receive(self, while_waiting: Callable[[], None]) -> Message:
        """Return the next message, but for those of ``hear``.

        Args:
            while_waiting: Called about once a second, less often where hundreds wait; raising gives up.

        Raises:
            CutOffError: This process was cut off from its scheduler.
            LostGuestError: Its worker is gone, or the task there has failed.
            ClusterError: The cluster is.
        """
        while True:
            while not self._incoming:
                while_waiting()
                if self._is_to_be_called():
                    self._exchange(while_waiting)
            message = self._incoming.popleft()
            if not self._hear(message):
                return message

    def _is_to_be_called(self) -> bool:
        """Whether there is anything to bring or to take away; waits a while for a session that had nothing the last time."""
        if self._outgoing or not self._is_silent or time.monotonic() - self._called > _CHECK_SECONDS:
            return True
        return self._connection.await_ring(self.token, _WAIT_SECONDS)

    def _exchange(self, while_waiting: Callable[[], None]) -> None:
        first, messages = self._call(while_waiting)
        self._is_silent, self._called = not messages, time.monotonic()
        self._n_sent += len(self._outgoing)
        self._outgoing.clear()
        self._incoming.extend(messages[max(0, self._n_taken - first) :])
        self._n_taken = max(self._n_taken, first + len(messages))

    def _call(self, while_waiting: Callable[[], None]) -> tuple[int, list[Message]]:
        address, host = self.location.address, self.location.host
        deadline = time.monotonic() + _LOST_SECONDS
        while True:
            if self._future.status == "error":  # of a lost worker Dask would wait for an answer until it gives up
                raise LostGuestError(self._end_of_task())
            try:
                answer = self._call_once(_WAIT_SECONDS)
            except Exception as error:  # whatever a broken connection raises; who is to blame is seen by asking
                has_worker = self._connection.has_worker(address, while_waiting)
                if self._connection.is_cut_off(self.token):
                    raise CutOffError(f"this process was cut off from {host} ({address})") from error
                if not has_worker or time.monotonic() > deadline:
                    raise LostGuestError(f"{host} ({address}) is gone") from error
                while_waiting()
                time.sleep(_RETRY_SECONDS)
                continue
            if answer is None and self._connection.is_cut_off(self.token):
                raise CutOffError(f"{host} ({address}) has dropped the item while this process was cut off")
            if answer is None:
                raise LostGuestError(f"{host} ({address}) has dropped the item")
            return answer[0], answer[1]

    def _end_of_task(self) -> str:
        """Return why the task of the session, which has failed, has ended."""
        worker, failure = f"{self.location.host} ({self.location.address})", failure_of(self._future)
        if failure.startswith(_KILLED_WORKER):
            return f"{worker} is gone"
        return f"{worker} has dropped the item: {failure}"

    def _call_once(self, wait: float) -> Any:
        return self._connection.exchange(self.location, self.token, self._n_taken, self._n_sent, self._outgoing, wait)

    def end(self) -> None:
        """Have the session end; its guests stay for the next one."""
        self.send({"kind": "end"})
        try:
            self._call_once(0.0)
        except Exception:  # it has ended, one way or the other
            self.give_up()
        else:
            self._connection.forget(self.token, self._future)

    def give_up(self) -> None:
        """Take the task back: whatever it is at ends, and its guests with it."""
        self._connection.cancel(self.token, self._future)

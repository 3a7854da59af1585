"""Dask's client of a run: opened when it is first needed, and anew where it has lost its scheduler.

A client that is cut off from its scheduler loses what it has submitted, for the scheduler takes that back when it notices. Dask's
client would connect again by itself, without its subscriptions and with all its futures cancelled; so another one takes its
place, and who has submitted something finds it lost and submits it anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from omnibench.errors import ClusterError

_LOOK_SECONDS = 0.5
_CLOSING_SECONDS = 5.0


class Clients:
    """The client of a run, and those that take its place. It has to be closed.

    Args:
        open_client: Opens one, or raises ClusterError where the scheduler cannot be reached.
        on_open: Called with each that was opened, before anybody else uses it.
        on_loss: Called when one is found to have lost its scheduler.
        patience: Seconds that a scheduler may be out of reach.
        notify: Called with a line of text for the user.
    """

    def __init__(
        self,
        open_client: Callable[[], Any],
        on_open: Callable[[Any], None],
        on_loss: Callable[[], None],
        patience: float,
        notify: Callable[[str], None],
    ) -> None:
        self._open_client, self._on_open, self._on_loss = open_client, on_open, on_loss
        self._patience, self._notify = patience, notify
        self._replacing = threading.Lock()
        self._is_lost = self._is_closed = False
        self.current = self._opened()

    def _opened(self) -> Any:
        client = self._open_client()
        try:
            self._on_open(client)
        except BaseException:
            _close(client)
            raise
        return client

    @property
    def is_connected(self) -> bool:
        """Whether the client has its scheduler, as far as is known."""
        return not self._is_lost and self.current.status == "running"

    def note_loss(self, client: Any) -> None:
        """Note that a client had lost its scheduler, even if it has connected again.

        Args:
            client: The client; one whose place was taken already does not matter any more.
        """
        if client is self.current:
            self._is_lost = True

    def connected(self, while_waiting: Callable[[], None]) -> Any:
        """Return a client that has its scheduler, which is waited for.

        Args:
            while_waiting: Called again and again while it is; raising gives up.

        Raises:
            ClusterError: It was out of reach for too long.
        """
        while not self._replacing.acquire(timeout=_LOOK_SECONDS):
            while_waiting()
        try:
            if not self.is_connected:
                self._replace(while_waiting)
            return self.current
        finally:
            self._replacing.release()

    def _replace(self, while_waiting: Callable[[], None]) -> None:
        deadline, lost = time.monotonic() + self._patience, self.current
        self._is_lost = True
        self._on_loss()
        limit = f"{self._patience:g} s"
        if not self._is_closed:
            self._notify(
                f"the scheduler of the cluster is out of reach; this run waits for it for {limit} (--omnirec-reconnect), and what "
                "was in progress is computed again then"
            )
        _close(lost)
        while True:
            while_waiting()
            try:
                self.current = self._opened()
            except Exception as error:  # whatever a broken connection raises
                if self._is_closed or time.monotonic() > deadline:
                    raise ClusterError(
                        f"the scheduler of the cluster is gone: it was out of reach for {limit} (--omnirec-reconnect): "
                        f"{error} Nothing more can be computed there. What was finished is recorded, and the next run goes "
                        "on from there.",
                        ends_run=True,
                    ) from error
                time.sleep(_LOOK_SECONDS)
            else:
                self._is_lost = False
                self._notify("the scheduler answers again, and the run goes on")
                return

    def close(self) -> None:
        """Close the client; no other takes its place."""
        self._is_closed = True
        _close(self.current)


def _close(client: Any) -> None:
    with suppress(Exception):  # who has no scheduler any more has nothing to say to it
        client.close(timeout=_CLOSING_SECONDS)


def failure_of(future: Any) -> str:
    """Return why a task has failed.

    Args:
        future: Dask's future of it.
    """
    try:
        return f"{type(future.exception()).__name__}: {future.exception()}"
    except Exception as error:  # whatever it is
        return f"{type(error).__name__}: {error}"

"""Where sessions are, and what whoever talks to one needs of the connection to the cluster."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from omnibench.cluster.mailbox import Message
from omnibench.cluster.waits import Wait


@dataclass(frozen=True, slots=True)
class WorkerLocation:
    """The worker that a session is on.

    Attributes:
        address: Its address.
        host: Its machine.
        is_shared: Whether it sees this machine's files.
        name: Its name.
    """

    address: str
    host: str
    is_shared: bool
    name: str

    @property
    def is_this_machine(self) -> bool:
        """Whether that is this machine, by its name."""
        return self.host == platform.node()


class Sessions(Protocol):
    """Submits sessions, and reaches their workers; see ``connection.Connection``."""

    @property
    def has_own_workers(self) -> bool:
        """Whether no other run has sessions on its workers."""

    @property
    def has_waiting(self) -> bool:
        """Whether a session waits for a worker."""

    def begin(self, resources: Mapping[str, float], wait: Wait) -> tuple[str, Any, WorkerLocation]:
        """Have a session begin that needs resources of its worker; return its token, its future, and where it is."""

    def exchange(
        self, location: WorkerLocation, token: str, received: int, first: int, messages: Sequence[Message], wait: float
    ) -> tuple[int, list[Message]] | None:
        """Exchange messages with a session; see ``mailbox.exchange``."""

    def await_ring(self, token: str, seconds: float) -> bool:
        """Wait until a session says that it has messages, or something has happened to it; whether it has."""

    def has_worker(self, address: str, while_waiting: Callable[[], None]) -> bool:
        """Whether the scheduler still has a worker."""

    def is_cut_off(self, token: str) -> bool:
        """Whether a session was lost because this process had lost the scheduler."""

    def forget(self, token: str, future: Any) -> None:
        """Forget a session that is about to end by itself."""

    def cancel(self, token: str, future: Any) -> None:
        """Take a session back."""

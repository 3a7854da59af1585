"""What is asked of a guest, and what the host says when that asks after an epoch or about a snapshot, also where the host fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

OnEpoch = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns the answer to a guest's question, ``value`` and ``stop``; see ``guest.epochs``."""

OnSnapshot = Callable[[dict[str, Any]], dict[str, Any]]
"""Publishes a snapshot that a guest has written, and returns its ``name``, or why it ``failed``; see ``guest.snapshots``."""


class AnsweringGuest(Protocol):
    """What answers requests: a framework's process, as in ``gateway``, or a stand-in for it."""

    @property
    def threads(self) -> int:
        """The number of threads that it may compute with."""

    @property
    def fitted(self) -> str:
        """The fit key of the model that it has in memory; empty where it has none."""

    def ask(
        self,
        request: Mapping[str, Any],
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        while_waiting: Callable[[], None] = ...,
        timeout: float | None = None,
        on_silence: Callable[[float, bool], None] = ...,
        on_epoch: OnEpoch | None = None,
        on_snapshot: OnSnapshot | None = None,
    ) -> dict[str, Any]:
        """Return the answer to a request; see ``gateway.Guest.ask``."""


class Replies:
    """The answers to the questions of one request.

    Args:
        on_epoch: Returns the answers; without it a guest goes on.
        on_snapshot: Publishes snapshots; without it there are none.
    """

    def __init__(self, on_epoch: OnEpoch | None, on_snapshot: OnSnapshot | None = None) -> None:
        self._on_epoch = on_epoch
        self._on_snapshot = on_snapshot
        self._failure: Exception | None = None

    def reply(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a question; once there was a failure, that the guest is to end what it does."""
        answer = {"stop": self._failure is not None, "value": float("nan")}
        if self._failure is not None:
            return answer
        try:
            if "snapshot" in question:
                return {"stop": False} | (self._on_snapshot(question["snapshot"]) if self._on_snapshot else {})
            return answer if self._on_epoch is None else answer | self._on_epoch(question)
        except Exception as error:  # whatever it is, the guest must not wait for ever
            self._failure = error
            return answer | {"stop": True}

    def note(self, message: dict[str, Any]) -> None:
        """Hear what a guest says of snapshots without asking."""
        if self._on_snapshot is not None:
            self._on_snapshot(message["snapshot"])

    def check(self) -> None:
        """Raise what an answer has failed with, once the guest has ended its request."""
        if self._failure is not None:
            raise self._failure

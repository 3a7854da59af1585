"""What the host says when a guest asks after an epoch or about a snapshot, also where the host itself fails meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OnEpoch = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns the answer to a guest's question, ``value`` and ``stop``; see ``guest.epochs``."""

OnSnapshot = Callable[[dict[str, Any]], dict[str, Any]]
"""Publishes a snapshot that a guest has written, and returns its ``name``, or why it ``failed``; see ``guest.snapshots``."""


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

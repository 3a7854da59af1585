"""What the host says when a guest asks after an epoch, also where the host itself fails meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OnEpoch = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns the answer to a guest's question, ``value`` and ``stop``; see ``guest.epochs``."""


class Replies:
    """The answers to the questions of one request.

    Args:
        on_epoch: Returns the answers; without it a guest goes on.
    """

    def __init__(self, on_epoch: OnEpoch | None) -> None:
        self._on_epoch = on_epoch
        self._failure: Exception | None = None

    def reply(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a question; once there was a failure, that the guest is to end what it does."""
        answer = {"stop": self._failure is not None, "value": float("nan")}
        if self._on_epoch is None or self._failure is not None:
            return answer
        try:
            return answer | self._on_epoch(question)
        except Exception as error:  # whatever it is, the guest must not wait for ever
            self._failure = error
            return answer | {"stop": True}

    def check(self) -> None:
        """Raise what an answer has failed with, once the guest has ended its request."""
        if self._failure is not None:
            raise self._failure

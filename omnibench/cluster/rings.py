"""Which sessions are to be called: those that ring because they have messages, or because something has happened to them.

A call goes through the scheduler to the worker and back, so that nobody asks again and again whether there is anything.
"""

from __future__ import annotations

import threading

_WAITS_OF_A_SECOND, _MOST_STRETCH = 200, 5.0
"""So many sessions wait anew each second at most: what each looks after in between, of a thousand of them, would fill a core."""


class Rings:
    """The rings of a run's sessions; for any number of threads."""

    def __init__(self) -> None:
        self._ringing: dict[str, threading.Event] = {}

    def expect(self, token: str) -> None:
        """Hear a session from now on.

        Args:
            token: The session.
        """
        self._ringing[token] = threading.Event()

    def ring(self, token: str) -> None:
        """Have a session be called; one that was forgotten is not.

        Args:
            token: The session.
        """
        ringing = self._ringing.get(token)
        if ringing is not None:
            ringing.set()

    def wait(self, token: str, seconds: float) -> bool:
        """Wait until a session rings; return whether it has, or was forgotten.

        Args:
            token: The session.
            seconds: How long; longer where there are many sessions.
        """
        ringing = self._ringing.get(token)
        if ringing is None:
            return True
        has_rung = ringing.wait(seconds * self._stretch)
        if has_rung:
            ringing.clear()
        return has_rung

    @property
    def _stretch(self) -> float:
        return min(_MOST_STRETCH, max(1.0, len(self._ringing) / _WAITS_OF_A_SECOND))

    def forget(self, token: str) -> None:
        """Hear a session no longer.

        Args:
            token: The session.
        """
        self._ringing.pop(token, None)

"""Whether a guest still does anything: one that was stopped, or waits for ever, answers as little as one that computes."""

from __future__ import annotations

import os
import time

from omnibench.guest.supervisor import descendants
from omnibench.proc import stat_of

SILENT_SECONDS = 10.0
"""After so many seconds without a message and without work a guest is called silent."""
_LOOK_SECONDS = 5.0
"""How often a silent guest is looked at: that takes a look at every process of the machine."""
_BUSY_SECONDS = 0.05
"""Whoever has used a processor for less than this between two looks only waits."""
_STATE, _TIMES = 0, slice(11, 15)
"""Positions in what ``stat_of`` returns: the state, and the times of a process and its children."""
_STOPPED = "T"


class Silence:
    """Measures for how long a guest has given no sign of life: no message, and no work of it or of what it has started.

    Where there is no /proc, only messages count.

    Args:
        pid: The guest's process.

    Attributes:
        is_stopped: Whether the process was stopped (SIGSTOP) when it was last looked at.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.end()

    def end(self) -> None:
        """Note a message."""
        self.is_stopped = False
        self._last_sign = time.monotonic()
        self._next_look = self._last_sign + SILENT_SECONDS
        self._worked: float | None = None

    def seconds(self) -> float:
        """Return the seconds since the last sign of life; 0 while there are fewer than ``SILENT_SECONDS``."""
        current = time.monotonic()
        if self._worked is None:  # not at each message: most answers are there before anybody asks
            self._worked = _look_at(self._pid)[1]
        if current >= self._next_look:
            self._next_look = current + _LOOK_SECONDS
            looks = [_look_at(pid) for pid in (self._pid, *descendants(self._pid))]
            worked = sum(seconds for _, seconds in looks)
            if worked - self._worked > _BUSY_SECONDS:
                self._last_sign = current
            self._worked = worked
            self.is_stopped = looks[0][0] == _STOPPED
        silent = current - self._last_sign
        return silent if silent >= SILENT_SECONDS else 0.0


def _look_at(pid: int) -> tuple[str, float]:
    """Return the state of a process, and for how many seconds it has used processors."""
    fields = stat_of(pid)
    return (fields[_STATE], sum(map(int, fields[_TIMES])) / os.sysconf("SC_CLK_TCK")) if fields else ("", 0.0)

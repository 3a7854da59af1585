"""The time that a run has left, by what has ended: unknown for items of a kind of which none has."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omnibench.engine.estimates import Estimates
from omnibench.experiment.experiment import Experiment

_OVERRUN = 2.0
_OVERRUN_SECONDS = 5.0
"""Beyond so many times the usual time, and so many seconds more, nobody knows any more when an item ends."""


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """The time that a run has left.

    Attributes:
        seconds: Expected wall time of the items whose kind is known.
        estimated: How many these are.
        unknown: The number of the other items.
    """

    seconds: float
    estimated: int
    unknown: int

    def __str__(self) -> str:
        if not self.estimated:
            return "time left unknown"
        rest = f", {self.unknown} item{'' if self.unknown == 1 else 's'} unknown" if self.unknown else ""
        return f"about {clock(max(1, math.ceil(self.seconds)))} left{rest}"


def time_left(
    estimates: Estimates,
    waiting: Iterable[tuple[Experiment, int]],
    running: Sequence[tuple[Experiment, float]],
    workers: int,
) -> TimeLeft:
    """Return the time that a run has left.

    Args:
        estimates: How long items took that have ended.
        waiting: Experiments that nobody computes yet: one of each kind, and how many there are.
        running: Experiments that are being computed, and the seconds since each began.
        workers: How many processes compute.
    """
    groups = [(_rest(estimates.usual(experiment), elapsed), 1) for experiment, elapsed in running]
    groups += [(estimates.usual(experiment), number) for experiment, number in waiting if number]
    estimated = [(seconds, number) for seconds, number in groups if seconds is not None]
    count = sum(number for _, number in estimated)
    shared = math.fsum(seconds * number for seconds, number in estimated) / max(1, min(workers, count))
    longest = max((seconds for seconds, _ in estimated), default=0.0)
    return TimeLeft(max(shared, longest), count, sum(number for _, number in groups) - count)


def _rest(usual: float | None, elapsed: float) -> float | None:
    """Return the seconds that a running item has left, None when nobody knows."""
    if usual is None or elapsed > _OVERRUN * usual + _OVERRUN_SECONDS:
        return None
    return max(0.0, usual - elapsed)


def clock(seconds: float) -> str:
    """Return a duration for people: ``8s``, ``3:05``, ``2:03:05``."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}" if minutes else f"{whole}s"

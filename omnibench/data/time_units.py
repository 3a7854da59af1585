"""Units of timestamps: counts since 1970, whose size tells what they count."""

from __future__ import annotations

import math
from typing import NamedTuple


class TimeUnit(NamedTuple):
    """A unit of time.

    Attributes:
        name: What people call it.
        per_second: How many of them a second has.
        limit: Counts below it, and not below that of the unit before, are of this unit: seconds until the year 5138.
    """

    name: str
    per_second: int
    limit: float


UNITS = (
    TimeUnit("seconds", 1, 10**11),
    TimeUnit("milliseconds", 10**3, 10**14),
    TimeUnit("microseconds", 10**6, 10**17),
    TimeUnit("nanoseconds", 10**9, math.inf),
)
"""The units of counts since 1970, the longest first."""

PER_SECOND = {unit.name: unit.per_second for unit in UNITS}
"""How many of a unit a second has, by the unit's name."""

FIRST_DATE, LAST_DATE = -2_208_988_800, 7_289_568_000
"""Seconds of 1900 and of 2201: dates outside of them are of another unit, or stand for something else."""

FIRST_COUNT = 100_000_000
"""Seconds of 1973: smaller counts may be of anything, e.g. of steps, or ratings."""


def unit_of(count: float) -> TimeUnit:
    """Return the unit that a count since 1970 is probably of.

    Args:
        count: Not negative.
    """
    return next(unit for unit in UNITS if count < unit.limit)

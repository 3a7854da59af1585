"""Durations in a step's arguments: texts such as ``7d``, timedeltas, or numbers in the unit of the data."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from omnibench.data.step import is_int
from omnibench.data.time_units import unit_of
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Duration = str | dt.timedelta
"""A text such as ``7d``, ``36h``, ``90min``, ``30s`` or ``1d 12h``, or a timedelta (pandas.Timedelta is one)."""

_SECONDS = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
"""The units of the form that keys contain, the longest first."""

_WORDS = {
    **_SECONDS,
    "w": 604_800,
    **{
        plural: seconds
        for word, seconds in (("week", 604_800), ("day", 86_400), ("hour", 3600))
        for plural in (word, f"{word}s")
    },
    **dict.fromkeys(("minute", "minutes"), 60),
    **dict.fromkeys(("sec", "second", "seconds"), 1),
}

_PERIOD = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def duration(value: object, argument: str) -> int | str:
    """Return a duration in the form that keys contain: a number as it is, all others as text, ``7d`` for a week.

    Args:
        value: A number in the unit of the data's timestamps, a text or a timedelta.
        argument: The step and its argument, for the error.

    Raises:
        DataError: It is none of these, below zero, or no whole number of seconds.
    """
    if is_int(value):
        number: int = value  # type: ignore[assignment]  # is_int has looked
        if number >= 0:
            return number
    seconds = _seconds(value)
    if seconds is None or seconds < 0 or seconds != int(seconds):
        raise DataError(
            f"{argument} is {value!r}; give a text such as '7d', '12h', '90min' or '30s', a timedelta of whole seconds, or an int "
            "in the unit of the timestamps. Months and years differ in length: give their days."
        )
    return next((f"{int(seconds // size)}{unit}" for unit, size in _SECONDS.items() if seconds % size == 0), "0s")


def _seconds(value: object) -> float | None:
    """Return the seconds of a duration; None of what is none."""
    if isinstance(value, str):
        text = value.strip().lower()
        periods = _PERIOD.findall(text)
        if not periods or _PERIOD.sub("", text) or any(unit not in _WORDS for _, unit in periods):
            return None
        return sum(float(number) * _WORDS[unit] for number, unit in periods)
    if isinstance(value, np.timedelta64):
        value = value.astype("timedelta64[us]").item()
    return value.total_seconds() if isinstance(value, dt.timedelta) else None


def length_in_unit_of(timestamp: npt.NDArray[np.int64], length: int | str) -> int:
    """Return a duration in the unit of the data's timestamps, which is told by their size; see ``moments.in_unit_of``.

    Args:
        timestamp: The column, not empty.
        length: A duration in the form that ``duration`` returns.
    """
    if isinstance(length, int):
        return length
    seconds = int(_seconds(length) or 0)
    largest = max(abs(int(timestamp.max())), abs(int(timestamp.min())))
    return seconds * unit_of(largest).per_second

"""Moments in a step's arguments: numbers in the unit of the data, or dates, which are converted to that unit."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

from omnibench.data.step import is_int
from omnibench.data.time_units import UNITS, unit_of
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Date = str | dt.date
"""An ISO 8601 text, a date, or a datetime (pandas.Timestamp is one); in UTC unless it says otherwise."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST_DATE = (dt.datetime.min.replace(tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(seconds=1)


def moment(value: object, argument: str) -> int | float | str:
    """Return a moment in the form that keys contain: a number as it is, a date as ISO 8601 text in UTC.

    Args:
        value: A number in the unit of the data's timestamps, or a date, which counts to the microsecond.
        argument: The step and its argument, for the error.

    Raises:
        DataError: It is neither.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)  # the same moment, so the same in keys
    if is_int(value) or (isinstance(value, float) and math.isfinite(value)):
        return value  # type: ignore[return-value]  # is_int has looked
    try:
        return _utc(value).isoformat()
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{argument} is {value!r}; give a number, or a date such as '2020-01-31' or '2020-01-31T12:00:00+01:00' "
            "(or a datetime)."
        ) from error


def _utc(value: object) -> dt.datetime:
    if isinstance(value, str | np.datetime64):
        value = dt.datetime.fromisoformat(str(value))
    if isinstance(value, dt.datetime):
        # A pandas.Timestamp subtracts and prints in ways of its own.
        standard = dt.datetime(
            *(value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond),
            tzinfo=value.tzinfo or dt.UTC,
            fold=value.fold,
        )
        return standard.astimezone(dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    raise TypeError(f"{type(value).__name__} is no date")


def in_unit_of(timestamp: npt.NDArray[np.int64], bound: float | Date) -> float:
    """Return a moment in the unit of the data's timestamps, rounded up.

    The unit of a column is told by its size; see ``time_units.UNITS``.

    Args:
        timestamp: The column, not empty.
        bound: A moment in the form that ``moment`` returns.
    """
    if isinstance(bound, int | float):
        return bound
    assert isinstance(bound, str), "moment() makes texts of dates"
    microseconds = (dt.datetime.fromisoformat(bound) - _EPOCH) // dt.timedelta(microseconds=1)
    largest = max(abs(int(timestamp.max())), abs(int(timestamp.min())))
    return -(-microseconds * unit_of(largest).per_second // 10**6)


def describe_range(timestamp: npt.NDArray[np.int64]) -> str:
    """Return the first and last moment of a column as text for errors: as dates where it counts seconds."""
    first, last = int(timestamp.min()), int(timestamp.max())
    if not _FIRST_DATE <= first <= last < UNITS[0].limit:
        return f"from {first} to {last}"
    days = [(_EPOCH + dt.timedelta(seconds=seconds)).isoformat() for seconds in (first, last)]
    return f"from {days[0]} to {days[1]}"

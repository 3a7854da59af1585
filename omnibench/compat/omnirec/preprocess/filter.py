"""Filters by time and by rating."""

from __future__ import annotations

import datetime as dt

from omnibench.compat.omnirec.data_variants import RawData
from omnibench.compat.omnirec.preprocess.base import BuiltIn
from omnibench.compat.omnirec.preprocess.validation import RequiredColumn, ValidationFailureMode, ValidationRule
from omnibench.data.preprocess import RatingFilter as NativeRatingFilter
from omnibench.data.preprocess import TimeFilter as NativeTimeFilter
from omnibench.data.step import Step
from omnibench.errors import DataError

_LEAST = dt.timedelta(microseconds=1)
"""What lies between the last moment that OmniRec keeps and the first that omnibench's exclusive end drops."""


class TimeFilter(BuiltIn[RawData, RawData]):
    """Keep the interactions of a period, its last moment included.

    Args:
        start: The first moment, e.g. a ``pandas.Timestamp``, or None for no bound.
        end: The last moment, or None for no bound.

    Raises:
        DataError: A bound is no moment.
    """

    def __init__(self, start: dt.datetime | None = None, end: dt.datetime | None = None) -> None:
        super().__init__()
        for name, bound in (("start", start), ("end", end)):
            if bound is not None and not isinstance(bound, dt.datetime):
                raise DataError(f"TimeFilter: {name} is {bound!r}; give a pandas.Timestamp, or None for no bound.")
        self._start = start
        self._end = end

    def steps(self) -> tuple[Step, ...]:
        if self._start is None and self._end is None:
            return ()
        return (NativeTimeFilter(self._start, None if self._end is None else self._end + _LEAST),)

    def validation_rules(self) -> list[ValidationRule]:
        return [ValidationRule(RequiredColumn("timestamp"), message="TimeFilter needs timestamps, but there are none.")]


class RatingFilter(BuiltIn[RawData, RawData]):
    """Keep interactions rated within bounds; data without ratings stays as it is, with a warning.

    Args:
        lower: The lowest rating that stays, or None for any.
        upper: The highest rating that stays, or None for any.
    """

    def __init__(self, lower: float | None = None, upper: float | None = None) -> None:
        super().__init__()
        self._lower = lower
        self._upper = upper

    def steps(self) -> tuple[Step, ...]:
        if self._lower is None and self._upper is None:
            return ()
        return (NativeRatingFilter(self._lower, self._upper),)

    def validation_rules(self) -> list[ValidationRule]:
        message = "there are no ratings, so RatingFilter keeps every interaction."
        return [ValidationRule(RequiredColumn("rating"), ValidationFailureMode.SKIP, message)]

"""The column of timestamps: counts, dates and texts of both as whole seconds since 1970, or counts in a unit of their own."""

from __future__ import annotations

from numbers import Number
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.caller_warnings import warn_caller
from omnibench.data.numbers import RowName, first_example, numbers, row_name
from omnibench.data.time_units import FIRST_COUNT, FIRST_DATE, LAST_DATE, unit_of
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_NAME = "timestamp"

WHOLE, DECIMAL = r"^[+-]?[0-9]+$", r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
"""Texts of whole numbers, and of any."""

_SAMPLE = 1000
"""Counts that tell whether a column holds dates: of others, one in thirty looks like a date."""

_DAY = 1_000_000
"""By what a count YYYYMMDDhhmmss is divided for its day."""


class Times(NamedTuple):
    """A column of timestamps.

    Attributes:
        timestamp: int64 seconds since 1970, or what else the column counts; shape (n,).
        exact: The exact moments where they are more than that, else None.
        as_before: Whether earlier releases have read the same moments.
    """

    timestamp: npt.NDArray[np.int64]
    exact: npt.NDArray[Any] | None
    as_before: bool = True


def times(column: Any, source: str, named: RowName = row_name) -> Times:
    """Return a column of timestamps in whole seconds since 1970, or in its own unit where it holds counts.

    Args:
        column: A pandas Series or array of counts, dates (ISO 8601 or YYYYMMDD), or texts of either.
        source: The name of the data in errors.
        named: Returns what errors call a row.

    Raises:
        DataError: A value is missing, neither a number nor a date, or no time that could be meant.
    """
    if isinstance(column, np.ndarray) and column.dtype == np.int64:  # without importing pandas
        return _counted(column, None, column, source, named)
    import pandas as pd

    series = pd.Series(column, copy=False)  # which nobody writes into
    if series.dtype == object:
        series = series.infer_objects()  # pandas would take numbers among objects for nanoseconds
    if isinstance(series.dtype, pd.CategoricalDtype):  # and numbers among categories, too
        series = series.astype(series.cat.categories.dtype)
    if isinstance(series.dtype, pd.PeriodDtype):
        series = pd.Series(series.dt.to_timestamp())
    if pd.api.types.is_numeric_dtype(series) or _are_numbers(series, source, named):
        return _counts(series, source, named)
    if pd.api.types.is_string_dtype(series):
        counted = _numerals(series, source, named)
        if counted is not None:
            return _counts(counted, source, named)._replace(as_before=False)
    # Texts are ISO 8601: pandas would guess a format from the first of them.
    date_format = "ISO8601" if pd.api.types.is_string_dtype(series) else None
    moments = pd.to_datetime(series, errors="coerce", utc=True, format=date_format)
    invalid = np.flatnonzero(moments.isna().to_numpy())
    if len(invalid):
        raise DataError(
            f"{source}: column {_NAME!r} has {len(invalid)} values that are neither a number nor an ISO 8601 "
            f"date (the first is {first_example(series, invalid, named)}). Drop these rows, or write dates as 2020-01-31 or "
            "2020-01-31T12:00:00+01:00; from_file reads others by their format, e.g. time='%d/%m/%Y'."
        )
    exact = moments.dt.tz_localize(None).to_numpy()
    seconds = exact.astype("datetime64[s]").astype(np.int64)
    _refuse(
        (seconds < FIRST_DATE) | (seconds >= LAST_DATE),
        *(series, source, named),
        "dates before 1900 or after 2200",
        "Drop these rows, or the column, if such a date stands for a missing one.",
    )
    return Times(seconds, exact)


def _counts(series: Any, source: str, named: RowName) -> Times:
    whole = series.dtype.kind in "iu" and not series.isna().any()
    if whole and (len(series) == 0 or int(series.max()) < 2**63):
        counts: npt.NDArray[np.int64] = series.to_numpy(dtype=np.int64)
        exact = None  # a float would round the nanoseconds that some people count in
    else:
        exact = numbers(series, _NAME, source, 2.0**62, named)
        counts = np.floor(exact).astype(np.int64)
    return _counted(counts, exact, series, source, named)


def _counted(
    counts: npt.NDArray[np.int64], exact: npt.NDArray[np.float64] | None, series: Any, source: str, named: RowName
) -> Times:
    dates = _dates(counts, series, source, named)
    if dates is not None:
        return Times(dates, None, as_before=False)
    _refuse(
        counts < 0,
        *(series, source, named),
        "counts below 0",
        "Counts begin in 1970: drop these rows, or write earlier times as dates, e.g. 1969-12-31.",
    )
    _refuse_other_units(counts, series, source, named)
    return Times(counts, exact)


def _are_numbers(series: Any, source: str, named: RowName) -> bool:
    """Return whether the objects of a column are numbers, such as decimals.

    Raises:
        DataError: Some are, and others are dates: pandas would take the numbers for nanoseconds.
    """
    if series.dtype != object:
        return False
    are_numbers = np.fromiter((isinstance(entry, Number) for entry in series), dtype=bool, count=len(series))
    if are_numbers.all():
        return True
    mixed = np.flatnonzero(are_numbers & series.notna().to_numpy())
    if len(mixed) == 0:
        return False
    raise DataError(
        f"{source}: column {_NAME!r} has {len(mixed)} numbers among dates "
        f"(the first is {first_example(series, mixed, named)}). Give all as numbers, or all as dates."
    )


def _numerals(series: Any, source: str, named: RowName) -> Any:
    """Return the numbers that texts stand for, as a Series; None where most are no numerals.

    Raises:
        DataError: Most are, and some are not.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.ascii_trim_whitespace(pa.array(series.astype(object), pa.string(), from_pandas=True))
    step = max(1, len(series) // _SAMPLE)
    if len(series) == 0 or matches(texts.take(pa.array(np.arange(0, len(series), step))), DECIMAL).mean() < 0.5:  # noqa: PLR2004
        return None
    are_numerals = matches(texts, DECIMAL)
    invalid = np.flatnonzero(~are_numerals)
    if len(invalid):
        raise DataError(
            f"{source}: column {_NAME!r} has {len(invalid)} values that are no numbers, as the other {len(series) - len(invalid)} "
            f"are (the first is {first_example(series, invalid, named)}). Drop these rows, or mend them."
        )
    plain = pc.utf8_ltrim(texts, characters="+")
    if matches(texts, WHOLE).all():
        try:
            return pd.Series(plain.cast(pa.int64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            pass  # larger than 64 bits hold
    return pd.Series(plain.cast(pa.float64()).to_numpy(zero_copy_only=False))


def matches(texts: Any, pattern: str) -> npt.NDArray[np.bool_]:
    """Return which of some texts match a regular expression; a missing one does not."""
    import pyarrow.compute as pc

    matched: npt.NDArray[np.bool_] = np.asarray(
        pc.fill_null(pc.match_substring_regex(texts, pattern), fill_value=False)
    )
    return matched


def _dates(counts: npt.NDArray[np.int64], series: Any, source: str, named: RowName) -> npt.NDArray[np.int64] | None:
    """Return the seconds of counts that are dates YYYYMMDD or YYYYMMDDhhmmss; None where most are not.

    Raises:
        DataError: Most are, and some are not.
    """
    if len(counts) == 0:
        return None
    sample = counts[:: max(1, len(counts) // _SAMPLE)]
    for has_time in (False, True):
        if _seconds(sample, has_time=has_time)[1].mean() <= 0.5:  # noqa: PLR2004 - most
            continue
        seconds, is_date = _seconds(counts, has_time=has_time)
        example = "YYYYMMDDhhmmss" if has_time else "YYYYMMDD"
        _refuse(
            ~is_date,
            *(series, source, named),
            f"values that are no date {example}, as the others are",
            "Drop these rows, or mend them.",
        )
        warn_caller(
            f"{source}: the numbers of the column {_NAME!r} are dates {example}, e.g. {int(counts[0])}, and are read as such."
        )
        return seconds
    return None


def _seconds(counts: npt.NDArray[np.int64], *, has_time: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the seconds of counts read as dates, and which of them are dates."""
    days, time = np.divmod(counts, _DAY) if has_time else (counts, np.zeros_like(counts))
    year, month, day = days // 10_000, days // 100 % 100, days % 100
    hour, minute, second = time // 10_000, time // 100 % 100, time % 100
    in_range = (year >= 1900) & (year <= 2200) & (month >= 1) & (month <= 12) & (day >= 1)  # noqa: PLR2004 - of a calendar
    in_range &= (hour <= 23) & (minute <= 59) & (second <= 59)  # noqa: PLR2004 - of a clock
    months = np.where(in_range, (year - 1970) * 12 + month - 1, 0)
    begins, ends = (
        shifted.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for shifted in (months, months + 1)
    )
    is_date = in_range & (begins + day <= ends)
    return (begins + day - 1) * 86_400 + hour * 3600 + minute * 60 + second, is_date


def _refuse_other_units(counts: npt.NDArray[np.int64], series: Any, source: str, named: RowName) -> None:
    """Refuse counts of another unit than most have, such as the end of the year 9999 among seconds."""
    if len(counts) == 0 or int(counts.max()) < LAST_DATE:
        return
    middle = (len(counts) - 1) // 2
    usual = int(np.partition(counts, middle)[middle])
    per_second = unit_of(usual).per_second
    if not FIRST_COUNT <= usual // per_second < LAST_DATE:
        return  # counts of something else
    strange = counts >= LAST_DATE * per_second if per_second < 10**9 else np.zeros(len(counts), dtype=bool)
    if per_second > 1:
        strange |= (counts >= FIRST_COUNT) & (counts < LAST_DATE)
    _refuse(
        strange,
        *(series, source, named),
        f"values that are no time in {unit_of(usual).name}, as the others are",
        "Drop these rows, or give all in one unit.",
    )


def _refuse(
    strange: npt.NDArray[np.bool_], series: Any, source: str, named: RowName, problem: str, advice: str
) -> None:
    rows = np.flatnonzero(strange)
    if len(rows):
        raise DataError(
            f"{source}: column {_NAME!r} has {len(rows)} {problem} (the first is {first_example(series, rows, named)}). {advice}"
        )

"""The types of features: numbers, truth values, texts, and lists of texts, told from what a column of a frame has."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

from omnibench.data.numbers import RowName
from omnibench.errors import DataError
from omnibench.guest.features import BOOLEAN, NUMBER, TEXT, TEXTS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    from omnibench.lazy import np

_DATE = "date"
"""What becomes a number of seconds."""

_EXACT = 2**53
"""Below this, 64-bit floats hold every whole number."""


def typed(series: pd.Series[Any], name: str, source: str, named: RowName) -> tuple[str, Any]:
    """Return the type of a column, and its entries as a ``FeatureColumn`` has them.

    Args:
        series: The column.
        name: Its name in errors.
        source: The name of the frame in errors.
        named: Returns what errors call a row.

    Raises:
        DataError: It has values of several types, or of none that a feature has.
    """
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object if series.isna().any() else series.cat.categories.dtype)
    if pd.api.types.is_bool_dtype(series.dtype):
        return BOOLEAN, series.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return NUMBER, _numbers(series, name, source, named)
    if series.dtype.kind == "M":  # also of Arrow, whichever pandas asks
        return NUMBER, _seconds(series)
    entries = [None if _is_missing(entry) else entry for entry in series.tolist()]
    family = _common_family(entries, name, source, named)
    if family == TEXT:
        return TEXT, [None if text is None else _text(text, name, source) for text in entries]
    if family == TEXTS:
        return TEXTS, [_texts(members, row, name, source, named) for row, members in enumerate(entries)]
    plain = pd.Series([np.nan if entry is None else entry for entry in entries], dtype=object)
    if family == _DATE:
        return NUMBER, _seconds(pd.to_datetime(pd.Series(entries, dtype=object), utc=True))
    if family == BOOLEAN:
        return BOOLEAN, plain.to_numpy(dtype=np.float64)
    return NUMBER, _numbers(pd.to_numeric(plain), name, source, named)


def _common_family(entries: Sequence[Any], name: str, source: str, named: RowName) -> str:
    """Return what all entries that are there are: a type, or ``date``; numbers where nothing is there."""
    rows = [row for row, entry in enumerate(entries) if entry is not None]
    if not rows:
        return NUMBER
    family = _family(entries[rows[0]])
    for row in rows:
        if family is None or _family(entries[row]) != family:
            raise DataError(_mixed(entries, rows[0], row, name, source, named))
    assert family is not None, "a column of something else is refused"
    return family


def _numbers(series: pd.Series[Any], name: str, source: str, named: RowName) -> Any:
    values = np.array(series.to_numpy(dtype=np.float64, na_value=np.nan)) + 0.0  # of -0.0 and 0.0 one
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise DataError(
            f"{source}: column {name!r} has an infinite number in {named(int(infinite[0]))}; leave it empty, or mend it."
        )
    is_whole = series.dtype.kind in "iu"
    lost = np.flatnonzero(is_whole & (np.abs(values) >= _EXACT))
    if len(lost):
        value = series.iloc[int(lost[0])]
        raise DataError(
            f"{source}: column {name!r} has the number {value} in {named(int(lost[0]))}, of which 64-bit floats lose the last "
            f"digits. If these are names, make them texts: df[{name!r}].astype(str)."
        )
    return values


def _seconds(series: pd.Series[Any]) -> Any:
    """Return dates as seconds since 1970, in UTC where nothing else is said."""
    import pandas as pd

    moments = pd.to_datetime(series, utc=True)
    is_missing = moments.isna().to_numpy()
    nanoseconds = moments.to_numpy(dtype="datetime64[ns]").astype(np.int64)
    return np.where(is_missing, np.nan, nanoseconds / 1e9)


def _is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, NaT, NA or an empty text, as it would be in a file."""
    import pandas as pd

    if value is None or (isinstance(value, str) and not value):
        return True
    return (
        not isinstance(value, str | list | tuple | AbstractSet | np.ndarray)
        and pd.api.types.is_scalar(value)
        and bool(pd.isna(value))
    )


def _family(value: Any) -> str | None:
    """Return what a value is: a type of a column, ``date``, or None for anything else."""
    if isinstance(value, str):
        return TEXT
    if isinstance(value, bool | np.bool_):
        return BOOLEAN
    if isinstance(value, Real | Decimal):
        return NUMBER
    if isinstance(value, dt.date):  # as datetimes and pandas' Timestamps are
        return _DATE
    is_list = isinstance(value, list | tuple | AbstractSet) or (isinstance(value, np.ndarray) and value.ndim == 1)
    return TEXTS if is_list else None


def _mixed(entries: Sequence[Any], first: int, row: int, name: str, source: str, named: RowName) -> str:
    """Return what is wrong with a column that has values of several types, or of one that is none of a feature."""
    example = f"{entries[row]!r} in {named(row)}"
    if _family(entries[first]) is None or _family(entries[row]) is None:
        guilty = first if _family(entries[first]) is None else row
        return (
            f"{source}: column {name!r} has {entries[guilty]!r} ({type(entries[guilty]).__name__}) in {named(guilty)}; a feature is a "
            "number, a truth value, a text, a date, or a list or set of texts."
        )
    return (
        f"{source}: column {name!r} has values of several types: {entries[first]!r} in {named(first)}, and {example}. Make all of "
        f"them texts, e.g. df[{name!r}].astype(str), or all of them lists."
    )


def _texts(entry: Any, row: int, name: str, source: str, named: RowName) -> list[str] | None:
    """Return the members of a list in their order, those of a set in alphabetical order; None for what is missing."""
    if entry is None:
        return None
    members = sorted(entry, key=str) if isinstance(entry, AbstractSet) else list(entry)
    for member in members:
        if not isinstance(member, str):
            advice = "give a vector a column for each of its numbers" if isinstance(member, Real) else "leave it out"
            raise DataError(
                f"{source}: column {name!r} has a list with {member!r} ({type(member).__name__}) in {named(row)}; the members of "
                f"lists are texts: write {str(member)!r}, or {advice}."
            )
    return [_text(member, name, source) for member in members]


def _text(value: str, name: str, source: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{source}: column {name!r} has {value!r}, which is no valid Unicode text ({error.reason})."
        ) from error
    return str.__str__(value)  # a subclass equals its text

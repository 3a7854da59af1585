"""The types of features: numbers, truth values, texts, and lists of texts, told from what a column of a frame has."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

from omnibench.data.features.texts import ListEntries, TextEntries
from omnibench.data.numbers import EXACT_INTEGERS, RowName
from omnibench.errors import DataError
from omnibench.guest.feature_types import BOOLEAN, NUMBER, TEXT, TEXTS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    from omnibench.lazy import np

_DATE = "date"
"""What becomes a number of seconds."""


def typed(series: pd.Series[Any], name: str, source: str, named: RowName) -> tuple[str, Any]:
    """Return the type of a column, and its content as a ``FeatureColumn`` has it.

    Args:
        series: The column.
        name: Its name in errors.
        source: The name of the frame in errors.
        named: Returns what errors call a row.

    Raises:
        DataError: It has values of several types, or of none that a feature has.
    """
    import pandas as pd

    if _are_texts(series):
        return TEXT, _text_entries(series, name, source)
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object if series.isna().any() else series.cat.categories.dtype)
    if pd.api.types.is_bool_dtype(series.dtype):
        return BOOLEAN, series.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return NUMBER, _numbers(series, name, source, named)
    if series.dtype.kind == "M":  # also of Arrow, whichever pandas asks
        return NUMBER, _seconds(series)
    entries: list[Any] = series.astype(object).mask(series.isna(), None).tolist()
    family = _common_family(entries, name, source, named)
    if family == TEXT:
        return TEXT, _text_entries(pd.Series(entries, dtype=object), name, source)
    if family == TEXTS:
        return TEXTS, _list_entries(entries, name, source, named)
    if family == _DATE:
        return NUMBER, _seconds(pd.to_datetime(pd.Series(entries, dtype=object), utc=True))
    plain = pd.Series([np.nan if entry is None or entry == "" else entry for entry in entries], dtype=object)
    if family == BOOLEAN:
        return BOOLEAN, plain.to_numpy(dtype=np.float64)
    return NUMBER, _numbers(pd.to_numeric(plain), name, source, named)


def _are_texts(series: pd.Series[Any]) -> bool:
    """Whether pandas knows that all of a column are texts."""
    import pandas as pd

    values = series.cat.categories if isinstance(series.dtype, pd.CategoricalDtype) else series
    if values.dtype == object:
        return isinstance(series.dtype, pd.CategoricalDtype) and all(isinstance(value, str) for value in values)
    return isinstance(values.dtype, pd.StringDtype) or str(values.dtype).startswith(("string[pyarrow]", "large_string"))


def _common_family(entries: Sequence[Any], name: str, source: str, named: RowName) -> str:
    """Return what all entries that are there are: a type, or ``date``; numbers where nothing is there.

    Empty texts are missing in columns of any type, as in a file.
    """
    types = {type(entry) for entry in entries} - {type(None)}
    if len(types) == 1 and types <= {str, list, tuple, set, frozenset, float, int, bool}:
        family = _family(next(iter(types))())
        assert family is not None, "these are types of features"
        if family != TEXT or any(entries):
            return family
    rows = [
        row for row, entry in enumerate(entries) if entry is not None and not (isinstance(entry, str) and not entry)
    ]
    if not rows:
        return NUMBER
    first = _family(entries[rows[0]])
    for row in rows:
        if first is None or _family(entries[row]) != first:
            raise DataError(_mixed(entries, rows[0], row, name, source, named))
    assert first is not None, "a column of something else is refused"
    return first


def _numbers(series: pd.Series[Any], name: str, source: str, named: RowName) -> Any:
    values = np.array(series.to_numpy(dtype=np.float64, na_value=np.nan)) + 0.0  # of -0.0 and 0.0 one
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise DataError(
            f"{source}: column {name!r} has an infinite number in {named(int(infinite[0]))}; leave it empty, or mend it."
        )
    is_whole = series.dtype.kind in "iu"
    lost = np.flatnonzero(is_whole & (np.abs(values) >= EXACT_INTEGERS))
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


def _text_entries(series: pd.Series[Any], name: str, source: str) -> TextEntries:
    import pandas as pd

    codes, texts = pd.factorize(series)
    listed = list(texts)
    _check_unicode(listed, name, source)
    return TextEntries.of(codes, listed)


def _list_entries(entries: Sequence[Any], name: str, source: str, named: RowName) -> ListEntries:
    """Return lists with their members in their order, those of sets in alphabetical order; empty ones are none."""
    lists: list[list[Any] | None] = []
    for entry in entries:
        if type(entry) is list:
            lists.append(entry)
        elif entry is None or isinstance(entry, str):  # an empty one: there are no others
            lists.append(None)
        else:
            lists.append(sorted(entry, key=str) if isinstance(entry, AbstractSet) else list(entry))
    if not {type(member) for members in lists if members for member in members} <= {str}:
        for row, members in enumerate(lists):
            for member in members or ():
                _check_member(member, row, name, source, named)
    nonempty = [
        members if members is None or "" not in members else [text for text in members if text] for members in lists
    ]
    column = ListEntries.of(nonempty)
    _check_unicode(column.members.texts, name, source)
    return column


def _check_member(member: Any, row: int, name: str, source: str, named: RowName) -> None:
    if isinstance(member, str):
        return
    advice = "give a vector a column for each of its numbers" if isinstance(member, Real) else "leave it out"
    raise DataError(
        f"{source}: column {name!r} has a list with {member!r} ({type(member).__name__}) in {named(row)}; the members of lists are "
        f"texts: write {str(member)!r}, or {advice}."
    )


def _check_unicode(texts: Sequence[str], name: str, source: str) -> None:
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(
                f"{source}: column {name!r} has {text!r}, which is no valid Unicode text ({error.reason})."
            ) from error

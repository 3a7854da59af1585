"""What the values of raw columns mean: times of a unit or format, ratings as words, codes for what is missing.

Each function takes a column as pandas or pyarrow has it, and the names that its errors need, so that every format of file
is converted alike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from omnibench.data.numbers import RowName, row_name
from omnibench.data.time_units import FIRST_COUNT, FIRST_DATE, LAST_DATE, PER_SECOND
from omnibench.data.times import DECIMAL, WHOLE, matches
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_NUMPY_UNITS = {"seconds": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}

_VALUE = "<value>"
"""Stands in an advice for the value that it is about."""
_TRUTH = {"true": 1.0, "false": 0.0}


def as_array(column: Any) -> Any:
    """Return a column as a pyarrow array.

    Args:
        column: A pandas Series, a numpy or pyarrow array, or a list.
    """
    import pandas as pd
    import pyarrow as pa

    if isinstance(column, pa.Array):
        return column
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks()
    series = pd.Series(column)
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    array = pa.array(series, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def as_texts(column: Any) -> Any:
    """Return a column as a pyarrow array of texts without blanks around them; an empty one is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = as_array(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    texts = pc.utf8_trim_whitespace(array.cast(pa.string()))
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def time_column(column: Any, unit: str, source: str, named: RowName = row_name, name: str = "timestamp") -> Any:
    """Return times as the column ``timestamp`` of a dataset takes them, a pandas Series.

    Args:
        column: The raw values.
        unit: ``seconds``, ``milliseconds``, ``microseconds`` or ``nanoseconds`` since 1970, ``iso`` for ISO 8601, or a format
            as ``datetime.strptime`` has it. Both are in UTC unless they say otherwise. An empty text leaves the values as
            they are.
        source: The name of the file in errors.
        named: Returns what errors call a row.
        name: What errors call the column.

    Returns:
        Seconds as 64-bit integers or floats, or moments as numpy's ``datetime64`` in UTC where they are finer than that
        or before 1970.

    Raises:
        DataError: A value is missing, or no time of this unit or format.
    """
    import pandas as pd

    if not unit:
        return pd.Series(column)
    if unit in PER_SECOND:
        return pd.Series(_counted(as_array(column), unit, source, named, name))
    texts = as_texts(column)
    is_iso = unit == "iso"
    moments = pd.to_datetime(
        pd.Series(texts.to_pandas(), dtype=object), errors="coerce", utc=True, format="ISO8601" if is_iso else unit
    )
    invalid = np.flatnonzero(moments.isna().to_numpy())
    if len(invalid):
        meaning = "no ISO 8601 date such as 2020-01-31T12:00:00Z" if is_iso else f"no time of the format {unit!r}"
        _refuse(texts, invalid, (source, name, named), meaning, "Mend the line, or say which time the others are.")
    exact = moments.dt.tz_localize(None)
    seconds = exact.to_numpy().astype("datetime64[s]").astype(np.int64)
    strange = np.flatnonzero((seconds < FIRST_DATE) | (seconds >= LAST_DATE))
    if len(strange):
        meaning = "a date before 1900 or after 2200"
        _refuse(texts, strange, (source, name, named), meaning, "If it stands for a missing one, drop the line.")
    return exact


def _counted(array: Any, unit: str, source: str, named: RowName, name: str) -> Any:
    """Return counts of a unit as seconds, or as moments."""
    import pyarrow as pa
    import pyarrow.compute as pc

    labels = (source, name, named)
    meaning = f"no number of {unit}"
    advice = "Say which time it is: time='iso', or a format such as time='%Y-%m-%d %H:%M:%S'."
    if pa.types.is_integer(array.type) and not array.null_count:
        counts = array.cast(pa.int64()).to_numpy(zero_copy_only=False)
    else:
        texts = None if pa.types.is_floating(array.type) or pa.types.is_integer(array.type) else as_texts(array)
        if texts is not None and not texts.null_count and pc.all(pc.match_substring_regex(texts, WHOLE)).as_py():
            counts = _whole(texts)
        else:
            counts = None
        if counts is None:
            counts = decimals(array, *labels, meaning, advice)
    per_second = PER_SECOND[unit]
    strange = np.flatnonzero((counts < FIRST_DATE * per_second) | (counts >= LAST_DATE * per_second))
    if len(strange):
        likely = _unit_of(float(counts[strange[0]]))
        hint = (
            f"Its size is that of {likely}: time={likely!r}." if likely and likely != unit else "Mend or drop the line."
        )
        _refuse(array, strange, labels, f"no moment between 1900 and 2200 in {unit}", hint)
    if unit == "seconds":
        return counts if len(counts) == 0 or counts.min() >= 0 else _moments(counts, per_second, "s")
    return _moments(counts, per_second, _NUMPY_UNITS[unit])


def _whole(texts: Any) -> Any:
    """Return texts of whole numbers as 64-bit integers, None where one is larger than that."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.utf8_ltrim(texts, characters="+").cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None


def _moments(counts: npt.NDArray[Any], per_second: int, unit: str) -> Any:
    if counts.dtype.kind == "f":
        return np.round(counts * (10**6 / per_second)).astype("datetime64[us]")
    return counts.astype(f"datetime64[{unit}]")


def _unit_of(count: float) -> str:
    """Return the unit in which a count is a moment of our days; nothing where there is none."""
    return next((unit for unit, per_second in PER_SECOND.items() if FIRST_COUNT <= count / per_second < LAST_DATE), "")


def rating_column(
    column: Any,
    source: str,
    named: RowName = row_name,
    *,
    words: Mapping[str, float] | None = None,
    decimal: str = ".",
    fraction: bool = False,
    name: str = "rating",
) -> npt.NDArray[np.float64]:
    """Return ratings as 64-bit floats, shape (n,).

    Args:
        column: The raw values; truth values are 1 and 0.
        source: The name of the file in errors.
        named: Returns what errors call a row.
        words: The number that a word stands for; upper and lower case are the same where that is no matter.
        decimal: What stands before the fraction of a number, a point or a comma.
        fraction: Whether ratings are texts such as 13/20, of which the number before the stroke counts.
        name: What errors call the column.

    Raises:
        DataError: A value is missing, or no number and none of the words.
    """
    import pyarrow as pa

    array = as_array(column)
    if pa.types.is_boolean(array.type) and words is None:
        words = _TRUTH
    labels = (source, name, named)
    advice = _advice(words, decimal=decimal, fraction=fraction)
    if words is None and decimal == "." and not fraction:
        return decimals(array, *labels, "no finite number", advice)

    def number(text: str) -> float:
        return _number(text, words or {}, decimal, fraction=fraction)

    texts = as_texts(array).dictionary_encode()
    values = np.array([_or_nan(number, text) for text in texts.dictionary.to_pylist()] or [np.nan], dtype=np.float64)
    codes = texts.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    ratings: npt.NDArray[np.float64] = np.where(codes < 0, np.nan, values[codes])
    invalid = np.flatnonzero(~np.isfinite(ratings))
    if len(invalid):
        meaning = "no finite number" + (f", and none of {', '.join(map(repr, words))}" if words else "")
        _refuse(array, invalid, labels, meaning, advice)
    return ratings


def decimals(array: Any, source: str, name: str, named: RowName, meaning: str, advice: str) -> npt.NDArray[np.float64]:
    """Return a pyarrow array of numbers, or of texts of numbers, as 64-bit floats.

    Raises:
        DataError: A value is missing, or no finite number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    else:
        texts = as_texts(array)
        try:
            values = pc.utf8_ltrim(texts, characters="+").cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            _refuse(array, np.flatnonzero(~matches(texts, DECIMAL)), (source, name, named), meaning, advice)
    invalid = np.flatnonzero(~np.isfinite(values))
    if len(invalid):
        _refuse(array, invalid, (source, name, named), meaning, advice)
    numbers: npt.NDArray[np.float64] = values
    return numbers


def is_among(column: Any, values: Collection[object]) -> npt.NDArray[np.bool_]:
    """Return which values of a column are some of a list, shape (n,).

    Numbers are compared as numbers, whether they stand in the column or the list as such or as texts: -1 is -1.0. True and
    false are the same in upper and lower case. An empty text stands for a missing value.

    Args:
        column: The raw values.
        values: Numbers, texts or truth values.
    """
    texts = as_texts(column).dictionary_encode()
    listed_texts = {_plain(value) for value in values}
    listed_numbers = {number for value in values if (number := _or_nan(float, _plain(value))) == number}
    is_listed = [
        text in listed_texts
        or (text.casefold() in _TRUTH and text.casefold() in listed_texts)
        or _or_nan(_plain_number, text) in listed_numbers
        for text in texts.dictionary.to_pylist()
    ]
    codes = texts.indices.fill_null(len(is_listed)).to_numpy(zero_copy_only=False)
    mask: npt.NDArray[np.bool_] = np.array([*is_listed, "" in listed_texts], dtype=bool)[codes]
    return mask


def is_absent(column: Any) -> npt.NDArray[np.bool_]:
    """Return which values of a column are missing or empty, shape (n,)."""
    return np.asarray(as_texts(column).is_null())


def _plain(value: object) -> str:
    """Return a value as it stands in files."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _plain_number(text: str) -> float:
    if "_" in text:  # which Python allows within a number
        raise ValueError
    return float(text)


def _number(text: str, words: Mapping[str, float], decimal: str, *, fraction: bool) -> float:
    if text in words:
        return float(words[text])
    folded = {word.casefold(): number for word, number in words.items()}
    if len(folded) == len(words) and text.casefold() in folded:
        return float(folded[text.casefold()])
    if fraction:
        text = text.partition("/")[0].strip()
    if decimal != ".":
        if "." in text:  # a separator of thousands, or a point after all: which of them, nobody knows
            raise ValueError
        text = text.replace(decimal, ".")
    return _plain_number(text)


def _or_nan(number: Callable[[str], float], text: str) -> float:
    try:
        return number(text)
    except ValueError:
        return float("nan")


def _advice(words: Mapping[str, float] | None, *, decimal: str, fraction: bool) -> str:
    """Return what to do about a rating that is no number, with ``_VALUE`` in the place of that."""
    missing = f"If it stands for no rating, say so: missing=[{_VALUE}]"
    if words:
        return f"Add the word to ratings, with its number, or drop the line. {missing}."
    if decimal != ".":
        return f"Numbers have a {decimal!r} before their fraction, as decimal={decimal!r} says, and no other sign. {missing}."
    if fraction:
        return f"Mend or drop the line. {missing}."
    return f"{missing}; a word stands for a number with ratings={{{_VALUE}: 1}}; decimal=',' is for 3,5."


def _refuse(
    array: Any, rows: npt.NDArray[np.int64], labels: tuple[str, str, RowName], meaning: str, advice: str
) -> NoReturn:
    """Refuse the first of some rows, with its value."""
    source, name, named = labels
    first = int(rows[0]) if len(rows) else 0
    value = as_array(array)[first].as_py()
    if value is None or (isinstance(value, str) and not value.strip()):
        raise DataError(
            f"{source}, {named(first)}: column {name!r} has no value. Mend the line, or say that such lines are left out: "
            "missing=['']."
        )
    raise DataError(
        f"{source}, {named(first)}: column {name!r} is {value!r}, {meaning}. {advice.replace(_VALUE, repr(str(value)))}"
    )

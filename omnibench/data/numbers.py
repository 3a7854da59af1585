"""Columns of numbers, checked: the first value that is none is named with its row."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_LONGEST = 60
"""Letters of a value that an error shows."""


EXACT_INTEGERS = 2**53
"""Up to this, 64-bit floats hold every whole number."""

EXACT_RATINGS = 2**24
"""Up to this, 32-bit floats do."""

LARGEST_RATING = 3.4028234663852886e38
"""Of 32-bit floats."""

INTEGER = "(?:0|-?[1-9][0-9]{0,18})"
"""An integer as it is usually written, without a leading zero, a plus sign or an exponent."""

_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")

RowName = Callable[[int], str]
"""Returns what errors call a row, of its number from 0."""


def row_name(row: int) -> str:
    """Return what errors call a row of a frame, e.g. ``row 50``."""
    return f"row {row}"


def is_numeral(text: str) -> bool:
    """Whether a text is a number as Python reads it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def numbers(column: Any, name: str, source: str, largest: float, named: RowName = row_name) -> npt.NDArray[np.float64]:
    """Return a column as 64-bit floats, shape (n,).

    Args:
        column: A pandas Series or array; numerals may be texts.
        name: The column's name in errors.
        source: The name of the data in errors.
        largest: The largest absolute value.
        named: Returns what errors call a row.

    Raises:
        DataError: A value is missing, no number, or too large.
    """
    import pandas as pd

    series = pd.Series(column)
    # Of a column of dates, pandas would return how many of its units there are.
    texts = series if pd.api.types.is_numeric_dtype(series) else series.astype(object)
    try:
        parsed = pd.to_numeric(texts, errors="coerce")
    except OverflowError:  # an integer beyond all floats
        parsed = pd.to_numeric(texts.map(_bounded), errors="coerce")
    imaginary = parsed.dtype.kind == "c"
    values = np.full(len(parsed), np.nan) if imaginary else parsed.to_numpy(dtype=np.float64, na_value=np.nan)
    invalid = np.flatnonzero(~(np.abs(values) <= largest))
    if len(invalid):
        raise DataError(
            f"{source}: column {name!r} has {len(invalid)} values that are no finite number, or too large a one "
            f"(the first is {first_example(series, invalid, named)}). Drop these rows, or mend them{_advice(series.iloc[int(invalid[0])], name)}."
        )
    return values


def _bounded(value: Any) -> Any:
    is_beyond = isinstance(value, int) and abs(value) > sys.float_info.max
    return float("inf") if is_beyond else value


def _advice(value: Any, name: str) -> str:
    """Return what ``from_file`` does with a value that is no number, as the end of a sentence."""
    import pandas as pd

    missing = "from_file leaves out rows with values that stand for none, e.g. missing="
    if not isinstance(value, str):
        return f"; {missing}['', 'nan']" if pd.isna(value) else ""
    if name != "rating":
        return ""
    if _DECIMAL_COMMA.fullmatch(value.strip()):
        return "; from_file reads it with decimal=','"
    return f"; {missing}[{value!r}], and words are numbers with ratings={{{value!r}: 1}}"


def first_example(series: Any, rows: npt.NDArray[np.int64], named: RowName = row_name) -> str:
    """Return the first of the values in some rows of a Series or an array, and what errors call its row."""
    first = int(rows[0])
    entries = series if isinstance(series, np.ndarray) else series.iloc
    text = repr(entries[first : first + 1].tolist()[0])
    return f"{text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...'} in {named(first)}"

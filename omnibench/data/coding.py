"""Ids as dense codes: whatever is hashable, of one type a column."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, cast

from omnibench.caller_warnings import warn_caller
from omnibench.data.numbers import EXACT_INTEGERS, RowName, first_example, row_name
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_MOST_CODES = 2**31 - 1
"""Of users, and of items: codes are 32-bit integers."""


def coded_ids(
    column: Any, name: str, source: str, named: RowName = row_name
) -> tuple[npt.NDArray[np.int32], list[Hashable]]:
    """Return the codes of a column of ids, shape (n,), and the ids in the order in which they come.

    Args:
        column: A pandas Series or array.
        name: The column's name in errors.
        source: The name of the data in errors.
        named: Returns what errors call a row.

    Raises:
        DataError: An id is missing, a fraction, not hashable, or of another type than the others.
    """
    import pandas as pd

    series = pd.Series(column)
    coded = _coded_in_order(series)
    if coded is not None:
        return coded
    missing = int(series.isna().sum())
    if missing:
        first = int(np.flatnonzero(series.isna().to_numpy())[0])
        raise DataError(
            f"{source}: column {name!r} has {missing} missing values (the first in {named(first)}). "
            "Drop or fill them before building the dataset."
        )
    plain = _with_plain_values(series)
    _refuse_fractions(plain, name, source, named)
    try:
        codes, unique = cast("tuple[npt.NDArray[np.int64], Any]", pd.factorize(series))
    except (TypeError, NotImplementedError) as error:  # the latter is Arrow's word for it
        raise DataError(f"{source}: column {name!r} holds ids that are not hashable ({error}).") from error
    if len(unique) > _MOST_CODES:
        raise DataError(
            f"{source}: column {name!r} has {len(unique):,} different ids; at most {_MOST_CODES:,} are possible."
        )
    _refuse_mixtures(plain, name, source, named)
    if isinstance(unique, pd.CategoricalIndex):
        unique = unique.categories.take(unique.codes).to_numpy()
    if isinstance(unique, np.ndarray) and unique.dtype.kind in "iu":  # millions of ids at once
        return codes.astype(np.int32), unique.tolist()
    return codes.astype(np.int32), [own_id.item() if isinstance(own_id, np.generic) else own_id for own_id in unique]


def joined_codes(
    tables: Sequence[tuple[npt.NDArray[np.int32], Sequence[Hashable]]],
) -> tuple[list[npt.NDArray[np.int32]], list[Hashable]]:
    """Return the codes of several columns over the ids of all of them, and these ids, in the order in which they come.

    Args:
        tables: The codes of each column, shape (n,), and its ids by code.
    """
    code_of: dict[Hashable, int] = {}
    joined = []
    for codes, own_ids in tables:
        table = np.fromiter((code_of.setdefault(own_id, len(code_of)) for own_id in own_ids), np.int32, len(own_ids))
        joined.append(table[codes])
    return joined, list(code_of)


def _coded_in_order(series: Any) -> tuple[npt.NDArray[np.int32], list[Hashable]] | None:
    """Return the codes and ids of a column that has them already, as files do; None of any other.

    They are categories, each of which occurs, in the order in which they come, and all texts or all integers.
    """
    import pandas as pd

    if not isinstance(series.dtype, pd.CategoricalDtype) or len(series) == 0:
        return None
    codes, categories = series.cat.codes.to_numpy(), series.cat.categories
    latest = np.maximum.accumulate(codes)
    is_in_order = codes[0] == 0 and latest[-1] == len(categories) - 1 and bool((np.diff(latest) <= 1).all())
    if not is_in_order or bool((codes < 0).any()):
        return None
    own_ids: list[Hashable] = categories.tolist()
    return (
        (codes.astype(np.int32, copy=False), own_ids)
        if {type(own_id) for own_id in own_ids} in ({int}, {str})
        else None
    )


def _with_plain_values(series: Any) -> Any:
    """Return a column of categories as one of their values, where these are to be looked at."""
    import pandas as pd

    if not isinstance(series.dtype, pd.CategoricalDtype):
        return series
    categories = series.cat.categories
    is_plain = pd.api.types.infer_dtype(categories, skipna=False) in ("string", "integer")  # millions of rows of a file
    return series if is_plain else series.astype(categories.dtype)


def _refuse_fractions(series: Any, name: str, source: str, named: RowName) -> None:
    """Refuse ids that are fractions, which are no names of anything; warn of those that may have lost their last digits."""
    import pandas as pd

    if not pd.api.types.is_float_dtype(series):
        return
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    fractions = np.flatnonzero(~(values == np.floor(values)) | np.isinf(values))
    if len(fractions):
        raise DataError(
            f"{source}: column {name!r} has {len(fractions)} ids that are no whole numbers (the first is "
            f"{first_example(series, fractions, named)}). Ids are integers or texts: read the column as texts "
            f"(dtype=str), or say which other column holds the {name}."
        )
    if len(values) and float(np.abs(values).max()) >= EXACT_INTEGERS:
        warn_caller(
            f"{source}: the ids of the column {name!r} are floats of more than 15 digits, so that different ids may have become "
            "the same. Read the column as texts (dtype=str) or integers (dtype='Int64')."
        )


def _refuse_mixtures(series: Any, name: str, source: str, named: RowName) -> None:
    """Refuse a column with ids of several types: 1 and '1' would be two users, and 1 and True the same."""
    import pandas as pd

    if series.dtype != object or not pd.api.types.infer_dtype(series, skipna=False).startswith("mixed"):
        return
    families = [_family(own_id) for own_id in series]
    differing = np.flatnonzero(np.array([family is not families[0] for family in families]))
    if len(differing):
        raise DataError(
            f"{source}: column {name!r} has ids of several types: {first_example(series, np.array([0]), named)}, and "
            f"{first_example(series, differing, named)}. Make all of them texts, e.g. df[{name!r}].astype(str)."
        )


def _family(own_id: object) -> type:
    """Return the type that an id counts as: numpy's numbers are Python's, and a subclass of text is text."""
    plain = own_id.item() if isinstance(own_id, np.generic) else own_id
    return next((base for base in (str, bool, int) if isinstance(plain, base)), type(plain))

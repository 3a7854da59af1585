"""Interactions in memory: coded columns of numpy arrays, and the maps back to the user's ids."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from numbers import Number
from typing import TYPE_CHECKING, Any, cast

from omnibench.data.order import canonical_order, counts, lookup, repeats
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from omnibench.guest.parts import Part
else:
    from omnibench.lazy import np, npt

COLUMNS = ("user", "item", "rating", "timestamp")
"""The columns that omnibench knows; the first two are required."""

_EXACT_RATINGS = 2**24
"""Up to this, 32-bit floats hold every whole number."""

_EXACT_COUNTS = 2**53
"""Up to this, 64-bit floats hold every whole number."""

_MOST_CODES = 2**31 - 1
"""Of users, and of items: codes are 32-bit integers."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """A table of interactions with dense codes for users and items.

    Attributes:
        user: int32 codes into ``user_ids``, shape (n,).
        item: int32 codes into ``item_ids``, shape (n,).
        rating: float32 ratings, or None when the feedback is implicit.
        timestamp: int64 seconds since 1970, or None.
        user_ids: The user's own ids, one per code.
        item_ids: The same for items.
    """

    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    rating: npt.NDArray[np.float32] | None
    timestamp: npt.NDArray[np.int64] | None
    user_ids: Sequence[Hashable]
    item_ids: Sequence[Hashable]

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: npt.NDArray[Any]) -> Interactions:
        """Return some of the rows (a boolean mask or row numbers); codes and id maps stay as they are."""
        numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
        return replace(
            self,
            user=self.user.take(numbers),
            item=self.item.take(numbers),
            rating=None if self.rating is None else self.rating.take(numbers),
            timestamp=None if self.timestamp is None else self.timestamp.take(numbers),
        )

    def canonical(self) -> Interactions:
        """Return the same interactions with dense codes, sorted by (user, timestamp), ties as they came."""
        user, user_ids = _dense(self.user, self.user_ids)
        item, item_ids = _dense(self.item, self.item_ids)
        dense = replace(self, user=user, item=item, user_ids=user_ids, item_ids=item_ids)
        order = canonical_order(user, self.timestamp, len(user_ids))
        return dense if order is None else dense.take(order)

    def without_repeats(self) -> tuple[Interactions, int]:
        """Keep the last row of each repeated (user, item) pair; return how many rows went.

        Call it on rows sorted by (user, timestamp), where "last" is the latest in time.
        """
        order, is_repeat = repeats(self.user, self.item, len(self.user_ids))
        if not is_repeat.any():
            return self, 0
        is_kept = np.ones(len(self), dtype=bool)
        is_kept[order[:-1][is_repeat[1:]]] = False  # the one before a repeat
        return self.take(is_kept), int(is_repeat.sum())

    def frame(self, rows: npt.NDArray[np.int64] | None = None) -> pd.DataFrame:
        """Return a pandas frame with the user's own ids and all columns of the interactions."""
        part = self if rows is None else self.take(rows)
        return frame_of(part, self.user_ids, self.item_ids)


def frame_of(rows: Interactions | Part, user_ids: Sequence[Hashable], item_ids: Sequence[Hashable]) -> pd.DataFrame:
    """Return rows as a frame with the user's own ids: user, item, and rating and timestamp where there are some.

    Args:
        rows: Interactions, or a part of a prepared fold.
        user_ids: The users' ids, one per code.
        item_ids: The items' ids.
    """
    import pandas as pd

    columns: dict[str, Any] = {"user": decode(rows.user, user_ids), "item": decode(rows.item, item_ids)}
    if rows.rating is not None:
        columns["rating"] = rows.rating
    if rows.timestamp is not None:
        columns["timestamp"] = rows.timestamp
    return pd.DataFrame(columns)


def decode(codes: npt.NDArray[np.int32], ids: Sequence[Hashable]) -> Any:
    """Return the ids of codes as an int64, text or object array."""
    types = {type(own_id) for own_id in ids}
    if types == {int}:
        try:
            return np.asarray(ids, dtype=np.int64)[codes]
        except OverflowError:
            pass  # an id is wider than int64: kept as Python's own int
    table = np.empty(len(ids), dtype=object)
    table[:] = list(ids)
    return table[codes]


def from_columns(columns: dict[str, Any], source: str) -> Interactions:
    """Check the columns of a frame or file, and code their ids; events within a second stand in the order of time.

    Args:
        columns: pandas Series or arrays by name: user and item, and optionally rating and timestamp.
        source: The name of the data in errors.

    Raises:
        DataError: An id, rating or timestamp is missing, not a number, or has no stable form.
    """
    rows, moments = coded_columns(columns, source)
    order = order_within_seconds(rows, moments)
    return rows if order is None else rows.take(order)


def coded_columns(columns: dict[str, Any], source: str) -> tuple[Interactions, npt.NDArray[Any] | None]:
    """Check the columns of a frame or file, and code their ids.

    Args:
        columns: pandas Series or arrays by name: user and item, and optionally rating and timestamp.
        source: The name of the data in errors.

    Returns:
        The rows as they come; and when exactly each was, shape (n,), where some moments are finer than seconds.

    Raises:
        DataError: An id, rating or timestamp is missing, not a number, or has no stable form.
    """
    user, user_ids = _factorize(columns["user"], "user", source)
    item, item_ids = _factorize(columns["item"], "item", source)
    rating = None
    if "rating" in columns:
        numbers = _numbers(columns["rating"], "rating", source, float(np.finfo(np.float32).max))
        rating = numbers.astype(np.float32)
        warn_of_lost_digits(numbers, source)
    if "timestamp" not in columns:
        return Interactions(user, item, rating, None, user_ids, item_ids), None
    timestamp, exact = _seconds(columns["timestamp"], source)
    if exact is not None:
        whole = exact.astype("datetime64[s]") if exact.dtype.kind == "M" else np.floor(exact)
        exact = None if (exact == whole).all() else exact
    return Interactions(user, item, rating, timestamp, user_ids, item_ids), exact


def order_within_seconds(rows: Interactions, moments: npt.NDArray[Any] | None) -> npt.NDArray[np.int64] | None:
    """Return the row order that sorts each user's events within a second by time; None when they are sorted.

    Args:
        rows: The rows as they come.
        moments: When exactly each was, shape (n,); None where no moment is finer than seconds.
    """
    if moments is None or rows.timestamp is None:
        return None
    order = canonical_order(rows.user, rows.timestamp, len(rows.user_ids))
    columns = (rows.user, rows.timestamp, moments)
    user, second, moment = (column if order is None else column[order] for column in columns)
    swapped = (user[1:] == user[:-1]) & (second[1:] == second[:-1]) & (moment[1:] < moment[:-1])
    return np.argsort(moments, kind="stable") if swapped.any() else None


def warn_of_repeats(name: str, repeats: int) -> None:
    """Warn that repeated pairs were dropped: a pair in both train and test would be a leak."""
    if repeats:
        warnings.warn(
            f"{name} has {repeats} repeated (user, item) pairs; the last one of each was kept, because a pair "
            "must not lie in training and test at once. Pipe Deduplicate(keep=...) to choose differently, or KeepRepeats().",
            UserWarning,
            stacklevel=3,
        )


def warn_of_lost_digits(numbers: npt.NDArray[np.float64], source: str) -> None:
    """Warn of ratings whose last digits 32 bits do not hold: above 2**24 not even all whole numbers."""
    if len(numbers) == 0 or float(np.abs(numbers).max()) <= _EXACT_RATINGS:
        return
    rating = numbers.astype(np.float32)
    size = np.abs(numbers)  # beyond the second limit, a 64-bit float is no exact count either
    lost = np.flatnonzero((size > _EXACT_RATINGS) & (size <= _EXACT_COUNTS) & (rating != numbers))
    if len(lost):
        first = int(lost[0])
        warnings.warn(
            f"{source}: {len(lost)} ratings above {_EXACT_RATINGS:,} lose their last digits, because ratings are kept as 32-bit "
            f"floats: the first is {numbers[first]:,.0f}, which becomes {float(rating[first]):,.0f}. Where that matters, divide "
            "them, or give their ranks or logarithms; moments belong into the column timestamp.",
            UserWarning,
            stacklevel=3,
        )


def _dense(codes: npt.NDArray[np.int32], ids: Sequence[Hashable]) -> tuple[npt.NDArray[np.int32], Sequence[Hashable]]:
    occurs = counts(codes, len(ids)) > 0
    if occurs.all():
        return codes, ids
    new = np.cumsum(occurs, dtype=np.int32) - 1
    return lookup(new, codes), list(itertools.compress(ids, occurs.tolist()))


def _factorize(column: Any, name: str, source: str) -> tuple[npt.NDArray[np.int32], list[Hashable]]:
    import pandas as pd

    series = pd.Series(column)
    missing = int(series.isna().sum())
    if missing:
        first = int(np.flatnonzero(series.isna().to_numpy())[0])
        raise DataError(
            f"{source}: column {name!r} has {missing} missing values (the first in row {first}). "
            "Drop or fill them before building the dataset."
        )
    try:
        codes, unique = cast("tuple[npt.NDArray[np.int64], Any]", pd.factorize(series))
    except (TypeError, NotImplementedError) as error:  # the latter is Arrow's word for it
        raise DataError(f"{source}: column {name!r} holds ids that are not hashable ({error}).") from error
    if len(unique) > _MOST_CODES:
        raise DataError(
            f"{source}: column {name!r} has {len(unique):,} different ids; at most {_MOST_CODES:,} are possible."
        )
    if isinstance(unique, np.ndarray) and unique.dtype.kind in "iu":  # millions of ids at once
        return codes.astype(np.int32), unique.tolist()
    return codes.astype(np.int32), [own_id.item() if isinstance(own_id, np.generic) else own_id for own_id in unique]


def _numbers(column: Any, name: str, source: str, largest: float) -> npt.NDArray[np.float64]:
    import pandas as pd

    series = pd.Series(column)
    # Of a column of dates, pandas would return how many of its units there are.
    numbers = pd.to_numeric(series if pd.api.types.is_numeric_dtype(series) else series.astype(object), errors="coerce")
    imaginary = numbers.dtype.kind == "c"
    values = np.full(len(numbers), np.nan) if imaginary else numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    invalid = np.flatnonzero(~(np.abs(values) <= largest))
    if len(invalid):
        raise DataError(
            f"{source}: column {name!r} has {len(invalid)} values that are no finite number, or too large a one "
            f"(the first is {_first_example(series, invalid)})."
        )
    return values


def _first_example(series: Any, rows: npt.NDArray[np.int64]) -> str:
    """Return the first of the values in some rows, and its row number, for errors."""
    first = int(rows[0])
    return f"{series.iloc[first : first + 1].tolist()[0]!r} in row {first}"


def _seconds(column: Any, source: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any] | None]:
    """Return timestamps in whole seconds since 1970, or in the column's own unit where it holds numbers.

    Returns:
        The whole numbers, and the exact moments where some are finer than that, else None.
    """
    import pandas as pd

    series = pd.Series(column).infer_objects()  # pandas would take numbers among objects for nanoseconds
    if isinstance(series.dtype, pd.CategoricalDtype):  # and numbers among categories, too
        series = series.astype(series.cat.categories.dtype)
    if isinstance(series.dtype, pd.PeriodDtype):
        series = pd.Series(series.dt.to_timestamp())
    if not (pd.api.types.is_numeric_dtype(series) or _are_numbers(series, source)):
        # Texts are ISO 8601: pandas would guess a format from the first of them.
        date_format = "ISO8601" if pd.api.types.is_string_dtype(series) else None
        moments = pd.to_datetime(series, errors="coerce", utc=True, format=date_format)
        invalid = np.flatnonzero(moments.isna().to_numpy())
        if len(invalid):
            raise DataError(
                f"{source}: column 'timestamp' has {len(invalid)} values that are neither a number nor an ISO 8601 "
                f"date (the first is {_first_example(series, invalid)})."
            )
        exact = moments.dt.tz_localize(None).to_numpy()
        return exact.astype("datetime64[s]").astype(np.int64), exact
    whole = series.dtype.kind in "iu" and not series.isna().any()
    if whole and (len(series) == 0 or int(series.max()) < 2**63):
        return series.to_numpy(dtype=np.int64), None  # a float would round the nanoseconds that some people count in
    values = _numbers(series, "timestamp", source, 2.0**62)
    return np.floor(values).astype(np.int64), values


def _are_numbers(series: Any, source: str) -> bool:
    """Return whether the objects of a column are numbers, such as decimals.

    Raises:
        DataError: Some are, and others are dates: pandas would take the numbers for nanoseconds.
    """
    if series.dtype != object:
        return False
    numbers = np.fromiter((isinstance(entry, Number) for entry in series), dtype=bool, count=len(series))
    if numbers.all():
        return True
    mixed = np.flatnonzero(numbers & series.notna().to_numpy())
    if len(mixed) == 0:
        return False
    raise DataError(
        f"{source}: column 'timestamp' has {len(mixed)} numbers among dates "
        f"(the first is {_first_example(series, mixed)}). Give all as numbers, or all as dates."
    )

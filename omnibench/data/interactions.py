"""Interactions in memory: coded columns of numpy arrays, and the maps back to the user's ids."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.caller_warnings import warn_caller
from omnibench.data.coding import coded_ids
from omnibench.data.membership import NO_PART, Membership, without_repeats_within
from omnibench.data.numbers import EXACT_INTEGERS, EXACT_RATINGS, LARGEST_RATING, RowName, numbers, row_name
from omnibench.data.order import canonical_order, lookup, occurring, repeats
from omnibench.data.stored_ids import StoredIds
from omnibench.data.stretches import superseded
from omnibench.data.times import times

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from omnibench.guest.parts import Part
else:
    from omnibench.lazy import np, npt

COLUMNS = ("user", "item", "rating", "timestamp")
"""The columns that omnibench knows; the first two are required."""


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
        parts: The part of each row in each fold of a published split, shape (n, folds), see ``data.membership``; None where
            a split has yet to decide, or there is none.
        session_ids: Where users are positions of sessions (see ``data.positions``), the id of each one's session, one per user
            code, which candidates and features go by; None elsewhere.
    """

    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    rating: npt.NDArray[np.float32] | None
    timestamp: npt.NDArray[np.int64] | None
    user_ids: Sequence[Hashable]
    item_ids: Sequence[Hashable]
    parts: Membership | None = None
    session_ids: Sequence[Hashable] | None = None

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: npt.NDArray[Any]) -> Interactions:
        """Return some of the rows (a boolean mask or row numbers); codes and id maps stay as they are."""

        def selected(column: Any) -> Any:
            return column[rows] if rows.dtype == bool else column.take(rows, axis=0)

        return replace(
            self,
            user=selected(self.user),
            item=selected(self.item),
            rating=None if self.rating is None else selected(self.rating),
            timestamp=None if self.timestamp is None else selected(self.timestamp),
            parts=None if self.parts is None else selected(self.parts),
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

        Call it on rows sorted by (user, timestamp), where "last" is the latest in time. Of a published split it is the last
        one in each part.
        """
        earlier = superseded(self.user, self.item)
        if len(earlier) == 0:
            return self, 0
        if self.parts is not None:
            order, is_repeat = repeats(self.user, self.item, len(self.user_ids))
            parts = without_repeats_within(self.parts, order, is_repeat)
            is_in_a_part = (parts != NO_PART).any(axis=1)
            number = len(self) - int(np.count_nonzero(is_in_a_part))
            return replace(self, parts=parts).take(is_in_a_part), number
        is_kept = np.ones(len(self), dtype=bool)
        is_kept[earlier] = False
        return self.take(is_kept), len(earlier)

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
    if isinstance(ids, StoredIds):
        return ids.take(codes)
    types = {type(own_id) for own_id in ids}
    if types == {int}:
        try:
            return np.asarray(ids, dtype=np.int64)[codes]
        except OverflowError:
            pass  # an id is wider than int64: kept as Python's own int
    table = np.empty(len(ids), dtype=object)
    table[:] = list(ids)
    return table[codes]


def from_columns(
    columns: Mapping[str, Any], source: str, named: RowName = row_name, parts: Membership | None = None
) -> Interactions:
    """Check the columns of a frame or file, and code their ids; events within a second stand in the order of time.

    Args:
        columns: pandas Series or arrays by name: user and item, and optionally rating and timestamp.
        source: The name of the data in errors.
        named: Returns what errors call a row.
        parts: The parts of the rows in a published split.

    Raises:
        DataError: An id, rating or timestamp is missing, not a number, or has no stable form.
    """
    coded = coded_columns(columns, source, named)
    rows = coded.rows if parts is None else replace(coded.rows, parts=parts)
    order = order_within_seconds(rows, coded.moments)
    return rows if order is None else rows.take(order)


class CodedColumns(NamedTuple):
    """Columns of a frame or file with their ids coded.

    Attributes:
        rows: The rows as they come.
        moments: When exactly each was, shape (n,), where some moments are finer than seconds.
        as_before: Whether earlier releases have read the same values.
        is_own: Whether nobody else has these arrays, so that they may be sorted where they lie.
    """

    rows: Interactions
    moments: npt.NDArray[Any] | None
    as_before: bool = True
    is_own: bool = False


def coded_columns(columns: Mapping[str, Any], source: str, named: RowName = row_name) -> CodedColumns:
    """Check the columns of a frame or file, and code their ids.

    Args:
        columns: pandas Series or arrays by name: user and item, and optionally rating and timestamp.
        source: The name of the data in errors.
        named: Returns what errors call a row.

    Raises:
        DataError: An id, rating or timestamp is missing, not a number, or has no stable form.
    """
    user, user_ids = coded_ids(columns["user"], "user", source, named)
    item, item_ids = coded_ids(columns["item"], "item", source, named)
    rating = None
    if "rating" in columns:
        exact_ratings = numbers(columns["rating"], "rating", source, LARGEST_RATING, named)
        rating = exact_ratings.astype(np.float32)
        warn_of_lost_digits(exact_ratings, source)
    rows = Interactions(user, item, rating, None, user_ids, item_ids)
    return timed(rows, columns["timestamp"], source, named) if "timestamp" in columns else CodedColumns(rows, None)


def timed(rows: Interactions, column: Any, source: str, named: RowName = row_name) -> CodedColumns:
    """Return rows with their timestamps.

    Args:
        rows: The rows.
        column: Their timestamps as they come: a pandas Series or array.
        source: The name of the data in errors.
        named: Returns what errors call a row.

    Raises:
        DataError: A timestamp is missing, or none.
    """
    timestamp, exact, as_before = times(column, source, named)
    if exact is not None:
        whole = exact.astype("datetime64[s]") if exact.dtype.kind == "M" else np.floor(exact)
        exact = None if (exact == whole).all() else exact
    return CodedColumns(replace(rows, timestamp=timestamp), exact, as_before)


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


def warn_of_repeats(name: str, repeats: int, *, within_parts: bool) -> None:
    """Warn that repeated pairs were dropped: a pair in both train and test would be a leak.

    Args:
        name: The name of the dataset.
        repeats: How many rows went.
        within_parts: Whether they went because of others in the same part of a published split.
    """
    if repeats:
        extent, reason = (
            (" within its parts", "")
            if within_parts
            else ("", ", because a pair must not lie in training and test at once")
        )
        warn_caller(
            f"{name} has {repeats} repeated (user, item) pairs{extent}; the last one of each was kept{reason}. Pipe "
            "Deduplicate(keep=...) to choose differently, or KeepRepeats()."
        )


def warn_of_lost_digits(numbers: npt.NDArray[np.float64], source: str) -> None:
    """Warn of ratings whose last digits 32 bits do not hold: above 2**24 not even all whole numbers."""
    if len(numbers) == 0 or float(np.abs(numbers).max()) <= EXACT_RATINGS:
        return
    rating = numbers.astype(np.float32)
    size = np.abs(numbers)  # beyond the second limit, a 64-bit float is no exact count either
    lost = np.flatnonzero((size > EXACT_RATINGS) & (size <= EXACT_INTEGERS) & (rating != numbers))
    if len(lost):
        first = int(lost[0])
        warn_caller(
            f"{source}: {len(lost)} ratings above {EXACT_RATINGS:,} lose their last digits, because ratings are kept as 32-bit "
            f"floats: the first is {numbers[first]:,.0f}, which becomes {float(rating[first]):,.0f}. Where that matters, divide "
            "them, or give their ranks or logarithms; moments belong into the column timestamp."
        )


def _dense(codes: npt.NDArray[np.int32], ids: Sequence[Hashable]) -> tuple[npt.NDArray[np.int32], Sequence[Hashable]]:
    occurs = occurring(codes, len(ids))
    if occurs.all():
        return codes, ids
    new = np.cumsum(occurs, dtype=np.int32) - 1
    return lookup(new, codes), list(itertools.compress(ids, occurs.tolist()))

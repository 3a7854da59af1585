"""The canonical order of interactions: by user, time, item and rating, whatever order they came in."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data import ids
from omnibench.data.interactions import Interactions
from omnibench.data.order import canonical_order, lookup

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


class SortedInteractions(NamedTuple):
    """Rows in canonical order.

    Attributes:
        rows: The rows.
        order: The row numbers that made it; None where the rows were in order.
        has_ties: See ``content.Content``.
        has_tied_repeats: See ``content.Content``.
    """

    rows: Interactions
    order: npt.NDArray[np.int64] | None
    has_ties: bool
    has_tied_repeats: bool


def sort_rows(rows: Interactions, moments: npt.NDArray[Any] | None) -> SortedInteractions:
    """Sort rows by user, time, item and rating; users and items get their codes in the order of the result.

    Args:
        rows: The rows as they come.
        moments: When exactly each was, where that is finer than seconds; shape (n,).
    """
    user, item = (lookup(_ranks(own_ids), codes) for codes, own_ids in _codes(rows))
    time = rows.timestamp if moments is None else moments
    order = _order(user, time, item, rows.rating, len(rows.user_ids))
    if order is not None:
        user, item = user[order], item[order]
        time = None if time is None else time[order]
    rating = rows.rating if rows.rating is None or order is None else rows.rating[order]
    tied = user[1:] == user[:-1]
    if time is not None:
        tied &= time[1:] == time[:-1]
    is_repeat = tied & (item[1:] == item[:-1])
    differing = False if rating is None else bool((is_repeat & (rating[1:] != rating[:-1])).any())
    in_order = rows if order is None else rows.take(order)
    return SortedInteractions(_recoded(in_order), order, bool(tied.any()), differing)


def _codes(rows: Interactions) -> tuple[tuple[npt.NDArray[np.int32], Sequence[Hashable]], ...]:
    return (rows.user, rows.user_ids), (rows.item, rows.item_ids)


def _ranks(own_ids: Sequence[Hashable]) -> npt.NDArray[np.int32]:
    """Return the rank of each id: numbers by size, texts by their characters, anything else by its JSON."""
    types = {type(own_id) for own_id in own_ids}
    if types in ({int}, {str}):
        order = sorted(range(len(own_ids)), key=own_ids.__getitem__)  # type: ignore[arg-type]  # of one type
    else:
        texts = [json.dumps(ids.encode(own_id, "an id"), sort_keys=True) for own_id in own_ids]
        order = sorted(range(len(own_ids)), key=texts.__getitem__)
    ranks = np.empty(len(own_ids), dtype=np.int32)
    ranks[order] = np.arange(len(own_ids), dtype=np.int32)
    return ranks


def _order(
    user: npt.NDArray[np.int32],
    time: npt.NDArray[Any] | None,
    item: npt.NDArray[np.int32],
    rating: npt.NDArray[np.float32] | None,
    n_users: int,
) -> npt.NDArray[np.int64] | None:
    """Return the row numbers that sort by user, time, item and rating; None when the rows are sorted already."""
    integers = None if time is None else _as_integers(time)
    order = canonical_order(user, integers, n_users)
    keys = [column if order is None else column[order] for column in (user, item)]
    moment = integers if integers is None or order is None else integers[order]
    stars = rating if rating is None or order is None else rating[order]
    same = keys[0][1:] == keys[0][:-1]
    if moment is not None:
        same &= moment[1:] == moment[:-1]
    falls = keys[1][1:] < keys[1][:-1]
    if stars is not None:
        falls |= (keys[1][1:] == keys[1][:-1]) & (stars[1:] < stars[:-1])
    if not (same & falls).any():
        return order
    # Only within rows of one user and moment; the others stay where they are.
    group = np.zeros(len(user), dtype=np.int64)
    np.cumsum(~same, out=group[1:])
    tied = np.zeros(len(user), dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    positions = np.flatnonzero(tied)
    sort_keys: list[Any] = [keys[1][positions], group[positions]]
    if stars is not None:
        sort_keys.insert(0, stars[positions])
    within = np.arange(len(user), dtype=np.int64)
    within[positions] = positions[np.lexsort(sort_keys)]
    return within if order is None else order[within]


def _as_integers(time: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return numbers that sort as moments do."""
    if time.dtype.kind == "M":
        return time.astype("datetime64[ns]").astype(np.int64)
    if time.dtype.kind == "f":
        return np.unique(time, return_inverse=True)[1].astype(np.int64)
    return time


def _recoded(rows: Interactions) -> Interactions:
    """Give users and items codes in the order in which they come."""
    user, user_ids = _by_appearance(rows.user, rows.user_ids)
    item, item_ids = _by_appearance(rows.item, rows.item_ids)
    return replace(rows, user=user, item=item, user_ids=user_ids, item_ids=item_ids)


def _by_appearance(
    codes: npt.NDArray[np.int32], own_ids: Sequence[Hashable]
) -> tuple[npt.NDArray[np.int32], Sequence[Hashable]]:
    import pandas as pd

    new_codes, old_codes = pd.factorize(codes)
    return new_codes.astype(np.int32), [own_ids[code] for code in old_codes.tolist()]

"""The canonical order of interactions: by user, time, item and rating, whatever order they came in."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data import ids, stretches
from omnibench.data.growing import CodeTable
from omnibench.data.interactions import Interactions
from omnibench.data.order import counts, first_rows, grouped, is_ascending, lookup, sorted_within
from omnibench.data.order_of_texts import order_of_texts
from omnibench.data.stretches import parts_of_users

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_BLOCK = 1 << 16
"""Rows that get their codes at once: what fits into a core's cache."""


class SortedInteractions(NamedTuple):
    """Rows in canonical order.

    Attributes:
        rows: The rows; users and items have their codes in the order in which they come here.
        moments: When exactly each was, in that order; None where that is no finer than seconds.
        is_same: Whether the rows were in this order.
        has_ties: See ``content.Content``.
        has_tied_repeats: See ``content.Content``.
    """

    rows: Interactions
    moments: npt.NDArray[Any] | None
    is_same: bool
    has_ties: bool
    has_tied_repeats: bool


def sort_rows(rows: Interactions, moments: npt.NDArray[Any] | None, *, in_place: bool = False) -> SortedInteractions:
    """Sort rows by user, time, item and rating; users and items get their codes in the order of the result.

    Args:
        rows: The rows as they come.
        moments: When exactly each was, where that is finer than seconds; shape (n,).
        in_place: Whether the arrays of both are nobody else's: they may be sorted where they lie, and mean nothing afterwards.
    """
    in_time, moments, is_same, is_tied = _in_order_of_time(_with_ranked_users(rows), moments, in_place=in_place)
    if is_tied is None:
        time = in_time.timestamp if moments is None else moments
        is_tied = in_time.user[1:] == in_time.user[:-1]
        if time is not None:
            is_tied &= time[1:] == time[:-1]
    rows_of_ties = _with_predecessors(is_tied)
    within = _order_of_ties(in_time, rows_of_ties, is_tied)
    in_order = in_time if within is None else _moved(in_time, rows_of_ties, within)
    rating, differing = in_order.rating, False
    if rating is not None and len(rows_of_ties):
        is_repeat = is_tied & (in_order.item[1:] == in_order.item[:-1])
        differing = bool((is_repeat & (rating[1:] != rating[:-1])).any())
    item, item_ids = _by_appearance(
        in_order.item,
        in_order.item_ids,
        into=in_order.item if in_order.item is not rows.item or (in_place and rows.item.flags.writeable) else None,
    )
    recoded = replace(in_order, item=item, item_ids=item_ids)
    return SortedInteractions(recoded, moments, is_same and within is None, len(rows_of_ties) > 0, differing)


def _with_ranked_users(rows: Interactions) -> Interactions:
    """Return rows whose users have their ranks as codes, which are those of the order in which they come once sorted."""
    order = _order_of_ids(rows.user_ids)
    if (order[1:] > order[:-1]).all():  # as in a file that is sorted by user
        return rows
    return replace(rows, user=lookup(_ranking(order), rows.user), user_ids=_ids_at(rows.user_ids, order))


def _ids_at(own_ids: Sequence[Hashable], codes: npt.NDArray[np.integer[Any]]) -> list[Hashable]:
    """Return the ids of codes, as a list."""
    return list(map(own_ids.__getitem__, codes.tolist()))


def _in_order_of_time(
    rows: Interactions, moments: npt.NDArray[Any] | None, *, in_place: bool
) -> tuple[Interactions, npt.NDArray[Any] | None, bool, npt.NDArray[np.bool_] | None]:
    """Sort rows by user and time, stably, each column once.

    Returns:
        The rows with their moments, whether they were sorted, and where that came out of sorting them: whether each row but
        the first is tied with the one before it, shape (n - 1,).
    """
    columns: dict[str, Any] = {
        "item": rows.item,
        "rating": rows.rating,
        "timestamp": rows.timestamp,
        "parts": rows.parts,
        "moments": moments,
    }
    columns = {name: column for name, column in columns.items() if column is not None}
    user, n_users = rows.user, len(rows.user_ids)
    is_grouped = is_ascending(user)
    bounds = None
    if not is_grouped:
        # Where each part fits into a core's cache, parts of users in any order are all that sorting by words needs.
        order, bounds = parts_of_users(user, n_users)
        columns = {name: _gathered(column, order) for name, column in columns.items()}
        user = lookup(user, order)
        del order
    time = columns.get("moments", columns.get("timestamp"))
    integers = None if time is None else _as_integers(time)
    is_sorted = is_grouped and (integers is None or is_ascending(user, integers))
    is_tied = None
    if not is_sorted:
        in_order = stretches.sorted_within(
            user, integers, list(columns.values()), bounds, in_place=in_place or not is_grouped
        )
        if in_order is None:
            columns = _sorted_by_matrices(user, n_users, integers, columns)
        else:
            columns, is_tied = dict(zip(columns, in_order.columns, strict=True)), in_order.is_tied
    if not is_grouped:
        user = np.repeat(np.arange(n_users, dtype=np.int32), counts(user, n_users))
    moments = columns.pop("moments", None)
    return replace(rows, user=user, **columns), moments, is_sorted, is_tied


def _sorted_by_matrices(
    user: npt.NDArray[np.int32],
    n_users: int,
    time: npt.NDArray[np.int64] | None,
    columns: Mapping[str, npt.NDArray[Any]],
) -> dict[str, Any]:
    """Return columns sorted by user and time, stably, where a word has no room for both."""
    in_order = list(columns.values())
    if not is_ascending(user):
        order = grouped(user)
        user, time = lookup(user, order), None if time is None else lookup(time, order)
        in_order = [_gathered(column, order) for column in in_order]
    if time is not None:
        in_order = sorted_within(first_rows(user, n_users), time, in_order)
    return dict(zip(columns, in_order, strict=True))


def _gathered(column: npt.NDArray[Any], order: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    return lookup(column, order) if column.ndim == 1 else column.take(order, axis=0)


def _moved(rows: Interactions, target: npt.NDArray[np.int64], origin: npt.NDArray[np.int64]) -> Interactions:
    """Return rows with item, rating and parts of the rows ``origin`` at the rows ``target``, where all else is equal."""
    columns: list[Any] = [rows.item, rows.rating, rows.parts]
    moved: list[Any] = [None if column is None else column.copy() for column in columns]
    for column, moved_column in zip(columns, moved, strict=True):
        if moved_column is not None:
            moved_column[target] = column[origin]
    item, rating, parts = moved
    return replace(rows, item=item, rating=rating, parts=parts)


def ranks(own_ids: Sequence[Hashable]) -> npt.NDArray[np.int32]:
    """Return the rank of each id: numbers by size, texts by their characters, anything else by its JSON."""
    return _ranking(_order_of_ids(own_ids))


def _ranking(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    ranking = np.empty(len(order), dtype=np.int32)
    ranking[order] = np.arange(len(order), dtype=np.int32)
    return ranking


def _order_of_ids(own_ids: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    """Return the codes in the order of their ids; see ``ranks``."""
    types = set(map(type, own_ids))
    order: Any
    if types == {int}:
        try:
            order = np.argsort(np.asarray(own_ids, dtype=np.int64), kind="stable")
        except OverflowError:  # wider than 64 bits
            order = sorted(range(len(own_ids)), key=own_ids.__getitem__)  # type: ignore[arg-type]  # integers
    elif types == {str}:
        order = order_of_texts(own_ids)
    else:
        texts = [json.dumps(ids.encode(own_id, "an id"), sort_keys=True) for own_id in own_ids]
        order = sorted(range(len(own_ids)), key=texts.__getitem__)
    return np.asarray(order, dtype=np.int64)


def _with_predecessors(is_tied: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the rows that are tied with the row before them, and those rows."""
    rows = np.flatnonzero(is_tied)
    return np.union1d(rows, rows + 1) if len(rows) < len(is_tied) // 16 else np.flatnonzero(_dilated(is_tied))


def _dilated(is_tied: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    tied = np.zeros(len(is_tied) + 1, dtype=bool)
    tied[1:] |= is_tied
    tied[:-1] |= is_tied
    return tied


def _order_of_ties(
    rows: Interactions,
    ties: npt.NDArray[np.int64],
    is_tied: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64] | None:
    """Return the rows that come at ``ties`` once those of one user and moment are sorted by item and rating.

    Args:
        rows: Rows sorted by user and time.
        ties: The row numbers that are tied with a neighbour, ascending.
        is_tied: Whether each row but the first is tied with the one before it, shape (n - 1,).

    Returns:
        Shape of ``ties``; None where they are sorted.
    """
    if len(ties) == 0:
        return None
    item = ranks(rows.item_ids)[rows.item[ties]]
    rating = None if rows.rating is None else rows.rating[ties]
    same = is_tied[ties[1:] - 1]
    falls = item[1:] < item[:-1]
    if rating is not None:
        falls |= (item[1:] == item[:-1]) & (rating[1:] < rating[:-1])
    if not (same & falls).any():
        return None
    group = np.zeros(len(ties), dtype=np.int64)
    np.cumsum(~same, out=group[1:])
    keys: list[Any] = [item, group] if rating is None else [rating, item, group]
    return ties[np.lexsort(keys)]


def _as_integers(time: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return numbers that sort as moments do."""
    if time.dtype.kind == "M":
        return time.astype("datetime64[ns]").astype(np.int64)
    if time.dtype.kind == "f":
        return np.unique(time, return_inverse=True)[1].astype(np.int64)
    return time


def _by_appearance(
    codes: npt.NDArray[np.int32], own_ids: Sequence[Hashable], into: npt.NDArray[np.int32] | None
) -> tuple[npt.NDArray[np.int32], Sequence[Hashable]]:
    """Return codes in the order in which they first come, and the ids of those.

    Args:
        codes: Shape (n,).
        own_ids: The ids by code.
        into: Where the codes are written, which may be where they are; None for an array of their own.
    """
    recoded = np.empty_like(codes) if into is None else into
    table = CodeTable(len(own_ids))
    for start in range(0, len(codes), _BLOCK):
        block = codes[start : start + _BLOCK]
        table.code(block.copy() if recoded is codes else block, recoded[start : start + _BLOCK])
    return recoded, _ids_at(own_ids, table.numbers)

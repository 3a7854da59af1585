"""The rows of all parts of a published split as one table: ids coded together, overlaps refused, folds laid over another."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.coding import joined_codes
from omnibench.data.content import coded_rows
from omnibench.data.interactions import CodedColumns, Interactions
from omnibench.data.membership import NO_PART, PART_NAMES
from omnibench.data.numbers import row_name
from omnibench.data.order import canonical_order, repeats
from omnibench.data.time_units import FIRST_COUNT, TimeUnit, unit_of
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


class UnitedRows(NamedTuple):
    """The rows of all parts.

    Attributes:
        rows: The rows with their parts, in the order in which they come.
        moments: When exactly each was, shape (n,), where some moments are finer than seconds.
    """

    rows: Interactions
    moments: npt.NDArray[Any] | None


class _PartRows(NamedTuple):
    fold: int
    part: int
    source: Any
    coded: CodedColumns


def unite(folds: Sequence[Mapping[str, Any]], columns: Sequence[str], label: str, *, allow_overlap: bool) -> UnitedRows:
    """Read all parts of a split and return their rows as one table.

    Args:
        folds: The sources of each fold's parts by name.
        columns: The columns that all of them have.
        label: The name of the data in errors.
        allow_overlap: Whether a pair of user and item may be in two parts of a fold.

    Raises:
        DataError: A part cannot be read, has ids of another type than the others, or shares pairs with another part.
    """
    parts = [
        _PartRows(number, PART_NAMES.index(name), source, _coded(source, columns))
        for number, fold in enumerate(folds)
        for name, source in fold.items()
    ]
    for part in parts:
        if len(part.coded.rows) == 0:
            raise DataError(
                f"{label}: the part {_name(part, len(folds))} has no interactions; leave it out, or mend it."
            )
    _refuse_other_units(parts, label)
    stacked, moments = _stacked(parts, columns, label)
    if not allow_overlap:
        _refuse_overlap(parts, stacked, label, len(folds))
    membership = np.full((len(stacked), len(folds)), NO_PART, dtype=np.int8)
    for part, rows in zip(parts, _slices(parts), strict=True):
        membership[rows, part.fold] = part.part
    united = UnitedRows(replace(stacked, parts=membership), moments)
    return united if len(folds) == 1 else _laid_over(united)


def _coded(source: Any, columns: Sequence[str]) -> CodedColumns:
    """Return the rows of a part, without the columns that another part lacks."""
    coded = coded_rows(source) if hasattr(type(source), "content") else CodedColumns(source.load(), None)
    rating = coded.rows.rating if "rating" in columns else None
    timestamp, moments = (coded.rows.timestamp, coded.moments) if "timestamp" in columns else (None, None)
    return CodedColumns(replace(coded.rows, rating=rating, timestamp=timestamp), moments)


def _slices(parts: Sequence[_PartRows]) -> list[slice]:
    ends = np.cumsum([len(part.coded.rows) for part in parts]).tolist()
    return [slice(start, end) for start, end in itertools.pairwise([0, *ends])]


def _name(part: _PartRows, n_folds: int) -> str:
    return PART_NAMES[part.part] if n_folds == 1 else f"{PART_NAMES[part.part]} of fold {part.fold}"


def _stacked(parts: Sequence[_PartRows], columns: Sequence[str], label: str) -> UnitedRows:
    """Return the rows of all parts one after the other, with ids that are coded together."""
    tables = [part.coded.rows for part in parts]
    user, user_ids = _codes_of_all(parts, "user", [(rows.user, rows.user_ids) for rows in tables], label)
    item, item_ids = _codes_of_all(parts, "item", [(rows.item, rows.item_ids) for rows in tables], label)
    rating = np.concatenate([rows.rating for rows in tables]) if "rating" in columns else None
    timestamp = np.concatenate([rows.timestamp for rows in tables]) if "timestamp" in columns else None
    moments = [part.coded.moments for part in parts]
    exact = None
    if any(moment is not None for moment in moments):
        exact = np.concatenate([_exact(rows, moment, moments) for rows, moment in zip(tables, moments, strict=True)])
    return UnitedRows(Interactions(user, item, rating, timestamp, user_ids, item_ids), exact)


def _exact(rows: Interactions, moments: npt.NDArray[Any] | None, of_all: Sequence[Any]) -> npt.NDArray[Any]:
    """Return the moments of a part in the type of the others, also where they are whole seconds."""
    assert rows.timestamp is not None, "some part has moments, and all have the same columns"
    types = {moment.dtype.kind for moment in of_all if moment is not None}
    if types == {"M"}:
        return rows.timestamp.astype("datetime64[s]") if moments is None else moments
    if moments is not None and moments.dtype.kind == "M":
        return moments.astype("datetime64[ns]").astype(np.int64) / 10**9
    return rows.timestamp.astype(np.float64) if moments is None else moments


def _refuse_other_units(parts: Sequence[_PartRows], label: str) -> None:
    """Refuse parts that count in different units, such as seconds and milliseconds: nothing would be before or after."""
    units: dict[TimeUnit, str] = {}
    for part in parts:
        timestamp = part.coded.rows.timestamp
        if timestamp is not None and (latest := int(timestamp.max())) >= FIRST_COUNT:
            units.setdefault(unit_of(latest), f"{_name(part, 1 + parts[-1].fold)} (e.g. {latest})")
    if len(units) > 1:
        described = ", and ".join(
            f"{unit.name} in {part}" for unit, part in sorted(units.items(), key=lambda pair: pair[0].per_second)
        )
        raise DataError(f"{label}: the column 'timestamp' counts {described}. Give all parts in one unit.")


def _codes_of_all(
    parts: Sequence[_PartRows],
    column: str,
    coded: Sequence[tuple[npt.NDArray[np.int32], Sequence[Hashable]]],
    label: str,
) -> tuple[npt.NDArray[np.int32], list[Hashable]]:
    """Return codes over the ids of all parts, in the order in which they come, and these ids.

    Raises:
        DataError: Frames have ids of different types. Of files, integers become texts where other parts have texts.
    """
    own_ids = [list(ids) for _, ids in coded]
    types = [type(ids[0]) for ids in own_ids]
    if len(set(types)) > 1:
        frames = [number for number, part in enumerate(parts) if hasattr(part.source, "frame")]
        if set(types) != {int, str} or frames:
            differing = next(number for number, own_type in enumerate(types) if own_type is not types[0])
            first, second = (_name(parts[number], 1 + parts[-1].fold) for number in (0, differing))
            raise DataError(
                f"{label}: the column {column!r} has ids such as {own_ids[0][0]!r} in {first}, and such as "
                f"{own_ids[differing][0]!r} in {second}, which are of another type. Make all of them texts, e.g. "
                f"df[{column!r}].astype(str)."
            )
        own_ids = [[str(own_id) for own_id in ids] for ids in own_ids]
    codes, ids_of_all = joined_codes([(codes, ids) for (codes, _), ids in zip(coded, own_ids, strict=True)])
    return np.concatenate(codes), ids_of_all


def _refuse_overlap(parts: Sequence[_PartRows], stacked: Interactions, label: str, n_folds: int) -> None:
    slices = _slices(parts)
    for fold in range(n_folds):
        of_fold = [number for number, part in enumerate(parts) if part.fold == fold]
        rows = slice(slices[of_fold[0]].start, slices[of_fold[-1]].stop)
        order, is_repeat = _by_pair(stacked.user[rows], stacked.item[rows], len(stacked.user_ids))
        if not is_repeat.any():
            continue
        part_of_row = np.repeat(of_fold, [len(parts[number].coded.rows) for number in of_fold])[order]
        if (part_of_row[1:][is_repeat[1:]] == part_of_row[:-1][is_repeat[1:]]).all():
            continue  # repeats within a part
        pairs = stacked.user.astype(np.int64) * len(stacked.item_ids) + stacked.item
        for first, second in itertools.combinations(of_fold, 2):
            shared = np.intersect1d(pairs[slices[first]], pairs[slices[second]])
            if len(shared) == 0:
                continue
            row = int(np.flatnonzero(np.isin(pairs[slices[second]], shared))[0])
            user, item = divmod(int(pairs[slices[second]][row]), len(stacked.item_ids))
            names = [_name(parts[number], n_folds) for number in (first, second)]
            named = getattr(parts[second].source, "row_name", row_name)
            verb = "pair of user and item is" if len(shared) == 1 else "pairs of user and item are"
            raise DataError(
                f"{label}: {len(shared):,} {verb} in {names[0]} and in {names[1]} (the first is user "
                f"{stacked.user_ids[user]!r} with item {stacked.item_ids[item]!r}, {named(row)} of {names[1]}), so that a model has "
                "seen what it is judged by. Drop them from one of the two, or say that it is meant with allow_overlap=True."
            )


def _by_pair(
    user: npt.NDArray[np.int32], item: npt.NDArray[np.int32], n_users: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the row numbers in the order of (user, item), equal pairs as they come, and which have the pair of the one before."""
    by_user = canonical_order(user, None, n_users)
    if by_user is None:
        return repeats(user, item, n_users)
    order, is_repeat = repeats(user[by_user], item[by_user], n_users)
    return by_user[order], is_repeat


def _laid_over(united: UnitedRows) -> UnitedRows:
    """Return each interaction once, with its parts in all folds, in the order in which they come first."""
    rows, moments = united
    assert rows.parts is not None, "the parts of all rows are set"
    fold = np.argmax(rows.parts != NO_PART, axis=1)
    number = _interaction_numbers(rows, moments, fold)
    arrivals = np.arange(len(number))
    first_arrival = np.full(int(number.max()) + 1, len(number), dtype=np.int64)
    first_arrival[number[::-1]] = arrivals[::-1]  # the last one that is written stays, which is the first to come
    parts = np.full((len(first_arrival), rows.parts.shape[1]), NO_PART, dtype=np.int8)
    parts[number, fold] = rows.parts[arrivals, fold]
    by_arrival = np.argsort(first_arrival, kind="stable")
    by_arrival = by_arrival[first_arrival[by_arrival] < len(number)]
    firsts = first_arrival[by_arrival]
    laid_over = replace(rows.take(firsts), parts=parts[by_arrival])
    return UnitedRows(laid_over, None if moments is None else moments[firsts])


def _interaction_numbers(
    rows: Interactions, moments: npt.NDArray[Any] | None, fold: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return which rows are the same interaction in several folds, as numbers from 0 on, some of which may be missing.

    Of equal rows in one fold, the second is another interaction than the first, and the same as the second of another fold.

    Args:
        rows: The rows, fold by fold.
        moments: When exactly each was, where that is finer than seconds.
        fold: The fold of each row, shape (n,).
    """
    order, is_repeat = _by_pair(rows.user, rows.item, len(rows.user_ids))
    pair = np.cumsum(~is_repeat) - 1
    values = [column for column in (rows.rating, rows.timestamp if moments is None else moments) if column is not None]
    differs = np.zeros(len(order), dtype=bool)
    for column in (fold, *values):
        changes = _changes(column[order])
        differs[1:] |= changes if column is not fold else ~changes  # in a fold again
    is_simple = np.ones(int(pair[-1]) + 1, dtype=bool)
    is_simple[pair[differs & is_repeat]] = False
    number = np.empty(len(order), dtype=np.int64)
    number[order] = pair
    several = np.flatnonzero(~is_simple[number])  # pairs with several interactions
    if len(several) == 0:
        return number
    keys = [column[several] for column in (*values, number)]
    by_content = np.lexsort(
        [fold[several], *keys]
    )  # the last key counts first, and equal rows of a fold stay as they come
    begins = np.ones(len(several), dtype=bool)
    begins[1:] = np.logical_or.reduce([_changes(key[by_content]) for key in keys])
    content = np.cumsum(begins)
    begins[1:] |= _changes(fold[several][by_content])
    positions = np.arange(len(several))
    occurrence = positions - np.maximum.accumulate(np.where(begins, positions, 0))
    _, of_these = np.unique(content * (int(occurrence.max()) + 1) + occurrence, return_inverse=True)
    number[several[by_content]] = len(is_simple) + of_these
    return number


def _changes(column: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return where a column is not what it was the row before, shape (n - 1,)."""
    changes: npt.NDArray[np.bool_] = column[1:] != column[:-1]
    return changes

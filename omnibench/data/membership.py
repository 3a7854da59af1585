"""Which part of each fold a row belongs to, where that is known of the rows and not for a split to decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

PART_NAMES = ("train", "validation", "test")
"""The names of the parts, by their numbers."""

TRAIN, VALIDATION, TEST = range(len(PART_NAMES))

NO_PART = -1
"""The number of a row that a fold does not have."""

Membership: TypeAlias = "npt.NDArray[np.int8]"
"""The part of each row in each fold, shape (rows, folds)."""


def without_repeats_within(
    parts: Membership, order: npt.NDArray[np.int64], is_repeat: npt.NDArray[np.bool_]
) -> Membership:
    """Return the parts of rows where of each pair the last row of a part is in it, and no other one.

    Args:
        parts: The parts of the rows.
        order: The row numbers in the order of (user, item), equal pairs as they lie.
        is_repeat: Which of them, in this order, have the pair of the one before.
    """
    remaining = parts.copy()
    of_several = is_repeat.copy()
    of_several[:-1] |= is_repeat[1:]
    rows, pair = order[of_several], np.cumsum(~is_repeat)[of_several]
    for fold in range(parts.shape[1]):
        part = parts[rows, fold].astype(np.int64)
        by_part = np.argsort(pair * (len(PART_NAMES) + 1) + part - NO_PART, kind="stable")
        same = (np.diff(pair[by_part]) == 0) & (np.diff(part[by_part]) == 0)
        remaining[rows[by_part[:-1][same]], fold] = NO_PART
    return remaining


def separate_items(item: npt.NDArray[np.int32], parts: Membership) -> npt.NDArray[np.int64]:
    """Return codes of items that are different in different parts, so that no pair of two parts counts as repeated.

    Args:
        item: The items of the rows, shape (n,).
        parts: The parts of the rows.
    """
    memberships, number = np.unique(parts, axis=0, return_inverse=True)
    separate: npt.NDArray[np.int64] = item.astype(np.int64) * len(memberships) + number.reshape(-1)
    return separate


def part_columns(parts: Membership, *, folded: bool) -> dict[str, npt.NDArray[Any]]:
    """Return the parts of rows as columns of a frame: their names, empty where a fold does not have the row.

    Args:
        parts: The parts of the rows.
        folded: Whether these are folds, and no single split.
    """
    names = np.array([*PART_NAMES, ""], dtype=object)  # the last one is what NO_PART, -1, takes
    return {column: names[parts[:, fold]] for fold, column in _columns(parts.shape[1], folded=folded)}


def parts_in(frame: Any, folds: int, label: str, *, folded: bool) -> Membership:
    """Return the parts of the rows of a frame with the columns that ``part_columns`` makes.

    Args:
        frame: A pandas frame.
        folds: The number of folds.
        label: What returned the frame, for errors.
        folded: Whether these are folds, and no single split.

    Raises:
        DataError: A column is not there, or has another value.
    """
    numbers = {name: number for number, name in enumerate(PART_NAMES)} | {"": NO_PART}
    parts = np.empty((len(frame), folds), dtype=np.int8)
    for fold, column in _columns(folds, folded=folded):
        if column not in frame.columns:
            raise DataError(
                f"{label} returned a frame without the column {column!r}, which says what part of the published split each row is "
                f"in; it has {list(frame.columns)}. Return it, too."
            )
        values = frame[column].tolist()
        strange = next((value for value in values if not isinstance(value, str) or value not in numbers), None)
        if strange is not None or None in values:
            raise DataError(
                f"{label} returned {strange!r} in the column {column!r}; give one of {', '.join(map(repr, PART_NAMES))}, or '' for "
                "a row that the fold does not have."
            )
        parts[:, fold] = [numbers[value] for value in values]
    return parts


def _columns(folds: int, *, folded: bool) -> Iterator[tuple[int, str]]:
    for fold in range(folds):
        yield fold, f"part_{fold}" if folded else "part"

"""What files of results that were taken from elsewhere say, against the records that name them and the dataset.

Whoever publishes has made the digests, so that they prove nothing. What a file holds has to be what everybody will read in it:
lists of the right length for users and items that there are, and values per user whose mean is the metric. No size, offset or
shape is believed before it was compared with the bytes that are there, and nothing is unpickled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.errors import SharingError, StoreError
from omnibench.guest.folds import NO_ITEM, RATING_DTYPE
from omnibench.guest.predictions import read_predictions
from omnibench.sharing.shapes import check_shape, is_table
from omnibench.store.per_user import values_in
from omnibench.store.per_user_tables import read_table
from omnibench.store.schema import Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np

_ROWS_AT_ONCE = 65_536
_TOLERANCE = 1e-9
"""How far a metric may lie from the mean of its values, relative to it: sums are rounded, in any order."""


def check_contents(path: Path, member: str, records: Sequence[Record], dataset: Record) -> None:
    """Refuse a file of results that does not hold what its records say.

    Args:
        path: The file.
        member: What it is in its records: ``predictions`` or ``per_user``; a model is looked at by nobody.
        records: The records that name it, all of an item.
        dataset: The record of the item's dataset; empty where it is not known.

    Raises:
        SharingError: It holds something else.
    """
    check_shape(path, member)
    try:
        if member == "predictions":
            _check_predictions(path, records, dataset)
        elif member == "per_user":
            _check_values(path, records, dataset)
    except StoreError as error:
        raise SharingError(str(error)) from error
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:  # of numpy, about what is there
        raise SharingError(f"a file of it cannot be read as what its record says ({type(error).__name__})") from error


def _check_predictions(path: Path, records: Sequence[Record], dataset: Record) -> None:
    arrays = [array for array in read_predictions(path) if array is not None]
    for array in arrays:
        if array.ndim != 1 or not _is_prediction(array.dtype):
            raise SharingError(f"its predictions are rows of {_abridged(array.dtype)}, which omnibench does not write")
        for start in range(0, len(array), _ROWS_AT_ONCE):
            _check_rows(np.asarray(array[start : start + _ROWS_AT_ONCE]), dataset)
    if any(record.get("rows", len(arrays[0])) != len(arrays[0]) for record in records):
        raise SharingError(f"its predictions have {len(arrays[0]):,} rows, and its record says something else")


def _is_prediction(dtype: np.dtype[Any]) -> bool:
    if dtype == RATING_DTYPE:
        return True
    if dtype.names != ("user", "item", "score"):
        return False
    user, item, score = (dtype[name] for name in dtype.names)
    return (
        user == np.dtype("<i4")
        and item.base == np.dtype("<i4")
        and score.base in (np.dtype("<f4"), np.dtype("<f8"))
        and len(item.shape) == 1
        and item.shape == score.shape
    )


def _check_rows(rows: npt.NDArray[Any], dataset: Record) -> None:
    users, items = rows["user"], rows["item"]
    scores = rows["rating"] if rows.dtype == RATING_DTYPE else rows["score"]
    is_filled = np.ones(items.shape, dtype=bool) if rows.dtype == RATING_DTYPE else items != NO_ITEM
    n_users, n_items = (dataset.get(name, math.inf) for name in ("users", "items"))
    if ((users < 0) | (users >= n_users)).any() or ((items[is_filled] < 0) | (items[is_filled] >= n_items)).any():
        raise SharingError("its predictions are about users or items that the dataset does not have")
    if not np.isfinite(scores[is_filled]).all():
        raise SharingError("its predictions have scores that are no finite numbers")
    if rows.dtype == RATING_DTYPE:
        return
    by_code = np.sort(items, axis=1)
    if ((by_code[:, 1:] == by_code[:, :-1]) & (by_code[:, 1:] != NO_ITEM)).any():
        raise SharingError("a list of it has an item twice")
    if (users[1:] <= users[:-1]).any():
        raise SharingError("its lists are not in the order of the users")


def _check_values(path: Path, records: Sequence[Record], dataset: Record) -> None:
    content = path.read_bytes()
    columns = read_table(content) if is_table(content) else None
    for record in records:
        if columns is None:
            values = np.load(path, allow_pickle=False, mmap_mode="r")[record["row"]]
            if values.ndim != 1 or values.dtype.kind != "f":
                raise SharingError("its values per user are no numbers of users")
        elif record.get("place") is None:
            continue  # nobody reads them: earlier formats did not say where they are
        else:
            users, values = values_in(content, record)
            candidates = [column for name, column in columns.items() if name == record.get("label")] or columns.values()
            if not _is_same(users, columns["user"]) or not any(_is_same(values, column) for column in candidates):
                raise SharingError("its values per user are not where its record says")
            if (users < 0).any() or (users[1:] <= users[:-1]).any() or (users >= dataset.get("users", math.inf)).any():
                raise SharingError("its values per user are of users that the dataset does not have")
        _check_mean(np.asarray(values, dtype=float), record)


def _is_same(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> bool:
    return first.dtype == second.dtype and first.tobytes() == second.tobytes()


def _check_mean(values: npt.NDArray[np.float64], record: Record) -> None:
    """Refuse values whose mean is not the metric, where that is a mean over users."""
    counted = values[~np.isnan(values)]
    if not np.isfinite(counted).all():
        raise SharingError("its values per user are no finite numbers")
    if "counted" in record and record["counted"] != len(counted):
        raise SharingError(f"{len(counted):,} users have a value, and its record says {record['counted']!r}")
    is_mean = "counted" in record or record.get("stderr") is not None
    value = record["value"]
    if (
        is_mean
        and value is not None
        and not (len(counted) and math.isclose(counted.mean(), value, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE))
    ):
        raise SharingError(
            f"{str(record.get('label'))[:60]} is {value!r}, which is not the mean of its values per user"
        )


def _abridged(dtype: np.dtype[Any]) -> str:
    return str(dtype)[:100]

"""Sparse matrices of scipy as frames of interactions: a row is a user, a column an item."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

from omnibench.caller_warnings import warn_caller
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    from omnibench.lazy import np


def is_sparse_matrix(table: object) -> bool:
    """Whether an object is a sparse matrix or array of scipy, told without importing it."""
    return any(base.__module__.startswith("scipy.sparse") for base in type(table).__mro__)


def frame_of_matrix(
    matrix: Any, name: str, user_ids: Iterable[Hashable] | None, item_ids: Iterable[Hashable] | None
) -> pd.DataFrame:
    """Return the entries of a sparse matrix as a frame of interactions, in the order of rows and columns.

    Entries of one cell are added, as scipy adds them. What is not 1 everywhere is the rating.

    Args:
        matrix: The matrix, users by items.
        name: What to call it in errors.
        user_ids: The users of its rows; their numbers from 0 by default.
        item_ids: The items of its columns.

    Raises:
        DataError: It has other than two dimensions, entries that are no real numbers, or not as many rows or columns as
            there are ids.
    """
    import pandas as pd
    from scipy import sparse

    if len(matrix.shape) != 2:  # noqa: PLR2004 - users and items
        raise DataError(f"{name} has the shape {matrix.shape}; give a matrix with a row a user and a column an item.")
    if matrix.dtype.kind not in "biuf":
        raise DataError(f"{name} is a matrix of {matrix.dtype}; ratings are real numbers.")
    entries = sparse.csr_array(matrix, copy=True)
    entries.sum_duplicates()
    entries = entries.tocoo()
    is_stored = entries.data != 0
    if not is_stored.all():
        warn_caller(
            f"{name} stores {int((~is_stored).sum())} zeros, which are no interactions, as they would be none if they were not "
            "stored; where they are ratings, give a frame."
        )
    rows, columns, values = entries.row[is_stored], entries.col[is_stored], entries.data[is_stored]
    frame = pd.DataFrame(
        {
            "user": _named(rows, user_ids, entries.shape[0], ("user_ids", "rows"), name),
            "item": _named(columns, item_ids, entries.shape[1], ("item_ids", "columns"), name),
        }
    )
    if not (values == 1).all():
        frame["rating"] = values
    return frame


def _named(codes: Any, ids: Iterable[Hashable] | None, size: int, words: tuple[str, str], name: str) -> Any:
    """Return the ids of codes, which are their own names where there are no others."""
    import pandas as pd

    argument, lines = words
    if ids is None:
        return codes.astype(np.int64)
    own = list(ids)
    if len(own) != size:
        raise DataError(f"{name} has {size} {lines}, but {argument} has {len(own)} ids; give one for each.")
    table = pd.Series(own)
    if table.duplicated().any():
        raise DataError(f"{name}: {argument} has {table[table.duplicated()].iloc[0]!r} twice; give each id once.")
    return table.take(codes).reset_index(drop=True)

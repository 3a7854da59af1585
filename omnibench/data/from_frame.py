"""Datasets of frames and sparse matrices."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_call
from omnibench.data.column_names import left_out, renamed_columns, warn_of_guesses, warn_of_unused_columns
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.frame_source import FrameSource
from omnibench.data.frames import pandas_frame
from omnibench.data.matrices import frame_of_matrix, is_sparse_matrix
from omnibench.data.usual_names import usual_columns
from omnibench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@checked_call
def from_frame(
    df: Any,
    name: str = "frame",
    *,
    columns: Mapping[Any, str | None] | None = None,
    user_ids: Iterable[Hashable] | None = None,
    item_ids: Iterable[Hashable] | None = None,
    items: Any = None,
    users: Any = None,
) -> RecSysDataSet:
    """Make a dataset of a frame of interactions, or of a sparse matrix.

    The frame is copied, so changing it later does not change the dataset. A lazy frame or a query is run at once.

    Args:
        df: A frame of pandas or polars, a pyarrow table, a DuckDB relation or what else gives Arrow's columns, with the
            columns user and item (any hashable ids), and optionally rating (numbers) and timestamp (seconds since 1970, or
            dates; whole numbers in another unit stay what they are). Or a sparse matrix of scipy, a row a user and a column
            an item, whose entries are ratings unless all are 1.
        name: What to call the dataset; a label, not part of its key.
        columns: The frame's own column names to omnibench's, e.g. ``{"userId": "user", "movieId": "item"}``. Usual names
            such as these are guessed where nothing else can be meant, with a warning. None of a column that is not used
            says so, instead of a warning.
        user_ids: The users of a matrix's rows; the numbers of the rows by default.
        item_ids: The items of its columns.
        items: What is known about items: a frame with a column ``item``, or a file; see ``RecSysDataSet.with_features``.
        users: The same for users.

    Raises:
        DataError: It is no frame, a column is missing, or there is no row.
    """
    if is_sparse_matrix(df):
        if columns is not None:
            raise DataError(
                f"from_frame: columns is {columns!r}, but {name} is a matrix, which has none; leave it out."
            )
        frame = frame_of_matrix(df, name, user_ids, item_ids)
    else:
        if user_ids is not None or item_ids is not None:
            raise DataError(
                f"from_frame: user_ids and item_ids are for a sparse matrix, but {name} has columns; leave them out."
            )
        frame = pandas_frame(df, "from_frame", codes_texts=False)
    if frame.columns.nlevels > 1:
        raise DataError(
            f"{name} has columns of {frame.columns.nlevels} levels, {list(frame.columns)}; give them one name each."
        )
    header = frame.columns.tolist()
    if columns is not None and not isinstance(columns, Mapping):
        raise DataError(
            f"{name}: columns is {columns!r}, but a frame has names; give a mapping such as {{'userId': 'user'}}."
        )

    def hint() -> str:
        usual = {column: role for role, column in usual_columns(header).items() if column != role}
        return f" Or say which they are, e.g. from_frame(..., columns={usual})." if usual else ""

    renamed, guessed = renamed_columns(header, columns or {}, name, lambda column: column, hint)
    if len(frame) == 0:
        raise DataError(f"{name} has no interactions.")
    warn_of_guesses(renamed, guessed, name)
    unused = [column for column in header if column not in renamed and column not in left_out(columns)]
    warn_of_unused_columns(unused, list(renamed.values()), name)
    dataset = RecSysDataSet(FrameSource(_copied(frame, renamed), name), name)
    return dataset if items is None and users is None else dataset.with_features(items, users)


def _copied(frame: pd.DataFrame, renamed: Mapping[Any, str]) -> pd.DataFrame:
    """Return a copy of the columns that are used, under omnibench's names."""
    copy = frame[list(renamed)].reset_index(drop=True).copy()
    copy.columns = [*renamed.values()]
    return copy

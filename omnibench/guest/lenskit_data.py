"""LensKit's datasets, made of a fold's arrays: in the order that LensKit wants, so that it neither sorts nor looks for repeats."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from lenskit.data import Dataset, DatasetBuilder
from lenskit.data.schema import ColumnSpec

from . import folds, parts
from .kept import kept


def training(fold: folds.Fold) -> Dataset:
    """Return the dataset of the training part; it is made once for a fold."""
    return kept(fold, "training", lambda: dataset_of(fold.train))


def with_times(fold: folds.Fold) -> Dataset:
    """Return the dataset of the training part with its times, as LensKit reads those of frames: UTC, without a time zone."""
    return kept(fold, "training with times", lambda: dataset_of(fold.train, timed=True))


def histories(fold: folds.Fold) -> Dataset:
    """Return the dataset of histories: training, or the given interactions whose items are in training."""
    return kept(fold, "histories", lambda: _histories(fold)) if fold.folds_in else training(fold)


def _histories(fold: folds.Fold) -> Dataset:
    return dataset_of(parts.rows_of(fold.history, fold.candidates[fold.history.item]))


def dataset_of(part: parts.Part, *, timed: bool = False) -> Dataset:
    """Convert a part to the dataset that LensKit's ``from_interactions_df`` makes of it; of a repeated pair the last row counts.

    Args:
        part: The part.
        timed: Whether the dataset has the times as well.
    """
    taken: dict[str, Any] = {} if part.rating is None else {"rating": part.rating}
    if timed:
        assert part.timestamp is not None, "plans refuse such data"
        taken["timestamp"] = part.timestamp.astype("datetime64[s]")
    (users, user_number), (items, item_number) = _numbered(part.user), _numbered(part.item)
    width = max(1, len(items))
    pairs = user_number.astype(np.int64) * width + item_number
    columns: dict[str, Any] = {}
    if not taken:
        pairs.sort()
    else:
        order = np.argsort(pairs)
        if _repeated(pairs[order]).any():
            order = np.argsort(pairs, kind="stable")
        pairs = pairs[order]
        columns = {name: column[order] for name, column in taken.items()}
    is_repeated = _repeated(pairs)
    if is_repeated.any():
        pairs = pairs[~is_repeated]
        columns = {name: column[~is_repeated] for name, column in columns.items()}
    user_number = (pairs // width).astype(np.int32)
    pairs -= user_number.astype(np.int64) * width
    table = pa.table({"user_num": user_number, "item_num": pairs.astype(np.int32), **columns})
    return _from_table(users, items, table)


def _from_table(users: parts.Ints, items: parts.Ints, table: pa.Table) -> Dataset:
    """Return the dataset of a table of numbers, ordered by user and item: one that LensKit would build of the same rows."""
    builder = DatasetBuilder()
    builder.add_entities("user", users)
    builder.add_entities("item", items)
    builder.add_relationship_class("rating", ["user", "item"], allow_repeats=False, interaction=True)
    builder.schema.default_interaction = "rating"
    for name in table.column_names[2:]:
        builder.schema.relationships["rating"].attributes[name] = ColumnSpec()
    container = builder.build_container()
    container.tables["rating"] = table
    return Dataset(container)


def _numbered(codes: parts.Ints) -> tuple[parts.Ints, parts.Ints]:
    """Return the different codes, ascending, and for each row the position of its code among them."""
    occurs = np.zeros(int(codes.max(initial=-1)) + 1, dtype=bool)
    occurs[codes] = True
    position = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(occurs).astype(np.int32), position[codes]


def _repeated(pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether the next pair is the same; of ascending pairs."""
    is_repeated = np.zeros(len(pairs), dtype=bool)
    np.equal(pairs[1:], pairs[:-1], out=is_repeated[:-1])
    return is_repeated

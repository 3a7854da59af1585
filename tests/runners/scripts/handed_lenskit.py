"""LensKit's dataset of a part by omnibench's adapter and by LensKit's own function: the same tables, whatever the part holds.

python handed_lenskit.py GUEST_DIRECTORY
"""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pandas as pd
from guest_package import open_session
from lenskit.data import Dataset, from_interactions_df


def part(rows: int, *, rated: bool, seed: int) -> object:
    """Return a part with users and items that do not occur, in no order within a user; pairs repeat where there are many rows."""
    rng = np.random.default_rng(seed)
    user, item = np.sort(rng.choice(np.arange(3, 60, 2), rows)), rng.choice(np.arange(5, 90, 3), rows)
    rating = rng.integers(1, 11, rows).astype(np.float32) / 2 if rated else None
    return parts.Part(user.astype(np.int32), item.astype(np.int32), rating, np.arange(rows))


def own(part: object, *, timed: bool) -> Dataset:
    """Return what LensKit makes of a frame without repeats, with times where they are wanted."""
    columns = {"user_id": part.user, "item_id": part.item}
    if part.rating is not None:
        columns["rating"] = part.rating
    if timed:
        columns["timestamp"] = pd.to_datetime(part.timestamp, unit="s").astype("datetime64[s]")
    return from_interactions_df(pd.DataFrame(columns).drop_duplicates(["user_id", "item_id"], keep="last"))


def compare(ours: Dataset, theirs: Dataset) -> None:
    """Compare all tables, the schema and what scorers ask for."""
    assert ours.schema == theirs.schema, (ours.schema, theirs.schema)
    assert set(ours._data.tables) == set(theirs._data.tables)
    for name, table in theirs._data.tables.items():
        assert ours._data.tables[name].schema.equals(table.schema), (ours._data.tables[name].schema, table.schema)
        assert ours._data.tables[name].equals(table), name
    numbers = theirs.schema.relationships["rating"].attributes.keys() - {"timestamp"}  # of which SciPy makes no matrix
    for field in (None, *numbers):
        mine, other = (data.interaction_matrix(format="scipy", field=field) for data in (ours, theirs))
        assert (mine != other).nnz == 0
    for user in theirs.users.ids():
        mine, other = ours.user_row(user), theirs.user_row(user)
        assert (mine.ids() == other.ids()).all()
    pd.testing.assert_frame_equal(ours.item_stats(), theirs.item_stats())


if __name__ == "__main__":
    open_session(sys.argv[1], "lenskit")
    parts, data = importlib.import_module("guest.parts"), importlib.import_module("guest.lenskit_data")
    for seed, rows in enumerate((1, 2, 40, 400, 3000)):
        for rated in (False, True):
            interactions = part(rows, rated=rated, seed=seed)
            for timed in (False, True):
                compare(data.dataset_of(interactions, timed=timed), own(interactions, timed=timed))

"""MakeImplicit, CorePruning(5) and UserCrossValidation(5) as others would write them, and as omnibench does.

Each formulation is a pair of functions: one brings the columns into the form that it works on, which is not timed; the
other returns the number of interactions that are left and visits the training and test rows of every fold. What is not
installed is left out (the dependency group ``speed-data`` has it all).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

THRESHOLD, CORE, FOLDS, SEED = 3, 5, 5, 42
LOOPED_SHARE = 200
"""One of so many users goes through the loops of pandas, whose time is extrapolated."""

Columns = dict[str, Any]


def omnibench() -> tuple[Callable[[Columns], Any], Callable[[Any], int]]:
    """Run the steps of a recipe on canonical interactions, as a dataset does."""
    from omnibench import CorePruning, MakeImplicit, UserCrossValidation
    from omnibench.data.interactions import Interactions

    steps = (MakeImplicit(THRESHOLD), CorePruning(CORE))

    def given(columns: Columns) -> Interactions:
        user_ids, item_ids = (range(int(columns[name].max()) + 1) for name in ("user", "item"))
        return Interactions(
            columns["user"], columns["item"], columns["rating"], columns["timestamp"], user_ids, item_ids
        )

    def run(interactions: Interactions) -> int:
        for position, step in enumerate(steps):
            interactions = step.apply(interactions, SEED, position)
        rows = interactions.canonical()
        for parts in UserCrossValidation(FOLDS).split(rows, SEED, 2):
            assert len(parts.train) + len(parts.test) == len(rows)
        return len(rows)

    return given, run


def polars_shuffle() -> tuple[Callable[[Columns], Any], Callable[[Any], int]]:
    """Count over windows, and shuffle a turn of the folds over each user."""
    import polars as pl

    def run(frame: pl.DataFrame) -> int:
        left = frame.filter(pl.col("rating") >= THRESHOLD).drop("rating")
        before = -1
        while len(left) != before:
            before = len(left)
            left = left.filter((pl.len().over("user") >= CORE) & (pl.len().over("item") >= CORE))
        turn = pl.int_range(pl.len()).shuffle(seed=SEED).over("user")
        return _visit(left.select((turn % FOLDS).cast(pl.UInt8)).to_series())

    return pl.DataFrame, run


def polars_sort() -> tuple[Callable[[Columns], Any], Callable[[Any], int]]:
    """Count by semi-joins, and sort by user and a random key."""
    import polars as pl

    def run(frame: pl.DataFrame) -> int:
        left = frame.filter(pl.col("rating") >= THRESHOLD).drop("rating")
        before = -1
        while len(left) != before:
            before = len(left)
            for name in ("item", "user"):
                enough = left.group_by(name).len().filter(pl.col("len") >= CORE).select(name)
                left = left.join(enough, on=name, how="semi")
        keys = pl.Series(np.random.default_rng(SEED).random(len(left), dtype=np.float32))
        rank = pl.int_range(pl.len())
        fold = ((rank - rank.first().over("user")) % FOLDS).cast(pl.UInt8)
        return _visit(left.with_columns(key=keys).sort("user", "key").select(fold).to_series())

    return pl.DataFrame, run


def _visit(fold_of_row: Any) -> int:
    for fold in range(FOLDS):
        assert len(fold_of_row.eq(fold).arg_true()) + len(fold_of_row.ne(fold).arg_true()) == len(fold_of_row)
    return len(fold_of_row)


def numba_loops() -> tuple[Callable[[Columns], Any], Callable[[Any], int]]:
    """Loop over rows in machine code, users in parallel; shuffle a turn of the folds within each user."""
    import loops

    def run(columns: Columns) -> int:
        user, item, timestamp = loops.implicit(*columns.values(), np.float32(THRESHOLD))
        _, _, _, first = loops.prune(user, item, timestamp, CORE)
        fold_of_row = loops.shuffle(first, FOLDS, SEED)
        for fold in range(FOLDS):
            train, test = loops.parts(fold_of_row, fold)
            assert len(train) + len(test) == len(fold_of_row)
        return len(fold_of_row)

    small = {"user": np.arange(40, dtype=np.int32) // 8, "item": np.arange(40, dtype=np.int32) % 8}
    run({**small, "rating": np.full(40, 5, dtype=np.float32), "timestamp": np.arange(40)})  # compiles, untimed
    return dict, run


def pandas_loops() -> tuple[Callable[[Columns], Any], Callable[[Any], int]]:
    """Prune by groups, and shuffle and cut each user's frame in a loop over users."""
    import pandas as pd

    def run(frame: pd.DataFrame) -> int:
        left = frame[frame["rating"] >= THRESHOLD].drop(columns="rating")
        before = -1
        while len(left) != before:
            before = len(left)
            for name in ("user", "item"):
                left = left[left.groupby(name)[name].transform("size") >= CORE]
        looped = left[left["user"] % LOOPED_SHARE == 0]
        started = time.perf_counter()
        tests: list[list[pd.DataFrame]] = [[] for _ in range(FOLDS)]
        for number, (_, own) in enumerate(looped.groupby("user")):
            shuffled = own.sample(frac=1, random_state=SEED + number)
            for fold in range(FOLDS):
                tests[(fold + number) % FOLDS].append(shuffled.iloc[fold::FOLDS])
        for held_out in tests:
            test = pd.concat(held_out)
            assert len(looped.drop(test.index)) + len(test) == len(looped)
        extrapolated.append((time.perf_counter() - started) * (len(left) / len(looped) - 1))
        return len(left)

    return pd.DataFrame, run


extrapolated: list[float] = []
"""Seconds that a run would have taken longer, had it looped over all users."""

FORMULATIONS = {one.__name__: one for one in (omnibench, polars_shuffle, polars_sort, numba_loops, pandas_loops)}

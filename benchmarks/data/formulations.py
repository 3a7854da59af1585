"""MakeImplicit, CorePruning(5) and UserCrossValidation(5) as others would write them, and as omnibench does.

Each formulation is a pair of functions: one brings the columns into the form that it works on, which is not timed; the
other returns the number of interactions that are left and visits the training and test rows of every fold. What is not
installed is left out (``pip install polars numba``, or the dependency group ``bench``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

THRESHOLD, CORE, FOLDS, SEED = 3, 5, 5, 42

Columns = dict[str, Any]


def omnibench() -> tuple[Callable[[Columns], Any], Callable[[Any], int]]:
    """Run the steps of a recipe on canonical interactions, as a dataset does."""
    from omnibench import CorePruning, MakeImplicit, UserCrossValidation
    from omnibench.data.interactions import Interactions

    steps = (MakeImplicit(THRESHOLD), CorePruning(CORE))

    def given(columns: Columns) -> Interactions:
        names = [range(int(columns[name].max()) + 1) for name in ("user", "item")]
        return Interactions(columns["user"], columns["item"], columns["rating"], columns["timestamp"], *names)

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
    """Loop over rows in machine code, users and folds in parallel; shuffle a turn of the folds within each user."""
    import numba

    @numba.njit
    def implicit(user: Any, item: Any, rating: Any, timestamp: Any, threshold: Any) -> Any:
        kept = 0
        for row in range(len(user)):
            kept += rating[row] >= threshold
        users, items, times = np.empty(kept, np.int32), np.empty(kept, np.int32), np.empty(kept, np.int64)
        place = 0
        for row in range(len(user)):
            if rating[row] >= threshold:
                users[place], items[place], times[place] = user[row], item[row], timestamp[row]
                place += 1
        return users, items, times

    @numba.njit
    def prune(user: Any, item: Any, timestamp: Any, core: int) -> Any:
        user_counts, item_counts = np.zeros(user.max() + 1, np.int32), np.zeros(item.max() + 1, np.int32)
        for row in range(len(user)):
            user_counts[user[row]] += 1
            item_counts[item[row]] += 1
        stays = np.ones(len(user), np.bool_)
        left, before = len(user), -1
        while left != before:
            before = left
            for row in range(len(user)):
                if stays[row] and (user_counts[user[row]] < core or item_counts[item[row]] < core):
                    stays[row] = False
                    left -= 1
                    user_counts[user[row]] -= 1
                    item_counts[item[row]] -= 1
        users, items, times = np.empty(left, np.int32), np.empty(left, np.int32), np.empty(left, np.int64)
        place = 0
        for row in range(len(user)):
            if stays[row]:
                users[place], items[place], times[place] = user[row], item[row], timestamp[row]
                place += 1
        first = np.zeros(len(user_counts) + 1, np.int64)
        for one in range(len(user_counts)):
            first[one + 1] = first[one] + user_counts[one]
        return users, items, times, first

    @numba.njit(parallel=True)
    def shuffle(first: Any, folds: int, seed: int) -> Any:
        fold_of_row = np.empty(first[-1], np.uint8)
        for user in numba.prange(len(first) - 1):
            state = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(user + 1) * np.uint64(0xBF58476D1CE4E5B9)
            state ^= state >> np.uint64(30)
            state *= np.uint64(0x94D049BB133111EB)
            state ^= state >> np.uint64(27)
            start = state % np.uint64(folds)
            for row in range(first[user], first[user + 1]):
                fold_of_row[row] = (np.uint64(row - first[user]) + start) % np.uint64(folds)
            for place in range(first[user + 1] - first[user] - 1, 0, -1):
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                other = np.int64(((state >> np.uint64(32)) * np.uint64(place + 1)) >> np.uint64(32))
                one, two = first[user] + place, first[user] + other
                fold_of_row[one], fold_of_row[two] = fold_of_row[two], fold_of_row[one]
        return fold_of_row

    @numba.njit
    def parts(fold_of_row: Any, fold: int) -> Any:
        tested = 0
        for row in range(len(fold_of_row)):
            tested += fold_of_row[row] == fold
        test, train = np.empty(tested, np.int64), np.empty(len(fold_of_row) - tested, np.int64)
        in_test = in_train = 0
        for row in range(len(fold_of_row)):
            if fold_of_row[row] == fold:
                test[in_test] = row
                in_test += 1
            else:
                train[in_train] = row
                in_train += 1
        return train, test

    def run(columns: Columns) -> int:
        user, item, timestamp = implicit(*columns.values(), np.float32(THRESHOLD))
        _, _, _, first = prune(user, item, timestamp, CORE)
        fold_of_row = shuffle(first, FOLDS, SEED)
        for fold in range(FOLDS):
            train, test = parts(fold_of_row, fold)
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
        tests: list[list[pd.DataFrame]] = [[] for _ in range(FOLDS)]
        for user, own in left.groupby("user"):
            shuffled = own.sample(frac=1, random_state=(SEED + hash(user)) % 2**32)
            for fold in range(FOLDS):
                tests[(fold + hash(user)) % FOLDS].append(shuffled.iloc[fold::FOLDS])
        for held_out in tests:
            test = pd.concat(held_out)
            assert len(left.drop(test.index)) + len(test) == len(left)
        return len(left)

    return pd.DataFrame, run


FORMULATIONS = {one.__name__: one for one in (omnibench, polars_shuffle, polars_sort, numba_loops, pandas_loops)}

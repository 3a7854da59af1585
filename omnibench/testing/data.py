"""The small data that the contract is checked with: the same in every process, made without a file or a network.

Users have whole numbers and items texts for ids, neither of which is a position; there are two groups of users, each
with a taste, so that a model has something to learn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.digests import table_digest
from omnibench.data.frame_source import FrameSource
from omnibench.data.given import GivenSplit
from omnibench.data.preprocess import MakeImplicit
from omnibench.data.strong import StrongGeneralization

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    from omnibench.lazy import np

USERS, ITEMS = 40, 30
_TRAIN, _VALIDATION, _TEST = range(3)
_SEED = 15
_BEGIN = 1_700_000_000
"""The first timestamp, in seconds since 1970."""

RANKED, RATED, EXPLICIT = "interactions", "interactions with ratings", "explicit ratings"
"""What a dataset is: interactions alone, interactions beside ratings, or ratings that are to be predicted."""

Change = Callable[["pd.DataFrame"], "pd.DataFrame"]


def usual(form: str) -> RecSysDataSet:
    """Return data in which every user and every item is known in training.

    Args:
        form: One of the three above.
    """
    return _dataset(_table(), "usual", form)


def without_times() -> RecSysDataSet:
    """Return data that has nothing but users and items."""
    return _dataset(_table().drop(columns="timestamp"), "without-times", RANKED)


def with_empty_histories(form: str) -> RecSysDataSet:
    """Return data with users and items that have no row in training: of ``users`` and ``items``, but not of ``train``."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        users, items = sorted(table["user"].unique()), sorted(table["item"].unique())
        table.loc[table["user"].isin(users[3:7]), "part"] = _TEST
        table.loc[table["user"].isin(users[9:11]), "part"] = _VALIDATION
        table.loc[table["item"].isin(items[4:6]), "part"] = _TEST
        return table

    return _dataset(change(_table()), "with-empty-histories", form)


def with_features(form: str) -> RecSysDataSet:
    """Return data with numbers, texts and lists that are known about users and items, some of which are missing.

    Args:
        form: As for ``usual``.
    """
    import pandas as pd

    users = sorted(_table()["user"].unique())
    rows = range(ITEMS)
    items = pd.DataFrame(
        {
            "item": [f"item-{item:02}" for item in rows],
            "year": [1990 + item if item % 5 else None for item in rows],
            "title": [f"The {item}" if item % 7 else None for item in rows],
            "genres": [[["Drama"], ["Action", "Drama"], [], None][item % 4] for item in rows],
        }
    )
    genders = ["f", "m", None]
    known_users = pd.DataFrame({"user": users, "gender": [genders[row % 3] for row in range(len(users))]})
    return usual(form).named("with-features").with_features(items=items, users=known_users)


def with_single_items(form: str) -> RecSysDataSet:
    """Return data with users who have one item in training, and users who have all items but one in training or validation."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        users, items = sorted(table["user"].unique()), sorted(table["item"].unique())
        few, many = users[2:5], users[6:8]
        for user in few:
            rows = table.index[table["user"] == user]
            table = table.drop(rows[2:])
            table.loc[rows[:2], "part"] = [_TRAIN, _TEST]
        for number, user in enumerate(many):
            left = items[10 + number]
            rows = pd.DataFrame({"user": user, "item": items, "rating": [1 + n % 5 for n in range(len(items))]})
            rows["timestamp"] = _BEGIN + np.arange(len(items))
            rows["part"] = [_TEST if item == left else _TRAIN for item in items]
            table = pd.concat([table[table["user"] != user], rows], ignore_index=True)
        return table

    return _dataset(change(_table()), "with-single-items", form)


def with_unknown_pairs() -> RecSysDataSet:
    """Return ratings whose test part has users and items that training does not know."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        users, items = sorted(table["user"].unique()), sorted(table["item"].unique())
        is_unknown = table["user"].isin(users[:4]) | table["item"].isin(items[:2])
        table.loc[is_unknown, "part"] = _TEST
        return table

    return _dataset(change(_table()), "with-unknown-pairs", EXPLICIT)


def with_unknown_users() -> RecSysDataSet:
    """Return data whose test users are not in training: a part of what they have is given to recommend from."""
    table = _table()
    source = FrameSource(table[["user", "item", "timestamp"]], "with-unknown-users")
    return RecSysDataSet(source, "with-unknown-users").pipe(StrongGeneralization(4, 8, 0.3))


def _table() -> pd.DataFrame:
    """Return the rows: user, item, rating, timestamp, and the part of each."""
    import pandas as pd

    rng = np.random.default_rng(_SEED)
    liking = rng.gumbel(size=(USERS, ITEMS)) + np.linspace(1.5, 0, ITEMS)
    taste = np.arange(ITEMS) % 2 == np.arange(USERS)[:, None] % 2
    liking[taste] += 1.5
    rows: list[tuple[object, ...]] = []
    for user in range(USERS):
        items = rng.permutation(np.argsort(-liking[user])[: 9 + user % 5])
        parts = [_TEST, _TEST, _VALIDATION, *[_TRAIN] * (len(items) - 3)]
        ratings = np.clip(np.round(2 + liking[user, items] / 1.5), 1, 5).astype(int)
        seconds = _BEGIN + 1000 * user + 60 * np.arange(len(items))[::-1]
        rows += zip([1000 + 7 * user] * len(items), items, ratings, seconds, parts, strict=True)
    table = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp", "part"])
    table["item"] = [f"item-{item:02}" for item in table["item"]]
    missing = sorted({f"item-{item:02}" for item in range(ITEMS)} - set(table.loc[table["part"] == _TRAIN, "item"]))
    table.loc[table["item"].isin(missing), "part"] = _TRAIN
    return table


def _dataset(table: pd.DataFrame, name: str, form: str) -> RecSysDataSet:
    columns = [column for column in ("user", "item", "rating", "timestamp") if column in table.columns]
    if form == RANKED:
        columns.remove("rating")
    table = table.sort_values(["user", "item"], ignore_index=True)
    pairs = zip(table["user"].astype(str), table["item"].astype(str), strict=True)
    assignment = dict(zip(pairs, table["part"].tolist(), strict=True))
    digest = table_digest({column: table[column] for column in ("user", "item", "part")})
    split = GivenSplit(digest, None, (assignment,))
    steps = [MakeImplicit(1, keep="rating"), split] if form == RATED else [split]
    return RecSysDataSet(FrameSource(table[columns], name), name).pipe(*steps)

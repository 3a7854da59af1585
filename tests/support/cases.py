"""Prepared datasets with predictions, made up with every edge that evaluation meets; for tests of metrics."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omnibench.engine.evaluation import evaluate
from omnibench.guest.folds import NO_ITEM, RATING_DTYPE, Fold, recommendation_dtype
from omnibench.metrics.base import Metric
from omnibench.metrics.evaluation import Evaluation

USERS, ITEMS, LENGTH = 60, 90, 20


@dataclass(frozen=True)
class Case:
    """A prepared dataset (ids are codes) with a file of predictions.

    Attributes:
        directory: The prepared dataset, with ``predictions.npy`` in it.
    """

    directory: Path

    def evaluate(self, *metrics: Metric) -> Evaluation:
        """Compute metrics of the predictions."""
        columns = [(single, label) for metric in metrics for single in metric.divided() for label in single.labels]
        return evaluate(self.directory, 0, self.directory / "predictions.npy", columns)

    @property
    def fold(self) -> Fold:
        """The fold of the dataset."""
        return Fold(self.directory, 0)

    @property
    def rows(self) -> Any:
        """The predictions."""
        return np.load(self.directory / "predictions.npy")

    def described(self, k: list[int]) -> dict[str, Any]:
        """Return the lists and what they are judged by as plain data, for another package's program."""
        fold, rows = self.fold, self.rows
        if fold.explicit:
            assert fold.test.rating is not None
            names = ("user", "item", "rating", "predicted")
            columns = [fold.test.user, fold.test.item, fold.test.rating, rows["rating"]]
            pairs = zip(*(column.tolist() for column in columns), strict=True)
            return {"ratings": [dict(zip(names, pair, strict=True)) for pair in pairs]}
        lists = [
            {"user": user, "item": item, "score": score, "rank": rank}
            for user, items, scores in zip(*(rows[name].tolist() for name in ("user", "item", "score")), strict=True)
            for rank, (item, score) in enumerate(zip(items, scores, strict=True), start=1)
            if item != NO_ITEM
        ]
        columns = [fold.test.user, fold.test.item, *([] if fold.test.rating is None else [fold.test.rating])]
        test = zip(*(column.tolist() for column in columns), strict=True)
        return {
            "k": k,
            "lists": lists,
            "test": [dict(zip(("user", "item", "rating"), pair, strict=False)) for pair in test],
            "n_items": fold.n_items,
            "catalogue": int(fold.candidates.sum()),
            "train_items": fold.train.item.tolist(),
            "tags": {str(item): sorted(tags) for item, tags in tags_of_items().items()},
        }


def tags_of_items() -> dict[int, set[str]]:
    """Give every item some of four tags; some have none."""
    return {item: {tag for bit, tag in enumerate("abcd") if item >> bit & 1} for item in range(ITEMS)}


def ranking_case(directory: Path, *, full: bool, seed: int = 5, rated: bool = False) -> Case:
    """Write an implicit dataset and lists.

    Args:
        directory: An empty directory.
        rated: Whether it keeps ratings, from 1 to 5; some users rate nothing above 3.
        full: Whether every test user has a list of full length. Otherwise some have a shorter one or none, scores tie,
            some users are unknown in training, and so are some relevant items.
        seed: The seed of everything.
    """
    rng = np.random.default_rng(seed)
    liking = rng.gumbel(size=(USERS, ITEMS)) + np.linspace(2, -2, ITEMS)
    order = np.argsort(-liking, axis=1)
    part = np.full((USERS, ITEMS), -1)
    for user in range(USERS):
        mine = rng.permutation(order[user, : rng.integers(8, 40)])
        test = max(1, int(len(mine) * rng.uniform(0.1, 0.8)))
        part[user, mine[:test]] = 2
        part[user, mine[test : test + 2]] = 1
        part[user, mine[test + 2 :]] = 0
    if not full:
        part[:4][part[:4] >= 0] = 2  # unknown in training: no list
        part[:, -3:][part[:, -3:] == 0] = -1
        part[5:9, -3:] = 2  # relevant, but nobody can know them
    ratings = np.clip(np.round(3 + liking / 2), 1, 5).astype(np.float32) if rated else None
    if ratings is not None:
        ratings[10:16] = np.minimum(ratings[10:16], 3)
    _write(directory, part, ratings, "implicit")
    fold = Fold(directory, 0)
    rows = np.zeros(len(fold.users), dtype=recommendation_dtype(LENGTH))
    rows["user"], rows["item"] = fold.users, NO_ITEM
    for row, user in zip(rows, fold.users.tolist(), strict=True):
        allowed = np.setdiff1d(np.flatnonzero(fold.candidates), fold.seen(user))
        noisy = np.round(liking[user, allowed] + rng.normal(0, 1, len(allowed)), 6 if full else 0).astype(np.float32)
        best = np.lexsort((allowed, -noisy))[: LENGTH if full else [LENGTH, LENGTH, LENGTH, 7, 3, 0][user % 6]]
        row["item"][: len(best)], row["score"][: len(best)] = allowed[best], noisy[best]
    np.save(directory / "predictions.npy", rows)
    return Case(directory)


def rating_case(directory: Path, seed: int = 6) -> Case:
    """Write an explicit dataset and predicted ratings."""
    rng = np.random.default_rng(seed)
    part = rng.choice([-1, 0, 2], size=(USERS, ITEMS), p=[0.7, 0.2, 0.1])
    part[:, 0] = 2
    ratings = rng.integers(1, 6, size=(USERS, ITEMS)).astype(np.float32)
    _write(directory, part, ratings, "explicit")
    fold = Fold(directory, 0)
    assert fold.test.rating is not None
    rows = np.zeros(len(fold.test), dtype=RATING_DTYPE)
    rows["user"], rows["item"] = fold.test.user, fold.test.item
    rows["rating"] = fold.test.rating + rng.normal(0, 1, len(rows))
    np.save(directory / "predictions.npy", rows)
    return Case(directory)


def _write(directory: Path, part: Any, ratings: Any, feedback: str) -> None:
    user, item = np.nonzero(part >= 0)
    columns = {"user": user.astype(np.int32), "item": item.astype(np.int32)}
    if ratings is not None:
        columns["rating"] = ratings[user, item]
    for name, column in columns.items():
        np.save(directory / f"{name}.npy", column)
    (directory / "fold_0").mkdir()
    for number, name in enumerate(("train", "validation", "test")):
        np.save(directory / "fold_0" / f"{name}.npy", np.flatnonzero(part[user, item] == number))
    manifest = {"users": len(part), "items": part.shape[1], "feedback": feedback, "columns": list(columns)}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    (directory / "users.json").write_text(json.dumps(list(range(len(part)))))
    (directory / "items.json").write_text(json.dumps(list(range(part.shape[1]))))

"""Scores by group, and of items' features: what is known about users and items is given beside the lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench import (
    HR,
    NDCG,
    RMSE,
    Activity,
    ColdItems,
    IntraListDiversity,
    Popularity,
    UserHoldout,
    from_frame,
    score,
)
from omnibench.errors import EvaluationError, OmnibenchError
from omnibench.scoring.labels import metric_of

SIZE, ITEMS = 60, 30
USERS = pd.DataFrame({"user": range(SIZE), "gender": ["F" if user % 3 else "M" for user in range(SIZE)]})
THINGS = pd.DataFrame({"item": range(ITEMS), "genres": ["old|odd" if item % 4 else "new" for item in range(ITEMS)]})


def made() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return lists, a test part with ratings and a training part."""
    rng = np.random.default_rng(5)
    rows: dict[str, list[tuple[int, int]]] = {"lists": [], "test": [], "train": []}
    for user in range(SIZE):
        items = rng.permutation(ITEMS).tolist()
        rows["train"] += [(user, item) for item in items[:8]]
        rows["test"] += [(user, item) for item in items[8:11]]
        rows["lists"] += [(user, item) for item in rng.permutation(items[8:]).tolist()[:10]]
    lists, test, train = (pd.DataFrame(pairs, columns=["user", "item"]) for pairs in rows.values())
    return lists, test.assign(rating=rng.integers(1, 6, len(test)).astype(float)), train


LISTS, TEST, TRAIN = made()


def test_groups_of_users_are_means_of_their_values() -> None:
    """A column for each group, with the users that are in it; the metric of all stays as it is."""
    scores = score(LISTS, TEST, NDCG(5), NDCG(5, by="gender"), users=USERS)
    assert scores.labels == ["NDCG@5", "NDCG@5 gender=F", "NDCG@5 gender=M"]
    means = scores.per_user["NDCG@5"].groupby(USERS.set_index("user")["gender"]).mean()
    assert scores["NDCG@5 gender=F"] == pytest.approx(means["F"])
    assert scores["NDCG@5 gender=M"] == pytest.approx(means["M"])
    assert scores.counted("NDCG@5 gender=M") == SIZE // 3


def test_groups_are_compared_one_by_one() -> None:
    """Each over its own users."""
    metric = HR(1, by="gender")
    backwards = LISTS.iloc[::-1]
    comparison = score(LISTS, TEST, metric, users=USERS).compare(score(backwards, TEST, metric, users=USERS))
    assert [entry.pairs for entry in comparison.comparisons.values()] == [40, 20]
    assert "paired over 20 to 40 users" in comparison.title


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        (NDCG(5, by=["gender", "genres"]), {}),
        (NDCG(5, by=Popularity(2)), {}),
        (RMSE(by=Activity(2)), {}),
        (HR(5, by=ColdItems()), {}),
        (IntraListDiversity(feature="genres", k=5), {}),
    ],
    ids=str,
)
def test_a_dataset_with_features_judges_as_tables_do(metric: Any, options: dict[str, Any]) -> None:
    """The features that a dataset has are those of its metrics; beside tables they are given."""
    lists = {"genres": "|"}
    data = from_frame(pd.concat([TRAIN, TEST], ignore_index=True).assign(rating=3.0), "some")
    data = data.with_features(users=USERS, items=THINGS, lists=lists).pipe(
        UserHoldout(validation_size=0.1, test_size=0.2)
    )
    split: Any = data.data
    predictions = LISTS.assign(score=np.arange(len(LISTS), 0, -1), rating=3.5)
    predictions = pd.concat([split.test[["user", "item"]].assign(score=0.0, rating=3.5), predictions]).drop_duplicates(
        ["user", "item"], keep="last"
    )
    of_dataset = score(predictions, data, metric)
    parts = {"train": split.train, "validation": split.validation}
    of_tables = score(predictions, split.test, metric, **parts, users=USERS, items=THINGS, lists=lists, **options)
    assert dict(of_tables.values) == pytest.approx(dict(of_dataset.values), nan_ok=True, rel=1e-14)
    assert len(of_dataset.labels) == len(of_tables.labels) > 0


def test_features_are_found_by_ids_that_are_texts_in_runs(tmp_path: Path) -> None:
    """trec_eval's files have nothing but texts, and tables of features numbers."""
    rank = LISTS.groupby("user").cumcount() + 1
    rows = zip(LISTS["user"].tolist(), LISTS["item"].tolist(), rank.tolist(), strict=True)
    lines = [f"{user} Q0 {item} {place} {-place} x\n" for user, item, place in rows]
    (tmp_path / "l.run").write_text("".join(lines))
    (tmp_path / "t.qrels").write_text("".join(f"{row.user} 0 {row.item} 1\n" for row in TEST.itertuples()))
    USERS.to_csv(tmp_path / "users.csv", index=False)
    scores = score(tmp_path / "l.run", tmp_path / "t.qrels", "NDCG@5 by gender", users=tmp_path / "users.csv")
    assert dict(scores.values) == dict(score(LISTS, TEST, NDCG(5, by="gender"), users=USERS).values)


def test_users_of_whom_nothing_is_known_are_told() -> None:
    """They are a group of their own, and a note says how many there are."""
    scores = score(LISTS, TEST, HR(5, by="gender"), users=USERS[:50])
    assert scores.labels[-1] == "HR@5 gender=unknown"
    assert any("10 of 60 users are not in the features of users" in note for note in scores.notes)


@pytest.mark.parametrize(
    ("label", "groupings"),
    [
        ("NDCG@5 by gender", ["gender"]),
        ("NDCG@5 by popularity", ["popularity"]),
        ("Recall[relevant=4]@5 by activity(3)", ["activity"]),
        ("HR@5 by items", ["items"]),
        ("RMSE by popularity(4)", ["popularity"]),
    ],
)
def test_a_label_says_the_groups(label: str, groupings: list[str]) -> None:
    """By a feature, or by what is known from training."""
    metric = metric_of(label)
    assert [grouping.name for grouping in metric.groupings] == groupings
    assert metric.labels == [label.partition("(")[0]]


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        (
            "NDCG@5 by gender",
            {},
            "needs the feature 'gender' of users or items; give score a frame of them, users=df, or items=df",
        ),
        ("NDCG@5 by age", {"users": USERS}, "age"),
        (
            IntraListDiversity(feature="genres", k=5),
            {"users": USERS},
            "needs the feature 'genres' of items; give score a frame",
        ),
        ("NDCG@5 by popularity", {}, "give the training part"),
        ("NDCG@5", {"lists": {"genres": "|"}}, "but there are no features; give users=... or items=..., too"),
        ("NDCG@5", {"users": USERS, "lists": {"genres": "|"}}, "no features have such a column"),
        (
            "NDCG@5 by gender",
            {"users": pd.concat([USERS, USERS])},
            "60 of its users have several rows, e.g. 0 in row 0 and row 60",
        ),
    ],
)
def test_what_is_not_known_is_a_sentence(metric: Any, options: dict[str, Any], message: str) -> None:
    """With what would give it."""
    with pytest.raises(OmnibenchError, match=message):
        score(LISTS, TEST, metric, **options)


def test_calculate_leaves_groups_to_score() -> None:
    """It returns a number for each k, and a group has one of its own."""
    with pytest.raises(EvaluationError, match=r"omnibench.score\(predictions, test, ...\) measures them"):
        NDCG(5, by=Popularity(3)).calculate(LISTS, TEST, TRAIN)

"""Metrics by a feature of users or items: against pandas' groupby over the values of single users."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.cases import ITEMS, USERS, Case, ranking_case

from omnibench import (
    NDCG,
    AveragePopularity,
    Evaluator,
    ItemCoverage,
    ItemGroups,
    Recall,
    UserGroups,
    UserHoldout,
    from_frame,
)
from omnibench.data.features.arrays import write_features
from omnibench.data.features.columns import feature_columns
from omnibench.engine.rehearsal import rehearse
from omnibench.errors import EvaluationError
from omnibench.experiment.compatibility import check_dataset
from omnibench.metrics.base import Metric

RNG = np.random.default_rng(9)
PEOPLE = pd.DataFrame(
    {
        "user": range(USERS),
        "gender": [["F", "M", None][code % 3] for code in range(USERS)],
        "age": [float(RNG.integers(10, 70)) if code % 7 else None for code in range(USERS)],
        "member": [code % 2 == 0 for code in range(USERS)],
        "city": [f"city {code}" for code in range(USERS)],
        "shared": ["x" if code % 4 else "y" for code in range(USERS)],
    }
)
GENRES = [[name for bit, name in enumerate(["Action", "Drama", "War"]) if code >> bit & 1] for code in range(ITEMS)]
WORKS = pd.DataFrame(
    {"item": range(ITEMS), "genres": GENRES, "year": [1950 + code for code in range(ITEMS)], "shared": ["z"] * ITEMS}
)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Lists of users and items of whom something is known."""
    case = ranking_case(tmp_path_factory.mktemp("features"), full=False)
    for subject, frame in (("users", PEOPLE), ("items", WORKS)):
        columns = feature_columns(frame, subject, "frame")
        write_features(case.directory / "features" / subject, columns, frame.iloc[:, 0].tolist(), "shop")
    return case


def test_groups_of_users_are_those_of_a_groupby(case: Case) -> None:
    """Each value is the mean over the users with a value of the feature, in alphabetical order, without one at the end."""
    found = case.evaluate(NDCG(10), NDCG(10, by=["gender", "member"]))
    overall = pd.Series(found.values_per_user()["NDCG@10"], found.users)
    for name, values in (
        ("gender", PEOPLE["gender"].fillna("unknown")),
        ("member", PEOPLE["member"].astype(str)),
    ):
        expected = overall.groupby(values.loc[found.users.tolist()]).mean()
        labels = [label for label in found.values if f" {name}=" in label]
        assert labels == [f"NDCG@10 {name}={value}" for value in expected.index]
        assert [found.values[label] for label in labels] == pytest.approx(expected.tolist(), abs=1e-12)
        sizes = overall.groupby(values.loc[found.users.tolist()]).size()
        assert [found.counted[label] for label in labels] == sizes.tolist()


def test_numbers_are_put_into_bands(case: Case) -> None:
    """A band has what is at its beginning, and not what is at its end; missing numbers are in none."""
    found = case.evaluate(NDCG(10), NDCG(10, by=UserGroups("age", bands=[18, 35.5])))
    overall = pd.Series(found.values_per_user()["NDCG@10"], found.users)
    ages = PEOPLE["age"].loc[found.users.tolist()]
    bands = pd.cut(ages, [-np.inf, 18, 35.5, np.inf], right=False, labels=["<18", "18-35.5", ">=35.5"])
    expected = overall.groupby(bands.astype(object).where(ages.notna(), "unknown")).mean()
    assert [label.partition("age=")[2] for label in found.groups["NDCG@10 by age"]] == [
        "<18",
        "18-35.5",
        ">=35.5",
        "unknown",
    ]
    for band, value in expected.items():
        assert found.values[f"NDCG@10 age={band}"] == pytest.approx(value, abs=1e-12)


def test_an_item_is_in_the_group_of_each_member_of_its_list(case: Case) -> None:
    """What is relevant is what has a genre; what has none is unknown."""
    found = case.evaluate(Recall(10, by="genres"))
    test = pd.DataFrame({"user": case.fold.test.user, "item": case.fold.test.item})
    lists = {
        user: set(items[:10])
        for user, items in zip(case.rows["user"].tolist(), case.rows["item"].tolist(), strict=True)
    }
    test["hit"] = [item in lists.get(user, ()) for user, item in zip(test["user"], test["item"], strict=True)]
    test["genre"] = [GENRES[item] or ["unknown"] for item in test["item"]]
    expected = test.explode("genre").groupby(["genre", "user"])["hit"].mean().groupby("genre").mean()
    assert [found.values[f"Recall@10 genres={genre}"] for genre in expected.index] == pytest.approx(expected.tolist())
    assert len(found.values) == len(expected) == 4
    years = case.evaluate(Recall(10, by=ItemGroups("year", bands=[1980], name="decade")))
    assert list(years.values) == ["Recall@10 decade=<1980", "Recall@10 decade=>=1980"]


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        (
            NDCG(10, by="age"),
            r"'age' is a feature of numbers; .* by=UserGroups\('age', bands=\[\d+, \d+, \d+\]\), or .* texts",
        ),
        (NDCG(10, by="year"), r"by=ItemGroups\('year', bands="),
        (NDCG(10, by=UserGroups("gender", bands=[3])), "'gender' is a feature of texts, which have no bands"),
        (NDCG(10, by="city"), r"divides the users into 60 groups \('city 0', .*by=UserGroups\('city', limit=60\)"),
        (NDCG(10, by="shared"), r"write by=UserGroups\('shared'\) or by=ItemGroups\('shared'\)"),
        (
            NDCG(10, by="genders"),
            "its users have age, city, gender, .* and its items have genres.*; did you mean 'gender'",
        ),
        (NDCG(10, by=ItemGroups("gender")), "dataset's items, but its items have genres"),
        (ItemCoverage(10, by="genres"), "ItemCoverage judges whole lists"),
    ],
)
def test_what_cannot_be_divided_is_refused_before_anything_is_fitted(case: Case, metric: Metric, sentence: str) -> None:
    """With the way out, when metrics are tried before the first Fit."""
    with pytest.raises(EvaluationError, match=sentence):
        rehearse(case.directory, 0, 10, Evaluator(metric).columns)


def test_the_way_out_leads_to_success(case: Case) -> None:
    """What the errors propose works."""
    metrics = [
        NDCG(10, by=UserGroups("age", bands=[25, 40, 55])),
        NDCG(10, by=UserGroups("city", limit=60)),
        NDCG(10, by=[UserGroups("shared")]),
        AveragePopularity(10, by="gender"),
    ]
    for metric in metrics:
        rehearse(case.directory, 0, 10, Evaluator(metric).columns)
    cities = case.evaluate(metrics[1])
    assert len(cities.values) == len(cities.users)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: UserGroups("a=b"), "needs a name without '='"),
        (lambda: UserGroups(" "), "needs a name"),
        (lambda: UserGroups("age", bands=[3, 1]), r"the bands are \[3, 1\]; give ascending numbers"),
        (lambda: UserGroups("age", bands=[]), "the bands are"),
        (lambda: UserGroups("age", bands=["18"]), "the bands are"),  # type: ignore[list-item]  # so it is wrong
        (lambda: UserGroups("age", bands=[float("nan")]), "the bands are"),
        (lambda: UserGroups("age", limit=0), "limit is 0"),
    ],
)
def test_wrong_groupings_are_refused(make: Callable[[], Any], sentence: str) -> None:
    """At once."""
    with pytest.raises(EvaluationError, match=sentence):
        make()


def test_a_feature_that_is_not_there_is_found_at_collection() -> None:
    """Names are known before any row is read; the advice to give features leads to success."""
    frame = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2]})
    shop = from_frame(frame, "shop").pipe(UserHoldout(0, 0.5))
    with pytest.raises(
        EvaluationError, match=r"shop: NDCG by='gender' needs .* nothing is known about its users and items"
    ):
        check_dataset(shop, [NDCG(5, by="gender")])
    users = pd.DataFrame({"user": [1, 2], "gender": ["F", "M"]})
    check_dataset(from_frame(frame, "shop", users=users).pipe(UserHoldout(0, 0.5)), [NDCG(5, by="gender")])


def test_groupings_are_told_apart_by_what_they_are_made_of() -> None:
    """Feature, subject and bands are in the key; the limit and the name change no number."""
    identities = [
        UserGroups("age", bands=[18]).identity,
        UserGroups("age", bands=[19]).identity,
        ItemGroups("age", bands=[18]).identity,
        UserGroups("age").identity,
    ]
    assert len({repr(identity) for identity in identities}) == len(identities)
    assert UserGroups("age", limit=3, name="years").identity == UserGroups("age").identity


def test_collecting_metrics_with_groups_needs_no_numpy(tmp_path: Path) -> None:
    """Neither do datasets with features: a session of pytest that computes nothing does not pay for it."""
    code = (
        "import sys, omnibench.data.loaders, omnibench.experiment.compatibility\n"
        "from omnibench import NDCG, Evaluator, Popularity, UserGroups\n"
        "Evaluator(NDCG(10, by=['gender', Popularity(3), UserGroups('age', bands=[18])]))\n"
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)

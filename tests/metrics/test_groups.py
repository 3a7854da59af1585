"""Metrics by group of users or items: against pandas and plain numpy over the values of single users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import ITEMS, Case, ranking_case, rating_case

from omnibench import (
    AUC,
    MAE,
    MAP,
    NDCG,
    RMSE,
    Activity,
    AveragePopularity,
    ColdItems,
    Evaluator,
    Gini,
    HitMetric,
    ItemCoverage,
    Popularity,
    Recall,
    Tuning,
    score,
)
from omnibench.errors import EvaluationError, PlanError
from omnibench.guest.folds import NO_ITEM
from omnibench.keys import sha256
from omnibench.metrics.base import Metric
from omnibench.metrics.groups import GroupFacts, Grouping
from omnibench.metrics.labels import (
    for_groups,
    group_of,
    has_label,
    noted_label,
    plain_label,
    requested_label,
    split_label,
    ungrouped_label,
)
from omnibench.metrics.training import Training


def first_hit(hits: Any, relevant: Any) -> Any:
    """A function of the hit matrix."""
    return hits[:, 0] / relevant


def weighted(hits: Any, relevant: Any, by: float) -> Any:
    """A function with a parameter of the name ``by``."""
    return hits[:, 0] * by


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Implicit data with ratings, short and missing lists, and users and items unknown in training."""
    return ranking_case(tmp_path_factory.mktemp("ranked"), full=False, rated=True)


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Explicit data with predicted ratings."""
    return rating_case(tmp_path_factory.mktemp("rated"))


def frame_of(case: Case) -> pd.DataFrame:
    """The test part, one row per pair, with the rank of the item in the user's list where it is in there."""
    fold = case.fold
    test = pd.DataFrame({"user": fold.test.user, "item": fold.test.item, "rating": fold.test.rating})
    ranks = {
        (user, item): rank
        for user, items in zip(case.rows["user"].tolist(), case.rows["item"].tolist(), strict=True)
        for rank, item in enumerate(items, start=1)
        if item != NO_ITEM
    }
    test["rank"] = [ranks.get(pair, np.inf) for pair in zip(test["user"], test["item"], strict=True)]
    return test


def ndcg(rows: pd.DataFrame, k: int = 10) -> pd.Series:
    """NDCG of each user, from the ranks of the relevant items."""
    gain = (rows["rank"] <= k) / np.log2(rows["rank"] + 1)
    ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
    sizes = rows.groupby("user").size()
    values: pd.Series = gain.groupby(rows["user"]).sum() / ideal[np.minimum(sizes, k) - 1]
    return values


def popularity_groups(case: Case, number: int) -> list[str]:
    """The group of each item, item by item in plain Python."""
    counts = np.bincount(case.fold.train.item, minlength=ITEMS).tolist()
    names = {2: ["head", "tail"], 3: ["head", "mid", "tail"], 4: ["head", "2", "3", "tail"]}[number]
    groups = []
    for own in counts:
        more_popular = sum(count for count in counts if count > own)
        groups.append(names[min(number * more_popular // sum(counts), number - 1)])
    return groups


@pytest.mark.parametrize("number", [2, 3, 4])
def test_groups_of_items_by_popularity(case: Case, number: int) -> None:
    """What is relevant is restricted to the items of a group; users with none in the test part do not count."""
    groups = popularity_groups(case, number)
    test = frame_of(case)
    test["group"] = [groups[item] for item in test["item"]]
    evaluation = case.evaluate(NDCG(10, by=Popularity(number)), NDCG(10))
    per_user = evaluation.values_per_user()
    for name, rows in test.groupby("group"):
        label, expected = f"NDCG@10 popularity={name}", ndcg(rows)
        assert evaluation.values[label] == pytest.approx(expected.mean(), abs=1e-12)
        values = pd.Series(per_user[label], evaluation.users).dropna()
        pd.testing.assert_series_equal(values, expected, check_names=False, check_index_type=False)
        assert evaluation.counted.get(label, len(evaluation.users)) == len(expected)
    assert len(evaluation.values) == number + 1
    assert evaluation.values["NDCG@10"] == pytest.approx(ndcg(test).mean(), abs=1e-12)


def test_the_head_is_few_items_and_the_shares_are_equal() -> None:
    """Of ten items of which one has half of the interactions, that one is the head; equals stay together."""
    popularity = [10, 2, 2, 2, 2, 1, 1, 0]
    train = np.repeat(np.arange(8, dtype=np.int32), popularity)
    users = np.arange(len(train), dtype=np.int32)
    training = Training(lambda: ((users, train), [(users, train)]), len(train), 8)
    facts = GroupFacts(training, users)
    groups = Popularity(2).groups(facts).members
    assert {name: np.flatnonzero(members).tolist() for name, members in groups.items()} == {
        "popularity=head": [0],
        "popularity=tail": [1, 2, 3, 4, 5, 6, 7],
    }
    groups = Popularity(3).groups(facts).members
    assert [np.flatnonzero(members).tolist() for members in groups.values()] == [[0], [1, 2, 3, 4], [5, 6, 7]]


@pytest.mark.parametrize(("number", "names"), [(2, "low high"), (3, "low mid high"), (4, "low 2 3 high")])
def test_groups_of_users_by_activity(case: Case, number: int, names: str) -> None:
    """The groups are pandas' quantiles of the history's length, and a group's value the mean over its users."""
    evaluation = case.evaluate(NDCG(10), NDCG(10, by=Activity(number)))
    lengths = np.bincount(case.fold.train.user, minlength=case.fold.n_users)[evaluation.users]
    groups = pd.Series(pd.qcut(lengths, number, labels=names.split()))
    overall = pd.Series(evaluation.values_per_user()["NDCG@10"])
    for name, expected in overall.groupby(groups, observed=True).mean().items():
        assert evaluation.values[f"NDCG@10 activity={name}"] == pytest.approx(expected, abs=1e-12)
    sizes = groups.value_counts()
    assert evaluation.counted == {f"NDCG@10 activity={name}": sizes[name] for name in names.split()}
    assert set(evaluation.stderr) == set(evaluation.interval) == set(evaluation.values)


def test_cold_items_are_those_that_training_lacks(case: Case) -> None:
    """Nobody can recommend them here, so they count 0; known items have the rest of the test part."""
    test = frame_of(case)
    cold = ~np.isin(test["item"], case.fold.train.item)
    found = case.evaluate(Recall(10, by=ColdItems()), MAP(10, by=ColdItems()))
    recall = (test["rank"] <= 10)[~cold].groupby(test["user"][~cold]).mean()
    assert found.values["Recall@10 items=known"] == pytest.approx(recall.mean(), abs=1e-12)
    assert found.values["Recall@10 items=cold"] == found.values["MAP@10 items=cold"] == 0.0
    assert found.counted["Recall@10 items=cold"] == test["user"][cold].nunique()


def test_thresholds_and_conventions_hold_in_groups(case: Case) -> None:
    """A group's relevant items are those of it that are rated so high; another convention's values are of its lists."""
    groups = popularity_groups(case, 3)
    test = frame_of(case)
    is_head = np.array([groups[item] == "head" for item in test["item"]])
    head = test[is_head & (test["rating"] >= 4)]
    found = case.evaluate(NDCG(10, relevant=4, by=Popularity(3)))
    assert found.values["NDCG[relevant=4]@10 popularity=head"] == pytest.approx(ndcg(head).mean(), abs=1e-12)
    evaluator = Evaluator(Recall(10, by=Activity(2)), convention="lenskit")
    assert evaluator.labels == ["Recall[lenskit]@10 by activity"]
    overall = case.evaluate(Recall(10).under("lenskit"))
    per_user = overall.values_per_user()["Recall@10"]
    lengths = np.bincount(case.fold.train.user, minlength=case.fold.n_users)[overall.users]
    low = np.nanmean(per_user[lengths <= np.median(lengths)])
    found = case.evaluate(evaluator.metrics[0])
    assert found.values["Recall@10 activity=low"] == pytest.approx(low, abs=1e-12)


def test_metrics_of_all_lists_are_those_of_the_group_s_lists(case: Case) -> None:
    """Coverage is that of what the group's users are recommended; a mean over lists is that over theirs."""
    found = case.evaluate(
        ItemCoverage(10, by=Activity(2)), AveragePopularity(10, by=Activity(2)), AveragePopularity(10)
    )
    lengths = np.bincount(case.fold.train.user, minlength=case.fold.n_users)
    median = np.median(lengths[found.users])
    rows = case.rows[(lengths[case.rows["user"]] <= median) & np.isin(case.rows["user"], found.users)]
    items = rows["item"][:, :10]
    expected = len(np.unique(items[items != NO_ITEM])) / case.fold.candidates.sum()
    assert found.values["ItemCoverage@10 activity=low"] == pytest.approx(expected)
    per_user = found.values_per_user()["AveragePopularity@10"][lengths[found.users] <= median]
    assert found.values["AveragePopularity@10 activity=low"] == pytest.approx(np.nanmean(per_user), abs=1e-12)


def test_rating_metrics_are_of_the_group_s_pairs(rated: Case) -> None:
    """RMSE and MAE are over the pairs of the group's users, or of its items."""
    test, rows = rated.fold.test, rated.rows
    assert test.rating is not None
    error = rows["rating"].astype(np.float64) - test.rating.astype(np.float64)
    groups = np.array(popularity_groups(rated, 3))[test.item]
    found = rated.evaluate(RMSE(by=Popularity(3)), MAE(by=Activity(2)), RMSE())
    for name in ("head", "mid", "tail"):
        expected = np.sqrt(np.mean(error[groups == name] ** 2))
        assert found.values[f"RMSE popularity={name}"] == pytest.approx(expected, abs=1e-9)
    lengths = np.bincount(rated.fold.train.user, minlength=rated.fold.n_users)
    low = lengths[test.user] <= np.median(lengths[found.users])
    assert found.values["MAE activity=low"] == pytest.approx(np.mean(np.abs(error[low])), abs=1e-9)
    per_user = found.values_per_user()["MAE activity=high"]
    assert np.isnan(per_user).sum() == np.unique(test.user[low]).size
    assert found.values["RMSE"] == pytest.approx(np.sqrt(np.mean(error**2)), abs=1e-9)


def test_the_columns_of_groups_follow_their_metric(case: Case) -> None:
    """In the order of the groupings, with all list lengths of each group together where they are asked for together."""
    metrics = Evaluator(NDCG([5, 10], by=[Popularity(2), ColdItems()]), Recall(5)).metrics
    found = case.evaluate(*metrics)
    assert list(found.values) == [
        "NDCG@5 popularity=head",
        "NDCG@5 popularity=tail",
        "NDCG@10 popularity=head",
        "NDCG@10 popularity=tail",
        "NDCG@5 items=known",
        "NDCG@5 items=cold",
        "NDCG@10 items=known",
        "NDCG@10 items=cold",
        "Recall@5",
    ]
    assert found.groups["NDCG@5 by items"] == ["items=known", "items=cold"]


def test_functions_of_users_are_divided_too(case: Case) -> None:
    """A function has groups by ``by``, unless that is a parameter of its own, as it may have been before."""
    found = case.evaluate(HitMetric(first_hit, 5, by=Activity(2)))
    assert list(found.values) == ["first_hit@5 activity=low", "first_hit@5 activity=high"]
    own = HitMetric(weighted, 5, by=2.0)
    assert own.labels == ["weighted@5"]
    assert own.identity("weighted@5")[1]["parameters"] == {"by": 2.0}


def test_what_is_not_divided_keeps_its_key() -> None:
    """The identity of a metric names groups only where there are some; each group and grouping has its own."""
    assert NDCG(10).canonical_identity("NDCG@10") == '["NDCG",{"k":10},1]'
    metric = NDCG(10, by=Popularity(3))
    of_all = metric.canonical_identity("NDCG@10 by popularity")
    assert of_all == '["NDCG",{"by":[["popularity",3]],"k":10},1]'
    head = metric.of_group("popularity=head")
    assert head.labels == ["NDCG@10 popularity=head"]
    assert '"group":"popularity=head"' in head.canonical_identity("NDCG@10 popularity=head")
    groupings = [Popularity(3), Popularity(4), Activity(3), ColdItems()]
    assert len({sha256(repr(grouping.identity)) for grouping in groupings}) == len(groupings)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: NDCG(10, by=Popularity),  # type: ignore[arg-type]  # so it is wrong
            r"by is the class Popularity; write by=Popularity\(...\)",
        ),
        (
            lambda: NDCG(10, by=7),  # type: ignore[arg-type]  # so it is wrong
            "by is 7; give a grouping",
        ),
        (lambda: NDCG(10, by=[]), r"by is \[\]; give one or several different groupings"),
        (lambda: NDCG(10, by=[Activity(2), Activity(3)]), "give one or several different groupings"),
        (lambda: Popularity(1), "the number of groups is 1; give a whole number of at least 2"),
        (
            lambda: Activity(2.5),  # type: ignore[arg-type]  # so it is wrong
            "the number of groups is 2.5",
        ),
        (lambda: Activity(True), "the number of groups is True"),
        (
            lambda: Gini(10, by=Popularity(3)),
            r"Gini judges whole lists, so it has no value for the items of Popularity\(3\)",
        ),
        (lambda: AveragePopularity(10, by=ColdItems()), "AveragePopularity judges whole lists"),
        (
            lambda: Evaluator(NDCG(10, by=Popularity(2)), NDCG(10, by=Popularity(3))),
            r"two different metrics are called NDCG@10 by popularity; give one .* name \(name=... of what follows by: Popularity\(3\)\)",
        ),
        (lambda: Popularity(2, name="a=b"), "needs a name without '='"),
    ],
)
def test_wrong_groups_are_refused(make: Callable[[], Any], sentence: str) -> None:
    """At once, with what would do instead."""
    with pytest.raises(EvaluationError, match=sentence):
        make()


def test_groupings_of_one_kind_stand_side_by_side_under_names(case: Case) -> None:
    """The advice of the error leads to success; the name changes no number, and no key but by the label."""
    evaluator = Evaluator(NDCG(10, by=[Activity(2), Activity(4, name="quarter"), Activity(4, name="part")]))
    assert evaluator.labels == ["NDCG@10 by activity", "NDCG@10 by quarter", "NDCG@10 by part"]
    found = case.evaluate(*evaluator.metrics)
    quarters, parts = ([f"NDCG@10 {kind}={name}" for name in ("low", "2", "3", "high")] for kind in ("quarter", "part"))
    assert list(found.values)[-8:] == [*quarters, *parts]
    assert [found.values[label] for label in quarters] == [found.values[label] for label in parts]
    assert Activity(4, name="quarter").identity == Activity(4).identity


def test_no_search_chooses_by_groups() -> None:
    """A search needs one number of a trial."""
    with pytest.raises(
        PlanError, match=r"has a value for each group; choose by one of all users, e.g. Tuning\('NDCG@10'"
    ):
        Tuning(NDCG(10, by=Activity(2)), trials=3)


@pytest.mark.parametrize("metric", [NDCG(10, by=Activity(2)), AUC(5, by=ColdItems()), RMSE(by=Popularity(2))])
def test_labels_say_what_they_are_of(metric: Metric) -> None:
    """Each part of a label can be read from it, with notes and without."""
    (label,) = metric.labels
    grouping: Grouping = metric.groupings[0]
    own = metric.of_group(f"{grouping.name}=a@b [c], d=e").label_like(label)
    for noted in (own, noted_label(own, ["lenskit", "sampled 100"])):
        assert group_of(noted) == f"{grouping.name}=a@b [c], d=e"
        assert split_label(noted)[1] == getattr(metric, "k", (None,))[0]
        assert plain_label(noted) == own
        assert requested_label(noted) == noted_label(label, ["lenskit", "sampled 100"] if noted != own else [])
    assert requested_label(label) == label
    assert has_label([label], own)
    assert not has_label([ungrouped_label(label)], own)


@given(st.text("ab @=[]1", max_size=12))
def test_labels_of_users_own_metrics_stay_whole(name: str) -> None:
    """A name with blanks is no group, unless it looks like one."""
    if "@" in name or "[" in name or "=" in name:
        return
    for label in (name, f"{name}@5"):
        assert group_of(label) == ""
        assert plain_label(label) == requested_label(label) == ungrouped_label(label) == label


def test_values_are_repeated_for_each_group() -> None:
    """What is said of all groups is said of each, and nothing changes where there are none."""
    labels = ["NDCG@10", "NDCG@10 activity=low", "NDCG@10 activity=high"]
    directions = {"NDCG@10": True, "NDCG@10 by activity": True, "RMSE by activity": False}
    assert list(for_groups(directions, labels)) == [*labels, "RMSE by activity"]
    assert for_groups(directions, ["NDCG@10"]) == directions


def test_lists_from_elsewhere_are_scored_by_group(case: Case) -> None:
    """``score`` has the numbers of a run; what is made of training asks for it, and no single number is calculated."""
    rows = [
        (user, item, rank)
        for user, items in zip(case.rows["user"].tolist(), case.rows["item"].tolist(), strict=True)
        for rank, item in enumerate(items, start=1)
        if item != NO_ITEM
    ]
    predictions = pd.DataFrame(rows, columns=["user", "item", "rank"])
    fold = case.fold
    test = pd.DataFrame({"user": fold.test.user, "item": fold.test.item})
    train = pd.DataFrame({"user": fold.train.user, "item": fold.train.item})
    metrics = [NDCG(10, by=[Popularity(3), Activity(2)]), Recall(10)]
    scores = score(predictions, test, *metrics, train=train)
    expected = case.evaluate(*metrics)
    assert dict(scores.values) == expected.values
    assert scores.counted("NDCG@10 popularity=head") == expected.counted["NDCG@10 popularity=head"]
    frame = scores.to_frame()
    assert frame["group"].dropna().tolist() == [group_of(label) for label in scores.values if group_of(label)]
    with pytest.raises(EvaluationError, match="NDCG is made of what is known in training"):
        score(predictions, test, NDCG(10, by=Popularity(3)))
    with pytest.raises(EvaluationError, match="has a number for each group, which calculate does not return"):
        metrics[0].calculate(predictions, test, train)

"""Scores of lists that somebody else made: their values, their users, and what they say of the tables."""

from __future__ import annotations

from math import log2
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench import HR, NDCG, RMSE, Gini, HitMetric, ItemCoverage, Novelty, Recall, Scores, score
from omnibench.errors import StatisticsError

LISTS = pd.DataFrame({"user": ["a", "a", "a", "b", "d"], "item": [1, 2, 3, 4, 1], "rank": [2, 1, 3, 1, 1]})
"""User a's list is 2, 1, 3; user d has no test item, and user c no list."""
TEST = pd.DataFrame({"user": ["a", "a", "b", "c"], "item": [1, 5, 4, 2], "rating": [5.0, 2.0, 4.0, 3.0]})
TRAIN = pd.DataFrame({"user": ["a", "b", "b", "e"], "item": [2, 2, 5, 1]})


def scored(*metrics: Any, **options: Any) -> Scores:
    return score(LISTS, TEST, *metrics, **options)


def test_every_user_with_a_test_item_counts_and_without_a_list_as_zero() -> None:
    """Values are those of a run: the mean over the users of the test part, in whose order they stand."""
    scores = scored(NDCG([1, 3]), "Recall@3")
    ideal = 1 + 1 / log2(3)
    assert scores.users == ["a", "b", "c"]
    assert scores.per_user["NDCG@3"].tolist() == pytest.approx([(1 / log2(3)) / ideal, 1, 0])
    assert scores.per_user.index.tolist() == ["a", "b", "c"]
    assert scores["NDCG@1"] == pytest.approx(1 / 3)
    assert dict(scores.values) == pytest.approx(
        {"NDCG@1": 1 / 3, "NDCG@3": ((1 / log2(3)) / ideal + 1) / 3, "Recall@3": (1 / 2 + 1) / 3}
    )
    assert list(scores.intervals) == list(scores.stderr) == scores.labels


def test_what_a_reader_has_to_know_is_said() -> None:
    """Users without a list, lists without test items, lists that are too short, and items that cannot have been meant."""
    notes = scored("NDCG@5", train=TRAIN).notes
    assert [note.partition(";")[0] for note in notes] == [
        "1 of 3 test users have no list",
        "1 user with a list but without a test item: not counted",
        "1 of 4 recommended items the user has in train or validation",
        "2 of 4 recommended items are not in train",
        "the longest list has 3 items, fewer than the 5 that a metric looks at",
    ]
    assert "they are left out" in "".join(scored("NDCG@3", convention="lenskit").notes)
    both = scored("NDCG@3", "NDCG[lenskit]@3").notes
    assert "columns of lenskit leave them out, else they count as zero" in "".join(both)


def test_what_users_have_and_nobody_knows_can_be_taken_out() -> None:
    """As in a run, whose lists have neither: the lists close up behind what goes."""
    assert scored(NDCG(1), train=TRAIN)["NDCG@1"] == pytest.approx(1 / 3)
    without_seen = scored(NDCG(1), train=TRAIN, repeats=False)
    assert without_seen["NDCG@1"] == pytest.approx(2 / 3)  # item 2 has gone from the top of a's list
    neither = scored(NDCG(1), train=TRAIN, repeats=False, unknown=False)
    assert neither["NDCG@1"] == pytest.approx(1 / 3)  # nor is item 4 there
    assert any("2 of 3 test users have no list" in note for note in neither.notes)


def test_metrics_of_training_are_those_of_the_train_part() -> None:
    """Coverage divides by the items of train, novelty by its users."""
    scores = scored(ItemCoverage(1), Novelty(1), train=TRAIN)
    assert scores["ItemCoverage@1"] == pytest.approx(1 / 3)  # nobody knows item 4
    assert scores.per_user["Novelty@1"].tolist() == pytest.approx([-log2(2 / 3), -log2(1 / 3), np.nan], nan_ok=True)
    assert scores.per_user_labels == ["Novelty@1"]
    assert scores.counted("ItemCoverage@1") == 3
    assert scores.counted("Novelty@1") == 2


def test_items_that_nobody_knows_cover_no_catalogue() -> None:
    """Lists of others may hold items that are not in train: no share of the catalogue is above 1."""
    train = pd.DataFrame({"user": [1, 2, 3], "item": [5, 5, 6]})
    lists = pd.DataFrame({"user": [1, 1, 1, 2, 2], "item": [6, 7, 8, 5, 6]})
    scores = score(lists, pd.DataFrame({"user": [1, 2], "item": [7, 8]}), ItemCoverage(3), Gini(3), train=train)
    assert scores["ItemCoverage@3"] == 1.0
    assert scores["Gini@3"] == pytest.approx(1 / 6)  # item 5 once, item 6 twice


def test_a_list_length_may_be_absurd() -> None:
    """It is no reason to need as much memory."""
    lists, test = {1: [5, 6]}, {1: {6}}
    assert score(lists, test, NDCG(10**12))[f"NDCG@{10**12}"] == score(lists, test, NDCG(2))["NDCG@2"]


def test_scores_are_compared_with_scores() -> None:
    """By one metric as well as by several; what is none is refused."""
    scores = score({1: [5], 2: [6]}, {1: [5], 2: [5]}, HR(1), NDCG(1))
    assert list(scores.compare(scores, "HR@1").comparisons) == ["HR@1"]
    with pytest.raises(StatisticsError, match="None are no scores"):
        scores.compare(None)  # type: ignore[arg-type]


def test_relevance_is_that_of_the_ratings() -> None:
    """Users without a relevant item are left out, and labels say what is relevant."""
    scores = scored(HR(3), NDCG(3, gains="rating"), relevant=4)
    assert scores.labels == ["HR[relevant=4]@3", "NDCG[relevant=4, gains=rating]@3"]
    assert scores.per_user["HR[relevant=4]@3"].tolist() == pytest.approx([1, 1, np.nan], nan_ok=True)
    assert scores["HR@3"] == 1
    assert scores.counted("HR[relevant=4]@3") == 2


def test_conventions_stand_side_by_side() -> None:
    """A metric's own convention stays, and the others follow the one that is asked for."""
    scores = scored(Recall(1).under("lenskit"), Recall(1), "Recall[recbole]@1", convention="trec")
    assert scores.labels == ["Recall[lenskit]@1", "Recall[trec]@1", "Recall[recbole]@1"]
    assert scores["Recall[trec]@1"] == pytest.approx(1 / 3)
    assert scores["Recall[lenskit]@1"] == pytest.approx(1 / 2)


def test_predicted_ratings_are_compared_with_the_true_ones() -> None:
    """Over the pairs of the test part; what else is predicted does not matter."""
    predictions = pd.concat([TEST, TEST.assign(user="z")]).assign(rating=3.0)
    scores = score(predictions, TEST, RMSE(), "MAE")
    assert scores["MAE"] == pytest.approx((2 + 1 + 1 + 0) / 4)
    assert scores["RMSE"] == pytest.approx(((4 + 1 + 1 + 0) / 4) ** 0.5)
    assert scores.per_user["MAE"].tolist() == pytest.approx([1.5, 1, 0])


def test_lists_and_ratings_of_one_table_are_both_judged() -> None:
    """A table with scores and ratings has both."""
    predictions = TEST.assign(score=[3.0, 1.0, 2.0, 1.0])
    scores = score(predictions, TEST, NDCG(2), RMSE())
    assert dict(scores.values) == {"NDCG@2": 1, "RMSE": 0}


def first_hit(hits: Any, relevant: Any) -> Any:
    return hits[:, 0]


class Overlap:
    """Counts what it is given."""

    k = 2

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> dict[int, float]:
        assert list(predictions.columns) == ["user", "item", "score", "rank"]
        assert list(test.columns) == ["user", "item", "rating"]
        top = predictions[predictions["rank"] <= self.k]
        return {self.k: float(top["item"].isin(test["item"]).mean())}


class Bias:
    """The mean error of predicted ratings."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> float:
        both = predictions.merge(test, on=["user", "item"])
        return float((both["rating_x"] - both["rating_y"]).mean())


def test_own_metrics_are_given_the_users_own_ids() -> None:
    """Functions of the hit matrix, and classes with calculate, for lists and for ratings."""
    scores = scored(HitMetric(first_hit, 1), Overlap())
    assert scores["first_hit@1"] == pytest.approx(1 / 3)
    assert scores["Overlap@2"] == pytest.approx(1)  # 2, 1 and 4: d's list is of no test user
    ratings = score(TEST.assign(rating=TEST["rating"] + 1), TEST, Bias())
    assert ratings["Bias"] == pytest.approx(1)


def test_tables_and_frames_show_all_of_it() -> None:
    """A row per metric: for people, for notebooks and for analyses."""
    scores = scored(NDCG(3), ItemCoverage(3), train=TRAIN, name="<mine>")
    text, html = repr(scores), scores._repr_html_()
    assert "<mine>, scored on test" in text
    assert f"{scores['NDCG@3']:.4f}" in text
    assert "they count as zero" in text
    assert "&lt;mine&gt;" in html
    assert "<mine>" not in html
    frame = scores.to_frame()
    assert frame["metric"].tolist() == ["NDCG", "ItemCoverage"]
    assert frame["k"].tolist() == [3, 3]
    assert frame["value"].tolist() == [scores["NDCG@3"], scores["ItemCoverage@3"]]
    assert frame["low"].isna().tolist() == [False, True]
    assert scores.plain()["metrics"]["ItemCoverage@3"] == {
        "value": scores["ItemCoverage@3"],
        "stderr": None,
        "interval": None,
        "users": 3,
    }
    with pytest.raises(KeyError, match=r"did you mean 'NDCG@3'"):
        scores["NDCG@4"]


def test_ids_that_are_numbers_here_and_texts_there_are_the_same() -> None:
    """Files of trec_eval have texts; 007 is not 7."""
    numbers = pd.DataFrame({"user": [1, 2], "item": [7, 8]})
    assert score(numbers.astype(str), numbers, HR(1))["HR@1"] == 1
    test = pd.DataFrame({"user": ["1", "2", "x"], "item": ["007", "8", "9"]})
    scores = score(numbers, test, HR(1))
    assert scores.per_user["HR@1"].to_dict() == {"1": 0, "2": 1, "x": 0}


def test_rows_without_ranks_and_scores_stand_in_their_order() -> None:
    """Equal scores stay in it, too, and that is said."""
    rows = pd.DataFrame({"user": [1, 2, 1, 1], "item": [5, 5, 6, 7]})
    test = pd.DataFrame({"user": [1, 2], "item": [6, 5]})
    in_order = score(rows, test, HR(1))
    assert in_order.per_user["HR@1"].tolist() == [0, 1]
    assert in_order.notes == (
        "predictions: no column is called rank or score, so the items of a list stand in the order of the rows",
    )
    tied = score(rows.assign(score=[1.0, 1.0, 1.0, 2.0]), test, HR([1, 2, 3]))
    assert [tied.per_user.loc[1, label] for label in tied.labels] == [0, 0, 1]
    assert tied.notes == ("predictions: equal scores, in 1 list, stay in the order of the rows",)


def test_a_rank_decides_and_order_says_otherwise() -> None:
    """What contradicts itself is refused until somebody says which counts."""
    rows = pd.DataFrame({"user": [1, 1], "item": [5, 6], "rank": [1, 2], "score": [0.1, 0.2]})
    test = pd.DataFrame({"user": [1], "item": [6]})
    with pytest.raises(Exception, match="ranks and scores contradict each other, in 1 list, the first that of user 1"):
        score(rows, test, HR(1))
    assert score(rows, test, HR(1), order="rank")["HR@1"] == 0
    assert score(rows, test, HR(1), order="score")["HR@1"] == 1


def test_a_repeated_test_pair_is_one_relevant_item_rated_as_it_was_last() -> None:
    """It counts once, and that is said."""
    test = pd.concat([TEST, TEST.iloc[:1].assign(rating=1.0)])
    scores = score(LISTS, test, Recall(3), HR(3, relevant=5))
    assert scores["Recall@3"] == pytest.approx((1 / 2 + 1) / 3)
    assert np.isnan(scores["HR[relevant=5]@3"])
    assert "test: 1 pairs are there several times; the last row of each counts" in scores.notes

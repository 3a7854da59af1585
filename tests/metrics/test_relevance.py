"""Relevance and gains by the ratings of the test part: against plain Python, trec_eval and scikit-learn."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score
from support.cases import Case, ranking_case

from omnibench import (
    AUC,
    F1,
    HR,
    MAP,
    MRR,
    NDCG,
    RMSE,
    Evaluator,
    HitMetric,
    ItemCoverage,
    Novelty,
    PopularityStratifiedRecall,
    Precision,
    Recall,
    RecallCapped,
    RPrecision,
    Serendipity,
)
from omnibench.engine.evaluation import evaluation_facts
from omnibench.engine.rehearsal import rehearse
from omnibench.errors import EvaluationError
from omnibench.metrics.hits import Truth, mark_hits
from omnibench.metrics.labels import plain_label
from omnibench.metrics.relevance import Gains

KS = [1, 5, 10, 20]
Ratings = dict[int, dict[int, int]]
Lists = dict[int, list[int]]

N_ITEMS = 30
rated_items = st.dictionaries(
    st.integers(0, 9), st.dictionaries(st.integers(0, N_ITEMS - 1), st.integers(1, 5), min_size=1), min_size=1
)
lists = st.dictionaries(
    st.integers(0, 9), st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS), max_size=10
)


def first_hit(hits: Any, relevant: Any) -> Any:
    """A function of the hit matrix."""
    return hits[:, 0] / relevant


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Implicit data with ratings, short and missing lists, and users who rate nothing above 3."""
    return ranking_case(tmp_path_factory.mktemp("rated"), full=False, rated=True)


@pytest.fixture(scope="module")
def full_case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The same with a list of full length for everybody."""
    return ranking_case(tmp_path_factory.mktemp("full"), full=True, rated=True)


def ratings_of(case: Case) -> Ratings:
    """The test part: ratings by user and item."""
    assert case.fold.test.rating is not None
    ratings: Ratings = {}
    columns = (column.tolist() for column in (case.fold.test.user, case.fold.test.item, case.fold.test.rating))
    for user, item, rating in zip(*columns, strict=True):
        ratings.setdefault(user, {})[item] = int(rating)
    return ratings


def lists_of(case: Case) -> Lists:
    rows = zip(case.rows["user"].tolist(), case.rows["item"].tolist(), strict=True)
    return {user: [item for item in items if item >= 0] for user, items in rows}


def gain_of(rating: int, gains: str) -> float:
    return rating if gains == "rating" else 2.0**rating - 1


def naive_ndcg(rated: dict[int, int], items: list[int], k: int, gains: str) -> float:
    """Graded NDCG of a user, written out."""
    gained = sum(
        gain_of(rated.get(item, 0), gains) / math.log2(rank + 1) for rank, item in enumerate(items[:k], start=1)
    )
    best = sorted((gain_of(rating, gains) for rating in rated.values()), reverse=True)[:k]
    return gained / sum(gain / math.log2(rank + 1) for rank, gain in enumerate(best, start=1))


@given(ratings=rated_items, recommended=lists, k=st.sampled_from(KS), gains=st.sampled_from(["rating", "exponential"]))
def test_graded_ndcg_is_what_its_formula_says(ratings: Ratings, recommended: Lists, k: int, gains: Gains) -> None:
    """Whatever the ratings and the lists: of everybody with a test item, also who has no list."""
    pairs = sorted((user, item, rating) for user, rated in ratings.items() for item, rating in rated.items())
    user, item, rating = (np.array(column) for column in zip(*pairs, strict=True))
    length = max([1, *map(len, recommended.values())])
    padded = [items + [-1] * (length - len(items)) for _, items in sorted(recommended.items())]
    truth = Truth.of(user.astype(np.int32), item.astype(np.int32), N_ITEMS, rating.astype(np.float32))
    listed = np.array(padded, dtype=np.int32).reshape(len(recommended), length)
    hits = mark_hits(truth, np.array(sorted(recommended), dtype=np.int32), listed)
    expected = [naive_ndcg(rated, recommended.get(user, []), k, gains) for user, rated in sorted(ratings.items())]
    assert list(NDCG(k, gains=gains).per_user(hits, k)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("gains", ["rating", "exponential"])
@pytest.mark.parametrize("lists_are_full", [True, False])
def test_trec_eval_computes_the_same_gains(lists_are_full: bool, gains: Gains, case: Case, full_case: Case) -> None:
    """Its ndcg_cut takes gains of whole numbers, linear or already exponential; without a list counts 0 (its -c)."""
    case = full_case if lists_are_full else case
    ratings = ratings_of(case)
    judgements = {
        str(user): {str(item): int(gain_of(rating, gains)) for item, rating in rated.items()}
        for user, rated in ratings.items()
    }
    runs = {
        str(user): {str(item): -float(rank) for rank, item in enumerate(items)}
        for user, items in lists_of(case).items()
    }
    peer = pytrec_eval.RelevanceEvaluator(judgements, {f"ndcg_cut.{','.join(map(str, KS))}"}).evaluate(runs)
    found = case.evaluate(NDCG(KS, gains=gains)).values
    for k in KS:
        mean = sum(peer.get(str(user), {}).get(f"ndcg_cut_{k}", 0.0) for user in ratings) / len(ratings)
        assert found[f"NDCG[gains={gains}]@{k}"] == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize("gains", ["rating", "exponential"])
def test_scikit_learn_computes_the_same_gains(gains: Gains, full_case: Case) -> None:
    """Where every list has k items; it ranks every item there is."""
    ratings, recommended = ratings_of(full_case), lists_of(full_case)
    truth, scores = np.zeros((len(ratings), full_case.fold.n_items)), np.zeros((len(ratings), full_case.fold.n_items))
    for row, (user, rated) in enumerate(sorted(ratings.items())):
        truth[row, list(rated)] = [gain_of(rating, gains) for rating in rated.values()]
        scores[row, recommended[user]] = np.arange(len(recommended[user]), 0, -1)
    found = full_case.evaluate(NDCG(KS, gains=gains)).values
    for k in KS:
        assert found[f"NDCG[gains={gains}]@{k}"] == pytest.approx(ndcg_score(truth, scores, k=k, ignore_ties=True))


def test_a_threshold_is_trec_evals_level_of_relevance(case: Case) -> None:
    """Of the users with something relevant; the others are left out, and no rating of training matters."""
    ratings, recommended = ratings_of(case), lists_of(case)
    counting = {user: rated for user, rated in ratings.items() if max(rated.values()) >= 4}
    assert 0 < len(counting) < len(ratings)
    judgements = {str(user): {str(item): rating for item, rating in rated.items()} for user, rated in counting.items()}
    names = {"Recall": "recall", "Precision": "P", "HR": "success"}
    found = case.evaluate(*Evaluator(Recall(KS), Precision(KS), HR(KS), relevant=4).metrics).values
    for k in KS:
        runs = {
            str(user): {str(item): -float(rank) for rank, item in enumerate(items)}
            for user, items in recommended.items()
        }
        for metric, name in names.items():
            peer = pytrec_eval.RelevanceEvaluator(judgements, {f"{name}.{k}"}, relevance_level=4).evaluate(runs)
            mean = sum(peer.get(str(user), {}).get(f"{name}_{k}", 0.0) for user in counting) / len(counting)
            assert found[f"{metric}[relevant=4]@{k}"] == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize("convention", ["omnibench", "lenskit", "trec"])
@pytest.mark.parametrize("least", [2, 3.5, 4, 5])
def test_a_threshold_is_the_same_as_a_test_part_of_what_is_relevant(
    least: float, convention: str, case: Case, tmp_path: Path
) -> None:
    """Every metric that judges relevance, in any convention: users, values and values per user."""
    metrics: list[Any] = [kind(KS) for kind in (NDCG, HR, Recall, Precision, MRR, MAP)]
    if convention == "omnibench":
        others = (RecallCapped, F1, RPrecision, AUC, Serendipity, PopularityStratifiedRecall)
        metrics += [*(kind(KS) for kind in others), HitMetric(first_hit, KS)]
    cut = ranking_case(tmp_path, full=False, rated=True)
    assert cut.fold.test.rating is not None
    file = tmp_path / "fold_0" / "test.npy"
    np.save(file, np.load(file)[cut.fold.test.rating >= least])
    theirs = cut.evaluate(*Evaluator(*metrics, convention=convention).metrics)
    ours = case.evaluate(*Evaluator(*metrics, convention=convention, relevant=least).metrics)
    assert [plain_label(label) for label in ours.values] == list(theirs.values)
    assert list(ours.values.values()) == pytest.approx(list(theirs.values.values()), abs=1e-12)
    left = np.isin(ours.users, theirs.users)
    assert np.array_equal(ours.per_user[:, left], theirs.per_user, equal_nan=True)
    assert np.isnan(ours.per_user[:, ~left]).all()
    assert list(ours.stderr.values()) == pytest.approx(list(theirs.stderr.values()), abs=1e-12)


def test_a_threshold_counts_before_gains(case: Case) -> None:
    """Below it nothing is gained, at it what the rating says."""
    ratings, recommended = ratings_of(case), lists_of(case)
    relevant = {
        user: {item: rating for item, rating in rated.items() if rating >= 4} for user, rated in ratings.items()
    }
    values = [
        naive_ndcg(rated, recommended.get(user, []), 10, "exponential") for user, rated in relevant.items() if rated
    ]
    (found,) = case.evaluate(NDCG(10, gains="exponential", relevant=4)).values.values()
    assert found == pytest.approx(np.mean(values), abs=1e-9)


def test_who_counts_is_recorded(case: Case) -> None:
    """The number of users who have something relevant; of all where everything is."""
    evaluation = case.evaluate(NDCG(10), NDCG(10, relevant=4), ItemCoverage(10))
    facts = evaluation_facts(evaluation, {"user": [0], **{label: [0] for label in evaluation.values}})
    ratings = ratings_of(case)
    counting = sum(max(rated.values()) >= 4 for rated in ratings.values())
    assert facts["NDCG@10"]["users"] == len(ratings)
    assert "counted" not in facts["NDCG@10"]
    assert facts["NDCG[relevant=4]@10"]["counted"] == counting < len(ratings)
    assert "counted" not in facts["ItemCoverage@10"]  # which is no mean over users


def test_metrics_that_judge_no_relevance_stay_as_they_are(case: Case) -> None:
    """An evaluator's threshold changes neither their values nor their keys."""
    evaluator = Evaluator(NDCG(10), ItemCoverage(10), Novelty(10), RMSE(), relevant=4)
    assert evaluator.labels == ["NDCG[relevant=4]@10", "ItemCoverage@10", "Novelty@10", "RMSE"]
    lists = [metric for metric in evaluator.metrics if metric.kind == "ranking"][1:]
    plain = (ItemCoverage(10), Novelty(10))
    assert case.evaluate(*lists).values == case.evaluate(*plain).values
    assert [metric.identity(metric.labels[0]) for metric in lists] == [
        metric.identity(metric.labels[0]) for metric in plain
    ]


def test_other_relevance_is_another_metric() -> None:
    """By label and key; 4 and 4.0 are one; a metric's own threshold comes before the evaluator's."""
    metrics = [NDCG(10), NDCG(10, relevant=3), NDCG(10, gains="rating"), NDCG(10, gains="exponential", relevant=2.5)]
    evaluator = Evaluator(*metrics, NDCG(10, relevant=3.0))
    labels = ["NDCG@10", "NDCG[relevant=3]@10", "NDCG[gains=rating]@10", "NDCG[relevant=2.5, gains=exponential]@10"]
    assert evaluator.labels == labels
    identities = [metric.canonical_identity(label) for metric, label in evaluator.columns]
    assert len(set(identities)) == len(labels)
    assert identities[0] == '["NDCG",{"k":10},1]'
    assert Evaluator(HR(10), HR(10, relevant=2), relevant=np.float32(4)).labels == [  # type: ignore[arg-type]
        "HR[relevant=4]@10",
        "HR[relevant=2]@10",
    ]
    (theirs,) = Evaluator(NDCG(10, gains="rating"), convention="lenskit").columns
    assert theirs[0].qualified(theirs[1], "5 negatives") == "NDCG[gains=rating, lenskit, 5 negatives]@10"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: NDCG(10, relevant="4"), "NDCG: relevant is '4'; give the lowest rating"),  # type: ignore[arg-type]
        (lambda: HR(10, relevant=True), "HR: relevant is True"),
        (lambda: MAP(10, relevant=math.inf), "MAP: relevant is inf"),
        (lambda: HitMetric(first_hit, relevant=math.nan), "first_hit: relevant is nan"),
        (lambda: Evaluator(NDCG(10), relevant=[4]), r"the evaluator: relevant is \[4\]"),  # type: ignore[arg-type]
        (lambda: Evaluator(RMSE(), relevant=4), r"relevant=4 concerns no metric of the evaluator \(RMSE\)"),
        (lambda: NDCG(10, gains="log"), "NDCG: gains is 'log'; give 'rating'"),  # type: ignore[arg-type]
        (lambda: Evaluator(NDCG(10, gains="rating"), convention="recbole"), "RecBole has no NDCG with gains='rating'"),
        (lambda: Evaluator(NDCG(10, gains="exponential"), convention="trec"), "trec_eval has no NDCG with gains="),
    ],
)
def test_impossible_relevance_is_refused(make: Any, says: str) -> None:
    """As soon as the metric, or the evaluator, is made."""
    with pytest.raises(EvaluationError, match=says):
        make()


def test_a_threshold_that_nothing_reaches_is_refused_before_anything_is_fitted(case: Case) -> None:
    """The error says what the ratings are like."""
    with pytest.raises(EvaluationError, match=r"HR\[relevant=40\]: nothing .* ratings go from 1 to 5; give a lower"):
        rehearse(case.directory, 0, 20, Evaluator(HR(10), relevant=40).columns)


def test_a_fold_without_anything_relevant_has_no_value(tmp_path: Path) -> None:
    """Other folds may have some; the mean of nobody is nothing, and the other columns are what they are."""
    case = ranking_case(tmp_path, full=False, rated=True)
    evaluation = case.evaluate(HR(10), HR(10, relevant=9))
    assert math.isnan(evaluation.values["HR[relevant=9]@10"])
    assert evaluation.values["HR@10"] > 0
    facts = evaluation_facts(evaluation, {"user": [0]})
    assert facts["HR[relevant=9]@10"]["value"] is None
    assert facts["HR[relevant=9]@10"]["counted"] == 0


def test_what_is_rated_zero_or_less_gains_nothing() -> None:
    """Who has no gain at all is left out, as is who has nothing relevant."""
    relevance = NDCG(10, gains="rating").relevance
    assert relevance.of(np.array([-1, 0, 0.5, 5], dtype=np.float32)).tolist() == [False, False, True, True]
    assert NDCG(10, relevant=-1).relevance.of(np.array([-2, -1, 0], dtype=np.float32)).tolist() == [False, True, True]

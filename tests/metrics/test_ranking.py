"""Ranking metrics against independent implementations: pytrec_eval where it has the metric, plain Python else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from omnibench import HR, MAP, MRR, NDCG, Precision, Recall, RecallCapped
from omnibench.errors import EvaluationError
from omnibench.metrics.hits import Hits, Truth, mark_hits
from omnibench.metrics.ranking_metric import AccuracyMetric

N_ITEMS = 30
KS = [1, 2, 3, 5, 10, 20, 100]
Case = tuple[dict[int, set[int]], dict[int, list[int]]]

relevant_items = st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, N_ITEMS - 1), min_size=1), min_size=1)
lists = st.dictionaries(
    st.integers(0, 9), st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS), max_size=10
)
cases = st.tuples(relevant_items, lists)


def hits_of(relevant: dict[int, set[int]], recommended: dict[int, list[int]], n_items: int = N_ITEMS) -> Hits:
    """Mark hits of lists, which are padded with -1 as prediction files are."""
    pairs = sorted((user, item) for user, items in relevant.items() for item in items)
    test_user, test_item = (np.array(column, dtype=np.int32) for column in zip(*pairs, strict=True))
    length = max([1, *(len(items) for items in recommended.values())])
    padded = [items + [-1] * (length - len(items)) for _, items in sorted(recommended.items())]
    list_item = np.array(padded, dtype=np.int32).reshape(len(recommended), length)
    truth = Truth.of(test_user, test_item, n_items)
    return mark_hits(truth, np.array(sorted(recommended), dtype=np.int32), list_item)


def trec(case: Case, measure: str, k: int) -> list[float]:
    """What trec_eval says of each user with test items, ascending; users without a list count zero (its -c)."""
    relevant, recommended = case
    judgements = {str(user): {f"i{item}": 1 for item in items} for user, items in relevant.items()}
    scores = {
        str(user): {f"i{item}": float(-rank) for rank, item in enumerate(items)}
        for user, items in recommended.items()
        if user in relevant and items
    }
    # trec_eval takes no cut-off for the reciprocal rank, so the run is cut before.
    if measure == "recip_rank":
        scores = {user: dict(list(run.items())[:k]) for user, run in scores.items()}
        evaluated = pytrec_eval.RelevanceEvaluator(judgements, {measure}).evaluate(scores) if scores else {}
        return [evaluated.get(str(user), {}).get(measure, 0.0) for user in sorted(relevant)]
    evaluated = pytrec_eval.RelevanceEvaluator(judgements, {f"{measure}.{k}"}).evaluate(scores) if scores else {}
    return [evaluated.get(str(user), {}).get(f"{measure}_{k}", 0.0) for user in sorted(relevant)]


def naive_map(case: Case, k: int) -> list[float]:
    """Average precision with min(k, relevant), written out."""
    values = []
    for user, items in sorted(case[0].items()):
        found, total = 0, 0.0
        for rank, item in enumerate(case[1].get(user, [])[:k], start=1):
            if item in items:
                found += 1
                total += found / rank
        values.append(total / min(k, len(items)))
    return values


def naive_capped_recall(case: Case, k: int) -> list[float]:
    return [len(items & set(case[1].get(user, [])[:k])) / min(k, len(items)) for user, items in sorted(case[0].items())]


def agree(found: Iterable[float], expected: Iterable[float]) -> None:
    assert list(found) == pytest.approx(list(expected), abs=1e-9)


@pytest.mark.parametrize(
    ("metric", "measure"),
    [(NDCG, "ndcg_cut"), (Recall, "recall"), (Precision, "P"), (HR, "success"), (MRR, "recip_rank")],
)
@given(case=cases, k=st.sampled_from(KS))
def test_a_metric_is_what_trec_eval_says(metric: type[AccuracyMetric], measure: str, case: Case, k: int) -> None:
    """Each user's value agrees to 1e-9, for lists of any length and any k."""
    agree(metric(k).per_user(hits_of(*case), k), trec(case, measure, k))


@given(cases, st.sampled_from(KS))
def test_map_is_what_trec_eval_says_where_both_divide_by_the_same(case: Case, k: int) -> None:
    """For users with at most k test items, min(k, relevant) is all relevant; for the others plain Python says."""
    found = MAP(k).per_user(hits_of(*case), k).tolist()
    agree(found, naive_map(case, k))
    few = [len(items) <= k for _, items in sorted(case[0].items())]
    expected = trec(case, "map_cut", k)
    agree(
        [value for value, fits in zip(found, few, strict=True) if fits],
        [value for value, fits in zip(expected, few, strict=True) if fits],
    )


@given(cases, st.sampled_from(KS))
def test_capped_recall_divides_by_what_fits(case: Case, k: int) -> None:
    """What OmniRec and LensKit call Recall, written out in plain Python."""
    agree(RecallCapped(k).per_user(hits_of(*case), k), naive_capped_recall(case, k))


METRICS = [NDCG, HR, Recall, RecallCapped, Precision, MRR, MAP]
every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric.__name__))


@every_metric
@given(case=cases, k=st.sampled_from(KS))
def test_values_are_between_zero_and_one(metric: type[AccuracyMetric], case: Case, k: int) -> None:
    """One value per user with test items, never above 1 or NaN."""
    values = metric(k).per_user(hits_of(*case), k)
    assert values.shape == (len(case[0]),)
    assert values.dtype == np.float64
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@every_metric
def test_a_perfect_list_scores_one_where_it_can(metric: type[AccuracyMetric]) -> None:
    """All relevant items first: 1 for every metric, but for Precision when fewer than k are relevant."""
    hits = hits_of({0: {3, 4}}, {0: [4, 3, 9, 8]})
    agree(metric(2).per_user(hits, 2), [1.0])
    agree(metric(4).per_user(hits, 4), [0.5 if metric is Precision else 1.0])


@every_metric
def test_users_without_recommendations_count_zero(metric: type[AccuracyMetric]) -> None:
    """They are not left out of the mean; users without test items are."""
    hits = hits_of({1: {3}, 5: {3}, 9: {3}}, {0: [3], 5: [3], 7: [3]})
    assert hits.users.tolist() == [1, 5, 9]
    agree(metric(1).per_user(hits, 1), [0.0, 1.0, 0.0])


@every_metric
def test_nobody_with_recommendations_is_zero_for_all(metric: type[AccuracyMetric]) -> None:
    """An empty file of lists is no error."""
    agree(metric(10).per_user(hits_of({1: {3}, 2: {4}}, {}), 10), [0.0, 0.0])


@every_metric
def test_padding_is_never_a_hit(metric: type[AccuracyMetric]) -> None:
    """-1 after a short list is no item, not even beside the last item of the user before."""
    hits = hits_of({0: {4}, 1: {0, 4}}, {0: [], 1: []}, n_items=5)
    agree(metric(3).per_user(hits, 3), [0.0, 0.0])
    short = hits_of({0: {4}, 1: {0}}, {0: [0, 1], 1: [1]}, n_items=5)
    agree(metric(3).per_user(short, 3), [0.0, 0.0])


@every_metric
def test_ranks_beyond_k_do_not_count(metric: type[AccuracyMetric]) -> None:
    """A hit at rank 3 is none for k = 2."""
    hits = hits_of({0: {7}}, {0: [1, 2, 7]})
    agree(metric(2).per_user(hits, 2), [0.0])
    assert metric(3).per_user(hits, 3)[0] > 0


@every_metric
def test_lists_shorter_than_k_are_as_good_as_padded_ones(metric: type[AccuracyMetric]) -> None:
    """A k longer than every list is no error, and changes nothing but Precision's divisor."""
    relevant, recommended = {0: {1, 2, 3}, 1: {4}}, {0: [1, 9, 2], 1: [5, 4]}
    padded = hits_of(relevant, {**recommended, 2: list(range(20))})
    agree(metric(10).per_user(hits_of(relevant, recommended), 10), metric(10).per_user(padded, 10))


def test_ndcg_of_one_hit_is_its_discount() -> None:
    """Rank 2 weighs 1 / log2(3), and the ideal of one relevant item is 1."""
    agree(NDCG(5).per_user(hits_of({0: {1}}, {0: [0, 1]}), 5), [1 / math.log2(3)])


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric.__name__))
@pytest.mark.parametrize("k", [0, -1, 1.0, "10", True, None, [], [10, 0], [10, 2.5], [[10]]])
def test_an_impossible_k_is_refused(metric: type[AccuracyMetric], k: Any) -> None:
    """The error names the metric and says what k is."""
    with pytest.raises(EvaluationError, match=metric.__name__):
        metric(k)


def test_labels_have_each_k_once() -> None:
    """One or several k, of any iterable, numpy's ints too; the default is 10."""
    assert NDCG([10, 20, 10]).labels == ["NDCG@10", "NDCG@20"]
    assert NDCG(np.array([5])).labels == ["NDCG@5"]
    assert NDCG(range(1, 3)).labels == ["NDCG@1", "NDCG@2"]
    assert HR().labels == ["HR@10"]
    assert repr(RecallCapped([5, 10])) == "RecallCapped(RecallCapped@5, RecallCapped@10)"


def test_the_identity_of_a_column_is_metric_k_and_version() -> None:
    """Two metrics, or two k, never share an evaluation."""
    from omnibench.keys import digest

    columns = [(metric([5, 10]), f"{metric.__name__}@{k}") for metric in METRICS for k in (5, 10)]
    assert len({digest(metric.identity(label)) for metric, label in columns}) == len(columns)
    assert NDCG([5, 10]).identity("NDCG@10") == NDCG(10).identity("NDCG@10") == ["NDCG", {"k": 10}, 1]

"""Metrics beyond accuracy against published examples, scikit-learn, scipy, and lists that popularity recommends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_distances

from omnibench import (
    AUC,
    AveragePopularity,
    Gini,
    IntraListDiversity,
    ItemCoverage,
    Novelty,
    PopularityStratifiedRecall,
    Recall,
    Serendipity,
    ShannonEntropy,
    UserCoverage,
)
from omnibench.errors import EvaluationError
from omnibench.guest.top_items import top_k
from omnibench.metrics.hits import Hits, Truth, mark_hits
from omnibench.metrics.ranking_metric import RankingMetric
from omnibench.metrics.training import Training

ITEMS = 12
Pairs = set[tuple[int, int]]
pairs = st.sets(st.tuples(st.integers(0, 5), st.integers(0, ITEMS - 1)), max_size=40)
lists = st.dictionaries(st.integers(0, 5), st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=ITEMS))


def hits_of(test: Pairs, recommended: dict[int, list[int]], train: Pairs, history: Pairs | None = None) -> Hits:
    """Mark hits with what is known from training, which is the users' history by default; item ids are codes."""
    n_items = ITEMS
    ordered = sorted(test)
    user, item = (np.array([pair[at] for pair in ordered], dtype=np.int32) for at in (0, 1))
    truth = Truth.of(user, item, n_items)
    length = max([1, *map(len, recommended.values())])
    padded = [items + [-1] * (length - len(items)) for _, items in sorted(recommended.items())]

    def columns(part: Pairs) -> tuple[Any, Any]:
        return tuple(np.array([pair[at] for pair in sorted(part)], dtype=np.int32) for at in (0, 1))  # type: ignore[return-value]

    before, seen = columns(train), columns(train if history is None else history)
    n_users = 1 + max(user for user, _ in [*test, *train, (0, 0)])
    training = Training(lambda: (before, [seen, columns(set())]), n_users, n_items, lambda: range(n_items))
    items = np.array(padded, dtype=np.int32).reshape(len(recommended), length)
    return mark_hits(truth, np.array(sorted(recommended), dtype=np.int32), items, training)


def measured(metric: RankingMetric, hits: Hits) -> tuple[Any, float]:
    """A metric's values per user and its value, at its only k."""
    (k,) = metric.k
    found = metric.per_user(hits, k)
    values = np.full(len(hits.users), np.nan) if found is None else found
    return values, metric.value(hits, k, values)


RECTOOLS_LISTS = {1: [3], 2: [2, 3], 3: [1, 2]}


@pytest.mark.parametrize(("k", "published"), [(1, [1.5849625, 1.5849625, 0]), (3, [1.5849625, 1.5849625, 0.79248125])])
def test_novelty_is_that_of_a_published_example(k: int, published: list[float]) -> None:
    """The example in the documentation of RecTools' MeanInvUserFreq; an item without users counts as one with one."""
    train = {(1, 1), (1, 2), (2, 1), (3, 1)}
    values, value = measured(Novelty(k), hits_of({(1, 0), (2, 0), (3, 0)}, RECTOOLS_LISTS, train))
    assert values == pytest.approx(published, abs=1e-7)
    assert value == pytest.approx(np.mean(published), abs=1e-7)


@pytest.mark.parametrize(("k", "published"), [(1, [3, 1, 1]), (3, [2.5, 2, 1.5])])
def test_average_popularity_is_that_of_a_published_example(k: int, published: list[float]) -> None:
    """The example in the documentation of RecTools' AvgRecPopularity."""
    train = {(1, 1), (1, 2), (2, 1), (2, 3), (3, 1), (3, 2)}
    recommended = {1: [1, 2], 2: [3, 1, 2], 3: [3, 2]}
    values, _ = measured(AveragePopularity(k), hits_of({(1, 0), (2, 0), (3, 0)}, recommended, train))
    assert values.tolist() == pytest.approx(published)


def test_users_unknown_in_training_have_seen_their_history() -> None:
    """Strangers with a given history: what is popular comes from training, what is out of question from the history."""
    train, history = {(0, 1), (0, 2), (1, 1), (0, 3)}, {(4, 1)}
    hits = hits_of({(4, 2), (4, 3)}, {4: [3, 2]}, train, history)
    assert measured(Serendipity(1), hits)[0].tolist() == [1.0]  # popularity would recommend 2
    assert measured(Novelty(1), hits)[0].tolist() == [1.0]  # one of two users in training has it
    assert hits.n_candidates.tolist() == [2]


def test_users_without_a_list_have_no_popularity_or_novelty() -> None:
    """They do not count; nobody left is NaN."""
    hits = hits_of({(0, 1), (1, 1)}, {0: [2]}, {(0, 2), (1, 2), (1, 3)})
    for metric, expected in ((Novelty(5), 0.0), (AveragePopularity(5), 2.0)):
        values, value = measured(metric, hits)
        assert np.isnan(values[1])
        assert value == expected
    nobody = hits_of({(0, 1)}, {}, {(0, 2)})
    assert all(math.isnan(measured(metric(5), nobody)[1]) for metric in (Novelty, AveragePopularity))


@given(lists, pairs.filter(bool))
def test_coverage_entropy_and_gini_are_those_of_the_counts(recommended: dict[int, list[int]], train: Pairs) -> None:
    """Coverage counted in plain Python, entropy by scipy, Gini as half the relative mean absolute difference."""
    known = {item for _, item in train}
    allowed = {user: [item for item in items if item in known] for user, items in recommended.items()}
    hits = hits_of({(user, 0) for user in range(6)}, allowed, train)
    counts = np.array([sum(item in items[:3] for items in allowed.values()) for item in sorted(known)])
    if not counts.any():
        assert all(math.isnan(measured(metric(3), hits)[1]) for metric in (ItemCoverage, ShannonEntropy, Gini))
        return
    assert measured(ItemCoverage(3), hits)[1] == pytest.approx(np.count_nonzero(counts) / len(known))
    assert measured(ShannonEntropy(3), hits)[1] == pytest.approx(scipy.stats.entropy(counts, base=2), abs=1e-9)
    gini = np.abs(np.subtract.outer(counts, counts)).mean() / counts.mean() / 2
    assert measured(Gini(3), hits)[1] == pytest.approx(gini, abs=1e-9)
    users = measured(UserCoverage(3), hits)[0]
    assert users.tolist() == [float(len(allowed.get(user, [])) >= 3) for user in range(6)]


@given(pairs.filter(bool), lists, pairs.filter(bool), st.integers(1, ITEMS))
def test_auc_is_what_scikit_learn_says(test: Pairs, recommended: dict[int, list[int]], train: Pairs, k: int) -> None:
    """Of all candidates scored by rank, those beyond k tied; users without a negative candidate do not count."""
    test = test - train or {(0, ITEMS - 1)} - train or {(1, ITEMS - 1)}
    train = train - test or {(2, 0)}
    known = {item for _, item in train}
    cut = {
        user: [item for item in items if item in known and (user, item) not in train]
        for user, items in recommended.items()
    }
    values, _ = measured(AUC(k), hits_of(test, cut, train))
    for user, value in zip(sorted({user for user, _ in test}), values, strict=True):
        relevant = {item for one, item in test if one == user}
        candidates = sorted({item for item in known if (user, item) not in train} | relevant)
        listed = cut.get(user, [])[:k]
        scores = [-listed.index(item) if item in listed else -len(listed) for item in candidates]
        if len(relevant) == len(candidates):
            assert math.isnan(value)
        else:
            assert value == pytest.approx(roc_auc_score([item in relevant for item in candidates], scores), abs=1e-9)


@given(pairs.filter(bool), lists, pairs.filter(bool), st.integers(1, 5))
def test_serendipity_is_what_popularity_leaves(
    test: Pairs, recommended: dict[int, list[int]], train: Pairs, k: int
) -> None:
    """Hits that are not among the k best of a popularity recommender, which is run here, over k."""
    unseen = {user: [item for item in items if (user, item) not in train] for user, items in recommended.items()}
    values, value = measured(Serendipity(k), hits_of(test, unseen, train))
    popularity = np.array([sum(item == one for _, one in train) for item in range(ITEMS)], dtype=np.float32)
    expected = []
    for user in sorted({user for user, _ in test}):
        scores = popularity.copy()
        scores[[item for one, item in train if one == user]] = -np.inf
        obvious = set(top_k(scores[None, :], k)[0][0].tolist())
        relevant = {item for item in unseen.get(user, [])[:k] if (user, item) in test}
        expected.append(len(relevant - obvious) / k)
    assert values.tolist() == pytest.approx(expected)
    assert value == pytest.approx(np.mean(expected))


@given(pairs.filter(bool), lists, pairs, st.integers(1, ITEMS), st.sampled_from([0.0, 0.5, 0.75, 1.0]))
def test_stratified_recall_weighs_items_by_popularity(
    test: Pairs, recommended: dict[int, list[int]], train: Pairs, k: int, beta: float
) -> None:
    """Steck's formula written out; with beta 0 it is Recall."""
    hits = hits_of(test, recommended, train)
    weight = {item: max(1, sum(item == one for _, one in train)) ** -beta for item in range(ITEMS)}
    expected = []
    for user in hits.users.tolist():
        relevant = {item for one, item in test if one == user}
        found = relevant & set(recommended.get(user, [])[:k])
        expected.append(sum(weight[item] for item in found) / sum(weight[item] for item in relevant))
    values, _ = measured(PopularityStratifiedRecall(k, beta), hits)
    assert values.tolist() == pytest.approx(expected)
    if beta == 0:
        assert values.tolist() == pytest.approx(measured(Recall(k), hits)[0].tolist())


@pytest.mark.parametrize("beta", [-0.1, 1.1, "1", None, True])
def test_an_impossible_beta_is_refused(beta: Any) -> None:
    """The error says what it is."""
    with pytest.raises(EvaluationError, match="beta is"):
        PopularityStratifiedRecall(10, beta)


def test_another_beta_is_another_column() -> None:
    """Another beta is another column, so that both can stand in a table."""
    assert PopularityStratifiedRecall([5, 10]).labels == [
        "PopularityStratifiedRecall@5",
        "PopularityStratifiedRecall@10",
    ]
    assert PopularityStratifiedRecall(5, 1).labels == ["PopularityStratifiedRecall(beta=1)@5"]


vectors = st.lists(
    st.lists(st.integers(-3, 3).map(float), min_size=3, max_size=3), min_size=ITEMS, max_size=ITEMS
)  # fmt: skip


@given(lists.filter(bool), vectors, st.integers(1, ITEMS))
def test_diversity_of_vectors_is_scikit_learns_cosine_distance(
    recommended: dict[int, list[int]], given_vectors: list[list[float]], k: int
) -> None:
    """Its mean over the pairs of a list; 0 for lists without a pair."""
    hits = hits_of({(user, 0) for user in range(6)}, recommended, {(0, 0)})
    values, _ = measured(IntraListDiversity(dict(enumerate(given_vectors)), k), hits)
    frame = IntraListDiversity(pd.DataFrame(given_vectors), k)
    assert measured(frame, hits)[0].tolist() == values.tolist()
    distances = cosine_distances(np.array(given_vectors))
    for user, value in enumerate(values):
        listed = recommended.get(user, [])[:k]
        apart = [distances[one, other] for at, one in enumerate(listed) for other in listed[:at]]
        assert value == pytest.approx(np.mean(apart) if apart else 0.0, abs=1e-9)


def test_features_are_keyed_by_content() -> None:
    """The key depends on values, items and distance, not on the features' order or container."""
    tags = {1: {"a", "b"}, 2: {"c"}, 3: set()}
    same = IntraListDiversity({3: [], 2: ["c"], 1: ("b", "a")}, 5)
    base = IntraListDiversity(tags, 5)
    assert base.identity("IntraListDiversity@5") == same.identity("IntraListDiversity@5")
    others: list[Any] = [{**tags, 3: {"a"}}, {**tags, 4: {"a"}}, {1: {"a", "b"}, 2: {"c"}}]
    keys = [str(IntraListDiversity(one, 5).parameters) for one in others]
    keys += [str(base.parameters), str(IntraListDiversity(tags, 5, distance="cosine").parameters)]
    assert len(set(keys)) == len(keys)
    assert IntraListDiversity(tags, [5, 10], name="Genres").labels == ["Genres@5", "Genres@10"]


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ({}, "give a mapping"),
        (None, "give a mapping"),
        ({1: 3.0, 2: 4.0}, "numbers, one per item"),
        ({1: [1.0, 2.0], 2: [1.0]}, "neither tags nor vectors of one length"),
        ({1: {"a"}, 2: [1.0]}, "neither tags nor vectors"),
        ({1: [1.0, math.nan]}, "no finite number"),
        (pd.DataFrame({"genre": ["a", "b"]}), "a column that is no number"),
        (pd.DataFrame({"x": [1.0, 2.0]}, index=[7, 7]), "an item twice"),
    ],
)
def test_impossible_features_are_refused(features: Any, says: str) -> None:
    """Impossible features are refused when they are given, not after hours of fitting."""
    with pytest.raises(EvaluationError, match=says):
        IntraListDiversity(features, 5)


def test_an_item_without_features_is_an_error_that_names_it() -> None:
    """A diversity of some of the items would look like one of all."""
    hits = hits_of({(0, 0)}, {0: [1, 2]}, {(0, 0)})
    with pytest.raises(EvaluationError, match=r"no features of 1 recommended items, e\.g\. of 2"):
        measured(IntraListDiversity({0: {"a"}, 1: {"b"}}, 5), hits)

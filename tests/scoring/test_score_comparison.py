"""Comparisons of scored predictions: those of ``compare`` on the same users, corrected over the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench import NDCG, HitMetric, ItemCoverage, Novelty, Recall, Scores, compare, compare_scores, holm, score
from omnibench.errors import StatisticsError
from omnibench.scoring.compared import corrected_together

USERS, ITEMS = 120, 40
TEST = {user: [user % ITEMS, (user + 7) % ITEMS] for user in range(USERS)}
TRAIN = pd.DataFrame({"user": [0, 1], "item": [39, 38]})


def lists(seed: int, share: float) -> Mapping[int, list[int]]:
    """Return lists of ten items that begin with a relevant one in a share of all cases."""
    rng = np.random.default_rng(seed)
    others = {user: [item for item in rng.permutation(ITEMS).tolist() if item not in TEST[user]] for user in TEST}
    return {user: ([TEST[user][0]] if rng.random() < share else []) + others[user][:9] for user in list(TEST)[:-5]}


def scored(seed: int, share: float, *metrics: Any, **options: Any) -> Scores:
    return score(lists(seed, share), TEST, *(metrics or (NDCG([5, 10]), Recall(10))), name=f"{share}", **options)


def test_it_is_the_test_of_the_users_values() -> None:
    """Difference, interval and p of each metric, with p corrected over all of them."""
    good, bad = scored(1, 0.6), scored(2, 0.3)
    comparison = good.compare(bad)
    expected = {label: compare(good.values_of(label), bad.values_of(label)) for label in good.labels}
    assert dict(comparison.comparisons) == expected
    adjusted = holm([entry.p for entry in expected.values() if entry.p is not None])
    assert list(comparison.adjusted.values()) == adjusted.tolist()
    assert comparison.verdict("NDCG@10") == "the first is better"
    assert bad.compare(good, ["NDCG@10"], test="t").verdict("NDCG@10") == "the second is better"
    assert "0.6 minus 0.3: paired over 120 users" in repr(comparison)
    assert "corrected over 3 comparisons" in comparison._repr_html_()
    frame = comparison.to_frame()
    assert frame["p_holm"].tolist() == adjusted.tolist()
    assert comparison.plain()[0]["means"] == [good["NDCG@5"], bad["NDCG@5"]]


def test_users_are_paired_by_their_ids_whatever_their_order() -> None:
    """Two test files of the same users may have them in different orders."""
    good, bad = scored(1, 0.6), scored(2, 0.3)
    reversed_test = dict(reversed(TEST.items()))
    again = score(lists(2, 0.3), reversed_test, NDCG([5, 10]), Recall(10))
    assert again.users == bad.users[::-1]
    one, two = good.compare(bad).comparisons["NDCG@10"], good.compare(again).comparisons["NDCG@10"]
    assert (one.p, one.interval) == (two.p, two.interval)


def test_users_of_whom_a_metric_is_not_defined_are_left_out() -> None:
    """Novelty has no value for the five without a list; coverage has none for any user."""
    metrics = (Novelty(10), ItemCoverage(10))
    comparison = scored(1, 0.6, *metrics, train=TRAIN).compare(scored(2, 0.3, *metrics, train=TRAIN))
    assert comparison.comparisons["Novelty@10"].pairs == USERS - 5
    assert comparison.left_out == ["ItemCoverage@10"]
    assert "Not compared, because single users have no value: ItemCoverage@10." in repr(comparison)


def own(hits: Any, relevant: Any) -> Any:
    return hits[:, 0] * 1.0


def test_the_direction_of_an_own_metric_is_its_own() -> None:
    """A metric for which less is better says so."""
    first, second = (
        scored(seed, share, HitMetric(own, 1, higher_is_better=False)) for seed, share in ((1, 0.7), (2, 0.2))
    )
    assert compare_scores(first, second).verdict("own@1") == "the second is better"


def test_several_pairs_are_corrected_together() -> None:
    """Three files are two comparisons a metric, and their p is larger for it."""
    first, *others = [scored(seed, share, NDCG(10)) for seed, share in ((1, 0.5), (2, 0.4), (3, 0.45))]
    pairs = [compare_scores(first, second) for second in others]
    together = corrected_together(pairs)
    p_values = [pair.comparisons["NDCG@10"].p for pair in pairs]
    assert [pair.adjusted["NDCG@10"] for pair in together] == holm([p for p in p_values if p is not None]).tolist()
    assert all("over 2 comparisons" in repr(pair) for pair in together)


@pytest.mark.parametrize(
    ("second", "metrics", "message"),
    [
        (
            lambda: score(lists(1, 0.5), dict(list(TEST.items())[:50]), NDCG(10)),
            None,
            "were scored on different users, 120 of",
        ),
        (lambda: scored(1, 0.5, Recall(5)), None, "have no metric in common"),
        (lambda: scored(1, 0.5), ["NDCG@7"], r"do not both have 'NDCG@7'; there are NDCG@5, NDCG@10, Recall@10"),
    ],
)
def test_what_cannot_be_compared_is_refused(second: Any, metrics: Any, message: str) -> None:
    """With what there is instead."""
    with pytest.raises(StatisticsError, match=message):
        scored(1, 0.6).compare(second(), metrics)

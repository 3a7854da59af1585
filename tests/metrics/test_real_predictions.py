"""Every metric on real predictions for MovieLens-100K, to 1e-9 against independent implementations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from omnibench import (
    HR,
    MAE,
    MAP,
    MRR,
    NDCG,
    RMSE,
    CorePruning,
    MakeImplicit,
    Precision,
    Recall,
    RecallCapped,
    UserHoldout,
    load_dataset,
)
from omnibench.data import movielens
from omnibench.data.prepare import prepare
from omnibench.engine.evaluation import evaluate
from omnibench.guest.folds import RATING_DTYPE, Fold
from omnibench.guest.ranking import recommend
from omnibench.metrics.base import Metric

KS = [1, 5, 10, 20]


def prepared(directory: Path, *steps: Any) -> Path:
    ratings = movielens._find_in_recbole() or movielens._fetch_from_package_index()
    prepare(load_dataset("MovieLens100K", ratings).pipe(*steps), directory)
    return directory


@pytest.fixture(scope="module")
def implicit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset with the lists of an item-item co-occurrence model, 20 items per user."""
    directory = prepared(
        tmp_path_factory.mktemp("implicit"), MakeImplicit(3), CorePruning(5), UserHoldout(validation_size=0.1)
    )
    fold = Fold(directory, 0)
    seen = np.zeros((fold.n_users, fold.n_items), dtype=np.float32)
    seen[fold.train.user, fold.train.item] = 1
    together = seen.T @ seen
    np.fill_diagonal(together, 0)
    scores = seen @ (together / (np.sqrt(np.outer(seen.sum(axis=0), seen.sum(axis=0))) + 1))
    np.save(directory / "predictions.npy", recommend(fold, [(fold.users, scores[fold.users])], 20))
    return directory


@pytest.fixture(scope="module")
def explicit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset with each item's mean training rating as its prediction."""
    directory = prepared(tmp_path_factory.mktemp("explicit"), UserHoldout(validation_size=0))
    fold = Fold(directory, 0)
    assert fold.train.rating is not None
    count = np.bincount(fold.train.item, minlength=fold.n_items)
    total = np.bincount(fold.train.item, weights=fold.train.rating, minlength=fold.n_items)
    means = np.where(count > 0, total / np.maximum(count, 1), fold.train.rating.mean())
    rows = np.zeros(len(fold.test), dtype=RATING_DTYPE)
    rows["user"], rows["item"], rows["rating"] = fold.test.user, fold.test.item, means[fold.test.item]
    np.save(directory / "predictions.npy", rows)
    return directory


@pytest.fixture(scope="module")
def relevant_and_lists(implicit: Path) -> tuple[dict[int, set[int]], dict[int, list[int]]]:
    fold = Fold(implicit, 0)
    relevant: dict[int, set[int]] = {}
    for user, item in zip(fold.test.user.tolist(), fold.test.item.tolist(), strict=True):
        relevant.setdefault(user, set()).add(item)
    rows = np.load(implicit / "predictions.npy")
    return relevant, dict(zip(rows["user"].tolist(), rows["item"].tolist(), strict=True))


@pytest.mark.parametrize(
    ("metric", "measure"), [(NDCG, "ndcg_cut"), (HR, "success"), (Recall, "recall"), (Precision, "P")]
)
def test_trec_eval_says_the_same(
    metric: type[NDCG],
    measure: str,
    implicit: Path,
    relevant_and_lists: tuple[dict[int, set[int]], dict[int, list[int]]],
) -> None:
    """NDCG, HR, Recall and Precision of each user and their means, at every k."""
    relevant, lists = relevant_and_lists
    judgements = {str(user): {str(item): 1 for item in items} for user, items in relevant.items()}
    runs = {str(user): {str(item): -float(rank) for rank, item in enumerate(items)} for user, items in lists.items()}
    peer = pytrec_eval.RelevanceEvaluator(judgements, {f"{measure}.{','.join(map(str, KS))}"}).evaluate(runs)
    evaluation = evaluate(
        implicit, 0, implicit / "predictions.npy", [(metric(KS), label) for label in metric(KS).labels]
    )
    assert evaluation.users.tolist() == sorted(relevant)
    for row, k in enumerate(KS):
        expected = [peer[str(user)][f"{measure}_{k}"] for user in evaluation.users]
        assert evaluation.per_user[row].tolist() == pytest.approx(expected, abs=1e-9)
        assert evaluation.values[f"{metric.__name__}@{k}"] == pytest.approx(np.mean(expected), abs=1e-9)
        assert 0 < np.mean(expected) < 1


def reciprocal_rank(items: set[int], ranked: list[int]) -> float:
    return next((1 / rank for rank, item in enumerate(ranked, start=1) if item in items), 0.0)


def average_precision(items: set[int], ranked: list[int]) -> float:
    hits = [rank for rank, item in enumerate(ranked, start=1) if item in items]
    return sum(number / rank for number, rank in enumerate(hits, start=1)) / min(len(ranked), len(items))


def capped_recall(items: set[int], ranked: list[int]) -> float:
    return len(items.intersection(ranked)) / min(len(ranked), len(items))


@pytest.mark.parametrize(
    ("metric", "peer"), [(MRR, reciprocal_rank), (MAP, average_precision), (RecallCapped, capped_recall)]
)
def test_plain_python_says_the_same(
    metric: type[MRR],
    peer: Callable[[set[int], list[int]], float],
    implicit: Path,
    relevant_and_lists: tuple[dict[int, set[int]], dict[int, list[int]]],
) -> None:
    """MRR, MAP and the capped Recall of each user and their means, at every k."""
    relevant, lists = relevant_and_lists
    evaluation = evaluate(
        implicit, 0, implicit / "predictions.npy", [(metric(KS), label) for label in metric(KS).labels]
    )
    for row, k in enumerate(KS):
        expected = [peer(relevant[user], lists[user][:k]) for user in sorted(relevant)]
        assert evaluation.per_user[row].tolist() == pytest.approx(expected, abs=1e-9)
        assert evaluation.values[f"{metric.__name__}@{k}"] == pytest.approx(np.mean(expected), abs=1e-9)


@pytest.mark.parametrize(("metric", "peer"), [(RMSE(), root_mean_squared_error), (MAE(), mean_absolute_error)])
def test_scikit_learn_says_the_same(metric: Metric, peer: Callable[..., float], explicit: Path) -> None:
    """RMSE and MAE over all test ratings and of each user."""
    fold, rows = Fold(explicit, 0), np.load(explicit / "predictions.npy")
    assert fold.test.rating is not None
    truth, predicted = fold.test.rating.astype(float), rows["rating"].astype(float)
    evaluation = evaluate(explicit, 0, explicit / "predictions.npy", [(metric, metric.name)])
    assert evaluation.values[metric.name] == pytest.approx(peer(truth, predicted), abs=1e-9)
    assert 0.7 < evaluation.values[metric.name] < 1.1
    expected = [peer(truth[rows["user"] == user], predicted[rows["user"] == user]) for user in evaluation.users]
    assert evaluation.per_user[0].tolist() == pytest.approx(expected, abs=1e-9)

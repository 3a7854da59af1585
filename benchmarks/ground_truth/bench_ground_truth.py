"""Results that others have published or computed independently, reproduced on MovieLens-100K.

Rows of other packages stand in ``bench_packages.py``.

Not part of the main job: ``tox run -e ground-truth``, or ``pytest benchmarks/ground_truth``. RecBole's BPR takes minutes,
``-k "not RecBole.BPR"`` leaves it out; the rest takes a minute or two. A row fails when a number is outside of its tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from published import Row

from omnibench import (
    HR,
    MAE,
    MRR,
    NDCG,
    RMSE,
    CorePruning,
    Evaluator,
    ExperimentPlan,
    FoldedData,
    LensKit,
    MakeImplicit,
    Precision,
    RandomCrossValidation,
    Recall,
    RecBole,
    RecPack,
    SplitData,
    UserHoldout,
    benchmark,
    load_dataset,
    run_omnirec,
)
from omnibench.data.interactions import Interactions
from omnibench.data.parts import Parts, Split, parts_of
from omnibench.plugin.settings import checkpoint_dir
from omnibench.results import Result

Matrix = npt.NDArray[np.float64]


# Ratings: the baseline of user and item biases, published by Surprise, and computed here by its documentation's formula.

RATINGS = load_dataset("MovieLens100K").pipe(RandomCrossValidation(5))
SURPRISE = "Surprise's README, table of benchmarks on MovieLens-100K, 5-fold cross-validation, row Baseline"
BASELINE = {"RMSE": Row(0.944, 0.003, SURPRISE), "MAE": Row(0.748, 0.003, SURPRISE)}
"""The README has three digits; means over five random folds differ by about 0.001."""
FOLDS = {label: Row(row.value, 0.015, row.source) for label, row in BASELINE.items()}
"""One random fold of 20,000 ratings: three standard deviations."""
REG_USER, REG_ITEM = 15.0, 10.0


class Biases:
    """Mean, user and item biases by alternating least squares, as Surprise's BaselineOnly has them by default.

    Koren, "Factor in the neighbors", ACM TKDD 4(1), 2010, section 2.1; the regularisation is Surprise's.
    """

    def __init__(self, rounds: int = 10, *, clipped: bool = True) -> None:
        self.rounds = rounds
        self.clipped = clipped

    def fit(self, train: pd.DataFrame) -> None:
        """Alternate between the biases of items and of users."""
        self.users, user = np.unique(train["user"], return_inverse=True)
        self.items, item = np.unique(train["item"], return_inverse=True)
        rating = train["rating"].to_numpy(dtype=np.float64)
        self.mean = rating.mean()
        self.of_user, self.of_item = np.zeros(len(self.users)), np.zeros(len(self.items))
        for _ in range(self.rounds):
            left = rating - self.mean - self.of_user[user]
            self.of_item = np.bincount(item, left) / (REG_ITEM + np.bincount(item))
            left = rating - self.mean - self.of_item[item]
            self.of_user = np.bincount(user, left) / (REG_USER + np.bincount(user))

    def predict(self, users: list[int], items: list[int]) -> Matrix:
        """Add what is known of both."""
        biases = [pd.Series(self.of_user, self.users), pd.Series(self.of_item, self.items)]
        found = [one.reindex(asked).fillna(0).to_numpy() for one, asked in zip(biases, (users, items), strict=True)]
        rated: Matrix = self.mean + found[0] + found[1]
        return np.clip(rated, 1, 5) if self.clipped else rated


biases = ExperimentPlan("biases")
biases.add_algorithm(Biases)
biases.add_algorithm(LensKit.BiasScorer, {"damping": {"user": REG_USER, "item": REG_ITEM}})
ERRORS = Evaluator(RMSE(), MAE())


@benchmark(RATINGS, biases, ERRORS)
def bench_biases(result: Result) -> None:
    """Each fold is near what Surprise publishes, and exactly what the biases give that are computed right here."""
    for label, row in FOLDS.items():
        row.check(label, result[label])
    assert result.fold is not None
    ours = {"Biases": Biases(), "LensKit.BiasScorer": Biases(rounds=1, clipped=False)}[_name(result)]
    Row(_error(ours, result.fold), 1e-4, "the biases computed in this process").check("RMSE", result["RMSE"])


def _error(model: Biases, fold: int) -> float:
    data = RATINGS.data
    assert isinstance(data, FoldedData)
    part = data.folds[fold]
    model.fit(part.train)
    predicted = model.predict(part.test["user"].tolist(), part.test["item"].tolist())
    return float(np.sqrt(np.mean((predicted - part.test["rating"].to_numpy()) ** 2)))


def test_biases_over_all_folds(pytestconfig: pytest.Config) -> None:
    """The mean over the five folds is what Surprise publishes (LensKit does one round only, and comes less close)."""
    done = run_omnirec(RATINGS, biases, ERRORS, checkpoint_dir(pytestconfig)).to_frame()
    mine = done[done["algorithm"].str.startswith("Biases-")].groupby("metric")["value"]
    assert (mine.count() == 5).all()
    for label, row in BASELINE.items():
        row.check(label, mine.mean()[label])


# Ratings: what LensKit's own tests of accuracy ask for.

LENSKIT = "LensKit's tests/models, test_%s_batch_accuracy (20 %% of every user's ratings held out)"
PUBLISHED_ERRORS = {
    "LensKit.ItemKNNScorer": Row(0.70, 0.025, LENSKIT % "ii"),
    "LensKit.UserKNNScorer": Row(0.71, 0.05, LENSKIT % "uu"),
    "LensKit.BiasedMFScorer": Row(0.73, 0.045, LENSKIT % "als"),
    "LensKit.FunkSVDScorer": Row(0.74, 0.025, LENSKIT % "fsvd"),
}
"""MAE over all test pairs, with LensKit's own tolerances."""

raters = ExperimentPlan("raters")
raters.add_algorithm(LensKit.ItemKNNScorer, {"k": 30})
raters.add_algorithm(LensKit.UserKNNScorer, {"k": 30})
raters.add_algorithm(LensKit.FunkSVDScorer, {"features": 25, "epochs": 125, "damping": 10})
raters.add_algorithm(LensKit.BiasedMFScorer, {"features": 25, "epochs": 20, "damping": 5})


@benchmark(load_dataset("MovieLens100K").pipe(UserHoldout(0, 0.2)), raters, ERRORS)
def bench_lenskit(result: Result) -> None:
    """As accurate as LensKit's developers say, by their tolerance."""
    PUBLISHED_ERRORS[_name(result)].check("MAE", result["MAE"])


# Rankings: RecBole's documented BPR.

DOCUMENTED = "RecBole's documentation, quick start: BPR on ml-100k, 8:1:1 per user, full ranking"
BPR = {
    "Recall@10": Row(0.2523, 0.0150, DOCUMENTED),
    "MRR@10": Row(0.4855, 0.0300, DOCUMENTED),
    "NDCG@10": Row(0.2920, 0.0175, DOCUMENTED),
    "HR@10": Row(0.7953, 0.0300, DOCUMENTED),
    "Precision@10": Row(0.1962, 0.0120, DOCUMENTED),
}
"""Within 6 % (HR: 4 %): three published runs of the same have NDCG .2920, .2863 and .2768, by split and seed."""


@dataclass(frozen=True)
class RatioPerUser(Split):
    """RecBole's default split: of each user's n interactions int(0.1 n) for validation and for test, at random.

    ``UserHoldout`` rounds where RecBole cuts off, which on MovieLens-100K is half an item per user more to find: Recall
    is then 4 % lower, and Precision 3 % higher.
    """

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        """Return the parts of the only fold."""
        counts = np.bincount(interactions.user)
        held = (0.1 * counts).astype(np.int64)[interactions.user]
        order = np.lexsort((np.random.default_rng((seed, position)).random(len(interactions)), interactions.user))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - (np.cumsum(counts) - counts)[interactions.user]
        return [parts_of(rank < held, (rank >= held) & (rank < 2 * held))]


bpr = ExperimentPlan("bpr")
bpr.add_algorithm(RecBole.BPR, {"epochs": 500, "train_batch_size": 4096, "valid_metric": "MRR@10"})


@benchmark(
    load_dataset("MovieLens100K").pipe(MakeImplicit(1), RatioPerUser()),
    bpr,
    Evaluator(Recall(10), MRR(10), NDCG(10), HR(10), Precision(10)),
)
def bench_recbole(result: Result) -> None:
    """All five metrics of the documentation."""
    for label, row in BPR.items():
        row.check(label, result[label])


# Rankings: closed forms, computed here from the same split with a few lines of numpy.

LIKED = load_dataset("MovieLens100K").pipe(MakeImplicit(3), CorePruning(5), UserHoldout(0.1, 0.2))
L2 = 500.0
FACTORS = 20


def _ease(seen: Matrix) -> Matrix:
    """Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019, algorithm 1."""
    inverse = np.linalg.inv(seen.T @ seen + L2 * np.eye(seen.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores: Matrix = seen @ weights
    return scores


def _popularity(seen: Matrix) -> Matrix:
    return np.broadcast_to(seen.sum(axis=0), seen.shape)


def _cosine(seen: Matrix) -> Matrix:
    """Item-based neighbours by cosine, all of them: Sarwar et al., WWW 2001, section 3."""
    normed = seen / np.maximum(np.sqrt((seen**2).sum(axis=0)), 1e-12)
    similar = normed.T @ normed
    np.fill_diagonal(similar, 0)
    scores: Matrix = seen @ similar
    return scores


def _singular(seen: Matrix) -> Matrix:
    """Rank by the largest singular values as RecPack does, which multiplies both sides by them: by their squares.

    PureSVD (Cremonesi et al., RecSys 2010) multiplies once, and has Recall@20 .336 here instead of .320.
    """
    users, sizes, items = np.linalg.svd(seen, full_matrices=False)
    scores: Matrix = (users[:, :FACTORS] * sizes[:FACTORS] ** 2) @ items[:FACTORS]
    return scores


@cache
def _measure(scored: Callable[[Matrix], Matrix]) -> dict[str, float]:
    """Rank what a user has in neither training nor validation, and count hits: loops, for everybody to read."""
    data = LIKED.data
    assert isinstance(data, SplitData)
    users, items = (
        sorted(pd.concat([data.train, data.validation, data.test])[name].unique()) for name in ("user", "item")
    )
    place = {item: number for number, item in enumerate(items)}
    row = {user: number for number, user in enumerate(users)}

    def pairs(part: pd.DataFrame) -> tuple[list[int], list[int]]:
        return [row[user] for user in part["user"]], [place[item] for item in part["item"]]

    seen = np.zeros((len(users), len(items)))
    seen[pairs(data.train)] = 1
    scores = np.array(scored(seen), dtype=np.float64)
    scores[:, seen.sum(axis=0) == 0] = -np.inf
    scores[pairs(data.train)] = -np.inf
    scores[pairs(data.validation)] = -np.inf
    found: dict[str, list[float]] = {"NDCG@10": [], "HR@10": [], "Recall@20": []}
    for user, rows in data.test.groupby("user"):
        relevant = {place[item] for item in rows["item"]}
        ranked = np.argsort(-scores[row[user]], kind="stable")[:20]
        hits = [item in relevant for item in ranked]
        ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(10, len(relevant)) + 1))
        found["NDCG@10"].append(sum(hit / np.log2(rank + 1) for rank, hit in enumerate(hits[:10], 1)) / ideal)
        found["HR@10"].append(float(any(hits[:10])))
        found["Recall@20"].append(sum(hits) / len(relevant))
    return {label: float(np.mean(values)) for label, values in found.items()}


INDEPENDENT = {
    "LensKit.EASEScorer": (_ease, 0.001),
    "RecPack.EASE": (_ease, 0.001),
    "RecBole.EASE": (_ease, 0.001),
    "LensKit.PopScorer": (_popularity, 0.002),
    "RecPack.SVD": (_singular, 0.01),
    "RecPack.ItemKNN": (_cosine, 0.002),
    "RecBole.ItemKNN": (_cosine, 0.002),
}
"""What computes the same, and how far single precision, ties and a randomised decomposition may lead away."""

closed = ExperimentPlan("closed forms")
closed.add_algorithm(LensKit.EASEScorer, {"regularization": L2})
closed.add_algorithm(RecPack.EASE, {"l2": L2})
closed.add_algorithm(RecBole.EASE, {"reg_weight": L2})
closed.add_algorithm(LensKit.PopScorer)
closed.add_algorithm(RecPack.SVD, {"num_components": FACTORS})
closed.add_algorithm(RecPack.ItemKNN, {"K": 1682})
closed.add_algorithm(RecBole.ItemKNN, {"k": 1682})


@benchmark(LIKED, closed, Evaluator(NDCG(10), HR(10), Recall(20)))
def bench_closed_forms(result: Result) -> None:
    """Three frameworks and a few lines of numpy agree."""
    scored, tolerance = INDEPENDENT[_name(result)]
    for label, value in _measure(scored).items():
        Row(value, tolerance, f"{scored.__name__[1:]} in numpy").check(label, result[label])


def _name(result: Result) -> str:
    return result.algorithm.rpartition("-")[0]

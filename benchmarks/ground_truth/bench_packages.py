"""Results of other packages on MovieLens-100K, as published, or computed beside them, reproduced through omnibench.

A package that is not installed is skipped, with the command that installs it. See ``bench_ground_truth.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from published import Row

from omnibench import (
    MAE,
    NDCG,
    R2,
    RMSE,
    Evaluator,
    ExperimentPlan,
    MakeImplicit,
    Precision,
    RandomCrossValidation,
    Recall,
    benchmark,
    load_dataset,
    run_omnirec,
)
from omnibench.data.interactions import Interactions
from omnibench.data.parts import Parts, Split, parts_of
from omnibench.plugin.settings import checkpoint_dir
from omnibench.results import Result

Matrix = npt.NDArray[np.float64]
MOVIELENS = load_dataset("MovieLens100K")
CROSS_VALIDATED = MOVIELENS.pipe(RandomCrossValidation(5))


def _needs(module: str, distribution: str) -> Any:
    return pytest.mark.skipif(find_spec(module) is None, reason=f"pip install {distribution}")


# Ratings: rows of Surprise's README, by the paper's formula and by the package itself.

SURPRISE = "Surprise's README, table of benchmarks on MovieLens-100K, 5-fold cross-validation, row %s"
DIGITS = 0.003
"""The README has three digits, and means over five random folds differ by about 0.001."""
ONE_FOLD = 0.015
"""One random fold of 20,000 ratings: three standard deviations."""

README = {
    "SlopeOne": {"RMSE": Row(0.946, DIGITS, SURPRISE % "Slope One"), "MAE": Row(0.743, DIGITS, SURPRISE % "Slope One")},
    "SurpriseModel": {
        "RMSE": Row(0.931, DIGITS, SURPRISE % "k-NN Baseline"),
        "MAE": Row(0.733, DIGITS, SURPRISE % "k-NN Baseline"),
    },
}


class SlopeOne:
    """A user's mean plus the mean of an item's deviations from what the user has rated: Lemire & Maclachlan, SDM 2005."""

    def fit(self, train: pd.DataFrame) -> None:
        """Compute the mean difference of each two items over the users who have rated both."""
        ratings = train.pivot_table(index="user", columns="item", values="rating", aggfunc="last")
        self.users, self.items = pd.Index(ratings.index), pd.Index(ratings.columns)
        self.rated = ratings.notna().to_numpy(dtype=np.float64)
        values = ratings.fillna(0).to_numpy(dtype=np.float64)
        self.means = values.sum(axis=1) / self.rated.sum(axis=1)
        self.mean = float(train["rating"].mean())
        both = self.rated.T @ self.rated
        self.is_comparable = (both > 0).astype(np.float64)
        self.deviations = (values.T @ self.rated - self.rated.T @ values) / np.maximum(both, 1)

    def predict(self, users: list[int], items: list[int]) -> Matrix:
        """Predict ratings; the mean of all for whom or what is unknown."""
        row, column = self.users.get_indexer(users), self.items.get_indexer(items)
        sums = np.einsum("ij,ij->i", self.deviations[column], self.rated[row])
        counts = np.einsum("ij,ij->i", self.is_comparable[column], self.rated[row])
        predicted = self.means[row] + sums / np.maximum(counts, 1)
        return np.clip(np.where((row < 0) | (column < 0), self.mean, predicted), 1, 5)


class SurpriseModel:
    """An algorithm of Surprise."""

    def __init__(self, algorithm: str, factors: int = 0, epochs: int = 0, seed: int = 0) -> None:
        self.algorithm, self.seed = algorithm, seed
        self.parameters = {"n_factors": factors, "n_epochs": epochs, "random_state": seed} if factors else {}

    def fit(self, train: pd.DataFrame) -> None:
        """Train with Surprise's defaults for the rest."""
        import surprise

        data = surprise.Dataset.load_from_df(train[["user", "item", "rating"]], surprise.Reader(rating_scale=(1, 5)))
        self.model = getattr(surprise, self.algorithm)(**self.parameters)
        self.model.fit(data.build_full_trainset())

    def predict(self, users: list[int], items: list[int]) -> list[float]:
        """Return Surprise's estimates."""
        return [self.model.predict(user, item).est for user, item in zip(users, items, strict=True)]


slope_one = ExperimentPlan("slope one")
slope_one.add_algorithm(SlopeOne)
neighbours = ExperimentPlan("neighbours")
neighbours.add_algorithm(SurpriseModel, {"algorithm": "KNNBaseline"})
ERRORS = Evaluator(RMSE(), MAE())


@benchmark(CROSS_VALIDATED, slope_one, ERRORS)
def bench_slope_one(result: Result) -> None:
    """Each fold is near what Surprise publishes."""
    for label, row in README["SlopeOne"].items():
        Row(row.value, ONE_FOLD, row.source).check(label, result[label])


@_needs("surprise", "scikit-surprise")
@benchmark(CROSS_VALIDATED, neighbours, ERRORS)
def bench_neighbours(result: Result) -> None:
    """Each fold is near what Surprise publishes."""
    for label, row in README["SurpriseModel"].items():
        Row(row.value, ONE_FOLD, row.source).check(label, result[label])


@pytest.mark.parametrize(
    ("plan", "name"),
    [(slope_one, "SlopeOne"), pytest.param(neighbours, "SurpriseModel", marks=_needs("surprise", "scikit-surprise"))],
    ids=["SlopeOne", "KNNBaseline"],
)
def test_means_over_all_folds(plan: ExperimentPlan, name: str, pytestconfig: pytest.Config) -> None:
    """The mean over the five folds is what Surprise publishes."""
    done = run_omnirec(CROSS_VALIDATED, plan, ERRORS, checkpoint_dir(pytestconfig)).to_frame()
    mine = done[done["algorithm"].str.startswith(f"{name}-")].groupby("metric")["value"]
    assert (mine.count() == 5).all()
    for label, row in README[name].items():
        row.check(label, mine.mean()[label])


# Rows of Recommenders' benchmark: Surprise's SVD, and Cornac's BPR.

RECOMMENDERS = "Recommenders' README, table of algorithms on MovieLens-100K, row %s"
SVD = {
    "RMSE": Row(0.938681, 0.008, RECOMMENDERS % "SVD"),
    "MAE": Row(0.742690, 0.008, RECOMMENDERS % "SVD"),
    "R2": Row(0.291967, 0.012, RECOMMENDERS % "SVD"),
}
"""One random quarter of the ratings against another: three standard deviations."""
BPR = {
    "NDCG@10": Row(0.441997, 0.02, RECOMMENDERS % "BPR"),
    "Precision@10": Row(0.388229, 0.02, RECOMMENDERS % "BPR"),
    "Recall@10": Row(0.212522, 0.01, RECOMMENDERS % "BPR"),
}
"""Within 5 %: two random splits differ by 2 %."""


@dataclass(frozen=True)
class QuarterPerItem(Split):
    """Recommenders' split: of each item's n ratings, all but round(0.75 n) are the test part, at random.

    Their function is called a stratified split; the benchmark stratifies by item, not by user.
    """

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        """Return the parts of the only fold."""
        keys = np.random.default_rng((seed, position)).random(len(interactions))
        rows = pd.DataFrame({"item": interactions.item, "key": keys}).groupby("item")["key"]
        is_test = rows.rank() > (0.75 * rows.transform("size")).round()
        return [parts_of(is_test.to_numpy())]


svd = ExperimentPlan("svd")
svd.add_algorithm(SurpriseModel, {"algorithm": "SVD", "factors": 150, "epochs": 15})


@_needs("surprise", "scikit-surprise")
@benchmark(MOVIELENS.pipe(QuarterPerItem()), svd, Evaluator(RMSE(), MAE(), R2()))
def bench_svd(result: Result) -> None:
    """All three errors that both compute."""
    for label, row in SVD.items():
        row.check(label, result[label])


class CornacBPR:
    """BPR of Cornac with the settings of Recommenders' benchmark: ``movielens.ipynb``, 200 epochs."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, train: pd.DataFrame) -> None:
        """Train in one thread, so that the same seed gives the same model."""
        import cornac

        pairs = zip(train["user"], train["item"], np.ones(len(train)), strict=True)
        self.data = cornac.data.Dataset.from_uir(list(pairs), seed=self.seed)
        self.model = cornac.models.BPR(
            k=200, max_iter=200, learning_rate=0.01, lambda_reg=1e-3, seed=self.seed, num_threads=1
        )
        self.model.fit(self.data)

    def recommend(self, users: list[int], k: int) -> dict[int, list[tuple[int, float]]]:
        """Return Cornac's scores of all items."""
        items = list(self.data.iid_map)
        return {
            user: list(zip(items, self.model.score(self.data.uid_map[user]).tolist(), strict=True)) for user in users
        }


bpr = ExperimentPlan("cornac")
bpr.add_algorithm(CornacBPR)


@_needs("cornac", "cornac")
@benchmark(MOVIELENS.pipe(MakeImplicit(1), QuarterPerItem()), bpr, Evaluator(NDCG(10), Precision(10), Recall(10)))
def bench_cornac(result: Result) -> None:
    """Three of the row's four metrics; its MAP divides by all relevant items."""
    for label, row in BPR.items():
        row.check(label, result[label])

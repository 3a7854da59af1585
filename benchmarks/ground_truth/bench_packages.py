"""Results of other packages on MovieLens-100K, as published, or computed beside them, reproduced through omnibench.

A package that is not installed is skipped, with the command that installs it. See ``bench_ground_truth.py``.
"""

from __future__ import annotations

from importlib.util import find_spec

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
    RecSysDataSet,
    TimeBasedHoldout,
    benchmark,
    load_dataset,
    run_omnirec,
)
from omnibench.data.interactions import Interactions, from_columns
from omnibench.data.movielens import MovieLens100K
from omnibench.plugin.settings import checkpoint_dir
from omnibench.results import Result

Matrix = npt.NDArray[np.float64]
MOVIELENS = load_dataset("MovieLens100K")
CROSS_VALIDATED = MOVIELENS.pipe(RandomCrossValidation(5))


def _needs(module: str, distribution: str) -> pytest.MarkDecorator:
    """Return a mark that skips what needs a package that is not installed."""
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
        row, column = self.users.get_indexer(pd.Index(users)), self.items.get_indexer(pd.Index(items))
        sums = np.einsum("ij,ij->i", self.deviations[column], self.rated[row])
        counts = np.einsum("ij,ij->i", self.is_comparable[column], self.rated[row])
        predicted = self.means[row] + sums / np.maximum(counts, 1)
        return np.clip(np.where((row < 0) | (column < 0), self.mean, predicted), 1, 5)


class SurpriseModel:
    """An algorithm of Surprise, with its defaults for the rest of its parameters."""

    def __init__(self, algorithm: str, factors: int = 0, epochs: int = 0) -> None:
        self.algorithm = algorithm
        self.parameters = {"n_factors": factors, "n_epochs": epochs, "random_state": SEED} if factors else {}

    def fit(self, train: pd.DataFrame) -> None:
        """Train on the ratings, the earliest first: their order decides what stochastic gradients come to."""
        import surprise

        ratings = train.sort_values("timestamp", kind="stable")[["user", "item", "rating"]]
        data = surprise.Dataset.load_from_df(ratings, surprise.Reader(rating_scale=(1, 5)))
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


# Rows of Recommenders' benchmark: Surprise's SVD, and Cornac's BPR. With the same split, order and seed, all their digits.

RECOMMENDERS = "Recommenders' README, table of algorithms on MovieLens-100K, row %s"
SIX_DIGITS = 2e-6
SVD = {
    "RMSE": Row(0.938681, SIX_DIGITS, RECOMMENDERS % "SVD"),
    "MAE": Row(0.742690, SIX_DIGITS, RECOMMENDERS % "SVD"),
    "R2": Row(0.291967, SIX_DIGITS, RECOMMENDERS % "SVD"),
}
BPR = {
    "NDCG@10": Row(0.441997, SIX_DIGITS, RECOMMENDERS % "BPR"),
    "Precision@10": Row(0.388229, SIX_DIGITS, RECOMMENDERS % "BPR"),
    "Recall@10": Row(0.212522, SIX_DIGITS, RECOMMENDERS % "BPR"),
}
SEED = 42
"""Recommenders' seed, of the split and of the models."""
TRAIN_SHARE = 0.75


class PublishedSplit(MovieLens100K):
    """MovieLens-100K with a row's number in Recommenders' split for its timestamp: training first, then test.

    They shuffle each item's ratings with pandas and take the first 75 % for training (``python_stratified_split``).
    """

    @property
    def fingerprint(self) -> list[object]:
        """What the rows depend on."""
        return ["Recommenders' split", super().fingerprint, SEED, TRAIN_SHARE]

    def load(self) -> Interactions:
        """Return the ratings with their numbers."""
        ratings = self.read()
        shuffled = [rows.sample(frac=1, random_state=SEED) for _, rows in ratings.groupby("item")]
        sizes = [round(TRAIN_SHARE * len(rows)) for rows in shuffled]
        train = [rows[:size] for rows, size in zip(shuffled, sizes, strict=True)]
        test = [rows[size:] for rows, size in zip(shuffled, sizes, strict=True)]
        numbered = pd.concat(train + test).assign(timestamp=np.arange(len(ratings)))
        return from_columns({name: numbered[name] for name in self.columns}, "published split")


PUBLISHED = RecSysDataSet(PublishedSplit(), "published split")
LAST_ROWS = TimeBasedHoldout(0, 24_934)

svd = ExperimentPlan("svd")
svd.add_algorithm(SurpriseModel, {"algorithm": "SVD", "factors": 150, "epochs": 15})


@_needs("surprise", "scikit-surprise")
@benchmark(PUBLISHED.pipe(LAST_ROWS), svd, Evaluator(RMSE(), MAE(), R2()))
def bench_svd(result: Result) -> None:
    """All three errors that both compute."""
    for label, row in SVD.items():
        row.check(label, result[label])


class CornacBPR:
    """BPR of Cornac with the settings of Recommenders' benchmark."""

    def fit(self, train: pd.DataFrame) -> None:
        """Train in one thread, so that the same seed gives the same model."""
        import cornac

        ordered = train.sort_values("timestamp")
        pairs = zip(ordered["user"], ordered["item"], np.ones(len(ordered)), strict=True)
        self.data = cornac.data.Dataset.from_uir(list(pairs), seed=SEED)
        self.model = cornac.models.BPR(
            k=200, max_iter=200, learning_rate=0.01, lambda_reg=1e-3, seed=SEED, num_threads=1
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
@benchmark(PUBLISHED.pipe(MakeImplicit(1), LAST_ROWS), bpr, Evaluator(NDCG(10), Precision(10), Recall(10)))
def bench_cornac(result: Result) -> None:
    """Three of the row's four metrics; its MAP divides by all relevant items."""
    for label, row in BPR.items():
        row.check(label, result[label])

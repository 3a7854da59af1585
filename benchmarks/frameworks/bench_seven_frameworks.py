"""MovieLens-100K in 5-fold cross-validation by seven frameworks and a class: ``pytest benchmarks/frameworks -n 2``.

Who liked what is implicit feedback, as for the main job; the ratings stay beside it for Surprise, which learns from nothing else:
its lists are the items with the highest predicted ratings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from omnibench import (
    HR,
    NDCG,
    CorePruning,
    Cornac,
    Evaluator,
    ExperimentPlan,
    Implicit,
    LensKit,
    MakeImplicit,
    RecBole,
    RecPack,
    RecTools,
    Surprise,
    UserCrossValidation,
    benchmark,
    load_dataset,
)
from omnibench.results import Result


class DampedMean:
    """Recommends the items with the highest damped mean rating: sum of ratings / (number of ratings + damping)."""

    def __init__(self, damping: float = 25.0) -> None:
        self.damping = damping

    def fit(self, train: pd.DataFrame) -> None:
        """Rank all items."""
        ratings = train.groupby("item")["rating"].agg(["sum", "count"])
        means = ratings["sum"] / (ratings["count"] + self.damping)
        self.best_first = means.index.to_numpy()[np.argsort(-means.to_numpy(), kind="stable")].tolist()

    def recommend(self, users: Sequence[int], k: int) -> dict[int, list[int]]:
        """Recommend the same to everybody; what a user has already is taken out afterwards."""
        return dict.fromkeys(users, self.best_first)


movielens = load_dataset("MovieLens100K").pipe(
    MakeImplicit(3, keep="rating"), CorePruning(5), UserCrossValidation(5, validation_size=0.1)
)

plan = ExperimentPlan("seven frameworks and a class")
plan.add_algorithm(LensKit.ImplicitMFScorer, {"embedding_size": 50})
plan.add_algorithm(RecBole.BPR, {"epochs": 20})
plan.add_algorithm(RecPack.EASE, {"l2": 500.0})
plan.add_algorithm(Implicit.AlternatingLeastSquares, {"factors": 50})
plan.add_algorithm(Cornac.BPR, {"max_iter": 100})
plan.add_algorithm(RecTools.LightFMWrapperModel, {"epochs": 10})
plan.add_algorithm(Surprise.SVD)
plan.add_algorithm(DampedMean)


@benchmark(movielens, plan, Evaluator(NDCG(10), HR(10)))
def bench_seven_frameworks(result: Result) -> None:
    """Every algorithm recommends something that is liked."""
    assert result["HR@10"] > 0

"""The benchmark of the frozen stores beside it. A change of it, or of this algorithm, makes them worthless."""

import pandas as pd

from omnibench import HR, NDCG, ExperimentPlan, Evaluator, Grid, UserCrossValidation, benchmark, from_frame


class Frozen:
    """Recommends the most popular items of training, rotated."""

    def __init__(self, shift=0):
        self.shift = shift

    def fit(self, train):
        counts = train["item"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        self.items = [*counts.index[self.shift :], *counts.index[: self.shift]]

    def recommend(self, users, k):
        return {user: self.items[:k] for user in users}


frame = pd.DataFrame({"user": [n % 12 for n in range(240)], "item": [(n * n + n // 12) % 17 for n in range(240)]})
data = from_frame(frame.drop_duplicates(), "frozen").pipe(UserCrossValidation(2))
plan = ExperimentPlan("frozen")
plan.add_algorithm(Frozen, {"shift": Grid([0, 3])})


@benchmark(data, plan, Evaluator(NDCG([5, 10]), HR(3)))
def bench_frozen(result): ...

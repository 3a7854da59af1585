"""The public interface as a user writes it: mypy --strict checks this file, nothing runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import pandas as pd
from rich.table import Table

from omnibench import (
    HR,
    MAE,
    MAP,
    MRR,
    NDCG,
    RMSE,
    Apply,
    Coordinator,
    CorePruning,
    Deduplicate,
    Evaluator,
    ExperimentPlan,
    FoldedData,
    Grid,
    LeaveLastOut,
    LeaveNOut,
    LensKit,
    MakeImplicit,
    OmnibenchError,
    Pipe,
    Precision,
    RandomCrossValidation,
    RandomHoldout,
    RatingFilter,
    RawData,
    Recall,
    RecallCapped,
    RecBole,
    RecPack,
    RecSysDataSet,
    SplitData,
    StrongGeneralization,
    Subsample,
    TimeBasedHoldout,
    TimeFilter,
    UserCrossValidation,
    UserHoldout,
    UserTimeBasedHoldout,
    benchmark,
    from_file,
    from_frame,
    load_dataset,
    run_omnirec,
    set_random_state,
)
from omnibench.evaluation import Result

set_random_state(7)

movielens = load_dataset("MovieLens100K", path="ml-100k.zip").pipe(
    MakeImplicit(3), CorePruning(5), UserCrossValidation(5, validation_size=0.1)
)
assert_type(movielens, RecSysDataSet)
mine = from_frame(pd.DataFrame({"user": [1], "item": [2]}), name="Mine").pipe(Subsample(0.5), RandomHoldout(0.1, 0.2))
theirs = from_file(Path("ratings.csv"), columns={"userId": "user", "movieId": "item"})
pipe = Pipe(MakeImplicit(0.5), UserHoldout(validation_size=1, test_size=1))
assert_type(pipe.process(theirs), RecSysDataSet)
theirs.pipe(RandomCrossValidation(3))


def without_bots(frame: pd.DataFrame, most: int = 1000) -> pd.DataFrame:
    """Drop users with more interactions than people have."""
    return frame[frame.groupby("user")["item"].transform("size") <= most]


cleaned = theirs.pipe(
    Deduplicate("highest"), RatingFilter(lower=1), TimeFilter("2020-01-01", pd.Timestamp("2021-01-01"))
)
assert_type(
    cleaned.pipe(without_bots, Apply(without_bots, most=500), Apply(lambda frame: frame, version=2)), RecSysDataSet
)
cleaned.pipe(CorePruning(user_core=5, item_core=10, one_pass=True), Subsample(1000, "users"), LeaveLastOut())
cleaned.pipe(TimeBasedHoldout(0.1, "2020-10-01"))
cleaned.pipe(UserTimeBasedHoldout(0.1, 0.2))
cleaned.pipe(LeaveNOut(5, which="random"))
given = cleaned.pipe(MakeImplicit(3), StrongGeneralization(validation_users=100, test_users=0.1, which="last")).data
if isinstance(given, SplitData):
    assert_type(given.given, pd.DataFrame | None)

data = movielens.data
if isinstance(data, FoldedData):
    assert_type(data.folds, Mapping[int, SplitData])
    assert_type(data.folds[0].train, pd.DataFrame)
elif isinstance(data, SplitData):
    assert_type(data.test, pd.DataFrame)
else:
    assert_type(data, RawData)
    assert_type(data.df, pd.DataFrame)
assert_type(movielens.key, str)
assert_type(movielens.folds, int | None)


class Newest:
    """An algorithm of the user's own."""

    def __init__(self, days: int = 7) -> None:
        self.days = days

    def fit(self, train: pd.DataFrame) -> None:
        """Remember the newest items."""

    def recommend(self, users: list[Any], k: int) -> list[list[Any]]:
        """Recommend them to everybody."""
        return [[] for _ in users]


plan = ExperimentPlan("baselines")
plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([20, 40])})
plan.add_algorithm(RecPack.EASE)
plan.add_algorithm("RecBole.BPR", {"epochs": 20}, force=True)
plan.update_algorithm(RecBole.BPR, {"learning_rate": 0.01})
plan.add_algorithm(Newest, {"days": Grid(range(1, 3))})
assert_type(plan.get_algorithm_config(Newest), dict[str, Any])

evaluator = Evaluator(NDCG([10, 20]), HR(10), Recall(), RecallCapped(5), Precision(1), MRR(10), MAP(range(1, 3)))
ratings = Evaluator(RMSE(), MAE())


@benchmark(movielens, plan, evaluator)
def bench_all(result: Result) -> None:
    """A body that judges the result."""
    assert_type(result["NDCG@10"], float)


@benchmark([movielens, mine], plan, evaluator)
def bench_two(result: Result) -> None: ...


try:
    done = run_omnirec(datasets=movielens, plan=plan, evaluator=evaluator)
    assert_type(done, Evaluator)
    with Coordinator(checkpoint_dir=Path("checkpoints"), tmp_dir=None) as coordinator:
        assert_type(coordinator.run([movielens, mine], plan, evaluator), Evaluator)
except OmnibenchError as error:
    print(error)
assert_type(evaluator.to_frame(), pd.DataFrame)
assert_type(evaluator.get_tables(), list[Table])

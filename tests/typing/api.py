"""The public interface as a user writes it: mypy --strict checks this file, nothing runs it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.table import Table

from omnibench import (
    AUC,
    F1,
    HR,
    MAE,
    MAP,
    MRR,
    NDCG,
    R2,
    RMSE,
    Activity,
    Apply,
    AveragePopularity,
    Baseline,
    Choice,
    ColdItems,
    Comparison,
    Coordinator,
    CorePruning,
    Deduplicate,
    Evaluator,
    ExperimentPlan,
    FitTime,
    Float,
    FoldedData,
    Gate,
    Gini,
    GivenCandidates,
    Grid,
    HitMetric,
    Int,
    IntraListDiversity,
    ItemCoverage,
    ItemGroups,
    KeepRepeats,
    LeaveLastOut,
    LeaveNOut,
    LensKit,
    Log,
    MakeImplicit,
    Novelty,
    OmnibenchError,
    PeakMemory,
    Pipe,
    Popularity,
    PopularityStratifiedRecall,
    Precision,
    PredictTime,
    ProgressReport,
    RandomCrossValidation,
    RandomHoldout,
    Ranking,
    RankingAlgorithm,
    RatingAlgorithm,
    RatingFilter,
    RawData,
    Recall,
    RecallCapped,
    RecBole,
    RecPack,
    RecSysDataSet,
    RollingWindows,
    RPrecision,
    SampledNegatives,
    ScoreComparison,
    Scores,
    Serendipity,
    Sessions,
    SessionSplit,
    ShannonEntropy,
    Snapshots,
    SplitData,
    Standing,
    StrongGeneralization,
    Subsample,
    TimeBasedHoldout,
    TimeFilter,
    Tuning,
    UserCoverage,
    UserCrossValidation,
    UserGroups,
    UserHoldout,
    UserTimeBasedHoldout,
    Verdict,
    When,
    against_best,
    benchmark,
    compare,
    compare_configurations,
    compare_scores,
    compare_with_baseline,
    compare_with_best,
    export_results,
    friedman,
    from_file,
    from_folds,
    from_frame,
    from_split,
    holm,
    load_dataset,
    open_store,
    rank_configurations,
    run_omnirec,
    score,
    set_random_state,
    write_baseline,
)
from omnibench.results import Result

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
cleaned.pipe(RollingWindows(4, "7d", timedelta(days=1), train_window=0.3, gap=60))
cleaned.pipe(LeaveNOut(5, which="random"))
given = cleaned.pipe(MakeImplicit(3), StrongGeneralization(validation_users=100, test_users=0.1, which="last")).data
cleaned.pipe(MakeImplicit(3), KeepRepeats(), Sessions("30min"), SessionSplit(timedelta(days=1), "1d", n=2))
if isinstance(given, SplitData):
    assert_type(given.given, pd.DataFrame | None)

frame = pd.DataFrame({"user": [1], "item": [2]})
assert_type(from_split(frame, Path("test.csv"), name="ours", allow_overlap=True, separator=";"), RecSysDataSet)
assert_type(from_folds([(frame, "test.csv"), {"train": frame, "test": frame}], name="ours"), RecSysDataSet)

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


class Learner:
    """An algorithm that takes all that fit may take, and says how far it is."""

    def fit(
        self,
        train: pd.DataFrame,
        validation: pd.DataFrame,
        items: pd.DataFrame,
        users: pd.DataFrame,
        report: ProgressReport,
    ) -> None:
        """Learn."""
        report(epoch=1, epochs=2, loss=0.5)
        for iteration in range(report.iteration + 1, 3):
            report(iteration=iteration, iterations=2)

    def recommend(self, users: list[Any], k: int, history: pd.DataFrame) -> dict[Any, list[tuple[Any, float]]]:
        """Recommend by score."""
        return {user: [(1, 0.5)] for user in users}


class Rater:
    """An algorithm that predicts ratings."""

    def fit(self, train: pd.DataFrame) -> Rater:
        """Return itself, as other packages' classes do."""
        return self

    def predict(self, users: npt.NDArray[Any], items: npt.NDArray[Any]) -> list[float]:
        """Predict the same for every pair."""
        return [3.0] * len(users)


rankers: list[type[RankingAlgorithm]] = [Newest, Learner]
rater: RatingAlgorithm = Rater()

plan = ExperimentPlan("baselines")
plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([20, 40])})
plan.add_algorithm(RecPack.EASE)
plan.add_algorithm("RecBole.BPR", {"epochs": 20}, force=True)
plan.update_algorithm(RecBole.BPR, {"learning_rate": 0.01})
plan.add_algorithm(Newest, {"days": Grid(range(1, 3))})
assert_type(plan.get_algorithm_config(Newest), dict[str, Any])

by_group = Evaluator(
    NDCG(10, by="gender"), HR(10, by=[Popularity(3), Activity(4)]), Recall(by=ColdItems()), RMSE(by="age")
)
bands = NDCG(10, by=[UserGroups("age", bands=[18, 35.5]), ItemGroups("genres", limit=40, name="genre")])
evaluator = Evaluator(NDCG([10, 20]), HR(10), Recall(), RecallCapped(5), Precision(1), MRR(10), MAP(range(1, 3)))
ratings = Evaluator(RMSE(), MAE(), R2(), convention="omnibench")


def first_hit(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64], weight: float) -> npt.NDArray[np.float64]:
    """A metric of the user's own, as a function."""
    return weight * hits[:, 0].astype(np.float64) / np.minimum(relevant, 1)


class Found:
    """A metric of the user's own, as a class."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> float:
        """Count what was found."""
        return float(len(predictions.merge(test, on=["user", "item"])))


genres = {1: {"drama"}, 2: {"drama", "crime"}}
everything = Evaluator(
    F1(5),
    RPrecision([5, 10]),
    AUC(20),
    ItemCoverage(10),
    UserCoverage(1),
    Gini(10),
    ShannonEntropy(10),
    Novelty(10),
    AveragePopularity(10),
    Serendipity(10),
    PopularityStratifiedRecall(10, beta=0.7),
    IntraListDiversity(genres, [5, 10], name="Genres"),
    HitMetric(first_hit, 1, weight=2.0),
    Found(),
    FitTime(),
    PredictTime(),
    PeakMemory(),
    candidates=SampledNegatives(100, seed=1),
)
some_candidates = Evaluator(NDCG(10), candidates=GivenCandidates({1: [2, 3]}))
assert_type(everything.costs, list[str])


@benchmark(movielens, plan, evaluator)
def bench_all(result: Result) -> None:
    """A body that judges the result."""
    assert_type(result["NDCG@10"], float)


@benchmark([movielens, mine], plan, evaluator, snapshots=Snapshots(every_iterations=10, keep_past=2))
def bench_two(result: Result) -> None: ...


try:
    done = run_omnirec(datasets=movielens, plan=plan, evaluator=evaluator)
    assert_type(done, Evaluator)
    run_omnirec(
        movielens, plan, evaluator, workers="auto", environments={"LensKit": "current"}, quiet=True, snapshots="10m"
    )
    with Coordinator(checkpoint_dir=Path("checkpoints"), tmp_dir=None) as coordinator:
        assert_type(coordinator.run([movielens, mine], plan, evaluator), Evaluator)
except OmnibenchError as error:
    print(error)
assert_type(evaluator.to_frame(), pd.DataFrame)
assert_type(evaluator.get_tables(), list[Table])

assert_type(compare([0.1, 0.2], [0.2, 0.4], "wilcoxon", alternative="less", null=-0.01), Comparison)
scores = score("lists.run", pd.DataFrame(), NDCG([5, 10]), "Recall@10", train=Path("train.csv"), convention="trec")
assert_type(scores, Scores)
assert_type(scores["NDCG@10"], float)
assert_type(scores.per_user, pd.DataFrame)
assert_type(scores.compare(scores, ["NDCG@10"], alpha=0.1), ScoreComparison)
assert_type(compare_scores(scores, scores).to_frame(), pd.DataFrame)
assert_type(NDCG([5, 10]).calculate(pd.DataFrame(), pd.DataFrame()), dict[int, float])
assert_type(RMSE().calculate(pd.DataFrame(), pd.DataFrame()), float)
assert_type(
    against_best({"A": [0.1, 0.2], "B": [0.2, 0.3]}, higher_is_better=False, alpha=0.1).not_worse, tuple[str, ...]
)
assert_type(friedman([[0.1, 0.2], [0.2, 0.3]]), Ranking)
assert_type(holm([0.01, 0.2]).tolist(), Any)
assert_type(compare_configurations("checkpoints", "RecPack.EASE", "RecBole.BPR", "NDCG@10").p, float | None)
assert_type(compare_with_best(open_store(), "MovieLens100K", "NDCG@10"), Standing)
assert_type(rank_configurations(Path("checkpoints"), "RMSE").ranking, Ranking)
assert_type(write_baseline("checkpoints", Path("baseline.parquet")), Baseline)
gate = compare_with_baseline(open_store(), "baseline.parquet", tolerance=0.01, alpha=0.1, metrics=["NDCG@10"])
assert_type(gate, Gate)
assert_type(gate.those("worse"), list[Verdict])
assert_type(
    export_results("checkpoints", Path("results.html"), "results.md", metrics=["NDCG@10"], top=None, better="lower"),
    list[str],
)

assert_type(Snapshots(checkpoint_time_frequency=600, checkpointing_dir=Path("kept"), force_task_save=True).count, int)
assert_type(ExperimentPlan("kept", snapshots=Snapshots(600)).snapshots, Snapshots | None)
assert_type(Choice([32, 64]).values, tuple[Any, ...])
assert_type(Int(1, 90, step=2).high, int)
assert_type(Float(0, 1, step=0.1).step, float | None)
assert_type(Log(1e-4, 1e-2).low, float)
assert_type(When("solver", ["als", "cd"], {"reg": Log(1, 1e4)}).parameter, str)
assert_type(Tuning("NDCG@10", trials=30, sampler="sobol", pruner="halving", refit="train+validation").label, str)
assert_type(Tuning(RMSE(), seconds=600.0, per_fold=False, keep_trials=True).budget, dict[str, Any])

"""OmniRec's names as a type checker sees them; mypy reads this file, nobody runs it."""

from __future__ import annotations

from typing import Any, assert_type

import pandas as pd

from omnibench.compat.omnirec import (
    HR,
    NDCG,
    Coordinator,
    DataSet,
    Evaluator,
    ExperimentPlan,
    FoldedData,
    Grid,
    LensKit,
    MakeImplicit,
    Metric,
    MetricResult,
    Pipe,
    RandomChoice,
    RandomRange,
    RawData,
    RecSysDataSet,
    SplitData,
    TimeBasedHoldout,
    UserCrossValidation,
    UserHoldout,
    run_omnirec,
)

raw = RecSysDataSet.use_dataloader(DataSet.MovieLens100K, force_download=True)
assert_type(raw, RecSysDataSet[RawData])
assert_type(raw.num_interactions(), int)
assert_type(MakeImplicit(0.5).process(raw), RecSysDataSet[RawData])
split = UserHoldout(validation_size=0.1, test_size=0.2).process(raw)
assert_type(split, RecSysDataSet[SplitData])
assert_type(split.num_interactions(), dict[str, int])
folded = UserCrossValidation(5, 0.1).process(raw)
assert_type(folded, RecSysDataSet[FoldedData])
assert_type(folded.num_interactions(), dict[int, dict[str, int]])
TimeBasedHoldout(validation=pd.Timestamp("1998-01-03"), test=pd.Timestamp("1998-03-12")).process(raw)
piped: RecSysDataSet[SplitData] = Pipe[SplitData](MakeImplicit(3), UserHoldout(0.1, 0.2)).process(raw)
assert_type(RecSysDataSet.load("a.rsds"), RecSysDataSet[Any])


class Own(Metric):
    """A metric of one's own."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> MetricResult:
        """Return a number."""
        return MetricResult(name="Own", result=float(len(predictions)))


plan = ExperimentPlan(plan_name="typed")
plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([20, 40]), "min_nbrs": RandomChoice([1, 2, 3], n=2)})
plan.add_algorithm("RecBole.LightGCN", algorithm_config={"learning_rate": RandomRange(0.001, 0.1, n=2)}, force=True)
evaluator = Evaluator(NDCG([5, 10]), HR(10), Own())
run_omnirec(datasets=[split, piped], plan=plan, evaluator=evaluator, checkpoint_dir="there", tmp_dir=None)
run_omnirec(folded, plan, evaluator)
assert_type(Coordinator("there").run(split, config=plan, evaluator=evaluator), Evaluator)
assert_type(evaluator.get_results(), dict[str, pd.DataFrame])
assert_type(evaluator.max_ranking_k, int | None)

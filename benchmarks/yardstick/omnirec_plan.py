"""The plan that OmniRec 1.1.0 needed 722 s for on a quiet 2-core machine, and 37 s when everything was cached.

Run it with an empty checkpoint directory, then again::

    time pytest benchmarks/yardstick/omnirec_plan.py -n 2 --omnirec-checkpoint-dir=/tmp/yardstick
"""

from omnibench import (
    HR,
    NDCG,
    CorePruning,
    Evaluator,
    ExperimentPlan,
    Grid,
    LensKit,
    MakeImplicit,
    Recall,
    RecPack,
    UserCrossValidation,
    benchmark,
    load_dataset,
)
from omnibench.results import Result

movielens = load_dataset("MovieLens100K").pipe(MakeImplicit(3), CorePruning(5), UserCrossValidation(5))

plan = ExperimentPlan("omnirec-yardstick")
plan.add_algorithm(LensKit.PopScorer)
plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([20, 40])})
plan.add_algorithm(LensKit.ImplicitMFScorer)
plan.add_algorithm(RecPack.ItemKNN)
plan.add_algorithm(RecPack.SVD)


@benchmark(movielens, plan, Evaluator(NDCG([5, 10, 20]), HR([5, 10, 20]), Recall([5, 10, 20])))
def bench_omnirec_plan(result: Result) -> None: ...

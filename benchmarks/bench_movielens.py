"""MovieLens-100K: baselines of LensKit, RecPack and RecBole in 5-fold cross-validation."""

from omnibench import (
    HR,
    NDCG,
    CorePruning,
    Evaluator,
    ExperimentPlan,
    Grid,
    LensKit,
    MakeImplicit,
    RecBole,
    RecPack,
    UserCrossValidation,
    benchmark,
    load_dataset,
)
from omnibench.results import Result

movielens = load_dataset("MovieLens100K").pipe(
    MakeImplicit(3), CorePruning(5), UserCrossValidation(5, validation_size=0.1)
)

plan = ExperimentPlan("baselines")
plan.add_algorithm(LensKit.PopScorer)
plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([20, 40])})  # a bare list would be one value
plan.add_algorithm(LensKit.ImplicitMFScorer, {"embedding_size": 50})
plan.add_algorithm(RecPack.ItemKNN, {"K": 100})
plan.add_algorithm(RecPack.EASE, {"l2": 500.0})
plan.add_algorithm(RecBole.ItemKNN, {"k": 100})
plan.add_algorithm(RecBole.BPR, {"epochs": 20})


@benchmark(movielens, plan, Evaluator(NDCG([10, 20]), HR(10)))
def bench_baselines(result: Result) -> None:
    """Every algorithm finds its way to at least the accuracy of popularity."""
    assert result["NDCG@10"] > 0.10

"""Benchmarks of recommender systems under pytest: resumable, cached, each framework in its own environment."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Every pytest session of an environment imports this package for its plugin, so nothing else is imported
# until it is used.
_HOMES = {
    "experiment.algorithms": (
        "Cornac",
        "Implicit",
        "LensKit",
        "RecBole",
        "RecPack",
        "RecTools",
        "Surprise",
        "framework",
    ),
    "experiment.contract": ("RankingAlgorithm", "RatingAlgorithm", "ProgressReport"),
    "experiment.candidates": ("AllItems", "GivenCandidates", "SampledNegatives"),
    "engine.coordinator": ("Coordinator",),
    "data.apply": ("Apply",),
    "data.at_most": ("AtMost",),
    "data.dataset": ("FoldedData", "Pipe", "RawData", "RecSysDataSet", "SplitData"),
    "data.from_file": ("from_file",),
    "data.from_frame": ("from_frame",),
    "data.from_parts": ("from_folds", "from_split"),
    "data.preprocess": ("CorePruning", "MakeImplicit", "RatingFilter", "Subsample", "TimeFilter"),
    "data.loaders": ("load_dataset", "register_dataset"),
    "data.repeats": ("Deduplicate", "KeepRepeats"),
    "data.rolling": ("RollingWindows",),
    "data.session_split": ("SessionSplit",),
    "data.sessions": ("Sessions",),
    "data.split": ("RandomCrossValidation", "RandomHoldout", "UserCrossValidation", "UserHoldout"),
    "data.strong": ("StrongGeneralization",),
    "data.temporal": ("LeaveLastOut", "LeaveNOut", "TimeBasedHoldout", "UserTimeBasedHoldout"),
    "errors": ("OmnibenchError",),
    "experiment.evaluator": ("Evaluator",),
    "gate.baseline": ("Baseline",),
    "gate.stores": ("compare_with_baseline", "write_baseline"),
    "gate.verdicts": ("Gate", "Verdict"),
    "metrics": (
        "AUC",
        "F1",
        "HR",
        "MAE",
        "MAP",
        "MRR",
        "NDCG",
        "R2",
        "RMSE",
        "AveragePopularity",
        "FitTime",
        "Gini",
        "HitMetric",
        "IntraListDiversity",
        "ItemCoverage",
        "Novelty",
        "PeakMemory",
        "PopularityStratifiedRecall",
        "Precision",
        "PredictTime",
        "RPrecision",
        "Recall",
        "RecallCapped",
        "Serendipity",
        "ShannonEntropy",
        "UserCoverage",
    ),
    "metrics.feature_groups": ("ItemGroups", "UserGroups"),
    "metrics.groups": ("Activity", "ColdItems", "Popularity"),
    "engine.run": ("ItemsFailedError",),
    "experiment.grid": ("Grid",),
    "experiment.plan": ("ExperimentPlan",),
    "experiment.resources": ("Resources",),
    "plugin.declare": ("benchmark",),
    "engine.policy": ("Policy",),
    "store.queries": ("Store", "open_store"),
    "report.export": ("export_results",),
    "engine.script": ("run_omnirec",),
    "runners.info": ("RunnerInfo",),
    "runners.registry": ("register_runner",),
    "scoring.compared": ("ScoreComparison", "compare_scores"),
    "scoring.score": ("score",),
    "scoring.scores": ("Scores",),
    "seed": ("set_random_state",),
    "snapshots.control": ("Snapshots",),
    "statistics.best": ("Standing", "against_best"),
    "comparison.configurations": ("compare_configurations", "compare_with_best", "rank_configurations"),
    "statistics.holm": ("holm",),
    "statistics.components": ("VarianceComponents", "variance_components"),
    "statistics.paired": ("Comparison", "compare"),
    "statistics.ranks": ("Ranking", "friedman"),
    "statistics.seeds": ("compare_seeds",),
    "tuning.budget": ("Tuning",),
    "tuning.conditions": ("When",),
    "tuning.distributions": ("Choice", "Float", "Int", "Log"),
    "tuning.shipped": ("space_of",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - derived from the table above, so that they cannot disagree


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'omnibench' has no attribute {name!r}")
    return getattr(importlib.import_module(f"omnibench.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""Metrics over arrays: values per user first, their mean second.

They see arrays and labels only: no files, no records, no frameworks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnibench.metrics.base import Metric
    from omnibench.metrics.beyond import (
        AveragePopularity,
        Gini,
        ItemCoverage,
        Novelty,
        PopularityStratifiedRecall,
        Serendipity,
        ShannonEntropy,
        UserCoverage,
    )
    from omnibench.metrics.cost import FitTime, PeakMemory, PredictTime
    from omnibench.metrics.diversity import IntraListDiversity
    from omnibench.metrics.own import HitMetric
    from omnibench.metrics.ranking import AUC, F1, HR, MAP, MRR, NDCG, Precision, Recall, RecallCapped, RPrecision
    from omnibench.metrics.rating import MAE, R2, RMSE

__all__ = [
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
    "Metric",
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
]

_HOMES = {
    "base": ("Metric",),
    "beyond": (
        "AveragePopularity",
        "Gini",
        "ItemCoverage",
        "Novelty",
        "PopularityStratifiedRecall",
        "Serendipity",
        "ShannonEntropy",
        "UserCoverage",
    ),
    "cost": (
        "FitTime",
        "PeakMemory",
        "PredictTime",
    ),
    "diversity": ("IntraListDiversity",),
    "own": ("HitMetric",),
    "ranking": (
        "AUC",
        "F1",
        "HR",
        "MAP",
        "MRR",
        "NDCG",
        "Precision",
        "Recall",
        "RecallCapped",
        "RPrecision",
    ),
    "rating": (
        "MAE",
        "R2",
        "RMSE",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a metric when it is first asked for: whoever only reads the labels of recorded ones needs none."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    metric = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return metric

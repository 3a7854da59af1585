"""Metrics over arrays: values per user first, their mean second.

They see arrays and labels only: no files, no records, no frameworks.
"""

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

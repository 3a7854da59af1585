"""Metrics over arrays: per user first, their mean second."""

from omnibench.metrics.base import Metric
from omnibench.metrics.ranking import HR, MAP, MRR, NDCG, Precision, Recall, RecallCapped
from omnibench.metrics.rating import MAE, RMSE

__all__ = ["HR", "MAE", "MAP", "MRR", "NDCG", "RMSE", "Metric", "Precision", "Recall", "RecallCapped"]

"""Metrics of predicted ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from omnibench.compat.omnirec.metrics.base import Metric, MetricResult
from omnibench.metrics import rating as native

if TYPE_CHECKING:
    import pandas as pd


class PredictionMetric(Metric):
    """A metric of predicted ratings."""

    native_class: ClassVar[type[native.RatingMetric] | None] = None

    def native(self) -> native.RatingMetric | None:
        """Return omnibench's metric; None for a metric of one's own."""
        is_built_in = self.native_class is not None and type(self).calculate is PredictionMetric.calculate
        return self.native_class() if is_built_in and self.native_class else None

    def merge(self, predictions: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
        """Return the pairs that both frames have, with ``rating_pred`` and ``rating_test``."""
        return predictions.merge(test, on=["user", "item"], suffixes=("_pred", "_test"))

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> MetricResult:
        """Return the metric over the pairs that both frames have; NaN without any."""
        metric = self.native()
        if metric is None:
            raise NotImplementedError(f"{type(self).__name__} has no calculate(predictions, test) of its own.")
        pairs = self.merge(predictions, test)
        if len(pairs) == 0:
            return MetricResult(metric.name, float("nan"))
        user: Any = pairs["user"].astype("category").cat.codes.to_numpy().astype(np.int32)
        truth, predicted = (pairs[name].to_numpy(dtype=np.float64) for name in ("rating_test", "rating_pred"))
        errors = native.Errors(*np.unique(user, return_inverse=True), predicted - truth, truth)
        return MetricResult(metric.name, metric.over_pairs(errors))


class RMSE(PredictionMetric):
    """Root of the mean squared error over all test pairs."""

    native_class = native.RMSE


class MAE(PredictionMetric):
    """Mean absolute error over all test pairs."""

    native_class = native.MAE

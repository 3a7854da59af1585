"""Rating metrics: over all test pairs for the value, over each user's pairs for the values per user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnibench.metrics.base import Metric, Values


@dataclass(frozen=True)
class Errors:
    """What every rating metric is computed from.

    Attributes:
        users: int32 codes of the users with test ratings, ascending; shape (n,).
        row: For each test pair, its user's place in ``users``; shape (m,).
        error: Predicted minus true rating of each test pair, float64, shape (m,).
    """

    users: npt.NDArray[np.int32]
    row: npt.NDArray[np.int64]
    error: Values


def errors_of(
    user: npt.NDArray[np.int32], truth: npt.NDArray[np.float32], predicted: npt.NDArray[np.float32]
) -> Errors:
    """Compare predicted with true ratings of the same test pairs, all of shape (m,)."""
    users, row = np.unique(user, return_inverse=True)
    return Errors(users.astype(np.int32), row, predicted.astype(np.float64) - truth.astype(np.float64))


class RatingMetric(Metric):
    """A metric of predicted ratings."""

    kind = "rating"
    higher_is_better = False

    @property
    def labels(self) -> list[str]:
        return [self.name]

    def per_user(self, errors: Errors) -> Values:
        """Return the metric over each user's test pairs, shape (n,)."""
        raise NotImplementedError

    def value(self, errors: Errors) -> float:
        """Return the metric over all test pairs."""
        raise NotImplementedError


def _mean_per_user(errors: Errors, of: Values) -> Values:
    return np.bincount(errors.row, weights=of) / np.bincount(errors.row)


class RMSE(RatingMetric):
    """Root of the mean squared error over all test pairs (LensKit's "global" RMSE)."""

    def per_user(self, errors: Errors) -> Values:
        return np.sqrt(_mean_per_user(errors, errors.error**2))

    def value(self, errors: Errors) -> float:
        return float(np.sqrt(np.mean(errors.error**2)))


class MAE(RatingMetric):
    """Mean absolute error over all test pairs."""

    def per_user(self, errors: Errors) -> Values:
        return _mean_per_user(errors, np.abs(errors.error))

    def value(self, errors: Errors) -> float:
        return float(np.mean(np.abs(errors.error)))

"""Rating metrics: over all test pairs for the value, over each user's pairs for the values per user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.arguments import checked_arguments
from omnibench.metrics.base import Metric, Values
from omnibench.metrics.by import By, groupings_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


@dataclass(frozen=True)
class Errors:
    """The errors that every rating metric is computed from.

    Attributes:
        users: int32 codes of the users with test ratings, ascending; shape (n,).
        row: For each test pair, its user's place in ``users``; shape (m,).
        error: Predicted minus true rating of each test pair, float64, shape (m,).
        truth: True rating of each test pair, float64, shape (m,).
    """

    users: npt.NDArray[np.int32]
    row: npt.NDArray[np.int64]
    error: Values
    truth: Values

    def mean_per_user(self, values: Values) -> Values:
        """Average values of test pairs, shape (m,), over each user's pairs; shape (n,)."""
        return np.bincount(self.row, weights=values) / np.bincount(self.row)


class RatedPairs(NamedTuple):
    """The pairs of a test part with their ratings, all of shape (m,).

    Attributes:
        user: int32 user codes.
        item: int32 item codes.
        truth: The true ratings, float32.
        predicted: The predicted ratings, float32.
    """

    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    truth: npt.NDArray[np.float32]
    predicted: npt.NDArray[np.float32]

    def errors(self, is_counted: npt.NDArray[np.bool_] | None = None) -> Errors:
        """Return the errors of all pairs, or of those that count."""
        if is_counted is None:
            return errors_of(self.user, self.truth, self.predicted)
        return errors_of(self.user[is_counted], self.truth[is_counted], self.predicted[is_counted])


def errors_of(
    user: npt.NDArray[np.int32], truth: npt.NDArray[np.float32], predicted: npt.NDArray[np.float32]
) -> Errors:
    """Compare predicted with true ratings of the same test pairs, all of shape (m,)."""
    users, row = np.unique(user, return_inverse=True)
    exact = truth.astype(np.float64)
    return Errors(users.astype(np.int32), row, predicted.astype(np.float64) - exact, exact)


@checked_arguments
class RatingMetric(Metric):
    """A metric of predicted ratings.

    Args:
        by: Groups of users or items that each have a column, e.g. ``Activity(4)``.

    Raises:
        EvaluationError: There are no such groups.
    """

    kind = "rating"
    judges_items = True

    def __init__(self, *, by: By = None) -> None:
        self.groupings = groupings_of(by, type(self).__name__, judges_items=True)

    @property
    def labels(self) -> list[str]:
        return [f"{self.name}{ending}" for ending in self.endings]

    def calculate(self, predictions: Any, test: Any) -> float:
        """Return the metric of anybody's predicted ratings, as a metric of your own does.

        Args:
            predictions: A pandas frame: user, item and rating, with every pair of the test part.
            test: A pandas frame: user, item and rating.

        Raises:
            EvaluationError: A frame lacks a column, or a pair has no predicted rating.
            DataError: An id or a rating is none.
        """
        from omnibench.metrics.coded import coded, table_of  # which no run needs

        self.require_everybody()
        tables = table_of(predictions, "predictions"), table_of(test, "test")
        material = coded(*tables, lists=False, ratings=True)
        truth = material.test
        assert truth.rating is not None
        assert material.predicted is not None
        errors = errors_of(truth.users[truth.owner], truth.rating, material.predicted)
        return self.value(errors, self.per_user(errors))

    def per_user(self, errors: Errors) -> Values:
        """Return the metric over each user's test pairs, shape (n,); NaN where it is not defined."""
        raise NotImplementedError

    def value(self, errors: Errors, per_user: Values) -> float:
        """Return the metric over all test pairs, or the mean over users where that is the convention.

        Args:
            errors: The predictions beside the truth.
            per_user: The values that ``per_user`` returned.
        """
        return float(per_user.mean()) if self.is_mean else self.over_pairs(errors)

    @property
    def is_mean(self) -> bool:
        """Whether the value is the mean over the users, as in LensKit's convention."""
        return self.convention == "lenskit"

    def over_pairs(self, errors: Errors) -> float:
        """Return the metric over all test pairs."""
        raise NotImplementedError


class RMSE(RatingMetric):
    """Root of the mean squared error over all test pairs (LensKit's "global" RMSE)."""

    higher_is_better = False
    peers = frozenset({"omnirec", "recbole", "lenskit"})

    def per_user(self, errors: Errors) -> Values:
        return np.sqrt(errors.mean_per_user(errors.error**2))

    def over_pairs(self, errors: Errors) -> float:
        return float(np.sqrt(np.mean(errors.error**2)))


class MAE(RatingMetric):
    """Mean absolute error over all test pairs."""

    higher_is_better = False
    peers = frozenset({"omnirec", "recbole", "lenskit"})

    def per_user(self, errors: Errors) -> Values:
        return errors.mean_per_user(np.abs(errors.error))

    def over_pairs(self, errors: Errors) -> float:
        return float(np.mean(np.abs(errors.error)))


class R2(RatingMetric):
    """Coefficient of determination: 1 - squared errors / squared deviations from the mean true rating.

    As scikit-learn's ``r2_score``: where the true ratings do not vary, 1 if they are predicted exactly and else 0. One
    test pair alone has none.
    """

    def per_user(self, errors: Errors) -> Values:
        centre = errors.mean_per_user(errors.truth)[errors.row]
        spread = errors.mean_per_user((errors.truth - centre) ** 2)
        values = _explained(errors.mean_per_user(errors.error**2), spread)
        return np.where(np.bincount(errors.row) > 1, values, np.nan)

    def over_pairs(self, errors: Errors) -> float:
        if len(errors.truth) < 2:  # noqa: PLR2004 - a deviation needs two
            return float("nan")
        spread = np.mean((errors.truth - errors.truth.mean()) ** 2, keepdims=True)
        return float(_explained(np.mean(errors.error**2, keepdims=True), spread)[0])


def _explained(unexplained: Values, spread: Values) -> Values:
    varies = spread > 0
    return np.where(varies, 1 - unexplained / np.where(varies, spread, 1), np.where(unexplained == 0, 1.0, 0.0))

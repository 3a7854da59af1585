"""The relative change of a mean, with its confidence interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from omnibench.statistics.samples import Sample

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


def relative_change(
    current: Sample, baseline: Sample, alpha: float, test_to_train: float = 0.0
) -> tuple[float | None, tuple[float, float] | None]:
    """Return the relative change of a mean with its confidence interval.

    The interval is Fieller's of the ratio of two means ("Some problems in interval estimation", Journal of the Royal
    Statistical Society B 16, 1954): the ratios r for which a paired t test does not reject that the means of
    ``current`` and of r times ``baseline`` are equal. It takes into account that the baseline's mean is an estimate,
    too.

    Args:
        current: The values of now, shape (n,).
        baseline: The values of the same users or folds to compare with, shape (n,).
        alpha: One less the coverage.
        test_to_train: As in ``compare``.

    Returns:
        The mean of ``current`` less that of ``baseline``, divided by the absolute value of the latter, None where that
        is 0; and the interval, None where there is none, or none that is bounded.
    """
    from scipy.special import stdtrit

    n, mean, baseline_mean = len(current), float(current.mean()), float(baseline.mean())
    if baseline_mean == 0:
        return None, None
    change = (mean - baseline_mean) / abs(baseline_mean)
    if n == 1:
        return change, None
    factor = float(stdtrit(n - 1, 1 - alpha / 2)) ** 2 * (1 / n + test_to_train)
    covariance = np.cov(current, baseline)
    a = baseline_mean**2 - factor * covariance[1, 1]
    b = mean * baseline_mean - factor * covariance[0, 1]
    c = mean**2 - factor * covariance[0, 0]
    if a <= 0:
        return change, None
    half = math.sqrt(max(0.0, b * b - a * c))
    low, high = sorted(math.copysign(1.0, baseline_mean) * (root / a - 1) for root in (b - half, b + half))
    return change, (low, high)

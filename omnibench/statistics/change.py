"""By how much a mean has changed, relatively, and how sure that is."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def relative_change(
    now: Values, then: Values, alpha: float, test_to_train: float = 0.0
) -> tuple[float | None, tuple[float, float] | None]:
    """Return the relative change of a mean with its confidence interval.

    The interval is Fieller's of the ratio of two means ("Some problems in interval estimation", Journal of the Royal
    Statistical Society B 16, 1954): the ratios r for which a paired t test does not reject that the means of ``now`` and
    of r times ``then`` are equal. It takes into account that the baseline's mean is an estimate, too.

    Args:
        now: Shape (n,).
        then: Of the same users or folds, shape (n,).
        alpha: One less the coverage.
        test_to_train: As in ``compare``.

    Returns:
        The mean of ``now`` less that of ``then``, divided by the absolute value of the latter, None where that is 0; and
        the interval, None where there is none, or none that is bounded.
    """
    from scipy.special import stdtrit

    n, one, other = len(now), float(now.mean()), float(then.mean())
    if other == 0:
        return None, None
    change = (one - other) / abs(other)
    if n == 1:
        return change, None
    factor = float(stdtrit(n - 1, 1 - alpha / 2)) ** 2 * (1 / n + test_to_train)
    covariance = np.cov(now, then)
    a = other**2 - factor * covariance[1, 1]
    b = one * other - factor * covariance[0, 1]
    c = one**2 - factor * covariance[0, 0]
    if a <= 0:
        return change, None
    half = math.sqrt(max(0.0, b * b - a * c))
    low, high = sorted(math.copysign(1.0, other) * (root / a - 1) for root in (b - half, b + half))
    return change, (low, high)

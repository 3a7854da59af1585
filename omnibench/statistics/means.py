"""The confidence interval of a mean over a few users, where the bootstrap's is too narrow."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from omnibench.statistics.samples import Sample
from omnibench.statistics.skewed import restored
from omnibench.statistics.student import interval_of_t

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_PRIOR = 0.5
"""The value that is added to those of metrics from 0 to 1: the middle of what is possible."""


def interval_of_few(values: Sample, alpha: float) -> tuple[float, float]:
    """Return the confidence interval of a mean over a few users; it covers 1 - alpha.

    - Of values that are all 0 or 1: Clopper and Pearson's ("The use of confidence or fiducial limits illustrated in the
      case of the binomial", Biometrika 26, 1934), which covers at least that.
    - Of other values from 0 to 1: Student's, of these and of one value more, .5. Five users often have none of the few
      large values of a skewed metric; that one more user might have any stands for them, as the two successes and two
      failures do that Agresti and Coull add to a share ("Approximate is better than 'exact' for interval estimation of
      binomial proportions", The American Statistician 52, 1998). It is cut off at 0 and 1.
    - Of values beyond: that of Hall's transformed t ("On the removal of skewness by transformation", Journal of the Royal
      Statistical Society B 54, 1992), without a bootstrap.

    ``docs/levels.md`` shows how often these cover the mean.

    Args:
        values: One per user, of at least two users; shape (n,).
        alpha: One less the coverage.
    """
    n = len(values)
    if values.min() >= 0 and values.max() <= 1:
        if ((values == 0) | (values == 1)).all():
            return _of_share(int(values.sum()), n, alpha)
        more = np.concatenate((values, (_PRIOR,)))
        mean = more.sum() / (n + 1)
        centred = more - mean  # as `more.std(ddof=1)` does it, which takes several times as long for few users
        deviation = math.sqrt((centred * centred).sum() / n)
        low, high = interval_of_t(float(mean), deviation / math.sqrt(n + 1), n, alpha)
        return max(0.0, low), min(1.0, high)
    mean = float(values.mean())
    centred = values - mean
    variance = float((centred * centred).mean())
    if variance <= (1e-12 * max(abs(float(values.max())), abs(float(values.min())))) ** 2:
        return mean, mean
    skewness = float((centred**3).mean()) / variance**1.5 / math.sqrt(n)
    error = math.sqrt(variance / (n - 1))
    low, high = interval_of_t(0.0, 1.0, n - 1, alpha)
    return mean - error * restored(high, skewness), mean - error * restored(low, skewness)


@lru_cache(maxsize=256)
def _of_share(successes: int, n: int, alpha: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    low = float(betaincinv(successes, n - successes + 1, alpha / 2)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - alpha / 2)) if successes < n else 1.0
    return low, high

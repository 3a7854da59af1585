"""A test of the mean difference that holds where most users do not differ and the others' differences are skewed.

Student's t takes the mean for symmetrically distributed. It is not where a change costs many users a little and gives a
few users much: those few are often missing among the users who were measured, and t then sees nothing but losses, more
often than its level allows. Randomised signs don't help, because under their null hypothesis differences are
symmetrical. Hall's transformation takes the skewness out of t, the bootstrap finds how the transformed t is distributed.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from omnibench.statistics.samples import Sample
from omnibench.statistics.student import p_of_t

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

FEWEST = 20
"""How many users have to differ for their skewness to be known; see ``docs/levels.md``."""

_ONE_SIDED = 28
"""How many users have to differ where all of them lose, or all gain: where a tenth of the population gains, and much, 28
who differ contain nobody of that tenth in 5 % of all samples."""
_REPLICATES = 1999
_TAIL = 20
"""Which of the replicates, counted from either end, is the last whose quantile is taken as it is."""
_LARGEST = 1000
"""How many users may differ for the bootstrap; with more, the transformation alone is as good."""
_PLAIN = 200
"""How many users have to differ for the transformation alone to say that a p is tiny."""
_CLEAR = 0.25, 1e-8
"""Between these p the bootstrap is asked; beyond them it would change nothing that anybody concludes."""
_DEGREES_PER_USER = 0.4
"""Degrees of freedom per differing user whose differences are normal: the bootstrap of a small sample is too narrow, for
it knows these users only."""
_NORMAL_KURTOSIS = 3.0
_MATTERS = 0.1
"""The share of a standard deviation by which a user's difference has to be off the median for the user to differ."""
_ONE_THREAD = 1 << 18
"""Multiplications up to which OpenBLAS computes with one thread: to wake the others takes ten times as long as the work."""
_SEED = 20101


class SkewedMean(NamedTuple):
    """What is known about the mean of a sample that may be skewed.

    Attributes:
        p: The p of the mean's difference from the null hypothesis.
        interval: The two-sided interval of the mean; it covers 1 - alpha.
    """

    p: float
    interval: tuple[float, float]


def differing(differences: Sample) -> int:
    """Return how many differences matter: those that are off the median by a tenth of a standard deviation or more.

    Args:
        differences: Shape (n,).
    """
    threshold = _MATTERS * float(differences.std())
    return int(np.count_nonzero(np.abs(differences - np.median(differences)) > threshold)) if threshold else 0


def is_shape_known(differences: Sample) -> bool:
    """Whether enough users differ, and in both directions or very many, for the bootstrap to know their skewness.

    Args:
        differences: Shape (n,).
    """
    users = differing(differences)
    if users < FEWEST or users >= _ONE_SIDED:
        return users >= FEWEST
    moves = differences - np.median(differences)
    threshold = _MATTERS * float(differences.std())
    return float(moves.max()) > threshold and float(moves.min()) < -threshold


def skewed_mean(differences: Sample, alternative: str, null: float, alpha: float) -> SkewedMean:
    """Test the mean of differences by the bootstrap of Hall's transformed t.

    The transformation: Hall, "On the removal of skewness by transformation", Journal of the Royal Statistical Society B
    54, 1992. Its bootstrap draws how often each difference occurs from a Poisson distribution (Hanley and MacGibbon,
    "Creating non-parametric bootstrap samples using Poisson frequencies", Computer Methods and Programs in Biomedicine
    83, 2006). Quantiles are widened to those of t, as Hesterberg does ("What teachers should know about the bootstrap",
    The American Statistician 69, 2015, section 3.4), with degrees of freedom that simulations call for: fewer where the
    differences have a larger kurtosis, for a variance is less certain then (Box, "Non-normality and tests on variances",
    Biometrika 40, 1953). Beyond the outermost replicates, the normal distribution goes on whose quantile the outermost ones have.

    Args:
        differences: Shape (n,); enough of them differ for ``is_shape_known``.
        alternative: ``two-sided``, ``greater`` or ``less``.
        null: The mean under the null hypothesis.
        alpha: One less the interval's coverage.
    """
    from scipy.special import stdtrit

    n, mean = len(differences), float(differences.mean())
    centred = differences - mean
    squares = centred * centred
    users = differing(differences)
    variance = float(squares.sum()) / n
    error = math.sqrt(variance / (n - 1))
    skewness = float((squares * centred).sum()) / n / variance**1.5 / math.sqrt(n)
    kurtosis = float((squares * squares).sum()) / variance**2 * users / n**2  # of those who differ
    statistic = float(transformed((mean - null) / error, skewness))
    degrees = _DEGREES_PER_USER * users * math.sqrt(_NORMAL_KURTOSIS / max(1.0, kurtosis))
    plain = p_of_t(statistic, degrees, "two-sided")
    ascending = None
    if plain < _CLEAR[0] and (plain > _CLEAR[1] or users < _PLAIN):
        ascending = _replicates(differences, mean)
    descending = None if ascending is None else -ascending[::-1]
    less = p_of_t(_deviate(ascending, statistic), degrees, "less")
    greater = p_of_t(_deviate(descending, -statistic), degrees, "less")
    outermost = float(stdtrit(degrees, alpha / 2))
    low = mean + error * restored(_quantile(descending, outermost), -skewness)
    high = mean - error * restored(_quantile(ascending, outermost), skewness)
    p = {"less": less, "greater": greater, "two-sided": min(1.0, 2 * min(less, greater))}[alternative]
    return SkewedMean(p, (low, high))


def is_certain(differences: Sample, largest: float, null: float, alternative: str, alpha: float) -> bool:
    """Whether even the largest differences, which may be missing in a small sample, could not make up for its mean.

    Somebody who bets on the mean being on that side of the null hypothesis, at odds that are fair under it, makes a
    fortune of 1 / alpha or more with a probability of at most alpha, however skewed the differences are (Waudby-Smith
    and Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal Statistical Society B 86,
    2024). The stake is the best one in hindsight, for that only guards a test that holds where there is no skewness.

    Args:
        differences: Shape (n,).
        largest: The largest size that a difference can have; infinite where nobody knows it, so nothing is certain.
        null: As in ``compare``.
        alternative: As in ``compare``.
        alpha: The level.
    """
    if not math.isfinite(largest):
        return False
    if null == 0 and bool(np.isin(np.abs(differences), (0.0, largest)).all()):
        return True  # no difference can be larger, so none can be hidden: signs are all that there is
    fortunes = []
    for name, sign in (("less", -1), ("greater", 1)):
        if alternative in (name, "two-sided"):
            gains = sign * (differences - null)
            stakes = np.linspace(0.02, 0.998, 50)[:, None] / (largest + sign * null)
            fortunes.append(float(np.log1p(stakes * gains).sum(axis=1).max()))
    tails = 2 if alternative == "two-sided" else 1
    return max(fortunes) >= math.log(tails / alpha) - 0.02  # of a stake of .998 in place of 1


def transformed(t: Sample | float, skewness: Sample | float) -> Sample | float:
    """Return Hall's transformation of t, which is monotone.

    Args:
        t: The statistic.
        skewness: That of the mean: the sample's, divided by the root of its size.
    """
    return t + skewness * (t * t / 3 + 1 / 6) + skewness * skewness * t * t * t / 27


def restored(transformed_t: float, skewness: float) -> float:
    """Return the t of a transformed one.

    Args:
        transformed_t: Hall's transformation of t.
        skewness: That of the mean: the sample's, divided by the root of its size.
    """
    if abs(skewness) < 1e-9:  # noqa: PLR2004 - the limit, without dividing by it
        return transformed_t
    return 3 / skewness * (float(np.cbrt(1 + skewness * (transformed_t - skewness / 6))) - 1)


def _replicates(differences: Sample, mean: float) -> Sample | None:
    """Return the transformed t of all replicates, ascending; None where too many users differ.

    Users who have the median difference, often 0, are drawn together.
    """
    n = len(differences)
    middle = float(np.median(differences))
    moving = differences[differences != middle] - middle
    if len(moving) > _LARGEST:
        return None
    scale = float(np.abs(moving).max())
    moving = moving / scale
    powers = np.stack([np.ones(len(moving)), moving, moving**2, moving**3], axis=1).astype(np.float32)
    sums = _sums(powers).astype(np.float64).T
    sizes = sums[0] + np.random.default_rng(_SEED).poisson(n - len(moving), _REPLICATES)
    first, second, third = sums[1:] / sizes
    variances = second - first * first
    offsets = first - (mean - middle) / scale
    varies = variances > 1e-6 * float((moving * moving).mean()) * len(moving) / n
    variances = np.where(varies, variances, 1.0)
    t = offsets / np.sqrt(variances / (sizes - 1))
    skewness = (third - 3 * first * second + 2 * first**3) / variances**1.5 / np.sqrt(sizes)
    replicates: Sample = np.where(varies, transformed(t, skewness), np.copysign(np.inf, offsets))
    return np.sort(replicates)


def _sums(powers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the sums over the users whom each replicate draws, shape (replicates, powers).

    Args:
        powers: The powers of each user's difference, shape (users, powers).
    """
    counts, rows = _counts()[:, : len(powers)], max(1, _ONE_THREAD // powers.size)
    blocks = [counts[start : start + rows] @ powers for start in range(0, _REPLICATES, rows)]
    return np.concatenate(blocks)


@lru_cache(maxsize=1)
def _counts() -> npt.NDArray[np.float32]:
    """Return how often each replicate draws each user, shape (replicates, users)."""
    return np.random.default_rng(_SEED + 1).poisson(1.0, (_REPLICATES, _LARGEST)).astype(np.float32)


def _deviate(replicates: Sample | None, statistic: float) -> float:
    """Return the standard normal deviate below which is the share of replicates up to a statistic."""
    from scipy.special import ndtri

    if replicates is None:
        return statistic
    slack = 1e-6 * max(1.0, abs(statistic))  # equal statistics differ in their last bits
    count = int(np.searchsorted(replicates, statistic + slack, side="right"))
    if count >= _TAIL:
        return float(ndtri((count + 1) / (len(replicates) + 1)))
    return statistic * _slope(replicates)


def _quantile(replicates: Sample | None, deviate: float) -> float:
    """Return the statistic of a standard normal deviate; the inverse of ``_deviate``."""
    from scipy.special import ndtr

    if replicates is None:
        return deviate
    count = math.floor(float(ndtr(deviate)) * (len(replicates) + 1)) - 1
    return float(replicates[count - 1]) if count >= _TAIL else deviate / _slope(replicates)


def _slope(replicates: Sample) -> float:
    """Return the deviate per statistic beyond the outermost replicates."""
    from scipy.special import ndtri

    return float(ndtri((_TAIL + 1) / (len(replicates) + 1))) / float(replicates[_TAIL - 1])

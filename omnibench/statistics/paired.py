"""Compare two configurations on the same users (or folds): the difference, its interval, its size, its p.

Which test: Student's paired t and the randomisation test agree closely on measures of retrieval, and both keep their
level; the Wilcoxon test asks about ranks, not means, and finds other things (Smucker, Allan and Carterette, "A
comparison of statistical significance tests for information retrieval evaluation", CIKM 2007; Urbano, Lima and
Hanjalic, "Statistical significance testing in information retrieval", SIGIR 2019). So t is the default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnibench.errors import StatisticsError
from omnibench.statistics.checks import check_choice, check_overlap, check_pairs
from omnibench.statistics.randomisation import RESAMPLES, sign_flip_p
from omnibench.statistics.samples import Sample, checked_sample, noise_of
from omnibench.statistics.student import interval_of_t, p_of_t, ratio

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

TESTS = ("t", "randomisation", "wilcoxon")
ALTERNATIVES = ("two-sided", "greater", "less")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference between two configurations, with its interval, its size and its p.

    Attributes:
        first: The first one's mean.
        second: The second one's mean.
        difference: The mean of first minus second, in the metric's unit.
        interval: The two-sided confidence interval of the mean difference, at 1 - alpha. It is Student's, whichever
            test was asked for, and not widened for other comparisons. None with a single pair, or where all differences
            are equal, so that their error cannot be estimated; but 0 to 0 where there is none.
        effect_size: Cohen's d_z, the mean difference divided by the standard deviation (n - 1) of the differences; 0.2,
            0.5 and 0.8 count as small, medium and large. None with a single pair, or where all differences are equal,
            so that there is nothing to divide by; 0 where there is none. (Cohen, "Statistical Power Analysis for the
            Behavioral Sciences", 1988, section 2.3.5.)
        p: The probability of a difference at least as large by chance alone, or None when nothing can be said.
        test: ``t``, ``randomisation`` or ``wilcoxon``.
        pairs: How many pairs there are.
        units: What a pair is: ``users`` or ``folds``.
        reason: Why nothing can be said, when p is None.
        seeds: How many seeds the first and the second one have, where seeds are a random factor, so that the p and the
            interval are about other seeds, too; None where they are about these fitted models.
    """

    first: float
    second: float
    difference: float
    interval: tuple[float, float] | None
    effect_size: float | None
    p: float | None
    test: str
    pairs: int
    units: str
    reason: str = ""
    seeds: tuple[int, int] | None = None


def compare(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    test: str = "t",
    *,
    alternative: str = "two-sided",
    null: float = 0.0,
    alpha: float = 0.05,
    units: str = "users",
    test_to_train: float = 0.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two configurations that were measured on the same users.

    Args:
        first: Values of the first configuration, shape (n,).
        second: Values of the second one, of the same users in the same order, shape (n,).
        test: ``t`` (Student, "The probable error of a mean", Biometrika 6, 1908; where all differences are equal, there
            is no error to be estimated, and p is what their signs tell, if that is anything), ``randomisation`` of the
            signs of the differences (Fisher, "The Design of Experiments", 1935, section 21; see
            ``randomisation.sign_flip_p``), or ``wilcoxon`` (signed ranks; the ranks of zero differences are split
            evenly among both signs, as in Demšar, "Statistical comparisons of classifiers over multiple data sets",
            JMLR 7, 2006, section 3.1.3).
        alternative: ``two-sided``, or ``greater`` or ``less`` for a test of whether first minus second is that.
        null: The difference under the null hypothesis. ``alternative="less", null=-0.01`` tests for a loss of more than
            0.01, ``alternative="greater", null=-0.01`` for non-inferiority with that margin.
        alpha: The level; the interval covers 1 - alpha.
        units: What a pair is, for the reader.
        test_to_train: Test rows divided by training rows, where pairs are folds whose training sets overlap: the
            variance of the mean is then taken as (1/n + test/train) times that of the differences (Nadeau and Bengio,
            "Inference for the generalization error", Machine Learning 52, 2003). Only for ``t``.
        resamples: How many random sign patterns, where there are too many to try all.
        seed: The seed of these.

    Raises:
        StatisticsError: The values are not paired, not finite or none at all, or an option does not exist.
    """
    sample, reference = checked_sample(first, "first"), checked_sample(second, "second")
    check_pairs(len(sample), len(reference))
    check_choice("test", test, TESTS)
    check_choice("alternative", alternative, ALTERNATIVES)
    check_alpha(alpha)
    check_overlap(test_to_train)
    if test_to_train and test != "t":
        raise StatisticsError(f"only the t test has a correction for overlapping training sets, not {test}.")
    n = len(sample)
    deviations = sample - reference
    mean = float(deviations.mean())
    deviations -= mean  # in place: fresh memory costs more than the arithmetic
    deviations *= deviations  # and @ would wake BLAS's threads
    spread = math.sqrt(float(deviations.sum()) / (n - 1)) if n > 1 else math.nan
    error = spread * math.sqrt(1 / n + test_to_train)
    noise = noise_of(sample, reference)
    varies = n > 1 and spread > noise
    if not varies and abs(mean) <= noise:
        mean = spread = error = 0.0  # the values are equal but for their last bits
    differs = mean - null != 0
    reason = _too_few(n, test, alternative, alpha, units, signs_only=differs and not varies)
    if reason:
        p = None
    elif test == "t":
        p = p_of_t(ratio(mean - null, error if varies else 0.0), n - 1, alternative)
        if not varies:
            p = max(p, _smallest_p(n, alternative))
    elif test == "randomisation":
        p = sign_flip_p(sample - reference - null, alternative, resamples, seed)
    else:
        p = _wilcoxon_p(sample - null, reference, alternative)
    return Comparison(
        float(sample.mean()),
        float(reference.mean()),
        mean,
        interval_of_t(mean, error, n - 1, alpha) if varies or (n > 1 and mean == 0) else None,
        ratio(mean, spread) if varies or (n > 1 and mean == 0) else None,
        p,
        test,
        n,
        units,
        reason,
    )


def check_alpha(alpha: float) -> None:
    """Refuse a level that is not between 0 and 1.

    Raises:
        StatisticsError: It is not.
    """
    if not 0 < alpha < 1:
        raise StatisticsError(f"alpha is {alpha!r}; give a level between 0 and 1, e.g. 0.05.")


def _too_few(n: int, test: str, alternative: str, alpha: float, units: str, *, signs_only: bool) -> str:
    """Return why so few pairs tell nothing, or an empty text when they are enough.

    Args:
        n: How many pairs there are.
        test: The test.
        alternative: Its alternative.
        alpha: The level.
        units: What a pair is.
        signs_only: Whether all differences are equal, so that nothing but their signs tells anything.
    """
    if n == 1:
        return f"too few {units} to say: one difference tells nothing about chance"
    smallest = _smallest_p(n, alternative)
    if test != "t" and smallest > alpha:
        return f"too few {units} to say: with {n}, no {test} test can have a p below {smallest:.4g}"
    if signs_only and smallest > alpha:
        return (
            f"too few {units} to say: the {n} differences are equal, so only their signs tell, and {n} signs have no p "
            f"below {smallest:.4g}"
        )
    return ""


def _smallest_p(n: int, alternative: str) -> float:
    """Return the smallest p that a test of signs can have for n differences: when all signs agree."""
    return 2.0 ** (1 - n if alternative == "two-sided" else -n)


def _wilcoxon_p(first: Sample, second: Sample, alternative: str) -> float:
    from scipy.stats import wilcoxon

    # Equal differences of rounded values differ in their last bits, and would not count as ties.
    scale = max(float(np.abs(first).max()), float(np.abs(second).max()), np.finfo(np.float64).tiny)
    differences = np.round(first / scale - second / scale, 12)
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences, zero_method="zsplit", alternative=alternative).pvalue)

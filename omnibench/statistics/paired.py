"""Compare two configurations on the same users (or folds): the difference, its interval, its size, its p.

Which test: Student's paired t and the randomisation test agree closely on measures of retrieval, and both keep their
level where all users differ (Smucker, Allan and Carterette, "A comparison of statistical significance tests for
information retrieval evaluation", CIKM 2007; Urbano, Lima and Hanjalic, "Statistical significance testing in
information retrieval", SIGIR 2019). Two configurations that are much alike differ for a few users, though, many of whom
lose a little and few of whom gain much; both then call equal ones different in up to a fifth of all cases. So the
default is a bootstrap that takes skewness into account; ``docs/levels.md`` has the levels of all. The Wilcoxon test asks
about ranks, not means, and finds other things.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from omnibench.arguments import checked_call
from omnibench.errors import StatisticsError
from omnibench.statistics.checks import check_choice, check_overlap, check_pairs
from omnibench.statistics.randomisation import RESAMPLES, sign_flip_p
from omnibench.statistics.samples import Sample, checked_sample, noise_of
from omnibench.statistics.skewed import differing, is_certain, is_shape_known, skewed_mean
from omnibench.statistics.student import interval_of_t, p_of_t, ratio

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

DEFAULT_TEST = "bootstrap"
TESTS = (DEFAULT_TEST, "t", "randomisation", "wilcoxon")
SEEDS_TEST = "seeds"
"""The test of ``compare_seeds``, which nobody chooses: it takes the place of the others where there are several seeds."""

ALTERNATIVES = ("two-sided", "greater", "less")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference between two configurations, with its interval, its size and its p.

    Attributes:
        first: The first one's mean.
        second: The second one's mean.
        difference: The mean of first minus second, in the metric's unit.
        interval: The two-sided confidence interval of the mean difference, at 1 - alpha; that of the test for
            ``bootstrap`` and ``seeds``, Student's for the others. It is not widened for other comparisons. None with a
            single pair, or where all differences are equal, so that their error cannot be estimated; but 0 to 0 where
            there is none.
        effect_size: Cohen's d_z, the mean difference divided by the standard deviation (n - 1) of the differences; 0.2,
            0.5 and 0.8 count as small, medium and large. None with a single pair, or where all differences are equal,
            so that there is nothing to divide by; 0 where there is none. (Cohen, "Statistical Power Analysis for the
            Behavioral Sciences", 1988, section 2.3.5.)
        p: The probability of a difference at least as large by chance alone, or None when nothing can be said.
        test: ``bootstrap``, ``t``, ``randomisation`` or ``wilcoxon``; ``seeds`` of ``compare_seeds``.
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


@checked_call
def compare(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    test: str = DEFAULT_TEST,
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
        test: ``bootstrap`` of Hall's transformed t (see ``skewed.skewed_mean``; where fewer than 20 users differ, or
            fewer than 28 and all of them in one direction, the randomisation of signs, which then has to be borne out by
            ``skewed.is_certain``; over folds it is ``t``, because there are too few of them), ``t`` (Student, "The
            probable error of a mean", Biometrika 6, 1908; where all differences are equal, there is no error to be
            estimated, and p is what their signs tell, if that is anything), ``randomisation`` of the
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
            "Inference for the generalization error", Machine Learning 52, 2003). Only for ``t``,
            and so for ``bootstrap`` over folds.
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
    if test == DEFAULT_TEST and units == "folds":
        test = "t"
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
    p: float | None = None
    interval = interval_of_t(mean, error, n - 1, alpha) if varies or (n > 1 and mean == 0) else None
    if not reason:
        if test == "wilcoxon":
            p = _wilcoxon_p(sample - null, reference, alternative)
        elif test == "randomisation":
            p = sign_flip_p(sample - reference - null, alternative, resamples, seed)
        elif test == "t" or not varies:
            p = p_of_t(ratio(mean - null, error if varies else 0.0), n - 1, alternative)
            if not varies:
                p = max(p, _smallest_p(n, alternative))
        else:
            question = _Question(alternative, null, alpha, units, resamples, seed)
            p, interval, reason = _bootstrap((sample, reference), interval, question)
    return Comparison(
        float(sample.mean()),
        float(reference.mean()),
        mean,
        interval,
        ratio(mean, spread) if varies or (n > 1 and mean == 0) else None,
        p,
        test,
        n,
        units,
        reason,
    )


class _Question(NamedTuple):
    """The question of a test, by the arguments of ``compare``."""

    alternative: str
    null: float
    alpha: float
    units: str
    resamples: int
    seed: int


def _bootstrap(
    samples: tuple[Sample, Sample], interval: tuple[float, float] | None, question: _Question
) -> tuple[float | None, tuple[float, float] | None, str]:
    """Return the p, the interval and the reason why there are none.

    Args:
        samples: The first and the second one's values.
        interval: Student's interval, for a few differing users.
        question: The question.
    """
    differences = samples[0] - samples[1]
    alternative, null, alpha, units, *_ = question
    if is_shape_known(differences):
        mean = skewed_mean(differences, alternative, null, alpha)
        return mean.p, mean.interval, ""
    users = differing(differences)
    p = _p_of_few(differences, users, question)
    if p > alpha or is_certain(differences, _largest(*samples), null, alternative, alpha):
        return p, interval, ""
    reason = (
        f"{users} of {len(differences)} differ, and a few large differences the other way may be missing among them"
    )
    return None, None, f"too few {units} to say: {reason}"


def _p_of_few(differences: Sample, users: int, question: _Question) -> float:
    """Return the p of a few differing users, which holds where their differences are symmetrical."""
    if question.null == 0:
        return sign_flip_p(differences, question.alternative, question.resamples, question.seed)
    # Those who do not differ all lie off the null hypothesis; their signs would have to change together.
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return p_of_t(ratio(float(differences.mean()) - question.null, error), max(1, users - 1), question.alternative)


def _largest(first: Sample, second: Sample) -> float:
    """Return the largest size that a difference can have: 1 of metrics from 0 to 1, as far as the values tell."""
    within = min(float(first.min()), float(second.min())) >= 0 and max(float(first.max()), float(second.max())) <= 1
    return 1.0 if within else math.inf


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

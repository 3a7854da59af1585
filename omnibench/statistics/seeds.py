"""Compare two algorithms that were each fitted with several seeds: seeds are a random factor, as users are.

A test over the users of two fitted models says something about these models. An algorithm makes another model with
every seed, so what is said about algorithms has to hold for seeds that were not tried. The study has the form of one
with several readers and cases, of which every reader reads with one device only: seeds are the readers, nested in the
algorithm; users are the cases, crossed with everything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from omnibench.arguments import checked_call
from omnibench.errors import StatisticsError
from omnibench.statistics.checks import check_choice, check_overlap, check_pairs
from omnibench.statistics.paired import ALTERNATIVES, SEEDS_TEST, Comparison, check_alpha, compare
from omnibench.statistics.samples import Sample, checked_seed_samples, noise_of
from omnibench.statistics.skewed import restored, transformed
from omnibench.statistics.student import interval_of_t, p_of_t

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_FEWEST = 30
"""How many users have to differ for their skewness to be known."""
_FEWEST_OF_MANY = 60
"""The same where most users do not differ, so that skewness comes from the few that do, and varies with their number."""


_MOST_DEGREES = {1: 1.0, 2: 3.0}
"""Degrees of freedom at most where one side alone varies over seeds, by that side's own: the variance over two or three
seeds is often far too small by chance, and then counts for too little in Satterthwaite's (7 to 12 % false alarms at 5 %)."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The values of an algorithm and how they vary over its seeds.

    Attributes:
        users: The mean over seeds of every user, shape (users,).
        variance: The variance of the means over users from seed to seed; 0 where the algorithm is deterministic.
        residual: The variance of what neither seed nor user explains; 0 likewise.
        degrees: The degrees of freedom of the former; 0 likewise, None where one seed cannot tell.
        seeds: How many seeds the mean is of.
    """

    users: Sample
    variance: float
    residual: float
    degrees: int | None
    seeds: int


@checked_call
def compare_seeds(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    alternative: str = "two-sided",
    null: float = 0.0,
    alpha: float = 0.05,
    units: str = "users",
    test_to_train: float = 0.0,
    deterministic_first: bool = False,
    deterministic_second: bool = False,
    equal_spread: bool = False,
) -> Comparison:
    """Compare two algorithms over users and seeds, so that the result holds for other seeds and other users.

    This is the analysis of variance of marginal means with readers nested in modalities (Hillis, "A marginal-mean ANOVA
    approach for analyzing multireader multicase radiological imaging data", Statistics in Medicine 33, 2014; after
    Obuchowski and Rockette, Communications in Statistics - Simulation 24, 1995): seeds are its readers, users its cases.
    The variance of the difference between the means is that of the seeds' means over the number of seeds, of each side,
    plus what users add, the covariances between seeds. Unlike there, the two sides may vary unequally over seeds and
    have different numbers of them, and the number of users limits the degrees of freedom, too; these are
    Satterthwaite's (Biometrics Bulletin 2, 1946). Hall's transformation takes the skewness of users' differences out of
    t, as in ``skewed.skewed_mean``, where enough users differ; those without a difference add no degrees of freedom. Where neither side varies over seeds, this is ``compare``. Two seeds of a side
    are often much alike by chance, so that the variance of this side is at least that of all seeds together.
    ``docs/levels.md`` has the levels, of real algorithms, too.

    Args:
        first: Values of the first algorithm, shape (seeds, users).
        second: Values of the second one, of the same users in the same order, shape (other seeds, users). Seeds are not
            paired: equal numbers of seeds have nothing in common.
        alternative: As in ``compare``.
        null: As in ``compare``.
        alpha: The level; the interval covers 1 - alpha.
        units: What a column is, for the reader: ``users``, or ``folds`` for a metric without values per user. With one
            column of folds the test is over seeds alone (Welch's), and speaks of that fold.
        test_to_train: As in ``compare``.
        deterministic_first: Whether another seed makes the same model of the first one, so that one seed is enough.
        deterministic_second: The same of the second one.
        equal_spread: Whether both sides are taken to vary equally over seeds, as in Hillis's pooled analysis. A side
            with one seed, which isn't deterministic, needs that: it has no spread of its own. That suits one fit that is
            judged by several earlier ones of the same algorithm.

    Returns:
        The comparison; its ``test`` is ``seeds``, its ``seeds`` their numbers. Its ``p`` is None, with the reason, where
        a side has one seed, is not declared deterministic, and the spread isn't equal.

    Raises:
        StatisticsError: The values are not of the same users, not finite or none at all, or an option does not exist.
    """
    samples = checked_seed_samples(first, "first"), checked_seed_samples(second, "second")
    n = samples[0].shape[1]
    check_pairs(n, samples[1].shape[1])
    check_choice("alternative", alternative, ALTERNATIVES)
    check_alpha(alpha)
    check_overlap(test_to_train)
    noise = noise_of(*samples)
    declared = deterministic_first, deterministic_second
    sides = [
        _side(sample, noise, is_deterministic, which)
        for sample, is_deterministic, which in zip(samples, declared, ("first", "second"), strict=True)
    ]
    numbers = sides[0].seeds, sides[1].seeds
    if all(side.variance == side.residual == 0 and side.degrees is not None for side in sides):
        comparison = compare(
            sides[0].users,
            sides[1].users,
            alternative=alternative,
            null=null,
            alpha=alpha,
            units=units,
            test_to_train=test_to_train,
        )
        return replace(comparison, seeds=numbers)
    differences = sides[0].users - sides[1].users
    mean = float(differences.mean())
    draft = Comparison(
        float(sides[0].users.mean()),
        float(sides[1].users.mean()),
        mean,
        None,
        None,
        None,
        SEEDS_TEST,
        n,
        units,
        seeds=numbers,
    )
    sides = _pooled(sides) if equal_spread else _of_two(sides)
    for side, which in zip(sides, ("first", "second"), strict=True):
        if side.degrees is None:
            return replace(draft, reason=f"one seed of the {which} tells nothing about other seeds; fit more of them")
    if n == 1 and units != "folds":
        return replace(draft, reason=f"too few {units} to say: one difference tells nothing about chance")
    error, degrees = _error(differences, sides, test_to_train, equal_spread=equal_spread)
    if error <= noise:
        return replace(
            draft, reason="too few values to say: the seeds' means are all equal, though their values are not"
        )
    deviation = float(differences.std(ddof=1)) if n > 1 else 0.0
    n_differing = int(np.count_nonzero(differences))
    fewest = _FEWEST if 2 * n_differing > n else _FEWEST_OF_MANY
    # What users contribute to the skewness of the mean; it vanishes where seeds contribute most of the variance.
    skewness = float(((differences - mean) ** 3).mean()) / n**2 / error**3 if n_differing >= fewest else 0.0
    low, high = interval_of_t(0.0, 1.0, degrees, alpha)
    return replace(
        draft,
        interval=(mean - error * restored(high, skewness), mean - error * restored(low, skewness)),
        effect_size=mean / deviation if deviation > noise else None,
        p=p_of_t(float(transformed((mean - null) / error, skewness)), degrees, alternative),
    )


def _side(samples: npt.NDArray[np.float64], noise: float, is_deterministic: bool, which: str) -> _Side:
    """Return how the values of an algorithm vary over its seeds."""
    seeds, n = samples.shape
    users = samples.mean(axis=0)
    if seeds == 1:
        return _Side(users, 0.0, 0.0, 0 if is_deterministic else None, 1)
    deviations = samples - users
    if float(np.abs(deviations).max()) <= noise:
        return _Side(users, 0.0, 0.0, 0, seeds)
    if is_deterministic:
        raise StatisticsError(
            f"the {which} is declared deterministic, but its {seeds} seeds have other values; "
            "leave the declaration out, so that its seeds count."
        )
    means = deviations.mean(axis=1)
    deviations -= means[:, None]
    residual = float((deviations * deviations).sum()) / ((seeds - 1) * (n - 1)) if n > 1 else 0.0
    return _Side(users, float((means * means).sum()) / (seeds - 1), residual, seeds - 1, seeds)


def _pooled(sides: Sequence[_Side]) -> list[_Side]:
    """Give all sides that aren't deterministic the variances of all seeds together."""
    degrees = sum(side.degrees or 0 for side in sides)
    if not degrees:
        return list(sides)
    variance = sum(side.variance * (side.degrees or 0) for side in sides) / degrees
    residual = sum(side.residual * (side.degrees or 0) for side in sides) / degrees
    return [
        side if side.degrees == 0 else replace(side, variance=variance, residual=residual, degrees=degrees)
        for side in sides
    ]


def _of_two(sides: Sequence[_Side]) -> list[_Side]:
    """Give a side of two seeds at least the variance of all seeds together: two are often much alike by chance."""
    return [
        replace(side, variance=max(side.variance, pooled.variance)) if side.degrees == 1 else side
        for side, pooled in zip(sides, _pooled(sides), strict=True)
    ]


def _error(
    differences: Sample, sides: Sequence[_Side], test_to_train: float, *, equal_spread: bool
) -> tuple[float, float]:
    """Return the standard error of the difference between the means, and its degrees of freedom.

    Args:
        differences: The difference of every user's means over seeds, shape (users,).
        sides: How both sides vary over seeds.
        test_to_train: As in ``compare``.
        equal_spread: Whether their variances over seeds are one estimate.
    """
    n = len(differences)
    terms = [(side.variance / side.seeds, side.degrees) for side in sides if side.degrees]
    if equal_spread and terms:
        terms = [(sum(term for term, _ in terms), terms[0][1])]
    if n > 1:
        # What differs from user to user for every seed, without what the seeds' part of it would add.
        lasting = float(differences.var(ddof=1)) - sum(side.residual / side.seeds for side in sides)
        # Users without a difference tell nothing about its size, so they add no degrees of freedom.
        n_differing = int(np.count_nonzero(differences))
        terms.append((max(0.0, lasting) * (1 / n + test_to_train), max(1, n_differing - 1)))
    variance = sum(term for term, _ in terms)
    if not variance:
        return 0.0, 1.0
    degrees = variance**2 / sum(term**2 / degrees for term, degrees in terms)
    varying = [side.degrees for side in sides if side.degrees]
    most = _MOST_DEGREES.get(varying[0], math.inf) if len(varying) == 1 else math.inf
    return math.sqrt(variance), min(degrees, most)

"""Comparisons over seeds: what they are in special cases that have a test of their own, and how often they are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.optimize
import scipy.stats

from omnibench import Comparison, compare, compare_seeds
from omnibench.errors import StatisticsError

Values = npt.NDArray[np.float64]


def fitted(rng: np.random.Generator, users: Values, seeds: int, *, seed: float = 0.02, residual: float = 0.1) -> Values:
    """Return the values of an algorithm that was fitted with several seeds, shape (seeds, users)."""
    return users + rng.normal(0, seed, (seeds, 1)) + rng.normal(0, residual, (seeds, len(users)))


def test_the_error_is_that_of_the_analysis_of_variance() -> None:
    """Balanced, the variance is 2 / (seeds x users) of MS(seed in algorithm) + MS(algorithm x user) - MS(rest).

    Hillis, Statistics in Medicine 33, 2014, writes MS(algorithm x user) - MS(rest) as the difference of covariances.
    """
    rng = np.random.default_rng(0)
    users = rng.normal(0.4, 0.2, 20)  # fewer than have a skewness
    values = np.stack([fitted(rng, users + rng.normal(0, 0.1, 20), 5) for _ in range(2)])
    means = values.mean(axis=(1, 2), keepdims=True)
    of_seeds, of_users = values.mean(axis=2, keepdims=True), values.mean(axis=1, keepdims=True)
    interaction = of_users - means - (values.mean(axis=(0, 1)) - values.mean())
    rest = values - of_seeds - of_users + means
    squares = {
        "seed": 20 * ((of_seeds - means) ** 2).sum() / 8,
        "user": 5 * (interaction**2).sum() / 19,
        "rest": (rest**2).sum() / (2 * 4 * 19),
    }
    variance = 2 / (5 * 20) * (squares["seed"] + squares["user"] - squares["rest"])
    assert squares["user"] > squares["rest"]
    comparison = compare_seeds(*values)
    assert comparison.difference == pytest.approx(float(means[0, 0, 0] - means[1, 0, 0]))
    assert comparison.interval is not None
    (first, second) = values.mean(axis=2).var(axis=1, ddof=1) / 5
    lasting = variance - first - second
    degrees = variance**2 / (first**2 / 4 + second**2 / 4 + lasting**2 / 19)
    half = scipy.stats.t.ppf(0.975, degrees) * variance**0.5
    assert comparison.interval == pytest.approx((comparison.difference - half, comparison.difference + half))
    p = 2 * scipy.stats.t.sf(abs(comparison.difference) / variance**0.5, degrees)
    assert comparison.p == pytest.approx(p)
    assert (comparison.test, comparison.pairs, comparison.seeds) == ("seeds", 20, (5, 5))


def test_the_error_is_that_of_a_mixed_model() -> None:
    """The restricted maximum likelihood of a linear mixed model, from explicit covariances, has the same standard error.

    Users are a random factor, as are users by algorithm, and seeds within algorithms; balanced, no component is 0.
    """
    rng = np.random.default_rng(8)
    users = rng.normal(0.4, 0.2, 12)
    values = np.stack([fitted(rng, users + rng.normal(0, 0.1, 12), 3, seed=0.06, residual=0.05) for _ in range(2)])
    algorithm, seed, user = (codes.ravel() for codes in np.indices(values.shape))
    alike = [
        (codes[:, None] == codes).astype(float)
        for codes in (user, user + 12 * algorithm, seed + 3 * algorithm, np.arange(values.size))
    ]
    effects = np.stack([np.ones(values.size), 0.5 - algorithm], axis=1)

    def solved(logarithms: Values) -> tuple[float, Values, Values]:
        inverse = np.linalg.inv(sum(np.exp(size) * block for size, block in zip(logarithms, alike, strict=True)))
        information = effects.T @ inverse @ effects
        found = np.linalg.solve(information, effects.T @ inverse @ values.ravel())
        rest = values.ravel() - effects @ found
        likelihood = np.linalg.slogdet(information)[1] - np.linalg.slogdet(inverse)[1] + rest @ inverse @ rest
        return float(likelihood), found, np.linalg.inv(information)

    start = np.log([0.04, 0.01, 0.003, 0.003])
    best = scipy.optimize.minimize(lambda sizes: solved(sizes)[0], start, method="BFGS", options={"gtol": 1e-6})
    _, (_, difference), covariances = solved(best.x)
    lasting, seeds, rest = np.exp(best.x[1:])
    terms = [((seeds + rest / 12) * 2 / 3, 4), (2 * lasting / 12, 11)]
    variance = sum(term for term, _ in terms)
    assert variance == pytest.approx(covariances[1, 1], rel=1e-6)
    degrees = variance**2 / sum(term**2 / number for term, number in terms)
    half = scipy.stats.t.ppf(0.975, degrees) * covariances[1, 1] ** 0.5
    comparison = compare_seeds(*values, equal_spread=True)
    assert comparison.difference == pytest.approx(difference)
    assert comparison.interval == pytest.approx((difference - half, difference + half), rel=1e-3)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_one_fold_of_a_metric_without_users_is_welchs(alternative: Any) -> None:
    """Of one value per seed, nothing but seeds varies, and scipy's test of unequal variances is the same."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.5, 0.01, (5, 1)), rng.normal(0.49, 0.03, (4, 1))
    expected = scipy.stats.ttest_ind(first[:, 0], second[:, 0], equal_var=False, alternative=alternative)
    assert compare_seeds(first, second, alternative=alternative, units="folds").p == pytest.approx(expected.pvalue)
    pooled = scipy.stats.ttest_ind(first[:, 0], second[:, 0], alternative=alternative)
    found = compare_seeds(first[:, :], second, alternative=alternative, units="folds", equal_spread=True)
    assert found.p == pytest.approx(pooled.pvalue)


def test_algorithms_without_seeds_are_compared_as_ever() -> None:
    """Declared deterministic, or equal for every seed: the test is that of the two models, and says so."""
    rng = np.random.default_rng(2)
    first, second = rng.random(200), rng.random(200)
    plain = compare(first, second)
    declared = compare_seeds(first[None], second[None], deterministic_first=True, deterministic_second=True)
    equal = compare_seeds(np.tile(first, (3, 1)), np.tile(second, (5, 1)))
    assert (declared.p, declared.interval, declared.test, declared.seeds) == (
        plain.p,
        plain.interval,
        "bootstrap",
        (1, 1),
    )
    assert equal.seeds == (3, 5)
    assert equal.p == pytest.approx(plain.p)


def test_one_seed_needs_somebody_elses_spread() -> None:
    """A single fit of a stochastic algorithm can't be judged alone, but by the spread of its baseline's seeds."""
    rng = np.random.default_rng(3)
    users = rng.random(100)
    one, five = fitted(rng, users, 1), fitted(rng, users, 5)
    alone = compare_seeds(one, five)
    assert (alone.p, alone.interval) == (None, None)
    assert alone.reason == "one seed of the first tells nothing about other seeds; fit more of them"
    borrowed = compare_seeds(one, five, equal_spread=True)
    assert borrowed.p is not None
    assert compare_seeds(one, five, deterministic_first=True).p is not None
    assert "one seed of the first" in compare_seeds(one, one, equal_spread=True).reason


def rejected(comparisons: list[Comparison]) -> float:
    """Return the share of comparisons with a p of at most 5 %."""
    return float(np.mean([comparison.p is not None and comparison.p <= 0.05 for comparison in comparisons]))


@pytest.mark.parametrize(
    ("seeds", "options"),
    [
        ((5, 5), {}),
        ((3, 3), {}),
        ((5, 2), {}),
        ((2, 2), {}),
        ((2, 1), {"deterministic_second": True}),
        ((3, 1), {"deterministic_second": True}),
        ((5, 1), {"deterministic_second": True}),
        ((1, 5), {"equal_spread": True}),
        ((1, 3), {"equal_spread": True}),
    ],
)
@pytest.mark.parametrize("seed", [0.0, 0.01, 0.03])
def test_equal_algorithms_differ_rarely(seeds: tuple[int, int], options: dict[str, Any], seed: float) -> None:
    """At 5 %, at most 6 % of comparisons of equal algorithms, and what the number of simulations leaves to chance."""
    rng = np.random.default_rng(4)
    comparisons = []
    for _ in range(600):
        users = rng.normal(0.3, 0.2, 100)
        first = fitted(rng, users, seeds[0], seed=seed)
        second = users[None, :] if options.get("deterministic_second") else fitted(rng, users, seeds[1], seed=seed)
        comparisons.append(compare_seeds(first, second, **options))
    assert rejected(comparisons) <= 0.06 + 0.017


@pytest.mark.parametrize("n", [100, 300, 1300])
def test_few_users_with_a_difference_are_no_proof(n: int) -> None:
    """Where a few users in a hundred have any value, neither their skewness nor all others make a test too sure."""
    random = np.random.default_rng(n)
    alarms = 0
    for _ in range(600):
        found = random.random(n) < 0.03
        first, second = (
            found * (random.random((5, n)) < 0.5) * random.choice([0.3, 0.6, 1.0], (5, n)) for _ in range(2)
        )
        p = compare_seeds(first, second).p
        alarms += p is not None and p < 0.05
    assert alarms / 600 < 0.07


def test_a_test_of_two_models_is_no_test_of_two_algorithms() -> None:
    """Where seeds matter, the test of one fit each calls the same algorithm different most of the time."""
    rng = np.random.default_rng(5)
    of_models, of_algorithms = [], []
    for _ in range(300):
        users = rng.normal(0.3, 0.2, 900)
        first, second = (fitted(rng, users, 5, seed=0.02) for _ in range(2))
        of_models.append(compare(first[0], second[0]))
        of_algorithms.append(compare_seeds(first, second))
    assert rejected(of_models) > 0.6
    assert rejected(of_algorithms) < 0.07


def test_a_real_difference_is_found() -> None:
    """Five seeds that vary by .01 find a difference of .03 in most cases."""
    rng = np.random.default_rng(6)
    comparisons = []
    for _ in range(200):
        users = rng.normal(0.3, 0.2, 300)
        comparisons.append(compare_seeds(fitted(rng, users + 0.03, 5, seed=0.01), fitted(rng, users, 5, seed=0.01)))
    assert rejected(comparisons) > 0.9


@pytest.mark.parametrize(
    ("first", "second", "options", "message"),
    [
        ([0.1, 0.2], [[0.1, 0.2]], {}, r"the first values have the shape \(2,\); give a row of values per seed"),
        ([[0.1, 0.2]], [[0.1]], {}, "there are 2 and 1 values, but a paired test needs both of every user"),
        (
            [[0.1, float("nan")]],
            [[0.1, 0.2]],
            {},
            "the first values are not all finite, number 1 of seed number 0 is nan",
        ),
        ([[0.1]], [[0.1]], {"alternative": "lesser"}, "there is no alternative 'lesser'; did you mean 'less'"),
        ([[0.1]], [[0.1]], {"alpha": 0}, "alpha is 0; give a level"),
        (
            [[0.1, 0.2], [0.1, 0.3]],
            [[0.1, 0.2]],
            {"deterministic_first": True},
            "the first is declared deterministic, but its 2 seeds have other values",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(first: Any, second: Any, options: dict[str, Any], message: str) -> None:
    """What cannot be compared is refused before anything is computed, with what is wrong."""
    with pytest.raises(StatisticsError, match=message):
        compare_seeds(first, second, **options)

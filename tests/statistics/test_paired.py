"""Paired tests of two configurations, against published worked examples and scipy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench import compare
from omnibench.errors import StatisticsError
from omnibench.statistics.paired import ALTERNATIVES, TESTS

SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)
"""Hours of sleep gained by ten patients with two drugs: Student, Biometrika 6, 1908, p. 20."""

C45 = [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957]
C45_M = [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978]
"""AUC of C4.5 without and with a tuned minimal leaf, on 14 datasets: Demšar, JMLR 7, 2006, table 2."""

DEPRESSION = (
    [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30],
    [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29],
)
"""Hollander and Wolfe, "Nonparametric Statistical Methods", 1973, p. 29; in R's manual of wilcox.test."""

values = st.lists(st.tuples(*2 * [st.integers(-50, 50).map(lambda n: n / 8)]), min_size=2, max_size=40)


def sides(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def test_students_sleep() -> None:
    """R's manual of t.test has, of the data that the test was made for: -4.0621 on 9, 0.002833, (-2.4599, -0.7001)."""
    comparison = compare(*SLEEP, "t")
    assert comparison.difference == pytest.approx(-1.58)
    assert comparison.first == pytest.approx(0.75)
    assert comparison.second == pytest.approx(2.33)
    assert comparison.p == pytest.approx(0.002833, abs=5e-7)
    assert comparison.interval == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert comparison.effect_size == pytest.approx(-4.0621 / 10**0.5, abs=5e-5)
    assert (comparison.pairs, comparison.test, comparison.reason) == (10, "t", "")


def test_demsars_wilcoxon() -> None:
    """JMLR 7, 2006, section 3.1.3: T = 12 of 14 datasets, ranks of the two zeros split, z = -2.542 without ties' term.

    The paper rejects at 0.05 (the critical value is 21). Equal differences such as .768 - .763 and .591 - .599 + .003
    must count as ties although they differ in their last bits.
    """
    comparison = compare(C45, C45_M, "wilcoxon")
    exact = scipy.stats.wilcoxon(np.round(np.subtract(C45, C45_M), 3), zero_method="zsplit")
    assert exact.statistic == 12
    assert comparison.p == pytest.approx(exact.pvalue)
    assert comparison.p == pytest.approx(2 * scipy.stats.norm.cdf(-2.542), abs=0.002)
    assert (comparison.p or 1) < 0.05


def test_hollander_and_wolfes_depression() -> None:
    """R's manual of wilcox.test: V = 40, p = 0.01953 one-sided, exact."""
    assert compare(*DEPRESSION, "wilcoxon", alternative="greater").p == pytest.approx(0.01953, abs=5e-6)
    assert compare(*DEPRESSION, "wilcoxon").p == pytest.approx(0.03906, abs=5e-6)


def test_overlapping_training_sets() -> None:
    """scikit-learn's "Statistical comparison of models using grid search": 100 folds, t 2.611 -> 0.750, p .005 -> .227."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=100)
    differences = (drawn - drawn.mean()) / drawn.std(ddof=1) + 2.611 / 10
    zeros = np.zeros(100)
    plain = compare(differences, zeros, alternative="greater", units="folds")
    corrected = compare(differences, zeros, alternative="greater", units="folds", test_to_train=1 / 9)
    assert plain.p == pytest.approx(0.005, abs=5e-4)
    assert corrected.p == pytest.approx(0.227, abs=5e-4)
    assert plain.interval is not None
    assert corrected.interval is not None
    widths = [high - low for low, high in (plain.interval, corrected.interval)]
    assert widths[1] / widths[0] == pytest.approx(2.611 / 0.750, abs=0.003)
    assert plain.effect_size == corrected.effect_size


@given(values, st.sampled_from(ALTERNATIVES), st.sampled_from([0.0, 0.25, -3.0]))
def test_t_is_scipys(pairs: list[tuple[float, float]], alternative: Any, null: float) -> None:
    """Its p and its interval, of any pairs that differ unequally."""
    first, second = sides(pairs)
    comparison = compare(first, second, "t", alternative=alternative, null=null)
    differences = np.subtract(first, second)
    if np.ptp(differences) == 0:
        return
    expected = scipy.stats.ttest_1samp(differences, null, alternative=alternative)
    interval = scipy.stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert comparison.p == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)
    assert comparison.interval == pytest.approx((interval.low, interval.high))
    assert comparison.effect_size == pytest.approx(differences.mean() / differences.std(ddof=1))


@settings(max_examples=12)
@given(values.filter(lambda pairs: len(pairs) > 5), st.sampled_from(ALTERNATIVES))
def test_wilcoxon_is_scipys(pairs: list[tuple[float, float]], alternative: Any) -> None:
    """Of numbers whose differences are exact, so that scipy sees the same ties."""
    first, second = sides(pairs)
    differences = np.subtract(first, second)
    comparison = compare(first, second, "wilcoxon", alternative=alternative)
    expected = (
        scipy.stats.wilcoxon(differences, zero_method="zsplit", alternative=alternative).pvalue
        if differences.any()
        else 1.0
    )
    assert comparison.p == pytest.approx(expected)


@settings(max_examples=12)
@given(values, st.sampled_from(TESTS))
def test_exchanging_the_two_changes_only_signs(pairs: list[tuple[float, float]], test: str) -> None:
    """Two-sided p stay, differences turn."""
    first, second = sides(pairs)
    comparison, exchanged = compare(first, second, test), compare(second, first, test)
    assert comparison.difference == pytest.approx(-exchanged.difference)
    assert (comparison.first, comparison.second) == (exchanged.second, exchanged.first)
    assert comparison.p == (None if exchanged.p is None else pytest.approx(exchanged.p))
    assert (comparison.interval is None) == (exchanged.interval is None)
    if comparison.interval is not None:
        assert exchanged.interval == pytest.approx((-comparison.interval[1], -comparison.interval[0]))


@pytest.mark.parametrize("test", ["randomisation", "wilcoxon"])
def test_too_few_folds_to_say(test: str) -> None:
    """Five unanimous folds have 2 / 2^5 = 0.0625 at best; six are enough, and five are for a one-sided test."""
    better, worse = np.arange(1.0, 7.0), np.zeros(6)
    five = compare(better[:5], worse[:5], test, units="folds")
    assert five.p is None
    assert five.reason == f"too few folds to say: with 5, no {test} test can have a p below 0.0625"
    assert five.difference == 3
    assert five.interval is not None
    assert compare(better, worse, test).p == pytest.approx(2 / 2**6)
    assert compare(better[:5], worse[:5], test, alternative="greater").p == pytest.approx(1 / 2**5)
    assert compare(better[:5], worse[:5], test, alpha=0.1).p == pytest.approx(2 / 2**5)


@pytest.mark.parametrize("test", TESTS)
def test_one_pair_tells_nothing(test: str) -> None:
    """Of a single fold there is a difference, and no more."""
    comparison = compare([0.5], [0.25], test, units="folds")
    assert (comparison.difference, comparison.interval, comparison.effect_size, comparison.p) == (
        0.25,
        None,
        None,
        None,
    )
    assert comparison.reason == "too few folds to say: one difference tells nothing about chance"


@pytest.mark.parametrize("test", TESTS)
def test_equal_values_differ_by_nothing(test: str) -> None:
    """Their p is 1, and the effect 0."""
    comparison = compare([0.1, 0.2, 0.3] * 3, [0.1, 0.2, 0.3] * 3, test)
    assert (comparison.p, comparison.effect_size, comparison.interval) == (1.0, 0.0, (0.0, 0.0))


def test_equal_differences_tell_t_no_more_than_their_signs() -> None:
    """Nothing varies, so t is infinite; but two folds that agree are no proof, in their last bits or before."""
    thirty = np.linspace(0, 1, 30)
    comparison = compare(thirty + 0.1, thirty)
    assert (comparison.p, comparison.effect_size, comparison.interval) == (2.0**-29, None, None)
    assert compare([0.3, 0.7], [0.2, 0.6], "t", alternative="less", alpha=0.3).p == 1.0
    assert compare([0.3, 0.7], [0.2, 0.6], "t", alternative="greater", test_to_train=0.5, alpha=0.3).p == 0.25


@pytest.mark.parametrize(
    ("first", "second"),
    [([2.0, 3.0, 4.0], [1.0, 2.0, 3.0]), ([1.0, 2.0], [2.0, 3.0]), ([0.3, 0.7], [0.2, 0.6]), ([0.1] * 4, [0.3] * 4)],
)
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_of_a_few_equal_differences_nothing_is_said(first: list[float], second: list[float], alternative: str) -> None:
    """Too few folds are no effect of -1e15, of what the last bits differ by, and no interval of no width."""
    comparison = compare(first, second, alternative=alternative, units="folds")
    assert (comparison.p, comparison.effect_size, comparison.interval) == (None, None, None)
    assert comparison.reason.startswith(f"too few folds to say: the {len(first)} differences are equal")


@pytest.mark.parametrize("test", TESTS)
def test_values_that_differ_in_their_last_bits_are_equal(test: str) -> None:
    """Sums of the same numbers in another order differ so: the effect is 0, not whatever rounding makes of it."""
    values = np.linspace(0.1, 0.9, 12)
    comparison = compare(np.nextafter(values, 1), values, test)
    assert (comparison.difference, comparison.effect_size, comparison.interval) == (0.0, 0.0, (0.0, 0.0))


@pytest.mark.parametrize("test", TESTS)
@given(
    values=st.lists(st.tuples(*[st.sampled_from([0.0, 0.1, 0.2, 0.3, 1 / 3, 1.0])] * 2), min_size=1, max_size=8),
    units=st.sampled_from(["users", "folds"]),
)
def test_no_number_is_nan_or_infinite(test: str, values: list[tuple[float, float]], units: str) -> None:
    """Whatever a few rounded values are: every number is finite or is not there, and where p is not, the reason is."""
    first, second = zip(*values, strict=True)
    comparison = compare(first, second, test, units=units)
    numbers = (comparison.difference, comparison.effect_size, comparison.p, *(comparison.interval or ()))
    assert all(number is None or np.isfinite(number) for number in numbers)
    assert (comparison.p is None) == bool(comparison.reason)


@pytest.mark.parametrize("test", TESTS)
def test_a_margin_moves_the_hypothesis(test: str) -> None:
    """A loss of 0.02 is significant, but not one of more than 0.02."""
    rng = np.random.default_rng(1)
    before = rng.uniform(size=400)
    after = before - 0.02 + rng.normal(0, 0.02, 400)
    loss, more = (compare(after, before, test, alternative="less", null=null) for null in (0.0, -0.025))
    assert loss.p is not None
    assert more.p is not None
    assert loss.p < 0.001
    assert more.p > 0.9
    assert loss.difference == more.difference


@pytest.mark.parametrize(
    ("first", "second", "options", "message"),
    [
        ([0.1, 0.2], [0.1], {}, "there are 2 and 1 values, but a paired test needs both of every user"),
        ([], [], {}, r"the first values have the shape \(0,\)"),
        ([[0.1]], [0.1], {}, r"the first values have the shape \(1, 1\)"),
        ([0.1, 0.2], [0.1, float("nan")], {}, r"1 of the second values are not finite, the first is number 1 \(nan\)"),
        (["a"], [0.1], {}, "the first values are no numbers"),
        (
            [0.1],
            [0.1],
            {"test": "wilcoxn"},
            "there is no test 'wilcoxn'; did you mean 'wilcoxon'.; there are bootstrap, t, rand",
        ),
        ([0.1], [0.1], {"alternative": "larger"}, "there is no alternative 'larger'"),
        ([0.1], [0.1], {"alpha": 5}, "alpha is 5; give a level between 0 and 1"),
        ([0.1], [0.1], {"test_to_train": -1.0}, "test_to_train is -1.0"),
        ([0.1], [0.1], {"test": "wilcoxon", "test_to_train": 0.25}, "only the t test has a correction"),
    ],
)
def test_what_cannot_be_compared_is_refused(first: Any, second: Any, options: dict[str, Any], message: str) -> None:
    """What cannot be compared is refused before anything is computed, with what is wrong."""
    with pytest.raises(StatisticsError, match=message):
        compare(first, second, **options)


def test_the_end_of_a_run_does_not_pay_for_scipy_stats() -> None:
    """The t test needs scipy.special only, and importing the package needs no scipy at all."""
    code = """
import sys
import omnibench.statistics.best
assert not any(name.startswith("scipy") for name in sys.modules)
omnibench.statistics.best.against_best({"A": [0.1, 0.3, 0.2], "B": [0.3, 0.4, 0.6]})
assert "scipy.special" in sys.modules and "scipy.stats" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)

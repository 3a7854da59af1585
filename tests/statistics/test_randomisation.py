"""The randomisation test, against Fisher's own count, scipy and an exact count over whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from omnibench import compare
from omnibench.statistics.paired import ALTERNATIVES
from omnibench.statistics.randomisation import _all_sums, _random_sums, sign_flip_p

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Crossed minus self-fertilised plants, in eighths of an inch: Fisher, "The Design of Experiments", 1935, table 3."""


def counted(differences: list[int], alternative: str) -> float:
    """The exact p, from the number of sign patterns for each sum: whole numbers have few sums."""
    ways = {0: 1}
    for difference in differences:
        grown: dict[int, int] = {}
        for total, count in ways.items():
            for sign in (-difference, difference):
                grown[total + sign] = grown.get(total + sign, 0) + count
        ways = grown
    observed = sum(differences)
    if alternative == "two-sided":
        extreme = sum(count for total, count in ways.items() if abs(total) >= abs(observed))
    else:
        way = 1 if alternative == "greater" else -1
        extreme = sum(count for total, count in ways.items() if way * total >= way * observed)
    return float(extreme / 2 ** len(differences))


def test_fishers_darwin() -> None:
    """Section 21: 863 of 32,768 sums reach 314, so 1,726 do in both directions, 5.267 per cent."""
    assert sum(DARWIN) == 314
    comparison = compare(DARWIN, np.zeros(15), "randomisation")
    assert comparison.p == 1726 / 32768
    assert comparison.p == pytest.approx(0.05267, abs=5e-6)
    assert compare(DARWIN, np.zeros(15), "randomisation", alternative="greater").p == 863 / 32768


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=9), st.sampled_from(ALTERNATIVES))
def test_few_differences_are_tried_in_all_ways(differences: list[int], alternative: Any) -> None:
    """The exact p is scipy's and the counted one, zeros or not."""
    p = sign_flip_p(np.array(differences, dtype=np.float64), alternative, 99, 0)
    assert p == pytest.approx(counted(differences, alternative))
    if len(differences) > 1:
        expected = scipy.stats.permutation_test(
            (np.array(differences, dtype=float),),
            np.sum,
            permutation_type="samples",
            alternative=alternative,
            n_resamples=np.inf,
        )
        assert p == pytest.approx(expected.pvalue)


def test_equal_sums_count_whatever_their_last_bits() -> None:
    """0.1 + 0.2 is not 0.3 to the last bit, but is no less extreme: 54 of these 64 sums are, 52 to the last bit."""
    tenths = [-8, -9, -6, 6, 3, 8]
    assert counted(tenths, "two-sided") == 54 / 64
    assert sign_flip_p(np.array(tenths) / 10, "two-sided", 99, 0) == 54 / 64


def test_every_pattern_of_signs_is_drawn() -> None:
    """Powers of two have a sum of their own for each pattern; all come, equally often."""
    powers = np.array([2.0**n for n in range(10)])
    sums, counts = np.unique(_random_sums(powers, 100_000, seed=1), return_counts=True)
    assert sums.tolist() == np.unique(_all_sums(powers)).tolist()
    assert scipy.stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize(("n", "shift"), [(21, 2), (100, 1), (333, -1)])
def test_many_differences_are_sampled(alternative: str, n: int, shift: int) -> None:
    """The estimate is within five standard errors of the exact p, and the seed decides it."""
    rng = np.random.default_rng(n)
    differences = [int(difference) for difference in rng.integers(-9, 10, n) + shift]
    differences = [difference or 1 for difference in differences]
    exact = counted(differences, alternative)
    array = np.array(differences, dtype=np.float64)
    p = sign_flip_p(array, alternative, 20_000, seed=5)
    error = np.sqrt(exact * (1 - exact) / 20_000)
    assert abs(p - exact) < 5 * error + 2 / 20_000
    assert p == sign_flip_p(array, alternative, 20_000, seed=5)
    assert len({sign_flip_p(array, alternative, 2_000, seed) for seed in range(8)}) > 1 or not 0.001 < exact < 0.999


def test_a_sampled_p_is_never_zero() -> None:
    """The observed pattern is one of those that are possible: 1 / (resamples + 1) at least."""
    assert sign_flip_p(np.ones(200), "two-sided", 999, 0) == 1 / 1000


def test_zeros_do_not_make_a_test_inexact() -> None:
    """A thousand users of whom eight differ are eight signs."""
    differences = np.zeros(1000)
    differences[::125] = [1, 2, 3, 4, 5, 6, 7, 8]
    assert sign_flip_p(differences, "two-sided", 99, 0) == 2 / 2**8

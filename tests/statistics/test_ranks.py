"""Ranks over datasets, against Demšar's worked example, R's and scipy."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from omnibench import friedman
from omnibench.errors import StatisticsError

C45 = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],  # both printed as .975, but ranked 2 and 3
        [0.957, 0.978, 0.946, 0.970],
    ]
)
"""AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 datasets: Demšar, JMLR 7, 2006, table 6."""

BASES = [
    *[(5.40, 5.50, 5.55), (5.85, 5.70, 5.75), (5.20, 5.60, 5.50), (5.55, 5.50, 5.40), (5.90, 5.85, 5.70)],
    *[(5.45, 5.55, 5.60), (5.40, 5.40, 5.35), (5.45, 5.50, 5.35), (5.25, 5.15, 5.00), (5.85, 5.80, 5.70)],
    *[(5.25, 5.20, 5.10), (5.65, 5.55, 5.45), (5.60, 5.35, 5.45), (5.05, 5.00, 4.95), (5.50, 5.50, 5.40)],
    *[(5.45, 5.55, 5.50), (5.55, 5.55, 5.35), (5.45, 5.50, 5.55), (5.50, 5.45, 5.25), (5.65, 5.60, 5.40)],
    *[(5.70, 5.65, 5.55), (6.30, 6.30, 6.25)],
]
"""Times of 22 players for rounding first base in three ways: Hollander and Wolfe, 1973, p. 140; in R's friedman.test."""


def test_demsars_friedman() -> None:
    """Section 3.2.2: ranks 3.143, 2.000, 2.893 and 1.964, chi-square 9.28, F 3.69.

    The paper does not correct for ties; its tables have them in four rows, which take 78 / 840 off.
    """
    ranking = friedman(C45)
    assert ranking.ranks.tolist() == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    uncorrected = ranking.statistic * (1 - 78 / 840)
    assert uncorrected == pytest.approx(9.28, abs=0.005)
    assert 13 * uncorrected / (14 * 3 - uncorrected) == pytest.approx(3.69, abs=0.005)
    assert ranking.p is not None
    assert ranking.p < 0.05
    assert ranking.datasets == 14


@pytest.mark.parametrize(("alpha", "critical"), [(0.05, 1.25), (0.10, 1.12)])
def test_demsars_nemenyi(alpha: float, critical: float) -> None:
    """The critical difference of four classifiers on 14 datasets, p. 12; at 0.10 two pairs differ by more."""
    ranking = friedman(C45, alpha=alpha)
    assert ranking.critical_difference == pytest.approx(critical, abs=0.005)
    plain, m, cf, m_cf = range(4)
    assert ranking.groups == (((m_cf, m, cf, plain),) if alpha == 0.05 else ((m_cf, m, cf), (cf, plain)))


@pytest.mark.parametrize(
    ("alpha", "table"),
    [
        (0.05, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
        (0.10, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
    ],
)
def test_demsars_critical_values(alpha: float, table: list[float]) -> None:
    """Table 5 (a), of 2 to 10 classifiers."""
    for k, q in enumerate(table, start=2):
        scores = np.tile(np.arange(k, dtype=float), (6, 1))
        quantile = friedman(scores, alpha=alpha).critical_difference / np.sqrt(k * (k + 1) / 36)
        assert quantile == pytest.approx(q, abs=0.0011)


def test_hollander_and_wolfes_bases() -> None:
    """R's manual of friedman.test: chi-square 11.143 with ties; p of it 0.003805."""
    ranking = friedman(BASES, higher_is_better=False)
    assert ranking.statistic == pytest.approx(11.143, abs=5e-4)
    assert scipy.stats.chi2.sf(ranking.statistic, 2) == pytest.approx(0.003805, abs=5e-7)


tables = st.tuples(st.integers(2, 8), st.integers(3, 6)).flatmap(
    lambda shape: st.lists(
        st.lists(st.integers(0, 4), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)


@given(tables)
def test_friedman_is_scipys(scores: list[list[int]]) -> None:
    """The statistic, with any ties; and higher scores or lower errors rank alike."""
    ranking = friedman(scores)
    table = np.array(scores, dtype=float)
    if all(len(set(row)) == 1 for row in scores):
        assert (ranking.statistic, ranking.p in (None, 1.0)) == (0.0, True)
    else:
        assert ranking.statistic == pytest.approx(scipy.stats.friedmanchisquare(*table.T).statistic, abs=1e-9)
    assert ranking.ranks.sum() == pytest.approx(table.shape[1] * (table.shape[1] + 1) / 2)
    assert friedman(-table, higher_is_better=False).ranks.tolist() == ranking.ranks.tolist()
    assert all(len(group) > 1 for group in ranking.groups)


def test_unanimous_datasets_tell_no_more_than_they_can() -> None:
    """F is infinite, but p is what n rankings of k that all agree have: k! to the power of 1 - n."""
    ranking = friedman([[3.0, 2.0, 1.0]] * 4)
    assert ranking.f == np.inf
    assert ranking.p == pytest.approx(factorial(3) ** -3)


def test_too_few_datasets_to_say() -> None:
    """Two datasets cannot tell three algorithms apart, and one nothing at all."""
    for n, smallest in ((1, "1"), (2, "0.1667")):
        ranking = friedman([[3.0, 2.0, 1.0]] * n)
        assert (ranking.p, ranking.ranks.tolist()) == (None, [1, 2, 3])
        assert ranking.reason == f"too few datasets to say: with {n}, p cannot be below {smallest}"
    assert friedman([[3.0, 2.0, 1.0]] * 3).p is not None


def test_hundreds_of_configurations_have_ranks() -> None:
    """Whose factorial no float holds; Nemenyi's q is the 95 % point of the range of 200 normal numbers over sqrt(2)."""
    table = np.random.default_rng(0).normal(size=(5, 200)) + np.arange(200)
    ranking = friedman(table)
    assert ranking.p is not None
    assert ranking.p < 1e-6
    assert ranking.ranks.argmin() > 190
    ranges = np.ptp(np.random.default_rng(1).normal(size=(20_000, 200)), axis=1)
    q = ranking.critical_difference / np.sqrt(200 * 201 / 30)
    assert q == pytest.approx(np.quantile(ranges, 0.95) / np.sqrt(2), rel=0.01)


@pytest.mark.parametrize("wrong", [[], [[0.1]], [0.1, 0.2], [[0.1, float("nan")]]])
def test_what_is_no_table_is_refused(wrong: Any) -> None:
    """Datasets x algorithms, at least two of these, all finite."""
    with pytest.raises(StatisticsError, match=r"the scores have the shape|is not finite"):
        friedman(wrong)

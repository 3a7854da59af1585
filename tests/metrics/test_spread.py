"""Standard errors and intervals of means against scipy, and how often the intervals cover the mean."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from omnibench.metrics import spread
from omnibench.metrics.spread import mean_intervals, standard_errors

values = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 30)), elements=st.floats(-5, 5))


@given(values, st.data())
def test_a_standard_error_is_scipys(per_user: np.ndarray, data: st.DataObject) -> None:
    """A standard error is scipy's over the users who count; NaN where fewer than two do."""
    missing = data.draw(arrays(bool, per_user.shape))
    per_user = np.where(missing, np.nan, per_user)
    for row, found in zip(per_user, standard_errors(per_user), strict=True):
        counted = row[~np.isnan(row)]
        if len(counted) < 2:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(scipy.stats.sem(counted), abs=1e-12)


@pytest.mark.parametrize("users", [30, 943, 3000])
def test_an_interval_is_scipys_bootstrap(users: int) -> None:
    """Percentile interval of the mean, as near as 1000 replicates come; for one block of them and for several."""
    rng = np.random.default_rng(users)
    per_user = np.array([rng.beta(1, 3, users), rng.integers(0, 2, users), 1e3 + rng.normal(0, 1, users)])
    found = mean_intervals(per_user)
    for row, interval in zip(per_user, found, strict=True):
        peer = scipy.stats.bootstrap((row,), np.mean, method="percentile", n_resamples=4000, rng=users)
        error = scipy.stats.sem(row)
        assert interval.tolist() == pytest.approx(list(peer.confidence_interval), abs=0.35 * error)
    assert mean_intervals(per_user).tolist() == found.tolist()


def test_users_who_do_not_count_are_not_drawn() -> None:
    """They change nothing but which of the others are drawn; a metric that nobody has has no interval."""
    rng = np.random.default_rng(1)
    scores = rng.beta(1, 3, 400)
    gaps = np.where(np.arange(800) % 2 == 0, np.repeat(scores, 2), np.nan)
    (low, high), nobody = mean_intervals(np.array([gaps, np.full(800, np.nan)]))
    alone = mean_intervals(scores[None, :])[0]
    assert [low, high] == pytest.approx(alone.tolist(), abs=0.25 * scipy.stats.sem(scores))
    assert np.isnan(nobody).all()


@pytest.mark.parametrize("hits", [0, 1, 4, 12])
def test_a_few_hits_have_clopper_and_pearsons_interval(hits: int) -> None:
    """Twelve of twelve users with a hit are no proof of 100 %: a bootstrap of equal values would have no width."""
    values = np.array([1.0] * hits + [0.0] * (12 - hits))
    exact = scipy.stats.binomtest(hits, 12).proportion_ci(method="exact")
    assert mean_intervals(values[None, :])[0].tolist() == pytest.approx([exact.low, exact.high])


def test_each_metric_counts_its_own_users() -> None:
    """Fifty users who count have the bootstrap's interval, forty-nine in the same table that of few."""
    rng = np.random.default_rng(0)
    row = rng.beta(1, 3, 50)
    fewer = np.where(np.arange(50) == 7, np.nan, row)
    many, few = mean_intervals(np.array([row, fewer]))
    assert many.tolist() == mean_intervals(row[None, :])[0].tolist()
    expected = scipy.stats.ttest_1samp(np.append(fewer[~np.isnan(fewer)], 0.5), 0).confidence_interval()
    assert few.tolist() == pytest.approx([expected.low, expected.high])


@pytest.mark.parametrize("users", [5, 10, 20, 49])
@pytest.mark.parametrize(
    ("distribution", "lowest"),
    [
        (scipy.stats.beta(1, 3), 0.94),
        (scipy.stats.bernoulli(0.2), 0.95),
        (scipy.stats.bernoulli(0.9), 0.95),
        (scipy.stats.norm(10, 1), 0.935),
        (scipy.stats.expon(), 0.89),
    ],
    ids=["beta", "few hits", "many hits", "normal", "exponential"],
)
def test_a_few_users_intervals_cover_the_mean(distribution: Any, lowest: float, users: int) -> None:
    """Of 95 % intervals, nearly that share covers the mean; a bootstrap's would be 79 % at 5 users and 88 % at 10.

    An exponential variable has no upper end, and five of it often look like values from 0 to 1: less can be promised.
    """
    drawn = distribution.rvs((2000, users), random_state=users)
    found = mean_intervals(drawn.astype(float))
    covered = (found[:, 0] <= distribution.mean()) & (distribution.mean() <= found[:, 1])
    assert covered.mean() >= lowest


def test_one_user_tells_nothing_about_others() -> None:
    """An interval of no width would look like certainty."""
    one, two = mean_intervals(np.array([[0.3, np.nan, np.nan], [0.3, 0.5, np.nan]]))
    assert np.isnan(one).all()
    assert two.tolist() == pytest.approx(list(scipy.stats.ttest_1samp([0.3, 0.5, 0.5], 0).confidence_interval()))


def test_a_value_that_never_varies_has_an_interval_of_no_width() -> None:
    """The interval of a value that never varies has no width, not even one of rounding errors."""
    assert mean_intervals(np.full((1, 50), 0.1)).tolist() == [[0.1, 0.1]]


def test_blocks_of_replicates_are_as_good_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of users decides about memory, not about the result."""
    per_user = np.random.default_rng(2).beta(1, 3, (2, 500))
    whole = mean_intervals(per_user)
    monkeypatch.setattr(spread, "_BLOCK_SIZE", 20_000)
    monkeypatch.setattr(spread, "_CACHED_SIZE", 0)
    assert np.allclose(mean_intervals(per_user), whole, rtol=0, atol=1e-6)


def test_replicates_take_no_more_memory_than_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eval has to stay below twice what it reads, and the values per user are most of one already."""
    monkeypatch.setattr(spread, "REPLICATES", 60)
    per_user = np.random.default_rng(3).random((24, 50_000))
    tracemalloc.start()
    try:
        standard_errors(per_user)
        mean_intervals(per_user)
        assert tracemalloc.get_traced_memory()[1] < 1.3 * per_user.nbytes
    finally:
        tracemalloc.stop()

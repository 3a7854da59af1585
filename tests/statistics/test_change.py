"""The relative change of a mean, and its interval."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from omnibench.statistics.change import relative_change


def sample(seed: int, n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    baseline = rng.normal(level, 1.0, n)
    return baseline * rng.uniform(0.8, 1.1) + rng.normal(0, 0.3, n), baseline


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(5, 60), level=st.sampled_from([-4.0, 3.0, 10.0]))
def test_the_interval_holds_the_ratios_that_a_t_test_does_not_reject(seed: int, n: int, level: float) -> None:
    """At both ends scipy's paired t test has a p of exactly alpha; in between it has more, outside less."""
    current, baseline = sample(seed, n, level)
    change, interval = relative_change(current, baseline, 0.1)
    assert change == pytest.approx((current.mean() - baseline.mean()) / abs(baseline.mean()))
    assert change is not None
    assert interval is not None
    assert interval[0] < change < interval[1]
    for end in interval:
        for inward, compared in ((0.0, "equal"), (0.1, "above"), (-0.1, "below")):
            ratio = 1 + np.sign(level) * (end + inward * (change - end))
            p = scipy.stats.ttest_rel(current, ratio * baseline).pvalue
            assert {"equal": p == pytest.approx(0.1, rel=1e-6), "above": p > 0.1, "below": p < 0.1}[compared]


def test_overlapping_training_sets_widen_the_interval() -> None:
    """Overlapping training sets widen the interval by Nadeau and Bengio's factor, as fewer folds would."""
    current, baseline = sample(3, 5, 10.0)
    _, plain = relative_change(current, baseline, 0.05)
    _, corrected = relative_change(current, baseline, 0.05, 0.25)
    assert plain is not None
    assert corrected is not None
    assert (corrected[1] - corrected[0]) / (plain[1] - plain[0]) == pytest.approx(np.sqrt((1 / 5 + 0.25) * 5), rel=0.05)


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ([0.0, 0.0, 0.0], (None, None)),
        ([-1.0, 1.0, 0.1], (pytest.approx(44.0), None)),
        ([2.0], (pytest.approx(-0.25), None)),
    ],
    ids=["nothing", "may be zero", "one pair"],
)
def test_what_has_no_bounds_has_no_interval(baseline: list[float], expected: tuple[object, object]) -> None:
    """Relative to nothing there is no change; relative to what may be nothing it may be anything."""
    assert relative_change(np.full(len(baseline), 1.5), np.array(baseline), 0.05) == expected


def test_no_change_is_no_change() -> None:
    """Equal values have an interval of no width."""
    values = np.array([0.4, 0.4, 0.5])
    change, interval = relative_change(values, values, 0.05)
    assert change == 0
    assert interval == pytest.approx((0, 0), abs=1e-12)

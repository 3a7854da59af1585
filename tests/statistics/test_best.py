"""The best configuration, and those that are not significantly worse."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from omnibench import against_best, holm
from omnibench.errors import StatisticsError

RNG = np.random.default_rng(11)
BASE = RNG.uniform(size=500)
VALUES = {
    "close": BASE - 0.001 + RNG.normal(0, 0.1, 500),
    "best": BASE,
    "worse": BASE - 0.05 + RNG.normal(0, 0.1, 500),
    "same": BASE.copy(),
}


def test_the_best_and_what_is_not_worse() -> None:
    """The largest mean, and those whose loss may be chance."""
    found = against_best(VALUES)
    assert found.best == "best"
    assert found.not_worse == ("close", "same")
    assert found.undecided == ()
    assert list(found.comparisons) == ["close", "worse", "same"]
    assert found.comparisons["worse"].difference == pytest.approx((VALUES["worse"] - BASE).mean())
    assert found.adjusted["same"] == 1.0


def test_the_smallest_error_is_the_best() -> None:
    """Of errors, lower is better, and higher is worse."""
    found = against_best({name: -values for name, values in VALUES.items()}, higher_is_better=False)
    assert (found.best, found.not_worse) == ("best", ("close", "same"))
    assert found.adjusted == against_best(VALUES).adjusted


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_p_are_scipys_corrected(k: int, seed: int, alpha: float) -> None:
    """A paired t test against the best, and Holm over these."""
    rng = np.random.default_rng(seed)
    user = rng.normal(size=30)
    values = {str(one): user + rng.normal(0.2 * one, 0.5, 30) for one in range(k)}
    found = against_best(values, alpha=alpha)
    assert found.best == max(values, key=lambda name: values[name].mean())
    others = [name for name in values if name != found.best]
    expected = holm([scipy.stats.ttest_rel(values[name], values[found.best]).pvalue for name in others])
    assert [found.adjusted[name] for name in others] == pytest.approx(expected.tolist())
    assert found.not_worse == tuple(name for name, p in zip(others, expected, strict=True) if p > alpha)


def test_something_else_may_decide_who_is_best() -> None:
    """A table's best by its own mean; who is significantly better than that is not worse."""
    found = against_best(VALUES, best="worse")
    assert found.best == "worse"
    assert found.not_worse == ("close", "best", "same")


def test_of_one_configuration_there_is_no_comparison() -> None:
    """It is the best, and nothing else."""
    found = against_best({"alone": [0.1, 0.2]})
    assert (found.best, dict(found.comparisons), found.not_worse) == ("alone", {}, ())


def test_too_few_folds_leave_it_undecided() -> None:
    """They are not called worse, nor marked as not worse."""
    found = against_best({"A": [0.3, 0.4, 0.5], "B": [0.1, 0.2, 0.3]}, test="wilcoxon")
    assert (found.not_worse, found.undecided, found.adjusted) == ((), ("B",), {"B": None})


def test_the_truly_best_is_seldom_called_worse() -> None:
    """Of eight that are all as good, in 1,000 tables, a given one is called worse in at most 5 % (here: 2 %)."""
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(1000):
        table = rng.normal(size=(8, 60))
        found = against_best({str(place): row for place, row in enumerate(table)})
        missed += found.best != "0" and "0" not in found.not_worse
    assert missed / 1000 <= 0.05


def test_bad_input_is_refused() -> None:
    """No configuration, an unknown best, values of different users."""
    with pytest.raises(StatisticsError, match="there is no configuration to compare"):
        against_best({})
    with pytest.raises(StatisticsError, match="there are no values of 'bst'; did you mean 'best'"):
        against_best(VALUES, best="bst")
    with pytest.raises(StatisticsError, match="there are 3 and 500 values"):
        against_best({"short": [0.1, 0.2, 0.3], "best": BASE})

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
    standing = against_best(VALUES)
    assert standing.best == "best"
    assert standing.not_worse == ("close", "same")
    assert standing.undecided == ()
    assert list(standing.comparisons) == ["close", "worse", "same"]
    assert standing.comparisons["worse"].difference == pytest.approx((VALUES["worse"] - BASE).mean())
    assert standing.adjusted["same"] == 1.0


def test_the_smallest_error_is_the_best() -> None:
    """Of errors, lower is better, and higher is worse."""
    standing = against_best({name: -values for name, values in VALUES.items()}, higher_is_better=False)
    assert (standing.best, standing.not_worse) == ("best", ("close", "same"))
    assert standing.adjusted == against_best(VALUES).adjusted


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_p_are_scipys_corrected(k: int, seed: int, alpha: float) -> None:
    """A paired t test against the best, and Holm over these."""
    rng = np.random.default_rng(seed)
    user = rng.normal(size=30)
    values = {str(number): user + rng.normal(0.2 * number, 0.5, 30) for number in range(k)}
    standing = against_best(values, alpha=alpha, test="t")
    assert standing.best == max(values, key=lambda name: values[name].mean())
    rest = [name for name in values if name != standing.best]
    expected = holm([scipy.stats.ttest_rel(values[name], values[standing.best]).pvalue for name in rest])
    assert [standing.adjusted[name] for name in rest] == pytest.approx(expected.tolist())
    assert standing.not_worse == tuple(name for name, p in zip(rest, expected, strict=True) if p > alpha)


def test_something_else_may_decide_who_is_best() -> None:
    """A table's best by its own mean; who is significantly better than that is not worse."""
    standing = against_best(VALUES, best="worse")
    assert standing.best == "worse"
    assert standing.not_worse == ("close", "best", "same")


def test_of_one_configuration_there_is_no_comparison() -> None:
    """It is the best, and nothing else."""
    standing = against_best({"alone": [0.1, 0.2]})
    assert (standing.best, dict(standing.comparisons), standing.not_worse) == ("alone", {}, ())


def test_too_few_folds_leave_it_undecided() -> None:
    """They are not called worse, nor marked as not worse."""
    standing = against_best({"A": [0.3, 0.4, 0.5], "B": [0.1, 0.2, 0.3]}, test="wilcoxon")
    assert (standing.not_worse, standing.undecided, standing.adjusted) == ((), ("B",), {"B": None})


def test_the_truly_best_is_seldom_called_worse() -> None:
    """Of eight that are all as good, in 1,000 tables, a given one is called worse in at most 5 % (here: 2 %)."""
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(1000):
        table = rng.normal(size=(8, 60))
        standing = against_best({str(number): row for number, row in enumerate(table)})
        missed += standing.best != "0" and "0" not in standing.not_worse
    assert missed / 1000 <= 0.05


def test_bad_input_is_refused() -> None:
    """No configuration, an unknown best, values of different users."""
    with pytest.raises(StatisticsError, match="there is no configuration to compare"):
        against_best({})
    with pytest.raises(StatisticsError, match="there are no values of 'bst'; did you mean 'best'"):
        against_best(VALUES, best="bst")
    with pytest.raises(StatisticsError, match="there are 3 and 500 values"):
        against_best({"short": [0.1, 0.2, 0.3], "best": BASE})

"""The mean of floats is a float however large their sum is."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omnibench.statistics.deviation import sample_deviation
from omnibench.statistics.exact_means import exact_mean

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FLOATS, min_size=1, max_size=6))
@example([1.7e308, 1.7e308])
@example([1.7e308, 1.7e308, -1.7e308])
@example([-1.7e308] * 3)
def test_means_are_within_a_digit_of_the_fraction(values: list[float]) -> None:
    """Whatever the values: that of fractions, but for the last digit."""
    expected = float(sum(map(Fraction, values)) / len(values))
    assert math.isclose(exact_mean(values), expected, rel_tol=2**-51, abs_tol=5e-324)


def test_infinite_values_have_means_as_numpy_has_them() -> None:
    """Infinite with one of them, no number with both."""
    assert exact_mean([1.0, math.inf]) == math.inf
    assert exact_mean([-math.inf, 1.7e308, 1.7e308]) == -math.inf
    assert math.isnan(exact_mean([math.inf, -math.inf]))


def test_a_deviation_beyond_all_floats_is_infinite() -> None:
    """Where Python's own has an error; the largest that a float holds is that."""
    values = [1.7e308, -1.7e308]
    with pytest.raises(OverflowError):
        statistics.stdev(values)
    assert sample_deviation(values) == math.inf
    assert sample_deviation([1.7e308, 0.0]) == statistics.stdev([1.7e308, 0.0])

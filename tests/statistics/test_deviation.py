"""Deviations are those of Python's own ``statistics``."""

from __future__ import annotations

import statistics

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from omnibench.statistics.deviation import sample_deviation, sample_deviations

FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e150, max_value=1e150)


@given(st.lists(FLOATS, min_size=2, max_size=6) | st.lists(st.floats(0, 1), min_size=2, max_size=6))
@example([5e-324, 0.0])
@example([1.0, 1.0 + 2**-52])
@example([0.1, 1e150, -1e-150])
def test_deviations_are_exact(values: list[float]) -> None:
    """Whatever the values and however far apart: the same float to the last bit."""
    assert repr(sample_deviation(values)) == repr(statistics.stdev(values))


@given(
    st.integers(2, 6).flatmap(
        lambda n: st.lists(st.lists(FLOATS | st.floats(0, 1), min_size=n, max_size=n), max_size=5)
    )
)
@example([[0.1, 0.2, 0.4], [0.5, 0.5, 0.5], [1.0, 1.0 + 2**-52, 1.0], [5e-324, 0.0, 0.0], [0.1, 1e150, -1e-150]])
def test_deviations_of_many_samples_are_exact(samples: list[list[float]]) -> None:
    """Samples whose deviations are made together have the same ones to the last bit."""
    assert list(map(repr, sample_deviations(samples))) == [repr(statistics.stdev(sample)) for sample in samples]
    as_array = np.array(samples, np.float64)
    assert list(map(repr, sample_deviations(as_array))) == list(map(repr, sample_deviations(samples)))

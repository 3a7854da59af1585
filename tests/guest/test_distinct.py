"""The distinct values of codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies
from hypothesis.extra import numpy as arrays

from omnibench.guest.distinct import distinct


@given(
    arrays.arrays(
        strategies.sampled_from([np.int8, np.int32, np.int64, np.uint64]), strategies.integers(0, 300), unique=False
    )
)
def test_they_are_those_of_numpy(codes: Any) -> None:
    """They are what numpy.unique returns, in the same type, and the codes stay as they are."""
    before = codes.copy()
    answer = distinct(codes)
    assert answer.dtype == codes.dtype
    assert answer.tolist() == np.unique(codes).tolist()
    assert codes.tolist() == before.tolist()


@pytest.mark.parametrize("order", [1, -1])
def test_a_view_stays_as_it_is(order: int) -> None:
    """Codes in a view of a larger array are not sorted in their array."""
    whole = np.array([3, 1, 3, 2, 1, 0], dtype=np.int32)
    assert distinct(whole[1::2][::order]).tolist() == [0, 1, 2]
    assert whole.tolist() == [3, 1, 3, 2, 1, 0]

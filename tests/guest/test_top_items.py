"""The k best items of rows of scores: to the last bit those of whole rows that are sorted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import sorted_rows
from support.guest_scripts import GUEST, run
from support.sorted_rows import sorted_top_k, varied_scores

from omnibench.guest.top_items import top_k, top_k_without_zeros

VALUES = st.sampled_from([0.0, -0.0, 1.0, 1 + 1e-9, 1 + 2**-23, 2.0, -3.0, 1e-300, np.inf, -np.inf, np.nan])


def _equal(scores: Any, k: int) -> bool:
    return all(
        first.dtype == second.dtype and first.tobytes() == second.tobytes()
        for first, second in zip(sorted_top_k(scores, k), top_k(scores, k), strict=True)
    )


@pytest.mark.parametrize("k", [1, 3, 20, 100, 6000])
def test_lists_are_those_of_sorted_rows(k: int) -> None:
    """Dense, tied, sparse and infinite scores, in both precisions, of few and many items; zeros keep their sign."""
    for number, scores in enumerate(varied_scores(2)):
        assert _equal(scores, k), (number, scores.shape, scores.dtype)


@given(
    st.integers(1, 4),
    st.integers(1, 90),
    st.integers(1, 12),
    st.booleans(),
    st.lists(VALUES, min_size=1, max_size=40),
    st.integers(0, 2**32),
)
def test_lists_are_those_of_sorted_rows_whatever_the_numbers(
    n_rows: int, n_items: int, k: int, single: bool, values: list[float], seed: int
) -> None:
    """Any mixture of numbers, NaN and infinities, in any order."""
    drawn = np.random.default_rng(seed).choice(np.array(values), (n_rows, n_items))
    assert _equal(drawn.astype(np.float32 if single else np.float64), k)


@pytest.mark.parametrize("k", [0, 1, 3, 20, 100])
def test_zeros_may_stand_for_no_score(k: int) -> None:
    """The lists are those of scores without them: many are zero, of either sign, and few are above or below it."""
    random = np.random.default_rng(7)
    for share in (0.0, 0.01, 0.5, 1.0):
        for dtype in (np.float32, np.float64):
            scores: Any = np.where(random.random((30, 700)) < share, random.standard_normal((30, 700)), -0.0).astype(
                dtype
            )
            scores[:, ::3] = np.abs(scores[:, ::3])
            without: Any = np.where(scores == 0, -np.inf, scores).astype(dtype)
            expected = top_k(without, k)
            for found, wanted in zip(top_k_without_zeros(scores, k), expected, strict=True):
                assert found.tobytes() == wanted.tobytes()


def test_rows_may_lie_apart_in_memory() -> None:
    """Scores may be a view of others, by columns or upside down; what they are a view of stays as it is."""
    scores = np.random.default_rng(4).standard_normal((40, 900))
    before = scores.copy()
    for view in (scores[:, ::3], scores[::-1], scores.T, scores[:, 5:]):
        assert _equal(view, 7)
    assert np.array_equal(scores, before)


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("framework", ["LensKit", "RecPack", "RecBole"])
def test_a_framework_ranks_as_sorted_rows(
    framework: str, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """With the numpy of each framework, and its torch, by which maxima are taken in another way."""
    support = Path(sorted_rows.__file__).parent
    run(environment_python(framework), "sorted_lists.py", GUEST, framework.lower(), support, cwd=tmp_path)

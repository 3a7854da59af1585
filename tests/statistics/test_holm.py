"""Holm's correction, against Demšar's worked example and the closed testing procedure that it abbreviates."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import holm
from omnibench.errors import StatisticsError

probabilities = st.lists(st.floats(0, 1), max_size=6)


def test_demsars_holm() -> None:
    """JMLR 7, 2006, p. 13: of .016, .019 and .607, against .017, .025 and .05, the first two are rejected."""
    assert holm([0.019, 0.607, 0.016]).tolist() == pytest.approx([0.048, 0.607, 0.048])


def test_wrights_adjusted_p() -> None:
    """R's p.adjust of .01, .02, .03, .04 and .05 by Holm is .05, .08, .09, .09 and .09."""
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]).tolist() == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


@given(probabilities)
def test_holm_is_the_closure_of_bonferroni(p_values: list[float]) -> None:
    """A hypothesis is rejected when Bonferroni rejects every intersection that it is in (Marcus et al., 1976)."""
    adjusted = holm(p_values)
    positions = range(len(p_values))
    subsets = [chosen for size in range(1, len(p_values) + 1) for chosen in combinations(positions, size)]
    for position in positions:
        closed = max(
            min(1.0, len(subset) * min(p_values[i] for i in subset)) for subset in subsets if position in subset
        )
        assert adjusted[position] == pytest.approx(closed)


def test_of_one_or_none_nothing_is_corrected() -> None:
    """A single comparison keeps its p."""
    assert holm([0.04]).tolist() == [0.04]
    assert holm([]).tolist() == []


@pytest.mark.parametrize("wrong", [[0.5, 1.5], [-0.1], [float("nan")], [[0.1, 0.2]]])
def test_what_is_no_probability_is_refused(wrong: list[float]) -> None:
    """What is no probability is refused; the error gives the position of the first one."""
    with pytest.raises(StatisticsError, match=r"p value number \d is|have the shape"):
        holm(wrong)

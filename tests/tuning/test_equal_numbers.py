"""Numbers of another type: a default of 1.0 is the value 1 of a space; spaces of whole and of real numbers are told apart."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench import Choice, Float, Int, Log, Tuning, When
from omnibench.errors import PlanError
from omnibench.tuning.proposals import Proposals
from omnibench.tuning.space import Space


@pytest.mark.parametrize("sampler", ["grid", "random", "sobol", "tpe"])
@pytest.mark.parametrize(
    ("distribution", "default"),
    [(Choice([1, 10, 100]), 1.0), (Int(1, 3), 2.0), (Log(1, 3), 3.0), (Choice([1.0, 2.5, 3.0]), 1)],
)
def test_the_defaults_are_a_point_of_the_space_whatever_the_type_of_their_numbers(
    distribution: Any, default: float, sampler: str
) -> None:
    """Three values are three trials: the defaults, and the two others."""
    proposals = Proposals(
        Space.of({"n": distribution}), Tuning("NDCG@10", 9, sampler=sampler), "key", True, {"n": default}
    )
    proposed = [proposals.propose(number, []) for number in range(1, 4)]
    assert proposed[2] is None
    assert default not in [point["n"] for point in proposed[:2] if point is not None]


def test_proposals_have_the_types_that_the_user_wrote() -> None:
    """An equal number changes no type of a value, and so no key."""
    space = Space.of({"n": Choice([1, 10]), "x": Choice([1.0, 1])})
    assert repr(space.values_of({"n": 1.0, "x": 1})) == "{'n': 1, 'x': 1}"
    assert repr(space.values_of({"n": 10, "x": 1.0})) == "{'n': 10, 'x': 1.0}"
    assert not space.contains({"n": True, "x": 1})


def test_conditions_hold_of_equal_numbers() -> None:
    """What depends on the value 2 depends on 2.0, in the condition and in the defaults."""
    space = Space.of({"n": Choice([1, 2]), "rate": When("n", 2.0, Float(0, 1))})
    assert space == Space.of({"n": Choice([1, 2]), "rate": When("n", 2, Float(0, 1))})
    assert space.contains({"n": 2.0, "rate": 0.5})
    assert not space.contains({"n": 1.0, "rate": 0.5})


def test_spaces_of_whole_and_of_real_numbers_have_other_words() -> None:
    """What draws other values does not read the same."""
    words = [Space.of({"n": each}).plain["n"] for each in (Int(1, 100), Float(1, 100), Log(1, 100), Log(1, 100.0))]
    assert words == ["1 to 100 (whole)", "1 to 100", "log 1 to 100 (whole)", "log 1 to 100"]


def test_advice_keeps_the_type_of_a_range() -> None:
    """Log(1e4, 1) is of real numbers, and so is what is advised instead."""
    with pytest.raises(PlanError, match=r"write Log\(1\.0, 10000\.0\)"):
        Log(1e4, 1)
    with pytest.raises(PlanError, match=r"write Log\(1, 10000\)"):
        Log(10000, 1)


def test_zero_is_no_edge() -> None:
    """Nobody can widen a range beyond its natural bound."""
    space = Space.of({"a": Float(0, 2), "b": Int(0, 9), "c": Choice([0, 1, 2]), "d": Float(-1, 0), "e": Float(0.5, 2)})
    low = {"a": 0.016, "b": 0, "c": 0, "d": 0.0, "e": 0.5}
    assert space.at_edge(low) == [("e", 0.5, "low")]
    assert [name for name, _, side in space.at_edge({"a": 2, "b": 9, "c": 2, "d": -1, "e": 1}) if side == "high"] == [
        "a",
        "b",
        "c",
    ]

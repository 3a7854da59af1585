"""Search spaces: what they hold, how they are written down, and what is refused."""

from __future__ import annotations

import json
import random
from typing import Any, cast

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.spaces import DISTRIBUTIONS, FINITE_SPACES, SPACES, declarations

import omnibench
from omnibench import Choice, Float, Grid, Int, Log, When
from omnibench.errors import PlanError
from omnibench.keys import canonical
from omnibench.tuning.distributions import Distribution, distribution_of
from omnibench.tuning.space import Space

untyped: Any = omnibench
"""As those see it who have no type checker."""

untyped_space: Any = Space


@given(SPACES)
def test_spaces_round_trip_through_their_identity(space: Space) -> None:
    """A record of a space gives the same space: parameters, conditions and constants."""
    again = Space.from_identity(json.loads(json.dumps(space.identity)))
    assert again == space
    assert canonical(again.identity) == canonical(space.identity)
    assert again.dimensions == space.dimensions
    assert again.plain == space.plain


@given(declarations(), st.randoms(use_true_random=False))
def test_the_order_of_a_declaration_does_not_matter(mapping: dict[str, Any], shuffling: random.Random) -> None:
    """Two plans that name the same hyperparameters in another order have the same search."""
    entries = list(mapping.items())
    shuffling.shuffle(entries)
    assert canonical(Space.of(dict(entries)).identity) == canonical(Space.of(mapping).identity)


@given(DISTRIBUTIONS, st.floats(0, 1, exclude_max=True))
def test_every_share_of_a_distribution_is_one_of_its_values(distribution: Distribution, share: float) -> None:
    """What a sample draws lies in the range, and survives a record."""
    value = distribution.at(share)
    assert value in distribution
    assert canonical(distribution.own(value)) == canonical(value)
    assert json.loads(json.dumps(value)) in distribution
    assert distribution_of(distribution.identity).at(share) == value


@given(DISTRIBUTIONS, st.data())
def test_values_have_positions(distribution: Distribution, data: st.DataObject) -> None:
    """A finite distribution numbers its values: position and value belong together."""
    if distribution.count is None:
        return
    index = data.draw(st.integers(0, distribution.count - 1))
    value = distribution.value(index)
    assert value in distribution
    assert distribution.index(value) == index


@given(SPACES, st.randoms(use_true_random=False))
def test_every_sample_is_a_point_of_its_space(space: Space, randomness: random.Random) -> None:
    """A sample has all hyperparameters that exist under its own values, and no others."""
    sample = space.at([randomness.random() for _ in space.dimensions])
    assert space.contains(sample)
    assert space.contains({**sample, **space.constants})
    assert not space.contains({**sample, "foreign": 1})
    assert canonical(space.values_of({**sample, "foreign": 1})) == canonical(sample)


@given(FINITE_SPACES, st.data())
def test_points_are_numbered_without_gaps(space: Space, data: st.DataObject) -> None:
    """Every number below the size is a point of its own."""
    assert space.size is not None
    indices = (
        data.draw(st.lists(st.integers(0, space.size - 1), min_size=2, max_size=2, unique=True))
        if space.size > 1
        else [0]
    )
    points = [space.point(index) for index in indices]
    assert all(space.contains(point) for point in points)
    assert len({canonical(point) for point in points}) == len(points)


def test_the_points_of_a_conditional_space() -> None:
    """A grid has the dependent hyperparameter only where its condition holds."""
    space = Space.of({"solver": Choice(["als", "sgd"]), "rate": When("solver", "sgd", Choice([1, 2])), "k": Int(1, 2)})
    assert space.size == 6
    assert sorted(canonical(point) for point in space.points()) == sorted(
        canonical(point)
        for k in (1, 2)
        for point in (
            {"solver": "als", "k": k},
            {"solver": "sgd", "rate": 1, "k": k},
            {"solver": "sgd", "rate": 2, "k": k},
        )
    )


def test_a_group_of_dependent_hyperparameters() -> None:
    """Several hyperparameters under one condition; the entry's own name is none."""
    space = Space.of(
        {"solver": Choice(["als", "sgd"]), "x": When("solver", "sgd", {"rate": Log(1e-3, 1.0), "epochs": 5})}
    )
    assert space.names == ("epochs", "rate", "solver")
    assert space.contains({"solver": "als"})
    assert space.contains({"solver": "sgd", "rate": 0.1, "epochs": 5})
    assert not space.contains({"solver": "als", "rate": 0.1})
    assert not space.contains({"solver": "sgd", "rate": 0.1})
    assert space.plain["rate"] == "log 0.001 to 1 where solver is sgd"


def test_a_hyperparameter_has_other_ranges_under_other_conditions() -> None:
    """Conditions that exclude each other may share a name."""
    space = Space.of(
        {
            "solver": Choice(["als", "sgd", "cd"]),
            "a": When("solver", "als", {"reg": Int(1, 5)}),
            "b": When("solver", ["sgd", "cd"], {"reg": Int(7, 9)}),
        }
    )
    assert space.size == 5 + 2 * 3
    assert space.contains({"solver": "als", "reg": 5})
    assert not space.contains({"solver": "sgd", "reg": 5})
    assert space.plain["reg"] == "1 to 5 (whole) where solver is als; 7 to 9 (whole) where solver is cd or sgd"


def test_whole_numbers_where_both_ends_are() -> None:
    """The ends of a Log decide whether an algorithm gets integers."""
    assert isinstance(Log(1, 1000).at(0.5), int)
    assert isinstance(Log(1, 1e4).at(0.5), float)
    assert Log(1, 1e4) == Log(1.0, 10000)
    assert Log(1, 10000) != Log(1.0, 10000.0)


def test_values_that_python_holds_to_be_equal_stay_apart() -> None:
    """1, 1.0 and True are three values of a Choice, and none stands for another."""
    assert Choice([1, 1.0, True]).values == (1, 1.0, True)
    assert True not in Choice([1, 2])
    assert 1 not in Choice([True, False])
    assert Choice([1]) != Choice([True])
    assert Choice([2, 2, 3]).count == 2


def test_numbers_of_numpy_and_tuples_are_taken_as_records_hold_them() -> None:
    """A Choice of an array, of numpy's numbers or of tuples has the values that a resumed run reads."""
    assert untyped.Choice(np.array([10, 20])) == Choice([10, 20])
    assert Choice(range(3)) == Choice([0, 1, 2])
    assert Choice([np.float64(0.5)]) == Choice([0.5])
    assert Choice([(64, 32), (128,)]).values == ([64, 32], [128])
    assert untyped.Int(np.int64(1), 5) == Int(1, 5)


def test_steps_are_what_they_seem() -> None:
    """Decimal steps give the numbers that a user would write, and a range ends at its last step."""
    with pytest.warns(
        UserWarning, match=r"Float\(0, 0.35, step=0.1\) ends at 0.3: its steps do not reach 0.35"
    ) as told:
        short = Float(0, 0.35, step=0.1)
    assert told[0].filename == __file__
    assert [short.value(index) for index in range(4)] == [0.0, 0.1, 0.2, 0.3]
    assert short.high == 0.3
    assert 0.30000000000000004 in Float(0, 1, step=0.1)
    assert Float(0, 1, step=0.1).own(0.30000000000000004) == 0.3
    with pytest.warns(UserWarning, match=r"Int\(1, 10, step=4\) ends at 9: its steps do not reach 10"):
        assert Int(1, 10, step=4).high == 9


def test_optuna_has_as_many_steps() -> None:
    """Ends that are rounded, as 3 * 0.1 is, do not cost a sampler the last value of a range."""
    from omnibench.tuning.optuna_space import OptunaSpace

    rounded = OptunaSpace(Space.of({"x": Float(3 * 0.1, 0.4, step=0.1)}))
    for value in (0.30000000000000004, 0.4):
        values, distributions = rounded.recorded({"x": value})
        assert not distributions["x"].single()
        assert rounded.ask(cast("Any", optuna.trial.FixedTrial(values))) == {"x": value}


def test_defaults_of_another_type_lie_in_a_range() -> None:
    """A framework's default of 1000 is a value of a real range, as the real number."""
    space = Space.of({"l2": Log(1, 1e4), "k": Int(1, 5)})
    values = space.values_of({"l2": 1000, "k": 7, "other": 1})
    assert values == {"l2": 1000.0}
    assert isinstance(values["l2"], float)


def test_the_edge_of_ranges() -> None:
    """A best value at the edge is named with its side; a Choice has an edge from three numbers on."""
    space = Space.of(
        {
            "a": Log(1e-4, 1.0),
            "b": Float(0, 1),
            "c": Choice([32, 64, 128]),
            "d": Choice([1, 2]),
            "e": Choice(["x", "y", "z"]),
            "f": Int(1, 90),
        }
    )
    assert space.at_edge({"a": 1.1e-4, "b": 0.5, "c": 128, "d": 1, "e": "x", "f": 90}) == [
        ("a", 1.1e-4, "low"),
        ("c", 128, "high"),
        ("f", 90, "high"),
    ]
    assert space.at_edge({"a": 0.01, "b": 0.99, "c": 64}) == [("b", 0.99, "high")]
    assert space.at_edge({"b": 3}) == []


def test_words() -> None:
    """Reports say what was searched in words."""
    space = Space.of(
        {
            "a": Log(1, 1e4),
            "b": Int(1, 9),
            "c": Float(0, 1, step=0.1),
            "d": Choice([32, "x", None]),
            "e": Int(2, 8, 2),
            "f": 7,
        }
    )
    assert space.plain == {
        "a": "log 1 to 10000",
        "b": "1 to 9 (whole)",
        "c": "0 to 1 in steps of 0.1",
        "d": "32, x or None",
        "e": "2 to 8 in steps of 2 (whole)",
    }
    assert space.constants == {"f": 7}


def test_optuna_distributions_are_taken_as_they_are() -> None:
    """A space written for Optuna has the same values here."""
    space = Space.of(
        {
            "a": optuna.distributions.FloatDistribution(1e-4, 1, log=True),
            "b": optuna.distributions.IntDistribution(1, 10, step=3),
            "c": optuna.distributions.CategoricalDistribution(["x", None]),
            "d": optuna.distributions.FloatDistribution(0, 1, step=0.25),
            "e": optuna.distributions.IntDistribution(1, 100, log=True),
            "f": optuna.distributions.FloatDistribution(2, 2),
        }
    )
    assert space == Space.of(
        {
            "a": Log(1e-4, 1.0),
            "b": Int(1, 10, 3),
            "c": Choice(["x", None]),
            "d": Float(0, 1, 0.25),
            "e": Log(1, 100),
            "f": Choice([2.0]),
        }
    )


class NDCG:
    """A class that is no distribution."""


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (lambda: Choice([]), "Choice got no value; give a list of at least one"),
        (lambda: Choice("als"), "Choice got 'als'; give a list of values"),
        (lambda: untyped.Choice({3, 1}), "Choice got a set, which has no order; give a list: Choice([1, 3])"),
        (lambda: Choice([{1}]), "value 1 is {1}, which a trial's record cannot hold"),
        (lambda: Choice([1, float("nan")]), "value 2 is nan, which a trial's record cannot hold; give a finite number"),
        (lambda: Choice([Int(1, 2)]), "a range cannot be a value"),
        (lambda: Choice([Grid([1, 2])]), "Grid is for add_algorithm; use Choice"),
        (lambda: Choice([object()]), "has no canonical form"),
        (lambda: Int(5, 5), "Int(5, 5) has one value only; give 5 itself, or a wider range"),
        (lambda: Int(90, 1), "Int(90, 1) is empty: low is above high; write Int(1, 90)"),
        (lambda: Int(1, 90, step=0), "the step is not positive"),
        (lambda: Int(1, 2, step=5), "has one value only, because the step is larger than the range"),
        (lambda: untyped.Int(0.5, 2), "Int: low is 0.5, which is no whole number; Float(0.5, 2) is for real ones"),
        (lambda: Int(True, 2), "Int: low is True; give a number"),
        (lambda: Int(1, 2**60), "whole numbers up to 2**53"),
        (lambda: untyped.Int(1, high="9"), "Int: high is '9'; give a number"),
        (lambda: untyped.Int(low=1, hihg=9), "Int has no argument 'hihg'; did you mean 'high'? It has low, high, step"),
        (lambda: Float(1, 0), "Float(1, 0) is empty: low is above high; write Float(0, 1)"),
        (lambda: Float(0, float("nan")), "Float: high is nan; give a finite number"),
        (lambda: Float(0, float("inf")), "Float: high is inf; give a finite number"),
        (lambda: Float(0, 1, step=-0.1), "the step is not positive"),
        (lambda: untyped.Float(0, 1, stpe=0.1), "Float has no argument 'stpe'; did you mean 'step'"),
        (
            lambda: Log(0, 1),
            "e.g. Log(0.001, 1), or Float(0, 1)",
        ),
        (lambda: Log(-1, 1), "a logarithmic range begins above 0"),
        (lambda: Log(1, 1), "has one value only"),
        (lambda: Log(10, 1), "is empty: low is above high; write Log(1, 10)"),
        (lambda: Log(True, 10), "Log: low is True; give a number"),
        (lambda: untyped.When(3, "als", Int(1, 2)), "When got 3 as the hyperparameter; give its name"),
        (lambda: When("solver", "als", {}), "has no hyperparameter"),
        (
            lambda: untyped.When("solver", vlaues="als", parameters=Int(1, 2)),
            "When has no argument 'vlaues'; did you mean 'values'",
        ),
        (lambda: Space.of({}, "RecPack.EASE"), "RecPack.EASE searches nothing; give at least one distribution"),
        (lambda: Space.of({"l2": 10}), "searches nothing"),
        (lambda: untyped_space.of([("l2", Log(1, 10))]), "give a dictionary of distributions"),
        (lambda: Space.of({"l2": Grid([1, 10])}), "l2 is a Grid, and Grid is for add_algorithm; use Choice"),
        (
            lambda: Space.of({"l2": [1, 10]}),
            "l2 is [1, 10]; write Choice([1, 10]) to try each of them, or fixed={'l2': [1, 10]}",
        ),
        (lambda: Space.of({"l2": {10, 1}}), "write Choice([1, 10])"),
        (lambda: Space.of({"l2": np.logspace(0, 1, 3)}), "write Choice(["),
        (lambda: Space.of({"l2": Log}), "l2 is the class Log; write Log(...) with its values"),
        (lambda: Space.of({"l2": NDCG}), "give Choice"),
        (
            lambda: Space.of({"als": {"reg": Log(1, 9)}}),
            "als is a dictionary of distributions; write When(hyperparameter, value, {...})",
        ),
        (lambda: Space.of({"l2": float("nan"), "k": Int(1, 2)}), "l2 is nan"),
        (lambda: untyped_space.of({3: Int(1, 2)}), "the hyperparameter 3 is no text; write its name in quotes"),
        (
            lambda: Space.of({"solver": Choice(["als"]), "r": When("slover", "als", Int(1, 2))}),
            "depends on 'slover', which is not searched; did you mean 'solver'",
        ),
        (
            lambda: Space.of({"solver": Choice(["als", "sgd"]), "r": When("solver", "asl", Int(1, 2))}),
            "being 'asl', and it has als, sgd; did you mean 'als'",
        ),
        (lambda: Space.of({"depth": Int(1, 3), "r": When("depth", 4, Int(1, 2))}), "being 4, and it is 1 to 3"),
        (lambda: Space.of({"x": Float(1, 3), "r": When("x", 2, Int(1, 2))}), "only a Choice or an Int can decide"),
        (lambda: Space.of({"x": Int(1, 3), "r": When("x", [], Int(1, 2))}), "depends on no value of x"),
        (lambda: Space.of({"x": When("y", 1, Int(1, 2)), "y": When("x", 1, Int(1, 2))}), "depends on x itself"),
        (
            lambda: Space.of({"x": Int(1, 3), "r": Int(1, 2), "y": When("x", 1, {"r": Int(5, 6)})}),
            "r is searched twice under conditions that can both hold",
        ),
        (
            lambda: Space.of({"x": Int(1, 3), "r": 3, "y": When("x", 1, {"r": Int(5, 6)})}),
            "r is the constant 3, and searched as well",
        ),
        (
            lambda: Space.of({"x": Int(1, 3), "y": When("x", 1, {"z": When("x", 2, Int(1, 2))})}),
            "values that exclude each other",
        ),
    ],
)
def test_refused(declared: Any, sentence: str) -> None:
    """What cannot be searched is refused where it is written, with the spelling that was probably meant."""
    with pytest.raises(PlanError) as caught:
        declared()
    assert sentence in str(caught.value)


def test_unknown_hyperparameters_name_the_nearest() -> None:
    """A mistyped hyperparameter, searched or constant, is refused before anything runs."""
    space = Space.of({"lamda": Log(1, 10), "k": 3})
    with pytest.raises(PlanError, match=r"RecPack[.]EASE has no hyperparameter 'lamda'; did you mean 'lambda'"):
        space.check_names({"lambda": 1, "k": 2}, "RecPack.EASE")
    space.check_names({"lamda": 1, "k": 2}, "RecPack.EASE")

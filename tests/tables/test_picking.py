"""Several configurations of one algorithm in a table: to pick the best is tuning on the test part, and how to tune instead."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import omnibench
from omnibench import Choice, ExperimentPlan, Tuning
from omnibench.experiment.configuration import Configuration
from omnibench.markup import written
from omnibench.results import Result
from omnibench.tables.layout import Layout, tables
from omnibench.tables.notebook import notebook_table
from omnibench.tables.picking import picking
from omnibench.tables.terminal import render

KNN = "RecPack.ItemKNN"
NAMES = ("Choice", "Float", "Int", "Log", "RecPack", "When")
TEXTS = [f"v{number:02}" for number in range(12)]
LISTED = ", ".join(f'"{text}"' for text in TEXTS)


class Mine:
    """An algorithm whose hyperparameters depend on each other."""

    def __init__(self, solver: str = "als", reg: float = 0.1, rate: float = 0.1) -> None: ...

    def fit(self, train: Any) -> None: ...

    def recommend(self, users: Any, k: int) -> Any: ...


def result(algorithm: str = KNN, parameters: Mapping[str, Any] | None = None, **fields: Any) -> Result:
    values = dict(parameters or {})
    name = f"{algorithm}-{abs(hash((str(values), str(fields)))):08x}"
    called = f"{algorithm}({', '.join(f'{key}={value!r}' for key, value in values.items())})"
    return Result("shop-1", name, called, None, {"NDCG@10": 0.5}, parameters=values, **fields)


def call_of(*results: Result) -> str:
    picked = picking(results)
    assert picked is not None
    return picked.call


def tuned(call: str, **classes: type) -> Configuration:
    """Return what a plan makes of a call that was copied into a bench file."""
    plan = ExperimentPlan("copied", tuning=Tuning("NDCG@10", trials=5))
    exec(call, {"plan": plan, **{name: getattr(omnibench, name) for name in NAMES}, **classes})
    (configuration,) = plan.configurations()
    return configuration


def test_a_grid_says_how_to_tune_with_its_own_values() -> None:
    """One sentence, and below it a line that a plan takes as it stands, in the order of the numbers."""
    picked = picking(result(parameters={"K": neighbours}) for neighbours in (200, 50, 100))
    assert picked is not None
    assert picked.sentence == (
        "picking the best RecPack.ItemKNN by these numbers is tuning on the test part; to choose on validation data"
    )
    assert picked.call == 'plan.tune(RecPack.ItemKNN, {"K": Choice([50, 100, 200])})'
    assert tuned(picked.call).label == "RecPack.ItemKNN (tuned)"


def test_it_stands_once_below_a_table_uncut() -> None:
    """In the last lines, in the terminal and in notebooks, however narrow: what is to be copied is one line."""
    rows = [result(parameters={"K": neighbours, "similarity": "cosine"}) for neighbours in (50, 100)]
    (table,) = tables([*rows, result("RecPack.EASE")], Layout(width=50))
    lines = render(table, colour=False).splitlines()
    call = 'plan.tune(RecPack.ItemKNN, {"K": Choice([50, 100])}, fixed={"similarity": "cosine"})'
    assert lines[-1] == f"    {call}"
    assert " ".join(" ".join(lines[-4:-1]).split()).endswith("tuning on the test part; to choose on validation data:")
    assert sum("tuning on the test part" in line for line in lines) == 1
    assert call in written(notebook_table(table)).replace("&quot;", '"')


@pytest.mark.parametrize(
    "rows",
    [
        [result(parameters={"K": 50}), result("RecPack.EASE", {"l2": 1.0})],
        [result(parameters={"K": 50}, user_label="mine"), result(parameters={"K": 50}, refit="train+validation")],
        [result(parameters={"K": 50}, seed=1), result(parameters={"K": 50}, seed=2)],
        [result("Mine", {"seed": 1}), result("Mine", {"seed": 2})],
        [result("Mine", {"random_state": 1}), result("Mine")],
        [result("Mine", {"k": 1}, module="first"), result("Mine", {"k": 2}, module="second")],
        [result("Mine (tuned)", tuned=True), result("Mine (tuned)", {"k": 2}, tuned=True), result("Mine", {"k": 3})],
        [],
    ],
)
def test_what_is_no_choice_of_hyperparameters_says_nothing(rows: list[Result]) -> None:
    """Labels, seeds, what is fitted on, two classes of one name, and what was tuned by the rules."""
    assert picking(rows) is None
    assert not any("tuning on the test part" in note for table in tables(rows) for note in table.notes)


def test_several_algorithms_are_named_and_one_is_the_example() -> None:
    """As many as fit a sentence, which stays one."""
    rows = [result(name, {"k": number}) for name in ("Mine", "Lib.A", "Yours", "Theirs") for number in (1, 2)]
    both, all_rows = picking(rows[:4]), picking(rows)
    assert both is not None
    assert all_rows is not None
    assert both.sentence.startswith("picking the best Mine or Lib.A by these numbers")
    assert both.sentence.endswith("on validation data, e.g.")
    assert both.call == all_rows.call == 'plan.tune(Mine, {"k": Choice([1, 2])})'
    assert all_rows.sentence.startswith("picking the best Mine, Lib.A, Yours and 1 more by these numbers")


def test_configurations_that_are_not_shown_count_for_the_values() -> None:
    """Of a long table only the best stand there; of many numbers the range is searched, by logarithms if it is wide."""
    for numbers, words in (
        (range(5, 105, 5), "Int(5, 100)"),
        ([number / 10 for number in range(1, 20)], "Float(0.1, 1.9)"),
        ([10.0**exponent for exponent in range(-8, 4)], "Log(1e-08, 1000.0)"),
        (TEXTS, f"Choice([{LISTED}])"),
    ):
        rows = [result(parameters={"K": number}) for number in numbers]
        (table,) = tables([*rows, result(parameters={"similarity": "cosine"}, tuned=True)], Layout(limit=2))
        assert table.notes[-1] == f'    plan.tune(RecPack.ItemKNN, {{"K": {words}}})'


def test_values_that_depend_on_each_other_keep_their_condition() -> None:
    """A list of several dictionaries in a plan: what exists only with another value is tried only with that."""
    call = call_of(
        result("Mine", {"solver": "als", "reg": 0.1}),
        result("Mine", {"solver": "als", "reg": 0.2}),
        result("Mine", {"solver": "sgd", "rate": 0.5}),
    )
    assert '"reg": When("solver", "als", Choice([0.1, 0.2]))' in call
    request = tuned(call, Mine=Mine).search
    assert request is not None
    assert request.space.plain == {
        "rate": "0.5 where solver is sgd",
        "reg": "0.1 or 0.2 where solver is als",
        "solver": "als or sgd",
    }


def test_a_framework_of_the_user_is_written_as_a_text() -> None:
    """There is no enumeration of it to import; a default beside a value is trial 0 anyway."""
    assert call_of(result("Scipy.SVD"), result("Scipy.SVD", {"factors": 4})) == (
        'plan.tune("Scipy.SVD", {"factors": Choice([4])})'
    )


scalars = st.one_of(st.integers(-9, 9), st.floats(-9, 9), st.booleans(), st.none(), st.text(max_size=4))
values = scalars | st.lists(scalars, max_size=2)
grids = st.dictionaries(
    st.sampled_from(["a", "b", 'odd "name"']), st.lists(values, min_size=1, max_size=3, unique_by=repr), min_size=1
)


@given(grids)
def test_every_point_of_a_grid_is_in_the_space_of_its_line(grid: dict[str, list[Any]]) -> None:
    """The line is Python that a plan accepts, and a search in it may choose what the grid had."""
    points = [dict(zip(grid, point, strict=True)) for point in itertools.product(*grid.values())]
    picked = picking(result("Mine", point) for point in points)
    if len(points) == 1:
        assert picked is None
        return
    assert picked is not None
    given_space: dict[str, Any] = {}

    class Recorder:
        @staticmethod
        def tune(_: Any, space: Mapping[str, Any], fixed: Mapping[str, Any] | None = None) -> None:
            given_space.update(space)
            given_space.update({name: Choice([value]) for name, value in (fixed or {}).items()})

    exec(picked.call, {"plan": Recorder, "Mine": None, "Choice": Choice})
    assert given_space.keys() == grid.keys()
    for name, distribution in given_space.items():
        assert all(value in distribution for value in grid[name])

"""Plans with OmniRec's arguments, and values that are drawn at random."""

from __future__ import annotations

import random

import pytest

import omnibench.compat.omnirec as moved
from omnibench.errors import PlanError
from omnibench.snapshots.control import OFF, snapshots_of


def parameters_of(plan: moved.ExperimentPlan, name: str) -> list[object]:
    """Return the values of a hyperparameter in the order of the configurations."""
    return [configuration.parameters.get(name) for configuration in plan.configurations()]


def test_random_values_are_those_of_the_random_state() -> None:
    """They are what Python's generator, seeded with the random state of their making, draws: what OmniRec draws."""
    moved.set_random_state(123)
    choice = moved.RandomChoice([10, 20, 40, 80, 160], n=3)
    ints, floats = moved.RandomRange(32, 128, n=3), moved.RandomRange(0.0001, 0.01, n=4)
    moved.set_random_state(5)
    assert choice.get_values() == random.Random(123).sample([10, 20, 40, 80, 160], 3)
    assert ints.get_values() == random.Random(123).sample(range(32, 129), 3)
    generator = random.Random(123)
    assert floats.get_values() == [generator.uniform(0.0001, 0.01) for _ in range(4)]
    assert choice.get_values() == choice.get_values()


def test_a_plan_with_random_values_is_the_same_at_every_run() -> None:
    """The plan has a configuration per drawn value, the same ones whenever it is asked, and keeps them over an update."""
    plan = moved.ExperimentPlan()
    plan.add_algorithm(moved.LensKit.ItemKNNScorer, {"max_nbrs": moved.RandomChoice([10, 20, 40], n=2), "min_nbrs": 5})
    values = parameters_of(plan, "max_nbrs")
    assert len(values) == 2
    assert parameters_of(plan, "max_nbrs") == values
    plan.update_algorithm(moved.LensKit.ItemKNNScorer, {"min_nbrs": 1})
    assert parameters_of(plan, "max_nbrs") == values
    assert parameters_of(plan, "min_nbrs") == [1, 1]


def test_combinations_are_all_of_all() -> None:
    """Four floats times three ints are twelve configurations."""
    plan = moved.ExperimentPlan()
    plan.add_algorithm(
        moved.RecBole.LightGCN,
        algorithm_config={
            "learning_rate": moved.RandomRange(0.0001, 0.01, n=4),
            "embedding_size": moved.RandomRange(32, 128, n=3),
        },
    )
    assert len(plan.configurations()) == 12


def test_a_grid_takes_any_iterable_and_gives_its_values() -> None:
    """A range and a generator are grids as well; a component of one's own is one by get_values."""

    class Doubling(moved.PlanComponentBase[int]):
        def get_values(self) -> list[int]:
            return [5, 10, 20]

    assert list(moved.Grid(range(3)).get_values()) == [0, 1, 2]
    assert isinstance(moved.Grid([1]), moved.PlanComponentBase)
    plan = moved.ExperimentPlan("several")
    plan.add_algorithm(moved.LensKit.ItemKNNScorer, {"max_nbrs": moved.Grid(number for number in (3, 4))})
    plan.add_algorithm("RecPack.ItemKNN", config={"K": Doubling()})
    assert parameters_of(plan, "max_nbrs")[:2] == [3, 4]
    assert parameters_of(plan, "K")[2:] == [5, 10, 20]
    with pytest.raises(PlanError, match="give a list"):
        moved.Grid("ab")


def test_plans_remember_what_was_given() -> None:
    """get_algorithm_config returns it unexpanded, and nothing for an algorithm that is not there; update adds one."""
    plan = moved.ExperimentPlan()
    assert plan.plan_name == "Unnamed-Plan"
    assert plan.get_algorithm_config(moved.LensKit.PopScorer) == {}
    plan.update_algorithm("LensKit.PopScorer", {"score": "count"})
    plan.add_algorithm("LensKit.PopScorer", {"score": "rank"}, force=True)
    assert plan.get_algorithm_config("LensKit.PopScorer") == {"score": "rank"}
    assert parameters_of(plan, "score") == ["rank"]
    assert len(plan) == 1


@pytest.mark.parametrize(
    ("algorithm", "message"),
    [
        (moved.Elliot.ItemKNN, "does not have Elliot"),
        ("LensKit.ItemKNN", "did you mean 'ItemKNNScorer'"),
    ],
)
def test_what_omnibench_does_not_have_is_refused_at_once(algorithm: str, message: str) -> None:
    """Names exist where OmniRec has them, so that scripts can be imported; adding them says what is missing."""
    with pytest.raises(PlanError, match=message):
        moved.ExperimentPlan().add_algorithm(algorithm)


def test_impossible_samples_are_refused_when_they_are_made() -> None:
    """More values than there are, or none, is an error that says how many there are."""
    with pytest.raises(PlanError, match="an n from 1 to 2"):
        moved.RandomChoice([1, 2], n=3)
    with pytest.raises(PlanError, match="a smaller n"):
        moved.RandomRange(1, 3, n=4)
    with pytest.raises(PlanError, match="an end above the start"):
        moved.RandomRange(0.5, 0.1, n=1)


def test_a_moved_plan_says_how_often_state_is_kept() -> None:
    """Omnibench's argument is there beside OmniRec's, for a plan and for an algorithm."""
    plan = moved.ExperimentPlan("kept", snapshots="1h")
    plan.add_algorithm(moved.RecPack.ItemKNN)
    plan.add_algorithm(moved.RecBole.BPR, snapshots="off")
    of_plan, of_algorithm = (configuration.snapshots for configuration in plan.configurations())
    assert of_plan == snapshots_of("1h")
    assert of_algorithm == OFF

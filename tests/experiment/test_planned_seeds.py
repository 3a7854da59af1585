"""Seeds as an axis of experiments: which are meant, what is planned with them, and how its items are called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import NDCG, Evaluator, ExperimentPlan, Grid, UserCrossValidation, UserHoldout, from_frame, run_omnirec
from omnibench.errors import PlanError
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.planning import experiments
from omnibench.experiment.seeds import checked_seeds


class Settled:
    """Says that the seed changes nothing."""

    deterministic = True

    def fit(self, train: Any) -> None:
        """Learn nothing."""

    def recommend(self, users: list[Any], k: int) -> list[list[Any]]:
        """Recommend nothing."""
        return [[] for _ in users]


class Drawn(Settled):
    """Says that the seed matters."""

    deterministic = False


class Seeded(Drawn):
    """Takes its seed under one name."""

    def __init__(self, seed: int) -> None:
        self.seed = seed


class Stated(Drawn):
    """Takes its seed under the other name."""

    def __init__(self, random_state: int) -> None:
        self.seed = random_state


class Silent(Settled):
    """Says nothing of that: a method of this name is none of it."""

    def deterministic(self) -> bool:  # type: ignore[override]
        """Return what nobody asks for."""
        return True


def interactions() -> Any:
    """Interactions of 20 users with 20 items."""
    import pandas as pd

    rng = np.random.default_rng(1)
    return pd.DataFrame({"user": rng.integers(0, 20, 300), "item": rng.integers(0, 20, 300)}).drop_duplicates()


def planned(*algorithms: type, seeds: Any = (42,), folds: bool = False) -> list[Experiment]:
    """Return the experiments of a plan with some seeds."""
    plan = ExperimentPlan("seeds")
    for algorithm in algorithms:
        plan.add_algorithm(algorithm)
    split = UserCrossValidation(2) if folds else UserHoldout(0, 0.3)
    return experiments(
        from_frame(interactions(), "tiny").pipe(split), plan, (NDCG(3),), versions=lambda _: "1", seeds=seeds
    )


@given(st.integers(1, 50), st.integers(0, 2**32 - 51))
def test_a_number_counts_from_the_first_seed(count: int, first: int) -> None:
    """``seeds=5`` are five seeds from that of the run on."""
    assert checked_seeds(count, first) == tuple(range(first, first + count))


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ([3, 1, 2], (3, 1, 2)),
        ((0, 2**32 - 1), (0, 2**32 - 1)),
        (np.arange(2, 4), (2, 3)),
        (np.int64(2), (7, 8)),
        (range(5, 7), (5, 6)),
        ([9], (9,)),
    ],
)
def test_seeds_are_those_that_are_listed(seeds: Any, expected: tuple[int, ...]) -> None:
    """A list has the seeds themselves, in its order, as numbers of Python whatever they were."""
    checked = checked_seeds(seeds, 7)
    assert checked == expected
    assert {type(seed) for seed in checked} == {int}


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (0, "seeds is 0; give their number, e.g. seeds=5"),
        (-1, "seeds is -1; give their number"),
        (True, "seeds is True; give their number"),
        (None, "seeds is None; give their number"),
        (2.0, "seeds is 2.0; give their number"),
        ("3", "seeds is '3'; give their number"),
        ({1, 2}, "seeds is {1, 2}; give their number"),
        ([], "seeds is empty; give their number"),
        ([7, 7], "seeds has 7 twice; give each seed once"),
        ([1, True], "seeds has True; give integers from 0 to 4294967295"),
        ([-1], "seeds has -1; give integers from 0 to 4294967295"),
        ([2**32], "seeds has 4294967296; give integers"),
        (2**32, "seeds is 4294967296, which from the seed 42 on goes beyond 4294967295"),
    ],
)
def test_what_are_no_seeds_is_refused(seeds: Any, message: str) -> None:
    """The error says the value and what to write instead; a script gets it before anything is looked at."""
    for call in (lambda: checked_seeds(seeds, 42), lambda: run_omnirec([], ExperimentPlan(), Evaluator(), seeds=seeds)):
        with pytest.raises(PlanError) as raised:
            call()
        assert str(raised.value).startswith(message)


def test_one_seed_is_as_it_always_was() -> None:
    """Neither the key nor the name of an experiment says that there may be several seeds, however the one is given."""
    (plain,) = planned(Drawn, seeds=[42])
    assert plain.seeds == ()
    assert "seed_" not in plain.stable_name + plain.label + plain.name
    (first, second) = planned(Drawn, seeds=[42, 43])
    assert first.fit_key == plain.fit_key
    assert first.name == plain.name
    assert second.fit_key != plain.fit_key
    assert first.seedless_key == second.seedless_key == plain.seedless_key


def test_names_end_in_the_seed() -> None:
    """Behind the fold where there are folds, and every name is of its own."""
    assert [experiment.label for experiment in planned(Drawn, seeds=[5, 6])] == [
        "tiny/Drawn/seed_5",
        "tiny/Drawn/seed_6",
    ]
    folded = planned(Drawn, seeds=[5, 6], folds=True)
    assert [experiment.label.partition("/")[2] for experiment in folded] == [
        f"Drawn/fold_{fold}/seed_{seed}" for fold in (0, 1) for seed in (5, 6)
    ]
    assert len({experiment.stable_name for experiment in folded}) == 4


def test_what_is_deterministic_is_planned_once() -> None:
    """With the first seed, under its name without seeds; of what says nothing, every seed is planned."""
    settled, *others = planned(Settled, Drawn, Silent, seeds=[5, 6, 7])
    assert (settled.label, settled.seed, settled.seeds) == ("tiny/Settled", 5, (5, 6, 7))
    assert [experiment.label for experiment in others] == [
        f"tiny/{name}/seed_{seed}" for name in ("Drawn", "Silent") for seed in (5, 6, 7)
    ]
    known = {experiment.configuration.name: experiment.configuration.determinism_known for experiment in others}
    assert known == {"Drawn": True, "Silent": False}


@pytest.mark.parametrize("name", ["seed", "random_state"])
def test_a_seed_in_the_plan_is_no_other_seed(name: str) -> None:
    """Several seeds would make one model, which would be taken for deterministic; with one seed it is as ever."""
    plan = ExperimentPlan("seeds")
    plan.add_algorithm(Seeded if name == "seed" else Stated, {name: Grid([1, 2])})
    data = from_frame(interactions(), "tiny").pipe(UserHoldout(0, 0.3))
    asked: dict[str, Any] = {"metrics": [NDCG(5)], "versions": lambda _: ""}
    assert len(experiments(data, plan, seeds=[42], **asked)) == 2
    with pytest.raises(
        PlanError, match=rf"\({name}=1\) has its {name} in the plan.*leave {name} out of the plan, and seeds= sets"
    ):
        experiments(data, plan, seeds=[1, 2, 3], **asked)


def test_keys_without_the_seed_tell_configurations_apart() -> None:
    """Configurations with other hyperparameters or of other classes share nothing."""
    keys = {experiment.seedless_key for experiment in planned(Settled, Drawn, Silent, seeds=[5, 6])}
    assert len(keys) == 3


@pytest.mark.parametrize("name", ["deterministic", "uses_ratings"])
@pytest.mark.parametrize("stated", [1, "yes", 0.0])
def test_what_a_class_says_of_itself_is_true_or_false(name: str, stated: object) -> None:
    """Anything else is an error that names the class and says what to give, instead of being passed over."""
    wrong = type("Wrong", (Settled,), {name: stated, "__module__": __name__, "__qualname__": "Settled"})
    with pytest.raises(PlanError, match=rf"Settled\.{name} is .*; give True or False, or leave it out"):
        planned(wrong)

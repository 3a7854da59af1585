"""What is tried next: a function of the search's key, the trial's number and the trials of earlier rounds."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hash_seeds import run_with_hash_seeds
from support.spaces import SPACES

from omnibench import Choice, Float, Int, Log, Tuning, When
from omnibench.errors import PlanError
from omnibench.keys import canonical
from omnibench.tuning.choice import best
from omnibench.tuning.proposals import Proposals, check_sampler
from omnibench.tuning.space import Space
from omnibench.tuning.trials import Trial

KEY = "5" * 64

SOLVERS = Space.of(
    {
        "solver": Choice(["als", "sgd"]),
        "rate": When("solver", "sgd", Log(1e-4, 1e-1)),
        "reg": Log(1e-3, 10.0),
        "k": Int(10, 200, step=10),
        "layers": Choice([[64], [64, 32]]),
        "share": Float(0, 1, step=0.1),
    }
)
FLAT = Space.of({"l2": Log(1, 1e4), "k": Int(1, 90), "norm": Choice([True, False])})

SAMPLERS: dict[str, Any] = {
    "tpe": "tpe",
    "random": "random",
    "sobol": "sobol",
    "optuna.TPE": optuna.samplers.TPESampler(n_startup_trials=4),
    "optuna.seeded": optuna.samplers.TPESampler(n_startup_trials=4, seed=3),
    "optuna.NSGA": optuna.samplers.NSGAIISampler(population_size=4),
    "optuna.random": optuna.samplers.RandomSampler(),
}


def proposals(space: Space, sampler: Any = "tpe", key: str = KEY, **arguments: Any) -> Proposals:
    """Make the proposals of a search whose algorithm has no default within the space."""
    defaults = arguments.pop("defaults", {})
    return Proposals(space, Tuning("NDCG@10", trials=30, sampler=sampler, **arguments), key, True, defaults)


def judged(number: int, parameters: Mapping[str, Any]) -> Trial:
    """Judge a configuration by a function of its text: done, failed or pruned."""
    score = random.Random(canonical(parameters)).random()
    if number % 5 == 3:
        return Trial(number, parameters, "failed", seconds=score)
    if number % 7 == 5:
        return Trial(number, parameters, "pruned", None, ((1, score / 2), (2, score)), score)
    return Trial(number, parameters, "done", score, ((1, score),), score)


def searched(source: Proposals, number: int, trials: Sequence[Trial] = ()) -> list[Trial]:
    """Go on with a search until it has a number of trials, or nothing is left to try."""
    finished = list(trials)
    while len(finished) < number:
        parameters = source.propose(len(finished), finished)
        if parameters is None:
            break
        finished.append(judged(len(finished), parameters))
    return finished


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("space", [SOLVERS, FLAT], ids=["conditional", "flat"])
def test_a_resumed_search_proposes_what_an_uninterrupted_one_does(sampler: str, space: Space) -> None:
    """A process that begins anew behind any trial, with the finished ones in any order, goes on in the same way."""
    whole = searched(proposals(space, SAMPLERS[sampler]), 18)
    assert len(whole) == 18
    for kept in (1, 2, 5, 8, 11, 13, 17):
        finished = random.Random(kept).sample(whole[:kept], kept)
        again = proposals(space, SAMPLERS[sampler])
        for number in range(kept, 18):
            assert again.propose(number, finished) == whole[number].parameters, (kept, number)
            finished.append(whole[number])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_proposal_depends_on_key_number_and_earlier_rounds_only(sampler: str) -> None:
    """Workers that ask for a trial alone, and know trials of its own round or later ones, propose the same."""
    whole = searched(proposals(SOLVERS, SAMPLERS[sampler]), 16)
    for number in (15, 6, 1, 9):
        source = proposals(SOLVERS, SAMPLERS[sampler])
        first = source.round_of(number).start
        earlier = whole[:first]
        assert source.propose(number, earlier) == whole[number].parameters
        foreign = [Trial(other, {"reg": 1.0}, "done", 99.0) for other in range(first, first + 9) if other != number]
        assert proposals(SOLVERS, SAMPLERS[sampler]).propose(number, [*foreign, *earlier]) == whole[number].parameters
        assert source.propose(number, [*earlier, *foreign]) == whole[number].parameters


def test_one_object_answers_any_number_in_any_order() -> None:
    """What an object was asked before changes no answer, nor does a result that has changed in the meantime stay."""
    whole = searched(proposals(FLAT), 16)
    source = proposals(FLAT)
    for number in (15, 3, 9, 2, 9, 14, 0, 1):
        assert source.propose(number, whole) == whole[number].parameters
    other = [Trial(trial.number, trial.parameters, "done", -(trial.value or 0.0)) for trial in whole]
    changed = [source.propose(number, other) for number in range(12, 16)]
    assert changed == [proposals(FLAT).propose(number, other) for number in range(12, 16)]
    assert changed != [trial.parameters for trial in whole[12:16]]


@settings(max_examples=25, deadline=None)
@given(
    SPACES, st.sampled_from(["tpe", "random", "sobol", "grid", "optuna.TPE"]), st.text("0123456789abcdef", min_size=8)
)
def test_every_proposal_lies_in_its_space(space: Space, sampler: str, key: str) -> None:
    """Whatever the space, each trial is a point of it; of a finite one no point comes twice."""
    if sampler == "grid" and space.size is None:
        with pytest.raises(PlanError, match="have no grid"):
            proposals(space, sampler, key)
        return
    trials = searched(proposals(space, SAMPLERS.get(sampler, sampler), key), 14)[1:]
    assert all(space.contains(trial.parameters) for trial in trials)
    if space.size is not None and sampler != "optuna.TPE":
        assert len({canonical(trial.parameters) for trial in trials}) == len(trials) == min(13, space.size)


@settings(max_examples=10, deadline=None)
@given(SPACES, st.sampled_from(["tpe", "random", "sobol"]), st.integers(1, 9), st.data())
def test_proposals_are_a_pure_function(space: Space, sampler: str, number: int, data: st.DataObject) -> None:
    """Two objects agree on a trial, whatever else one of them was asked and in which order the trials stand."""
    used = proposals(space, sampler)
    trials = searched(used, 10)
    if number >= len(trials):
        return
    shuffled = data.draw(st.permutations(trials))
    assert proposals(space, sampler).propose(number, shuffled) == trials[number].parameters
    assert used.propose(number, shuffled) == trials[number].parameters


def test_a_round_that_nobody_has_asked_about_is_not_forgotten() -> None:
    """A process that proposes a trial of a later round knows all rounds before it, whichever it has seen coming."""
    whole = searched(proposals(FLAT), 24)
    source = proposals(FLAT)
    for number in (0, 4, 0, 13, 20):
        first = source.round_of(number).start
        assert source.propose(number, whole[:first]) == whole[number].parameters


def test_another_key_is_another_search() -> None:
    """Folds, algorithms and seeds search independently of each other."""
    for sampler in ("tpe", "random", "sobol", "optuna.TPE"):
        same, other = (searched(proposals(FLAT, SAMPLERS[sampler], key), 6)[1:] for key in (KEY, "6" * 64))
        assert all(one.parameters != two.parameters for one, two in zip(same, other, strict=True)), sampler


def test_a_seed_of_the_user_s_own_sampler_stays() -> None:
    """A sampler that its user has seeded proposes by that seed, another one by the search's key."""
    seeded, unseeded = (SAMPLERS[name] for name in ("optuna.seeded", "optuna.TPE"))
    assert proposals(FLAT, seeded, KEY).propose(1, []) == proposals(FLAT, seeded, "6" * 64).propose(1, [])
    assert proposals(FLAT, unseeded, KEY).propose(1, []) != proposals(FLAT, unseeded, "6" * 64).propose(1, [])
    before = canonical(Tuning("NDCG@10", trials=3, sampler=unseeded).identity)
    searched(proposals(FLAT, unseeded), 12)
    assert canonical(Tuning("NDCG@10", trials=3, sampler=unseeded).identity) == before, "a search changes no sampler"


@pytest.mark.parametrize("sampler", ["tpe", "random", "sobol", "grid"])
def test_a_search_ends_when_all_is_tried(sampler: str) -> None:
    """A finite space is tried to its last point, and the defaults are one of its points where they lie in it."""
    space = Space.of({"a": Int(1, 3), "b": Choice(["x", "y"])})
    trials = searched(proposals(space, sampler), 30)
    assert len(trials) == 1 + 6
    assert len({canonical(trial.parameters) for trial in trials}) == 7
    with_defaults = searched(proposals(space, sampler, defaults={"a": 2, "b": "x", "c": 7}), 30)
    assert len(with_defaults) == 6
    assert {"a": 2, "b": "x"} not in [trial.parameters for trial in with_defaults]


def test_a_grid_larger_than_the_budget_is_tried_in_all_its_parts() -> None:
    """The points of a grid come in a random order: a budget that ends early has not spent all on one corner."""
    space = Space.of({"a": Int(1, 100), "b": Int(1, 100)})
    trials = searched(proposals(space, "grid"), 31)[1:]
    assert min(trial.parameters["a"] for trial in trials) < 34
    assert max(trial.parameters["a"] for trial in trials) > 66
    assert len({trial.parameters["a"] for trial in trials}) > 20


def test_a_grid_of_real_numbers_is_refused() -> None:
    """What has no grid is named, with how to give it one."""
    space = Space.of({"l2": Log(1, 1e4)})
    with pytest.raises(
        PlanError, match=r"RecPack\.EASE: l2 is log 1 to 10000, all numbers of a range, which have no grid"
    ):
        check_sampler(space, Tuning("NDCG@10", sampler="grid"), "RecPack.EASE")
    check_sampler(space, Tuning("NDCG@10", trials=3), "RecPack.EASE")


def test_rounds() -> None:
    """TPE proposes four trials together whatever the number of workers; what takes no results has one endless round."""
    source = proposals(FLAT)
    assert [source.round_of(number) for number in (0, 3, 4)] == [range(4), range(4), range(4, 8)]
    assert proposals(FLAT, parallel=3).round_of(5) == range(3, 6)
    assert 10**9 in proposals(FLAT, "random").round_of(0)


def test_the_estimator_learns() -> None:
    """Later trials of a TPE search come nearer to the optimum than random ones."""

    def loss(parameters: Mapping[str, Any]) -> float:
        return -float(abs(parameters["x"] - 0.7) + abs(parameters["y"] - 30) / 100)

    space = Space.of({"x": Float(0, 1), "y": Int(1, 90)})
    means = {}
    for sampler in ("tpe", "random"):
        last = []
        for key in "abcd":
            source, trials = proposals(space, sampler, key), [Trial(0, {}, "done", -1.0)]
            while len(trials) < 41:
                parameters = source.propose(len(trials), trials)
                assert parameters is not None
                trials.append(Trial(len(trials), parameters, "done", loss(parameters)))
            last += [loss(trial.parameters) for trial in trials[-12:]]
        means[sampler] = sum(last) / len(last)
    assert means["tpe"] > means["random"] + 0.1


def test_the_estimator_knows_the_defaults() -> None:
    """Trial 0 counts among the results with the values that the algorithm has by default, where these lie in the space."""
    trials = searched(proposals(FLAT), 16)
    ranked = [Trial(0, {}, "done", 100.0), *trials[1:]]
    with_defaults = proposals(FLAT, defaults={"l2": 500.0, "k": 20, "norm": True, "epochs": 3})
    outside = proposals(FLAT, defaults={"l2": 1e9, "k": 20, "norm": True})
    rounds = [
        [source.propose(number, ranked) for number in range(16, 20)]
        for source in (with_defaults, outside, proposals(FLAT))
    ]
    assert rounds[0] != rounds[2]
    assert rounds[1] == rounds[2]


def test_a_grid_sampler_of_optuna_ends_its_search() -> None:
    """A sampler with a last point proposes each of its points, and then nothing."""
    space = Space.of({"a": Int(1, 9), "b": Choice(["x", "y"])})
    sampler = optuna.samplers.GridSampler({"a": [1, 5, 9], "b": ["x", "y"]})
    trials = searched(proposals(space, sampler, parallel=1), 30)
    assert sorted((trial.parameters["a"], trial.parameters["b"]) for trial in trials[1:]) == [
        (a, b) for a in (1, 5, 9) for b in "xy"
    ]


def test_a_sampler_that_leaves_the_space_is_refused() -> None:
    """A grid of the sampler's own has to be one of the space."""
    space = Space.of({"a": Int(1, 9)})
    source = proposals(space, optuna.samplers.GridSampler({"a": [100]}))
    with pytest.raises(PlanError, match="proposes a = 100, which the space does not have: it is 1 to 9"):
        source.propose(1, [])
    other = Tuning("NDCG@10", trials=3, sampler=optuna.samplers.GridSampler({"b": [1]}))
    with pytest.raises(
        PlanError, match=r"RecPack\.EASE: the sampler, Optuna's GridSampler, cannot propose a trial: .*, a, is not"
    ):
        check_sampler(space, other, "RecPack.EASE")
    check_sampler(space, Tuning("NDCG@10", trials=3, sampler=optuna.samplers.GridSampler({"a": [1]})), "RecPack.EASE")


def test_proposals_of_another_release_are_taken_as_recorded() -> None:
    """A search that an older sampler has begun goes on with its recorded trials, twice in the same way."""
    recorded = [Trial(0, {}, "done", 0.1)] + [
        Trial(number, {"l2": 10.0 * number, "k": number, "norm": True}, "done", number / 10) for number in range(1, 8)
    ]
    for sampler in ("tpe", "optuna.TPE"):
        first, second = (proposals(FLAT, SAMPLERS[sampler]).propose(8, recorded) for _ in range(2))
        assert first == second
        assert first is not None
        assert FLAT.contains(first)


_PROCESS = """
from omnibench import Choice, Float, Int, Log, Tuning, When
from omnibench.tuning.proposals import Proposals
from omnibench.tuning.space import Space
from omnibench.tuning.trials import Trial
import json, optuna
space = Space.of({"solver": Choice(["als", "sgd"]), "rate": When("solver", "sgd", Log(1e-4, 1e-1)), "k": Int(1, 90), "x": Float(0, 1)})
for sampler in ("tpe", "random", "sobol", optuna.samplers.TPESampler(n_startup_trials=3), optuna.samplers.NSGAIISampler(population_size=3)):
    source, trials = Proposals(space, Tuning("NDCG@10", trials=30, sampler=sampler), "key", True, {}), []
    for number in range(14):
        parameters = source.propose(number, trials)
        trials.append(Trial(number, parameters, "done", parameters.get("x", 0.5)))
    print(json.dumps([trial.parameters for trial in trials]))
"""


def test_every_process_proposes_the_same_and_is_silent() -> None:
    """Neither the hash seed nor the clock is part of a proposal; Optuna's log and warnings do not appear."""
    processes = run_with_hash_seeds(_PROCESS)
    assert [process.stderr for process in processes] == ["", ""]
    outputs = [process.stdout for process in processes]
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") == 5


def test_raising_the_budget_continues_the_search() -> None:
    """A search of 30 trials is the beginning of one of 60, and its choice is among the same trials."""
    small = Proposals(FLAT, Tuning("NDCG@10", trials=6), KEY, True, {})
    large = Proposals(FLAT, Tuning("NDCG@10", trials=12), KEY, True, {})
    begun = searched(small, 6)
    whole = searched(large, 12)
    assert whole[:6] == begun
    assert searched(large, 12, begun) == whole
    assert best(whole, higher_is_better=True) is not None


def test_optuna_s_log_stays_as_its_user_has_set_it() -> None:
    """A search does not silence studies of the user's own."""
    before = optuna.logging.get_verbosity()
    searched(proposals(FLAT), 6)
    assert optuna.logging.get_verbosity() == before

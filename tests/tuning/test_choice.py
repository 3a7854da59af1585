"""The choice among trials and the end of a search."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from omnibench.tuning.choice import best, is_spent, within_budget
from omnibench.tuning.trials import State, Trial


def trial(number: int, value: float | None, state: State = "done", seconds: float = 1.0) -> Trial:
    """Make a trial whose parameters do not matter."""
    return Trial(number, {}, state, value, seconds=seconds)


def test_the_best_is_the_largest_or_smallest_and_equal_ones_go_to_the_lowest_number() -> None:
    """Of trials with the same value the earliest is chosen: a tie with the defaults keeps them."""
    trials = [trial(3, 0.5), trial(1, 0.5), trial(0, 0.2), trial(2, 0.1)]
    assert best(trials, higher_is_better=True) == trials[1]
    assert best(trials, higher_is_better=False) == trials[3]
    assert best([trial(4, 0.1), trial(2, 0.1)], False) == trial(2, 0.1)


def test_failed_pruned_and_undefined_trials_are_never_chosen() -> None:
    """Only a value that was judged to the end counts."""
    failures = [trial(0, None, "failed"), trial(1, 0.9, "pruned"), trial(2, float("nan")), trial(3, None)]
    assert best(failures, higher_is_better=True) is None
    assert best([], higher_is_better=True) is None
    assert best([*failures, trial(4, -1.0)], higher_is_better=True) == trial(4, -1.0)


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1), st.randoms(use_true_random=False), st.booleans())
def test_the_choice_does_not_depend_on_the_order(values: list[float], shuffling: random.Random, higher: bool) -> None:
    """Workers that finish in another order choose the same."""
    trials = [trial(number, value) for number, value in enumerate(values)]
    shuffled = shuffling.sample(trials, len(trials))
    chosen = best(shuffled, higher)
    assert chosen == best(trials, higher)
    assert chosen is not None
    assert chosen.number == values.index(max(values) if higher else min(values))


def test_a_budget_of_trials() -> None:
    """A search ends when it has as many trials as it may have, failed and pruned ones among them."""
    trials = [trial(0, 0.1), trial(1, None, "failed"), trial(2, None, "pruned")]
    assert is_spent({"trials": 3, "seconds": None}, trials)
    assert not is_spent({"trials": 4, "seconds": None}, trials)
    assert not is_spent({"trials": None, "seconds": None}, trials)


def test_a_budget_of_seconds_counts_what_trials_have_cost_by_their_numbers() -> None:
    """The trial that exceeds the budget counts; later ones that other workers had begun do not."""
    trials = [trial(0, 0.1, seconds=4), trial(1, 0.2, seconds=7), trial(2, 0.9, seconds=1)]
    budget = {"trials": None, "seconds": 10}
    assert is_spent(budget, trials)
    assert [each.number for each in within_budget(budget, reversed(trials))] == [0, 1]
    assert not is_spent(budget, trials[1:]), "trial 0 is still running, and its cost is not there yet"
    assert is_spent({"trials": 2, "seconds": 1000}, trials)
    assert not is_spent({"trials": 20, "seconds": 1000}, trials)

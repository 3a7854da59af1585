"""The early end of trials: by the trial itself and the trials of earlier rounds."""

from __future__ import annotations

import json
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hash_seeds import run_with_hash_seeds

from omnibench import Tuning
from omnibench.errors import PlanError
from omnibench.tuning.pruning import Judge, prune
from omnibench.tuning.trials import Trial


def curve(final: float, epochs: int = 30) -> tuple[tuple[int, float], ...]:
    """Make the validation values of a training that comes to a value."""
    return tuple((epoch, final * epoch / epochs) for epoch in range(1, epochs + 1))


def done(number: int, final: float, epochs: int = 30) -> Trial:
    """Make a trial that was trained to its end."""
    return Trial(number, {}, "done", final, curve(final, epochs))


def tuning(pruner: Any = "median", metric: str = "NDCG@10", **arguments: Any) -> Tuning:
    """Make a tuning with a pruner."""
    return Tuning(metric, trials=30, pruner=pruner, **arguments)


EARLIER = [done(number, 0.1 * (number + 1)) for number in range(8)]


def end(pruner: Any, number: int, final: float, finished: list[Trial], **arguments: Any) -> int | None:
    """Return the epoch after which a trial ends early; None where it does not."""
    judge = Judge(tuning(pruner), number, finished, **arguments)
    history = curve(final)
    return next((epoch for epoch, _ in history if judge.reason(history[:epoch])), None)


def test_the_median_ends_what_half_of_the_others_have_passed() -> None:
    """A trial that is worse than the median after an epoch ends, one that is better goes on to its end."""
    assert end("median", 8, 0.2, EARLIER) == 3
    assert end("median", 8, 0.5, EARLIER) is None
    reason = prune(tuning(), 8, curve(0.2)[:10], EARLIER)
    assert reason == "0.0667 until epoch 10 is worse than 0.1500, the median of 8 trials there"


def test_halving_lets_the_best_third_go_on() -> None:
    """Trials are compared at a ninth and a third of their epochs, or after 3, 9, 27 ... where nobody knows the number."""
    assert end("halving", 8, 0.35, EARLIER, epochs=30) == 4
    assert end("halving", 8, 0.35, EARLIER) == 3
    assert end("halving", 8, 0.65, EARLIER, epochs=30) is None
    crossing = [*EARLIER[:4], *(Trial(number, {}, "done", 0.9, ((5, 0.01), (10, 0.9))) for number in range(4, 8))]
    assert end("halving", 8, 0.65, crossing, epochs=30) == 10
    reason = prune(tuning("halving"), 8, curve(0.2)[:4], EARLIER, 30)
    assert reason == "0.0267 until epoch 4 is worse than 0.0800, the least of the best third of 9 trials there"


def test_a_rung_between_two_reports_is_not_missed() -> None:
    """A framework that validates every fifth epoch is judged at its first report behind a rung, and not again until the next."""
    sparse = [(5, 0.01), (10, 0.011), (15, 0.012)]
    judge = Judge(tuning("halving"), 8, EARLIER, epochs=30)
    assert judge.reason(sparse[:1]) is not None
    assert judge.reason(sparse[:2]) is not None
    assert judge.reason(sparse) is None


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_lower_is_better_of_errors(pruner: str) -> None:
    """Of an error the smaller value survives."""
    falling = [
        Trial(number, {}, "done", 1.0 + number, tuple((epoch, 1.0 + number) for epoch in range(1, 10)))
        for number in range(8)
    ]
    judge = Judge(tuning(pruner, "RMSE"), 8, falling)
    assert judge.reason([(1, 9.0), (2, 9.0), (3, 9.0)]) is not None
    assert judge.reason([(1, 0.5), (2, 0.5), (3, 0.5)]) is None


@pytest.mark.parametrize("pruner", ["median", "halving", optuna.pruners.MedianPruner(n_startup_trials=1)])
def test_the_first_round_is_never_pruned(pruner: Any) -> None:
    """Trials of the own round are no measure: which of them is finished depends on the number of workers."""
    for number in range(4):
        assert end(pruner, number, 0.001, EARLIER[:4]) is None
    assert end(pruner, 5, 0.001, EARLIER) == end(pruner, 5, 0.001, EARLIER[:4]) is not None


def test_few_trials_judge_nobody() -> None:
    """Failed trials, and those that ended before the epoch, are no measure."""
    failed = [Trial(number, {}, "failed") for number in range(3)]
    assert end("median", 8, 0.001, [*failed, *EARLIER[3:6]]) is None
    short = [Trial(number, {}, "pruned", None, curve(0.9)[:2]) for number in range(4, 8)]
    assert end("halving", 8, 0.001, [*EARLIER[:3], *short]) is None


def test_a_trial_that_stopped_early_by_itself_is_a_measure_to_the_end() -> None:
    """Early stopping ends a training whose metric no longer grows: its best value holds for later epochs."""
    early = [Trial(number, {}, "done", 0.5, ((1, 0.4), (2, 0.5), (3, 0.45))) for number in range(8)]
    assert prune(tuning(), 8, [(1, 0.1), (10, 0.2)], early) is not None
    assert prune(tuning(), 8, [(1, 0.1), (10, 0.6)], early) is None


PRUNERS = [
    "median",
    "halving",
    optuna.pruners.MedianPruner(n_startup_trials=2),
    optuna.pruners.SuccessiveHalvingPruner(),
    optuna.pruners.HyperbandPruner(min_resource=1, max_resource=30),
    optuna.pruners.PercentilePruner(25.0, n_startup_trials=2),
]


@pytest.mark.parametrize(
    "pruner", PRUNERS, ids=lambda pruner: pruner if isinstance(pruner, str) else type(pruner).__name__
)
def test_a_judgement_is_a_pure_function(pruner: Any) -> None:
    """A judge that has watched the trial and one that sees its history for the first time say the same, in any order."""
    finished = [
        *EARLIER,
        Trial(8, {}, "pruned", None, curve(0.1)[:4]),
        Trial(9, {}, "failed"),
        done(10, 0.3),
        done(11, 0.6),
    ]
    watching = Judge(tuning(pruner), 12, finished)
    history = curve(0.3)
    reasons = [watching.reason(history[:epoch]) for epoch in range(1, 31)]
    assert any(reasons)
    for epoch in (30, 3, 9, 1, 17):
        assert prune(tuning(pruner), 12, history[:epoch], list(reversed(finished))) == reasons[epoch - 1]
        assert watching.reason(history[:epoch]) == reasons[epoch - 1]
        foreign = [done(12, 99.0), done(13, -99.0), done(14, 0.1)]
        assert prune(tuning(pruner), 12, history[:epoch], [*foreign, *finished]) == reasons[epoch - 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.sampled_from(["median", "halving"]), st.integers(0, 12))
def test_the_best_trial_is_never_pruned(values: list[float], pruner: str, number: int) -> None:
    """A trial that leads after each epoch comes to its end."""
    history = [(epoch, 1.0 + value) for epoch, value in enumerate(values, 1)]
    judge = Judge(tuning(pruner), number, [done(other, value) for other, value in enumerate(values)])
    assert all(judge.reason(history[:epoch]) is None for epoch in range(1, len(history) + 1))


def test_undefined_values_are_left_out() -> None:
    """A validation value that is not a number decides nothing."""
    assert prune(tuning(), 8, [(5, float("nan"))], EARLIER) is None
    with_nan = [Trial(number, {}, "done", 0.5, ((5, float("nan")),)) for number in range(8)]
    assert prune(tuning(), 8, [(5, 0.1)], with_nan) is None


def test_without_a_pruner_nothing_ends() -> None:
    """No pruner, no judgement; one that only a record knows is asked for."""
    assert prune(Tuning("NDCG@10", trials=3), 8, curve(0.0), EARLIER) is None
    recorded = Tuning.from_identity(json.loads(json.dumps(tuning(optuna.pruners.MedianPruner()).identity)))
    with pytest.raises(PlanError, match="Optuna's MedianPruner is known by its record only"):
        prune(recorded, 8, curve(0.1), EARLIER)


_PROCESS = """
import optuna
from omnibench import Tuning
from omnibench.tuning.pruning import Judge
from omnibench.tuning.trials import Trial
curve = lambda final: tuple((epoch, final * epoch / 30) for epoch in range(1, 31))
finished = [Trial(number, {}, "done", 0.1 * number, curve(0.1 * number)) for number in range(12)]
for number in range(12, 16):
    judge = Judge(Tuning("NDCG@10", trials=30, pruner=optuna.pruners.HyperbandPruner(max_resource=30)), number, finished)
    print([judge.reason(curve(0.5)[:epoch]) for epoch in range(1, 31)])
"""


def test_every_process_judges_the_same() -> None:
    """Hyperband divides trials among brackets by a name, which is no random one."""
    outputs = {process.stdout for process in run_with_hash_seeds(_PROCESS)}
    assert len(outputs) == 1
    assert "HyperbandPruner ends it" in next(iter(outputs))


def test_halving_says_which_epochs_it_looks_at() -> None:
    """Only these have to be measured, where measuring takes longer than an epoch; the median may look at any."""
    halving = Tuning("NDCG@10", trials=30, pruner="halving")
    assert Judge(halving, 5, [], 27).judged_epochs == [3, 9]
    assert Judge(halving, 5, []).judged_epochs is None
    assert Judge(Tuning("NDCG@10", trials=30, pruner="median"), 5, [], 27).judged_epochs is None

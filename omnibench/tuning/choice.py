"""The choice among finished trials, and the end of a search; both depend on what is recorded, never on a clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from omnibench.tuning.trials import Trial


def best(trials: Iterable[Trial], higher_is_better: bool) -> Trial | None:
    """Return the trial with the best value; of equal ones that with the lowest number, so that defaults are kept.

    Args:
        trials: In any order; failed and pruned ones do not count, nor do those whose value is not a number.
        higher_is_better: Whether the largest value of the metric is the best.

    Returns:
        The trial; None where none counts.
    """
    sign = -1.0 if higher_is_better else 1.0
    ranked = [
        (sign * trial.value, trial.number, trial)
        for trial in trials
        if trial.state == "done" and trial.value is not None and not math.isnan(trial.value)
    ]
    return min(ranked, key=lambda entry: entry[:2])[2] if ranked else None


def within_budget(budget: Mapping[str, Any], trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that a budget pays for, by number: from 0 on until it is used up, or one is not finished yet.

    Workers that finish in another order, or have begun a trial too many, come to the same ones.

    Args:
        budget: ``trials``, how many there are to be, and ``seconds``, what they may cost together; the trial that exceeds
            it counts. Either may be missing or None.
        trials: The finished ones, in any order.
    """
    by_number = {trial.number: trial for trial in trials}
    limit, seconds = budget.get("trials"), budget.get("seconds")
    paid: list[Trial] = []
    spent = 0.0
    while (trial := by_number.get(len(paid))) is not None:
        if (limit is not None and len(paid) >= limit) or (seconds is not None and spent >= seconds):
            break
        paid.append(trial)
        spent += trial.seconds
    return paid


def is_spent(budget: Mapping[str, Any], trials: Iterable[Trial]) -> bool:
    """Return whether finished trials have used a budget up; see ``within_budget``."""
    paid = within_budget(budget, trials)
    limit, seconds = budget.get("trials"), budget.get("seconds")
    if limit is not None and len(paid) >= limit:
        return True
    return seconds is not None and sum(trial.seconds for trial in paid) >= seconds

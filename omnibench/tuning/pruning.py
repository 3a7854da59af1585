"""The early end of trials that look bad, judged by their metric on the validation part after epochs.

As proposals do, a judgement depends on the trial itself and on the trials of earlier rounds only, so that a search that is
resumed, or has more workers, ends the same trials at the same epochs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from omnibench.errors import PlanError
from omnibench.tuning.budget import HALVING, MEDIAN, Tuning
from omnibench.tuning.trials import Trial

if TYPE_CHECKING:
    from omnibench.tuning.optuna_pruning import RepeatedPruner

History = Sequence[tuple[int, float]]
"""The metric after epochs, in their order: epoch, from 1, and value."""

FEWEST_RIVALS = 4
"""Trials that have come as far; by fewer no trial is judged. With the usual rounds the first one is never pruned."""

REDUCTION = 3
"""Successive halving lets the best third go on, and has three times as many epochs between its rungs each time (Li et
al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020, whose eta is 3 or 4)."""

_FIRST_RUNG = 3
"""Epochs before the first judgement, where nobody knows how many there are to be, or there are few."""

_WARM_UP = 3
"""Epochs before the median judges: the first ones say more of a learning rate than of where it leads."""


class Judge:
    """Judges a trial while it is fitted.

    Args:
        tuning: What names the pruner, the rounds and the direction of the metric.
        number: The trial's number.
        finished: Finished trials; those of earlier rounds count.
        epochs: How many epochs the trial has at most; None where that is not known.
    """

    def __init__(self, tuning: Tuning, number: int, finished: Sequence[Trial], epochs: int | None = None) -> None:
        self._tuning = tuning
        self._number = number
        first = number // tuning.round_size * tuning.round_size if tuning.round_size else 0
        self._earlier = sorted((trial for trial in finished if trial.number < first), key=lambda trial: trial.number)
        self._epochs = epochs

    @property
    def judged_epochs(self) -> list[int] | None:
        """The epochs after which it looks at a trial, the first ones first; None where these may be all."""
        if self._tuning.pruner != HALVING or self._epochs is None:
            return None
        return self._rungs(self._epochs)[::-1]

    def reason(self, history: History) -> str | None:
        """Return why the trial is to end now; None where it goes on.

        Args:
            history: Its metric after epochs so far; the last is the one that is judged.
        """
        if self._tuning.pruner is None or not history:
            return None
        if self._tuning.pruner == MEDIAN:
            return self._below_median(history)
        if self._tuning.pruner == HALVING:
            return self._beyond_best_third(history)
        return self._repeated.reason(history)

    def _below_median(self, history: History) -> str | None:
        """Compare with the median of other trials after the epoch (Golovin et al., "Google Vizier", KDD 2017)."""
        epoch = history[-1][0]
        rivals = self._rivals(epoch, [trial for trial in self._earlier if trial.state == "done"])
        own = self._best(history, epoch)
        if epoch < _WARM_UP or len(rivals) < FEWEST_RIVALS or own is None:
            return None
        median = statistics.median(rivals)
        if not self._is_worse(own, median):
            return None
        return f"{own:.4f} until epoch {epoch} is worse than {median:.4f}, the median of {len(rivals)} trials there"

    def _beyond_best_third(self, history: History) -> str | None:
        """Compare with the best third of the trials that have come to the same rung, itself among them."""
        before = history[-2][0] if len(history) > 1 else 0
        rung = next((rung for rung in self._rungs(history[-1][0]) if before < rung), None)
        if rung is None:
            return None
        rivals = self._rivals(rung, self._earlier)
        own = self._best(history, history[-1][0])
        if len(rivals) < FEWEST_RIVALS or own is None:
            return None
        ranked = sorted([*rivals, own], reverse=self._tuning.higher_is_better)
        least = ranked[max(len(ranked) // REDUCTION, 1) - 1]
        if not self._is_worse(own, least):
            return None
        return f"{own:.4f} until epoch {rung} is worse than {least:.4f}, the least of the best third of {len(ranked)} trials there"

    def _rungs(self, epoch: int) -> list[int]:
        """Return the epochs until one after which trials are compared, the last first.

        Where the number of epochs is known, they are a third, a ninth ... of it; otherwise 3, 9, 27 ...
        """
        if self._epochs is None:
            powers = range(int(math.log(max(epoch, 1), REDUCTION)) + 2)
            rungs = [_FIRST_RUNG * REDUCTION**power for power in powers]
        else:
            powers = range(1, int(math.log(max(self._epochs, 1), REDUCTION)) + 1)
            rungs = [math.ceil(self._epochs / REDUCTION**power) for power in powers]
            rungs = [rung for rung in rungs if _FIRST_RUNG <= rung < self._epochs]
        return sorted((rung for rung in rungs if rung <= epoch), reverse=True)

    def _rivals(self, epoch: int, trials: Sequence[Trial]) -> list[float]:
        """Return the best values until an epoch of the trials that have come so far, or have ended by themselves before."""
        reached = [
            trial for trial in trials if trial.history and (trial.history[-1][0] >= epoch or trial.state == "done")
        ]
        values = [self._best(trial.history, epoch) for trial in reached]
        return [value for value in values if value is not None]

    def _best(self, history: History, epoch: int) -> float | None:
        """Return the best value of a history until an epoch; None where there is none."""
        values = [value for reached, value in history if reached <= epoch and not math.isnan(value)]
        if not values:
            return None
        return max(values) if self._tuning.higher_is_better else min(values)

    def _is_worse(self, value: float, other: float) -> bool:
        return value < other if self._tuning.higher_is_better else value > other

    @cached_property
    def _repeated(self) -> RepeatedPruner:
        pruner = self._tuning.pruner
        if isinstance(pruner, str | Mapping) or pruner is None:
            raise PlanError(
                f"{self._tuning.pruner_words} is known by its record only, so it cannot judge; give the pruner."
            )
        from omnibench.tuning.optuna_pruning import RepeatedPruner

        return RepeatedPruner(pruner, self._tuning.higher_is_better, self._number, self._earlier)


def prune(
    tuning: Tuning, number: int, history: History, finished: Sequence[Trial], epochs: int | None = None
) -> str | None:
    """Return why a trial is to end after its last epoch, or None; see ``Judge``."""
    return Judge(tuning, number, finished, epochs).reason(history)

"""What Optuna's pruners decide, as a function of a trial and the trials of earlier rounds.

Optuna is imported with this module.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from optuna.trial import Trial as RunningTrial
from optuna.trial import TrialState

from omnibench.tuning.optuna_study import quiet, state_of
from omnibench.tuning.trials import Trial


class RepeatedPruner:
    """A pruner of the user's: what it was asked about earlier trials is repeated, as it keeps notes of them.

    Args:
        pruner: The pruner; a copy of it is used.
        higher_is_better: Whether the metric is maximised.
        number: The number of the trial that it judges.
        earlier: The finished trials of earlier rounds, by number.
    """

    def __init__(self, pruner: BasePruner, higher_is_better: bool, number: int, earlier: Sequence[Trial]) -> None:
        self._pruner = pruner
        self._higher_is_better = higher_is_better
        self._number = number
        self._earlier = earlier
        self._begin()

    def reason(self, history: Sequence[tuple[int, float]]) -> str | None:
        """Return why the trial is to end after the last of its epochs; None where it goes on."""
        if list(history[: len(self._reported)]) != self._reported:
            self._begin()
        with quiet():
            for epoch, value in history[len(self._reported) :]:
                self._reported.append((epoch, value))
                self._is_over = _reported(self._trial, epoch, value)
        if not self._is_over:
            return None
        epoch, value = self._reported[-1]
        return f"Optuna's {type(self._pruner).__name__} ends it with {value:.4f} after epoch {epoch}"

    def _begin(self) -> None:
        """Repeat the earlier trials, and begin the trial itself."""
        with quiet():
            study = optuna.create_study(
                study_name="search",  # Hyperband divides trials among its brackets by name and number
                sampler=RandomSampler(seed=0),
                pruner=copy.deepcopy(self._pruner),
                direction="maximize" if self._higher_is_better else "minimize",
            )
            by_number = {trial.number: trial for trial in self._earlier}
            for number in range(self._number):
                running, trial = study.ask(), by_number.get(number)
                state = TrialState.FAIL if trial is None else state_of(trial)
                for epoch, value in trial.history if trial is not None else ():
                    _reported(running, epoch, value)
                value_of_end = trial.value if trial is not None and state == TrialState.COMPLETE else None
                study.tell(running, value_of_end, state)
            self._trial = study.ask()
        self._reported: list[tuple[int, float]] = []
        self._is_over = False


def _reported(trial: RunningTrial, epoch: int, value: float) -> bool:
    """Report a value, and return whether the pruner ends the trial."""
    trial.report(value, epoch)
    return trial.should_prune()

"""What Optuna's samplers propose, as a function of a search's key, a trial's number and the trials of earlier rounds.

Optuna is imported with this module.
"""

from __future__ import annotations

import contextlib
import copy
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial
from optuna.trial import Trial as RunningTrial

from omnibench.errors import PlanError
from omnibench.keys import canonical, digest
from omnibench.tuning.optuna_objects import seed_from
from omnibench.tuning.optuna_space import OptunaSpace
from omnibench.tuning.sequences import Untried, in_random_order
from omnibench.tuning.space import Space
from omnibench.tuning.trials import Trial

_MOST_REPEATS = 4
"""Times that TPE is asked for another point than one that was tried; then a random one is taken."""

_STATES = {"done": TrialState.COMPLETE, "failed": TrialState.FAIL, "pruned": TrialState.PRUNED}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's warnings and log, which are about its own studies, away from a benchmark's output."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def study_of(higher_is_better: bool, sampler: BaseSampler) -> Study:
    """Return an empty study in memory."""
    return optuna.create_study(sampler=sampler, direction="maximize" if higher_is_better else "minimize")


def frozen(space: OptunaSpace, trial: Trial, parameters: Mapping[str, Any]) -> FrozenTrial:
    """Return a finished trial as Optuna has it.

    Args:
        space: The space.
        trial: The trial.
        parameters: Its values in the space, which are not those that were proposed where it has the defaults.
    """
    values, distributions = space.recorded(parameters)
    state = state_of(trial)
    return create_trial(
        state=state,
        value=trial.value if state == TrialState.COMPLETE else None,
        params=values,
        distributions=distributions,
        intermediate_values=dict(trial.history),
    )


def state_of(trial: Trial) -> TrialState:
    """Return a trial's state in Optuna, where one without a number as value has failed."""
    is_defined = trial.value is not None and not math.isnan(trial.value)
    return TrialState.FAIL if trial.state == "done" and not is_defined else _STATES[trial.state]


class TreeParzen:
    """Proposals of the tree-structured Parzen estimator: each trial has a sampler of its own, with a seed of its own.

    A trial avoids the neighbourhood of those that were proposed before it in its round, as if these had been bad (the
    "constant liar"), so that the trials of a round differ.

    Args:
        space: The search space.
        search_key: What seeds are made of.
        higher_is_better: Whether the metric is maximised.
        defaults: The point of the algorithm's defaults; None where they lie outside of the space.
    """

    def __init__(
        self, space: Space, search_key: str, higher_is_better: bool, defaults: Mapping[str, Any] | None
    ) -> None:
        self._space = OptunaSpace(space)
        self._key = search_key
        self._higher_is_better = higher_is_better
        self._defaults = defaults
        self._study: Study | None = None
        self._running: list[RunningTrial] = []
        self._earlier: list[Trial] = []
        self._new: list[Trial] = []
        self._begin(0, [])

    def propose(self, number: int, first: int, earlier: Sequence[Trial]) -> dict[str, Any] | None:
        """Return the point of a trial; None where every point has been tried.

        Args:
            number: The trial's number, at least 1.
            first: The first number of its round.
            earlier: The finished trials of earlier rounds, by number.
        """
        with quiet():
            if (first, list(earlier)) != (self._first, self._earlier):
                self._begin(first, earlier)
            while self._first + len(self._proposed) <= number:
                self._proposed.append(self._next(self._first + len(self._proposed)))
        point = self._proposed[number - first]
        return None if point is None else dict(point)

    def _begin(self, first: int, earlier: Sequence[Trial]) -> None:
        """Begin a round."""
        if list(earlier[: len(self._earlier)]) != self._earlier:
            self._study, self._earlier, self._new = None, [], []
        while self._running:
            self._end(self._running.pop())
        self._new += earlier[len(self._earlier) :]
        self._first, self._earlier = first, list(earlier)
        self._proposed: list[dict[str, Any] | None] = []
        tried = [self._defaults] if self._defaults is not None else []
        self._untried = Untried(self._space.space, [*tried, *(trial.parameters for trial in earlier if trial.number)])

    def _next(self, number: int) -> dict[str, Any] | None:
        """Return the next point of the round."""
        if number == 0:
            return {}
        if self._untried.is_empty:
            return None
        study = self._with_earlier()
        for attempt in range(_MOST_REPEATS):
            study.sampler = self._sampler(number, attempt)
            running = study.ask()
            self._running.append(running)
            point = self._space.ask(running)
            if self._untried.take(point):
                return point
            self._end(running)
        rest = in_random_order(self._space.space, digest([self._key, number]))
        return next((point for point in rest if self._untried.take(point)), None)

    def _with_earlier(self) -> Study:
        """Return the study, with the finished trials of earlier rounds, and the running ones of this."""
        if self._study is None:
            self._study = study_of(self._higher_is_better, self._sampler(0, 0))
        for trial in self._new:
            parameters = trial.parameters if trial.number else self._defaults
            if parameters is not None and self._space.space.contains(parameters):
                self._study.add_trial(frozen(self._space, trial, parameters))
        self._new = []
        return self._study

    def _end(self, running: RunningTrial) -> None:
        """End a trial of the study without a result: the estimator takes no notice of it any more."""
        if self._study is not None:
            self._study.tell(running, state=TrialState.FAIL, skip_if_finished=True)

    def _sampler(self, number: int, attempt: int) -> TPESampler:
        seed = int(digest(["tpe", self._key, number, attempt])[:8], 16)
        return TPESampler(multivariate=True, group=self._space.is_conditional, constant_liar=True, seed=seed)


class Replay:
    """Proposals of a sampler of the user's: its study is repeated from the first trial on, round by round.

    Samplers keep what they have learned in their study, in themselves and in their generators, so what they propose
    depends on all that they were asked and told before.

    Args:
        space: The search space.
        sampler: The sampler; a copy of it is used, with seeds where it has none.
        search_key: What seeds are made of.
        higher_is_better: Whether the metric is maximised.
        defaults: The point of the algorithm's defaults; None where they lie outside of the space.
        round_of: Tells the numbers that are proposed together with one.
    """

    def __init__(
        self,
        space: Space,
        sampler: BaseSampler,
        search_key: str,
        higher_is_better: bool,
        defaults: Mapping[str, Any] | None,
        round_of: Callable[[int], range],
    ) -> None:
        self._space = OptunaSpace(space)
        self._pristine = copy.deepcopy(sampler)
        self._key = search_key
        self._higher_is_better = higher_is_better
        self._defaults = defaults
        self._round_of = round_of
        self._begin()

    def propose(self, number: int, first: int, earlier: Sequence[Trial]) -> dict[str, Any] | None:
        """Return the point of a trial; None where the sampler has no other. Arguments as of ``TreeParzen.propose``."""
        repeated = [trial for trial in earlier if trial.number < self._first]
        with quiet():
            if self._first > first or repeated != self._repeated:
                self._begin()
            results = {trial.number: trial for trial in earlier}
            while self._first < first:
                self._ask_until(self._round_of(self._first).stop - 1)
                self._tell(results)
            self._ask_until(number)
        point = self._points[number - first]
        return None if point is None else dict(point)

    def _begin(self) -> None:
        """Begin the study once more."""
        sampler = copy.deepcopy(self._pristine)
        seed_from(sampler, digest(["sampler", self._key]))
        self._is_stopped = False
        with quiet():
            self._study = study_of(self._higher_is_better, sampler)
        setattr(self._study, "stop", self._stop)  # noqa: B010 - samplers with a last point end the loop, which is elsewhere
        self._first = 0
        self._repeated: list[Trial] = []
        self._running: list[RunningTrial | None] = []
        self._points: list[dict[str, Any] | None] = []

    def _stop(self) -> None:
        self._is_stopped = True

    def _ask_until(self, number: int) -> None:
        """Ask for the trials of the round up to a number."""
        while self._first + len(self._points) <= number:
            is_first = self._first + len(self._points) == 0
            running, point = (None, {} if is_first else None) if is_first or self._is_stopped else self._ask()
            self._running.append(running)
            self._points.append(point)

    def _ask(self) -> tuple[RunningTrial, dict[str, Any]]:
        try:
            running = self._study.ask()
            return running, self._space.ask(running)
        except PlanError:
            raise
        except Exception as error:  # it is the user's, with arguments of theirs
            raise PlanError(
                f"the sampler, Optuna's {type(self._pristine).__name__}, cannot propose a trial: {type(error).__name__}: {error}"
            ) from error

    def _tell(self, results: Mapping[int, Trial]) -> None:
        """Tell the study what became of the round, and go on to the next."""
        for number, (running, point) in enumerate(zip(self._running, self._points, strict=True), self._first):
            result = results.get(number)
            if result is not None:
                self._repeated.append(result)
            if number == 0:
                if result is not None and self._defaults is not None:
                    self._study.add_trial(frozen(self._space, result, self._defaults))
            elif running is not None:
                self._tell_trial(running, point, result)
        self._first = self._round_of(self._first).stop
        self._running, self._points = [], []

    def _tell_trial(self, running: RunningTrial, point: Mapping[str, Any] | None, result: Trial | None) -> None:
        if result is None:
            self._study.tell(running, state=TrialState.FAIL)
            return
        if canonical(result.parameters) != canonical(point):  # of another release of Optuna
            self._study.tell(running, state=TrialState.FAIL)
            if self._space.space.contains(result.parameters):
                self._study.add_trial(frozen(self._space, result, result.parameters))
            return
        for epoch, value in result.history:
            running.report(value, epoch)
        state = state_of(result)
        self._study.tell(running, result.value if state == TrialState.COMPLETE else None, state)

"""The search of a tuned item: rounds of trials, computed by whoever is free, until the budget is spent.

Nobody leads a search. Each process that needs its outcome, or has nothing else to do, takes the first open trial whose
lease is free; where none is open, it proposes the next round. What is proposed depends on the trials of earlier rounds
alone, so the outcome is the same however many processes there are, and wherever one of them is killed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omnibench.engine.items import Item
from omnibench.engine.phases import PhaseOptions
from omnibench.engine.progress import Progress
from omnibench.engine.searched import SearchRecords
from omnibench.engine.trials import TrialAttempt
from omnibench.engine.workbench import Workbench
from omnibench.errors import PhaseError
from omnibench.experiment.experiment import Experiment
from omnibench.naming import first_few
from omnibench.store.advice import search_advice
from omnibench.store.leases import free_leases
from omnibench.store.schema import Phase, Record, TrialStatus
from omnibench.store.search_words import short_value
from omnibench.store.superseded import trial_words
from omnibench.store.trials import best_of
from omnibench.tuning.choice import best, is_spent
from omnibench.tuning.proposals import Proposals
from omnibench.tuning.pruning import Judge
from omnibench.tuning.trials import Trial

_LOOK_SECONDS = 0.05
_MOST_AT_ONCE = 8
"""Trials that are proposed together where only the seconds are limited, and no proposal depends on another."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a search.

    Attributes:
        chosen: The record of the best trial.
        counted: The records of all trials that the budget has paid for, in order.
    """

    chosen: Record
    counted: list[Record]


class TunedSearch:
    """The search of one tuned item, as a process takes part in it.

    Args:
        workbench: Where trials are computed.
        experiment: The tuned item's.
        progress: Its progress.
        dataset: The prepared dataset.
        options: The options of all requests to guests.
        directory: The item's directory, relative to the store's; None while it has none.
    """

    def __init__(
        self,
        workbench: Workbench,
        experiment: Experiment,
        progress: Progress,
        dataset: Path,
        options: PhaseOptions,
        directory: str | None,
    ) -> None:
        assert experiment.search is not None, "it is tuned"
        self._search = experiment.search
        self._experiment = experiment
        self._workbench = workbench
        self._progress = progress
        self._dataset = dataset
        self._options = options
        self._higher = self._search.metric.higher_is_better
        self._counted: list[Trial] = []
        self._exhausted_at: int | None = None
        self.records = SearchRecords(workbench.store, experiment, workbench.worker, directory)
        self._proposals = Proposals(
            self._search.space,
            self._search.tuning,
            experiment.search_key,
            self._higher,
            experiment.configuration.default_parameters,
        )

    def outcome(self) -> Outcome | None:
        """Return the outcome, or None while trials are missing.

        Raises:
            PhaseError: All trials have failed.
        """
        tuning = self._search.tuning
        while not is_spent(tuning.budget, self._counted) and len(self._counted) != self._exhausted_at:
            record = self.records.finished.get(len(self._counted))
            if record is None:
                return None
            self._counted.append(seen_trial(record))
        counted = [self.records.finished[trial.number] for trial in self._counted]
        winner = best_of(counted, higher_is_better=self._higher)
        if winner is None:
            raise self._failed(counted)
        return Outcome(winner, counted)

    def choose(self) -> Outcome:
        """Compute trials, or wait for those that others compute, until there is an outcome; return it.

        Raises:
            PhaseError: All trials have failed.
            StoppedError: The run was asked to stop.
        """
        self.records.begin()
        self.records.refresh(everything=True)
        while (outcome := self.outcome()) is None:
            if not self.advance():
                self._workbench.stopping.check()
                self._workbench.resources.wait_for_others()
                time.sleep(_LOOK_SECONDS)
                self.records.refresh()
        return outcome

    def advance(self) -> bool:
        """Compute the first open trial that nobody computes, or propose trials; return whether there was anything to do."""
        self.records.refresh()
        limit = self._search.tuning.parallel
        for busy, record in enumerate(self.records.open):  # those that others are at come first
            self._workbench.stopping.check()
            if limit is not None and busy >= limit:
                return False
            if self._attempt(record):
                return True
        return self._propose()

    def _propose(self) -> bool:
        """Propose the rest of the next round, unless another process does; return whether there are new trials."""
        with self.records.proposing() as lease:
            if lease is None:
                return False
            self.records.refresh()
            first = self.records.proposed
            trials = self._finished
            together = self._proposals.round_of(first)
            if any(number not in self.records.finished for number in range(min(together.start, first))):
                return False
            last = min(together.stop, self._search.tuning.trials or first + _MOST_AT_ONCE)
            proposed: dict[int, tuple[Mapping[str, Any], str]] = {}
            for number in range(first, last):
                parameters = self._proposals.propose(number, trials)
                if parameters is None:  # a grid has no more points
                    self._exhausted_at = number
                    break
                if number == 0:
                    parameters = {**self._needed, **parameters}
                proposed[number] = parameters, self._experiment.trial(parameters).fit_key
            if proposed:
                self.records.propose(lease, proposed)
            return bool(proposed) or self._exhausted_at == first

    def _attempt(self, record: Record) -> bool:
        """Compute an open trial; return False where somebody else does."""
        busy: list[str] = []
        store = self._workbench.store
        with free_leases(store.lease, [record["fit_key"]], busy) as leases:
            if busy:
                return False
            number = record["number"]
            if self.records.look_again(number):  # another process has finished it meanwhile
                return True
            experiment = self._experiment.trial(record["parameters"])
            item = Item(experiment, ((self._search.metric, self._search.label),), self._search.list_length)
            lease = leases[record["fit_key"]]
            score = self.records.score(item)
            if score is not None:
                self.records.take_over(lease, record, score)
                return True
            options = self._options_of(number)
            attempt = TrialAttempt(
                self._workbench, experiment, item, lease, self._progress, options, self._experiment.search_key
            )
            judge = self._judge_of(number, experiment)
            with (
                self._workbench.at_trial(number),
                attempt.run(self._dataset, judge=judge, with_epochs=self._needs_epochs) as record_model,
            ):
                measured = attempt.measured
                is_best = self._is_best(number, measured.value)
                if measured.status is TrialStatus.DONE and (is_best or self._search.tuning.keep_trials):
                    record_model()
                self.records.finish(lease, record, item, measured, keep=is_best)
            self._log(number, record)
        if is_best:
            self.records.drop_others(record["fit_key"])
        return True

    @property
    def _finished(self) -> list[Trial]:
        """The finished trials, as those who propose see them."""
        return [seen_trial(record) for record in self.records.finished.values()]

    @property
    def _needed(self) -> dict[str, Any]:
        """The hyperparameters of a user's class that have no default: the defaults' trial has the middle of their ranges."""
        configuration = self._experiment.configuration
        required = set(configuration.own.required if configuration.own else ()) - set(configuration.parameters)
        return {
            dimension.name: dimension.distribution.at(0.5)
            for dimension in self._search.space.dimensions
            if dimension.name in required
        }

    @property
    def _needs_epochs(self) -> bool:
        return bool(self._experiment.refit and self._experiment.configuration.epochs_parameter)

    def _is_best(self, number: int, value: float | None) -> bool:
        self.records.refresh()
        mine = Trial(number, {}, TrialStatus.DONE.value, value)
        return value is not None and best([*self._finished, mine], self._higher) is mine

    def _judge_of(self, number: int, experiment: Experiment) -> Judge | None:
        tuning = self._search.tuning
        if tuning.pruner is None:
            return None
        name, configuration = experiment.configuration.epochs_parameter, experiment.configuration
        epochs = {**configuration.default_parameters, **configuration.plain_parameters}.get(name) if name else None
        return Judge(tuning, number, self._finished, epochs if isinstance(epochs, int) else None)

    def _options_of(self, number: int) -> PhaseOptions:
        """Tell people which trial is computed; return the options with which its epochs are told beside it."""
        leading = best_of(self.records.finished.values(), higher_is_better=self._higher)
        facts = {
            "trial": number + 1,
            "trials": self._search.tuning.trials,
            "best": None if leading is None else leading["value"],
            "metric": self._search.label,
        }
        tell = self._options.on_progress
        tell(facts)
        return replace(self._options, on_progress=lambda values: tell({**values, **facts}))

    def _log(self, number: int, proposed: Record) -> None:
        record = self.records.finished[number]
        self._progress.log(logging.INFO, trial_words(number, _parameters(proposed), self._ending(record)))

    def _ending(self, record: Record) -> str:
        """Return in one line how a trial has ended; its record has the rest."""
        if record["error"]:
            return f"failed in {record['error']['phase']}: {_first_line(record['error']['message'])}"
        if record["pruned"]:
            return f"pruned in epoch {record['pruned']['epoch']}: {record['pruned']['reason']}"
        return str(record["status"]) if record["value"] is None else f"{self._search.label} {record['value']:.4f}"

    def _failed(self, counted: list[Record]) -> PhaseError:
        reasons = dict.fromkeys(
            f"{record['error']['phase']}: {_first_line(record['error']['message'])}" if record["error"] else "pruned"
            for record in counted
        )
        number = (
            f"the only trial of {self._experiment.configuration.name}"
            if len(counted) == 1
            else f"all {len(counted)} trials"
        )
        details = "\n\n".join(record["error"]["details"] for record in counted[:1] if record["error"])
        advice = search_advice(self._workbench.store.root, self._experiment.name)
        return PhaseError(Phase.TUNE.value, f"{number} failed: {first_few(list(reasons), 3)}\n{advice}", details)


def _parameters(record: Record) -> str:
    """Return the proposed hyperparameters in one line, e.g. ``depth=12, noise=0.05819``."""
    values = (f"{name}={short_value(value)}" for name, value in record["parameters"].items())
    return ", ".join(values) or "the defaults"


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def seen_trial(record: Record) -> Trial:
    """Return a trial as those who propose see it."""
    return Trial(
        record["number"],
        record["parameters"],
        record["status"],
        record["value"],
        tuple((epoch, value) for epoch, value in record["history"]),
        record["seconds"] or 0.0,
    )

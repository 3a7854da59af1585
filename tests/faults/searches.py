"""The search of a tuned algorithm among the faults: its runs, and what must hold of its trials whatever happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from faults import invariants, plant
from faults.algorithms import Blended
from faults.children import CRASHED, KILLED, Ended, run
from faults.sweeps import EMPTY, Start, Sweep
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.from_frame import from_frame
from omnibench.data.preprocess import CorePruning, MakeImplicit
from omnibench.data.split import UserHoldout
from omnibench.experiment.plan import ExperimentPlan
from omnibench.keys import recorded_text
from omnibench.store.schema import Record, RecordType, TrialStatus
from omnibench.store.trials import FINISHED
from omnibench.tuning.budget import RANDOM, TPE, Tuning
from omnibench.tuning.distributions import Int

TRIALS = 6
_FEWER = 4
_UNLIKE = frozenset(
    {"seconds", "phases", "finished", "begun", "run", "worker", "threads", "peak_rss", "token", "attempt"}
)
"""What records of the same trial, or of the same choice, may differ in: times, and who has computed it."""


@cache
def judged_dataset() -> RecSysDataSet:
    """The plant's interactions with a validation part."""
    split = UserHoldout(validation_size=0.2, test_size=0.2)
    return from_frame(plant.interactions(), "tiny").pipe(MakeImplicit(2), CorePruning(2), split)


def tuned_plan(sampler: str, trials: int) -> ExperimentPlan:
    """One tuned algorithm, some of whose trials fail."""
    plan = ExperimentPlan("searches", tuning=Tuning("NDCG@5", trials=trials, sampler=sampler))
    plan.tune(Blended, {"depth": Int(1, 90)})
    return plan


@dataclass(frozen=True)
class SearchErrand(plant.Errand):
    """A run with a tuned algorithm.

    Attributes:
        sampler: What proposes.
        trials: The budget.
    """

    sampler: str = RANDOM
    trials: int = TRIALS

    @property
    def inputs(self) -> tuple[RecSysDataSet, ExperimentPlan]:
        """The dataset and the plan."""
        return judged_dataset(), tuned_plan(self.sampler, self.trials)


def trials_in(root: Path) -> dict[str, Record]:
    """Return the records of a store's trials by search and number."""
    return {key: record for key, record in invariants.records_of(root).items() if RecordType.TRIAL.has(key)}


def comparable(value: Any) -> Any:
    """Return what is the same in records of the same thing, whoever has computed it."""
    if isinstance(value, Mapping):
        return {name: comparable(part) for name, part in value.items() if name not in _UNLIKE}
    return [comparable(part) for part in value] if isinstance(value, list) else value


def choices_in(root: Path) -> dict[str, Any]:
    """Return what items say of the trials that were chosen, by fit key."""
    items = {key: record for key, record in invariants.records_of(root).items() if RecordType.ITEM.has(key)}
    return {key: record.get("chosen") for key, record in items.items()}


def broken_trials(root: Path, reference: Mapping[str, Record]) -> list[str]:
    """Return the trials of a disturbed search that are not those of an undisturbed one, as far as it has come."""
    violations = []
    for key, trial in trials_in(root).items():
        expected = reference.get(key)
        if expected is None:
            violations.append(f"T1 {key} is a trial that nobody else proposes: {trial['parameters']}")
        elif trial["status"] == TrialStatus.PROPOSED:
            if (trial["parameters"], trial["fit_key"]) != (expected["parameters"], expected["fit_key"]):
                violations.append(f"T1 {key} proposes {trial['parameters']}, not {expected['parameters']}")
        elif recorded_text(comparable(trial)) != recorded_text(comparable(expected)):
            violations.append(f"T2 {key} is {comparable(trial)}, not {comparable(expected)}")
    return violations


def models_in(root: Path) -> set[int]:
    """Return the models that lie in a store, by what they are called nowhere: items and trials share files."""
    return {path.stat().st_ino for path in root.rglob("model*") if path.is_file()}


def kept_models(root: Path) -> set[str]:
    """Return the fit keys whose models are recorded and not dropped."""
    records = invariants.records_of(root)
    return {record["fit_key"] for key, record in records.items() if RecordType.FIT.has(key) and "dropped" not in record}


@dataclass(frozen=True)
class Undisturbed:
    """What an undisturbed search leaves.

    Attributes:
        trials: Its trials.
        choices: What its items have chosen.
        models: The fit keys whose models it keeps.
        files: How many models there are.
    """

    trials: Mapping[str, Record]
    choices: Mapping[str, Any]
    models: frozenset[str]
    files: int

    @classmethod
    def of(cls, root: Path) -> Undisturbed:
        """Return what a store has."""
        return cls(trials_in(root), choices_in(root), frozenset(kept_models(root)), len(models_in(root)))

    def broken_end(self, root: Path) -> list[str]:
        """Return what is wrong with a store in which the search has come to its end as well."""
        trials = trials_in(root)
        violations = broken_trials(root, self.trials)
        if missing := self.trials.keys() - trials.keys():
            violations.append(f"T3 these trials are missing: {sorted(missing)}")
        if unfinished := [key for key, trial in trials.items() if trial["status"] not in FINISHED]:
            violations.append(f"T3 these trials are open: {unfinished}")
        chosen = choices_in(root)
        if recorded_text(comparable(chosen)) != recorded_text(comparable(self.choices)):
            violations.append(f"T4 the choice is {comparable(chosen)}, not {comparable(self.choices)}")
        if kept_models(root) != self.models:
            violations.append(f"T5 models are kept of {kept_models(root)}, not of {set(self.models)}")
        if len(models_in(root)) != self.files:
            violations.append(f"T5 {len(models_in(root))} models are left: {sorted(root.rglob('model*'))}")
        return violations


FIRST, MORE = EMPTY, Start("more trials", lambda _: None)
"""A search that begins, and one that goes on with the trials of a smaller budget."""
STARTS = (FIRST, MORE)
SAMPLERS = (TPE, RANDOM)


class SearchSweep(Sweep):
    """The search of a tuned algorithm, and the ways in which it is disturbed.

    Args:
        start: What the runs start from.
        directory: An empty directory of its own.
        sampler: What proposes its trials.
    """

    def __init__(self, start: Start, directory: Path, sampler: str) -> None:
        import optuna  # noqa: F401 - before the children are forked, each of which would import it

        self._sampler = sampler
        super().__init__(start, directory)
        self.undisturbed = Undisturbed.of(self.root)
        states = {trial["status"] for trial in self.undisturbed.trials.values()}
        self._results = invariants.exported(self.root)  # those of the smaller budget among them
        assert states == {TrialStatus.DONE, TrialStatus.FAILED}, f"the sweep is to see both: {states}"

    def first_errand(self, root: Path) -> SearchErrand:
        """Return the run of fewer trials."""
        return SearchErrand(root, self.directory / "work", sampler=self._sampler, trials=_FEWER)

    def errand(self, *, resumed: bool = False) -> SearchErrand:
        """Return the run of all trials."""
        return replace(self.first_errand(self.root), trials=TRIALS)

    def check(self, ended: Ended, spare: int = 1) -> list[str]:
        """Return what is wrong after a disturbed run, and after the one that follows it."""
        crashed = ended.status in (CRASHED, KILLED) and not ended.hung
        violations = [] if crashed else invariants.broken_failure(ended, self.reference)
        violations += invariants.broken_store(self.root, self.before, self.finished, self.already)
        if any(violation.startswith("I0") for violation in violations):
            return violations
        violations += broken_trials(self.root, self.undisturbed.trials)
        fitted = self._fitted()
        done = {phase for phase in invariants.committed(self.root) if phase[0] == "predict"}
        first = plant.executed(self.directory / "work")
        resumed = run(self.errand(resumed=True), self.directory / "log")
        violations += invariants.broken_end(self.root, resumed, self.reference, self._results)
        violations += invariants.broken_store(self.root, self.before, self.finished, set())
        violations += invariants.broken_agreement(self.root)
        violations += self.undisturbed.broken_end(self.root)
        second = plant.executed(self.directory / "work")[len(first) :]
        violations += [
            f"T6 {key[:8]} is fitted again" for operation, key in second if operation == "fit" and key in fitted
        ]
        return violations + invariants.broken_work(first, second, self.alone, done, spare)

    def _fitted(self) -> set[str]:
        """Return the fit keys that nobody may fit again: of finished trials, and of models that are there."""
        finished = {trial["fit_key"] for trial in trials_in(self.root).values() if trial["status"] in FINISHED}
        return finished | {key for operation, key in invariants.committed(self.root) if operation == "fit"}

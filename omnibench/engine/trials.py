"""One trial of a search: fitted as any experiment, judged on the validation part, and recorded under its lease."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omnibench.engine import phases
from omnibench.engine.checkpoint import ItemCheckpoints
from omnibench.engine.epochs import EpochMetric
from omnibench.engine.evaluation import epoch_metric, evaluate
from omnibench.engine.failures import phase_errors
from omnibench.engine.items import Item
from omnibench.engine.phases import PhaseOptions
from omnibench.engine.progress import Progress
from omnibench.engine.snapshots import FitSnapshots
from omnibench.engine.workbench import Workbench
from omnibench.errors import PhaseError, PrunedError
from omnibench.experiment.experiment import Experiment
from omnibench.guest import VALIDATION
from omnibench.runners.replies import AnsweringGuest
from omnibench.store.leases import Lease
from omnibench.store.schema import Phase, TrialStatus
from omnibench.tuning.pruning import Judge

_PUBLISHED_AT_ONCE = 1.0
"""Seconds of a Fit from which on its model is recorded before it is judged: less is done again sooner than written."""

_LAST_MOMENT = 0.2
"""Seconds after the death of a guest in which the run itself may be ended, so that the trial is not a failed one for good."""


@dataclass(slots=True)
class Measured:
    """What a trial has come to.

    Attributes:
        status: How it ended.
        value: The metric on the validation part, or None.
        phases: Wall seconds of the phases that it went through.
        epochs: The epoch that validation found to be the best, or None.
        history: Validation values by epoch.
        pruned: Epoch, value and reason where it was pruned.
        error: Phase, message and details where it failed.
        threads: The number of the guest's threads.
        peak_rss: The largest memory of its phases, in bytes.
    """

    status: TrialStatus = TrialStatus.DONE
    value: float | None = None
    phases: dict[str, float] = field(default_factory=dict)
    epochs: int | None = None
    history: dict[int, float] = field(default_factory=dict)
    pruned: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    threads: int | None = None
    peak_rss: int | None = None

    def cost(self, phase: Phase, costs: Mapping[str, Any]) -> None:
        """Add what a phase has cost."""
        self.phases[phase.value] = float(costs.get("seconds") or 0.0)
        peaks = [peak for peak in (self.peak_rss, costs.get("peak_rss")) if peak is not None]
        self.peak_rss = max(peaks, default=None)

    @property
    def effort(self) -> dict[str, Any]:
        """What records of trials and scores say of it beside its value."""
        return {
            "phases": self.phases,
            "epochs": self.epochs,
            "history": sorted(self.history.items()),
            "threads": self.threads,
            "peak_rss": self.peak_rss,
        }


class TrialAttempt:
    """One attempt at one trial.

    Args:
        workbench: Where it is computed.
        experiment: The plain experiment that the trial is.
        item: The item that its values are those of: the metric that judges it.
        lease: The lease of its fit key.
        progress: The progress of the tuned item.
        options: The options of all requests to guests.
        search: The search's key.

    Attributes:
        measured: What it has come to so far.
    """

    def __init__(
        self,
        workbench: Workbench,
        experiment: Experiment,
        item: Item,
        lease: Lease,
        progress: Progress,
        options: PhaseOptions,
        search: str,
    ) -> None:
        self.measured = Measured()
        self._workbench = workbench
        self._experiment = experiment
        self._item = item
        self._progress = progress
        self._options = options
        self.checkpoints = ItemCheckpoints(workbench.store, item, lease, workbench.worker, search=search)
        self._snapshots = FitSnapshots(workbench, experiment, self.checkpoints, progress)

    @contextmanager
    def run(self, dataset: Path, *, judge: Judge | None, with_epochs: bool) -> Iterator[Callable[[], None]]:
        """Fit and judge; a failure is measured, not raised. The model can be recorded inside of the block.

        Args:
            dataset: The prepared dataset.
            judge: Says after an epoch whether to prune; None where nobody prunes.
            with_epochs: Whether it has to be known which epoch was the best, so that a model of which that is not recorded is
                of no use.

        Yields:
            A function that records the model, unless it is recorded already; call it only of trials that are done.

        Raises:
            StoreError, GuestEnvironmentError: No failure of the trial's.
        """
        store = self._workbench.store
        with store.temporary() as scratch:
            answer: dict[str, Any] = {}

            def record_model() -> None:
                if answer:
                    self.checkpoints.claim()
                    self.checkpoints.save_model(answer, scratch, self._snapshots.spare)
                    answer.clear()

            experiment = self._experiment
            self.checkpoints.watch(self._workbench.datasets.files(experiment.dataset, experiment.fold))
            try:
                model = self._model(with_epochs=with_epochs)
                if model is None:
                    answer |= self._fit(dataset, scratch, judge)
                    model = scratch / answer["file"]
                    if answer["seconds"] >= _PUBLISHED_AT_ONCE:
                        name = answer["file"]
                        record_model()
                        model = self.checkpoints.model() or scratch / name
                self._judge(dataset, model, scratch)
                self.checkpoints.check_inputs()
            except PrunedError as pruned:
                self.measured.status = TrialStatus.PRUNED
                self.measured.cost(Phase.FIT, pruned.costs or {})
                assert self.measured.pruned is not None, "the judge has said why"
            except PhaseError as error:
                self._fail(error)
            yield record_model
            self._snapshots.discard()

    def _fail(self, error: PhaseError) -> None:
        if error.died:
            # Who ends a whole run (a batch system, a container's end) ends its guests with it, and they may be the first.
            time.sleep(_LAST_MOMENT)
            self._workbench.stopping.check()
        self.measured.status = TrialStatus.FAILED
        self.measured.value = None
        if error.phase in {Phase.FIT.value, Phase.PREDICT.value}:
            self.measured.cost(Phase(error.phase), error.costs or {})
        self.measured.error = {"phase": error.phase, "message": error.message, "details": error.details}

    def _model(self, *, with_epochs: bool) -> Path | None:
        """Return the model that an item or another search has fitted, and take over what that has cost."""
        fit = self._workbench.store.records.get(self._item.fit_record_key)
        if fit is None or (with_epochs and fit.get("epochs") is None):
            return None
        model = self.checkpoints.model()
        if model is not None:
            self.measured.cost(Phase.FIT, fit)
            self.measured.threads, self.measured.epochs = fit.get("threads"), fit.get("epochs")
        return model

    def _fit(self, dataset: Path, scratch: Path, judge: Judge | None) -> dict[str, Any]:
        measured = self.measured

        def is_hopeless(epoch: int, value: float) -> bool:
            measured.history[epoch] = value
            reason = judge.reason(tuple(sorted(measured.history.items()))) if judge is not None else None
            if reason:
                measured.pruned = {"epoch": epoch, "value": value, "reason": reason}
            return bool(reason)

        def compute(guest: AnsweringGuest) -> dict[str, Any]:
            epochs_measured = self._epoch_metric(dataset, judge) if judge is not None else None

            def fit() -> dict[str, Any]:
                measured.history = dict(self._snapshots.history)
                return phases.fit(
                    guest,
                    self._experiment,
                    dataset,
                    scratch,
                    self._options,
                    judge=None if judge is None else is_hopeless,
                    metric=epochs_measured,
                    snapshots=self._snapshots,
                )

            return self._snapshots.fit(fit)

        with self._errors(Phase.FIT):
            answer = self._progress.fit(self._experiment, Phase.TUNE, compute)
        measured.cost(Phase.FIT, answer)
        measured.threads, measured.epochs = answer["threads"], answer.get("epochs")
        measured.history |= dict(answer.get("history", ()))
        return {**answer, "start_seconds": 0.0}

    def _epoch_metric(self, dataset: Path, judge: Judge) -> EpochMetric:
        """Return how the epochs are measured that a judge looks at."""
        ((metric, label),) = self._item.columns
        length, outputs = self._item.list_length, self._item.outputs
        measured_by = epoch_metric(dataset, self._experiment.fold, metric, label, length, outputs, judge.judged_epochs)

        def alone(predictions: Path) -> float:
            with self._workbench.evaluating:
                return measured_by.measure(predictions)

        return replace(measured_by, measure=alone)

    def _judge(self, dataset: Path, model: Path, scratch: Path) -> None:
        experiment, ((_, label),) = self._experiment, self._item.columns
        predictions = scratch / "predictions.npy"
        with self._errors(Phase.PREDICT):
            answer = phases.predict(
                self._progress.guest(Phase.TUNE),
                experiment,
                dataset,
                model,
                self._item.list_length,
                predictions,
                self._options,
                outputs=self._item.outputs,
                judged=VALIDATION,
            )
        self.measured.cost(Phase.PREDICT, answer)
        began = time.perf_counter()
        with self._workbench.evaluating, self._errors(Phase.EVAL):
            evaluation = evaluate(dataset, experiment.fold, predictions, self._item.columns, judged=VALIDATION)
        self.measured.cost(Phase.EVAL, {"seconds": time.perf_counter() - began})
        value = float(evaluation.values[label])
        if not math.isfinite(value):
            raise PhaseError(
                Phase.EVAL.value, f"{label} of the validation part is {value}, which is no value to choose by"
            )
        self.measured.value = value

    @contextmanager
    def _errors(self, phase: Phase) -> Iterator[None]:
        root, elsewhere = self._workbench.store.root, self._workbench.elsewhere
        try:
            with phase_errors(phase.value, root, elsewhere), self._progress.discarding_dead_guests():
                yield
        except PhaseError:
            self.checkpoints.check_inputs()  # a guest may stumble over a damaged file: that is not the trial's failure
            raise

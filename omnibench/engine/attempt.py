"""One attempt at one item, under its lease: the order of its phases, and what is recorded when one fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from omnibench.engine import phases
from omnibench.engine.checkpoint import ItemCheckpoints
from omnibench.engine.equal_seeds import equal_seed
from omnibench.engine.evaluation import evaluate
from omnibench.engine.exported_predictions import export_predictions
from omnibench.engine.failures import phase_errors
from omnibench.engine.items import Item
from omnibench.engine.phases import PhaseOptions
from omnibench.engine.progress import Progress
from omnibench.engine.rehearsal import rehearse
from omnibench.engine.search import TunedSearch
from omnibench.engine.snapshots import FitSnapshots
from omnibench.engine.tuned import Tuned
from omnibench.engine.workbench import Workbench
from omnibench.errors import ClusterError, GuestEnvironmentError, PhaseError, StoreError
from omnibench.runners.replies import AnsweringGuest
from omnibench.store.held_records import HeldRecords
from omnibench.store.leases import Lease
from omnibench.store.models import is_spare
from omnibench.store.resumption import resumable, resume_text
from omnibench.store.schema import UNSUPPLIED, Phase, Record
from omnibench.store.superseded import BEGINS


def phase_options(workbench: Workbench) -> PhaseOptions:
    """Return the options of all requests of a process to its guests."""
    policy, stopping, worker = workbench.policy, workbench.stopping, workbench.worker
    return PhaseOptions(policy.track, policy.timeout, stopping.expired, worker.progress, worker.note_silence)


class Attempt:
    """One attempt at one item.

    Args:
        workbench: The workbench that all attempts of the process share.
        item: The item.
        lease: The item's lease, held for as long as this attempt lasts.
        records: The item's records, where they were read under this lease before.

    Attributes:
        checkpoints: The files and records of earlier attempts and of this one.
        progress: Its phase, and the seconds of each phase.
        requested: What guests are asked for: the experiment, of a tuned one with the hyperparameters that were chosen.
    """

    def __init__(self, workbench: Workbench, item: Item, lease: Lease, records: HeldRecords | None = None) -> None:
        self.workbench = workbench
        self.item = item
        self.experiment = item.experiment
        self.checkpoints = ItemCheckpoints(workbench.store, item, lease, workbench.worker, records=records)
        self.progress = Progress(workbench, item.experiment, self.checkpoints.records.get)
        self.requested = item.experiment
        self._tuned: Tuned | None = None
        self._options = phase_options(workbench)

    def run(self) -> dict[str, float]:
        """Go through the phases and return the wanted metrics by qualified label.

        Raises:
            PhaseError: A phase failed; that is recorded.
            StoreError, OSError: The store itself failed; what was recorded before is safe.
            GuestEnvironmentError: The framework's environment cannot be used; no failure of the item's.
            ClusterError: The cluster cannot be used, or has lost what computed the item; likewise.
            KeyboardInterrupt: The run was asked to stop; that is recorded.
        """
        self.progress.say(BEGINS)
        try:
            self.progress.enter(Phase.PREPARE)
            dataset = self._prepare()
            self.checkpoints.watch(self.workbench.datasets.files(self.experiment.dataset, self.experiment.fold))
            with self.workbench.stopping.phases(self.experiment.label), self._guests_ended_on_request():
                metrics = self._compute(dataset)
            self.progress.log(
                logging.INFO, f"is done: {', '.join(f'{label} {metrics[label]:.4f}' for label in metrics)}"
            )
        except PhaseError as error:
            self._report_failure(f"{error}\n{error.details}".rstrip())
            self.checkpoints.save_failure(error, self.progress.stopped_costs(error))
            error.prospect = self._prospect() if error.died else ""
            raise
        except (StoreError, OSError, GuestEnvironmentError, ClusterError) as error:
            self.progress.log(logging.ERROR, f"was given up in {self.progress.phase}: {error}")
            with suppress(StoreError, OSError):
                reason = PhaseError(self.progress.phase.value, str(error))
                self.checkpoints.save_interruption(self.progress.phase, self.progress.stopped_costs(), reason)
            raise
        except BaseException as error:
            if not isinstance(error, Exception):  # the guest is in the middle of something
                costs = self.progress.stopped_costs()  # before its guest is ended, which takes its time
                self.progress.log(
                    logging.WARNING, f"was interrupted in {self.progress.phase} ({type(error).__name__}: {error})"
                )
                self.workbench.guests.discard(*self.progress.runner)
                self.checkpoints.save_interruption(self.progress.phase, costs)
            raise
        else:
            return metrics
        finally:
            self.workbench.resources.rest()
            self.workbench.guests.rest()
            self.progress.leave()

    def _compute(self, dataset: Path) -> dict[str, float]:
        try:
            self._rehearse(dataset)
            self.checkpoints.claim()
            self._tune(dataset)
            with self.workbench.core.kept():
                return self._evaluate(dataset, self._predict(dataset))
        except PhaseError:
            self.checkpoints.check_inputs()  # a guest may stumble over a damaged file: that is not the item's failure
            raise

    def forget_inputs(self) -> None:
        """Have the next attempt look at all files again, in a fresh guest: this one may have read what was damaged."""
        self.workbench.guests.discard(*self.progress.runner)
        self.workbench.datasets.forget(self.experiment.dataset)
        self.workbench.rehearsals.forget()

    @contextmanager
    def _guests_ended_on_request(self) -> Iterator[None]:
        """Take the death of a guest for an interruption where the run is to stop at once: that has ended it."""
        try:
            yield
        except PhaseError as error:
            if error.died:
                self.workbench.stopping.expired()
            raise

    @property
    def as_seed(self) -> int | None:
        """Another seed that has made equal predictions, as the item's record says; else None."""
        return self.checkpoints.previous.get("as_seed") if self.experiment.seeds else None

    def _prospect(self) -> str:
        """Return from where the next run goes on with an item whose process has died; nothing where it begins anew."""
        record = self.checkpoints.previous
        if record.get("deaths", 0) >= self.workbench.policy.max_attempts:
            return ""
        snapshots: dict[str, Record] = {}
        with suppress(StoreError, OSError):  # the death itself is recorded
            snapshots = self.workbench.store.read(lambda reader: resumable(reader, [record]))
        usable = (snapshot for snapshot in snapshots.values() if not snapshot.get(UNSUPPLIED))
        return "".join(f"The next run {resume_text(snapshot)}." for snapshot in usable)

    def note_death(self, message: str) -> str:
        """Record that the process of an earlier attempt died, unless it had brought the item to its end before.

        Returns:
            What the next run does about it; see ``PhaseError.prospect``.
        """
        self._report_failure(message)
        if self.checkpoints.is_done:  # e.g. the body of its bench function has killed the process
            self.progress.log(logging.WARNING, "was done when its process died, and stays so")
            return ""
        died_in = self.checkpoints.interrupted_in
        self.checkpoints.claim()
        self.checkpoints.save_failure(PhaseError(died_in, message, died=True), {})
        return self._prospect()

    def _report_failure(self, message: str) -> None:
        self.progress.log(logging.ERROR, message)
        self.workbench.print_error(self.experiment.name, message)

    def _prepare(self) -> Path:
        """Return the prepared dataset; while it is being prepared, the guest starts."""
        datasets, dataset = self.workbench.datasets, self.experiment.dataset
        if not datasets.is_located(dataset) and not self.checkpoints.is_fitted:  # its dataset's first item
            self.workbench.guests.warm(*self.progress.runner)
        return datasets.get(dataset)

    def _rehearse(self, dataset: Path) -> None:
        """Try the user's own metrics before the first Fit, so that a mistake in one is not found after the night."""
        if not self.checkpoints.is_fitted:
            item, fold = self.item, self.experiment.fold
            with phase_errors(Phase.EVAL.value, self.workbench.store.root, self.workbench.elsewhere):
                self.workbench.rehearsals.check(dataset, fold, item.list_length, item.columns)
                search = self.experiment.search
                if search is not None and all(label != search.label for _, label in item.columns):
                    rehearse(dataset, fold, search.list_length, ((search.metric, search.label),))

    def _tune(self, dataset: Path) -> None:
        """Choose the hyperparameters of a tuned item, as far as that was not done."""
        if self.experiment.search is None:
            return
        with self.progress.timed(Phase.TUNE):
            directory = self.checkpoints.directory
            search = TunedSearch(self.workbench, self.experiment, self.progress, dataset, self._options, directory)
            self._tuned = Tuned(self.experiment, search, search.choose())
        self._tuned.drop_models(all_of_them=False)  # now: an item that is done is not looked at again
        self.requested = self._tuned.requested
        self.checkpoints.chosen = self._tuned.record

    def _fit(self, dataset: Path) -> Path:
        """Fit, and return the model's file; of a tuned item it may be that of the best trial."""
        with self.workbench.store.temporary() as scratch, self.progress.timed(Phase.FIT) as meter:
            answer = self._tuned.take_model(scratch) if self._tuned is not None else None
            snapshots = FitSnapshots(self.workbench, self.requested, self.checkpoints, self.progress)
            if answer is None:
                requested, options = self.requested, self._options

                def compute(guest: AnsweringGuest) -> dict[str, Any]:
                    return snapshots.fit(
                        lambda: phases.fit(guest, requested, dataset, scratch, options, snapshots=snapshots)
                    )

                answer = self.progress.fit(requested, Phase.FIT, compute)
            return self.checkpoints.save_model(meter.answered(answer), scratch, snapshots.spare)

    def _predict(self, dataset: Path) -> Path:
        """Return the predictions' file, predicting when there is none."""
        predictions = self.checkpoints.predictions()
        if predictions is not None:
            if not self.checkpoints.has_export:  # somebody removed the readable copy
                with self.workbench.store.temporary() as scratch:
                    self._export(dataset, predictions, scratch)
            return predictions
        model = self.checkpoints.model()
        taken_over = self._take_over(dataset) if model is None else None
        if taken_over is not None:
            return taken_over
        model, list_length = model or self._fit(dataset), self.item.list_length
        with self.workbench.store.temporary() as scratch, self.progress.timed(Phase.PREDICT) as meter:
            guest, partial = self.progress.guest(Phase.PREDICT), scratch / "predictions.npy"
            answer = phases.predict(
                guest,
                self.requested,
                dataset,
                model,
                list_length,
                partial,
                self._options,
                outputs=self.item.outputs,
            )
            self.workbench.guests.rest()  # a place on a cluster is another item's while this one is recorded and evaluated
            if list_length >= self.checkpoints.previous.get("exported", 0):  # the export keeps the longest lists
                self._export(dataset, partial, scratch)
            return self.checkpoints.save_predictions(meter.answered(answer), partial)

    def _take_over(self, dataset: Path) -> Path | None:
        """Return predictions that other seeds have made alike, without fitting; None where there are none."""
        equal = equal_seed(self.workbench.store.records.get, self.item)
        if equal is None:
            return None
        with self.workbench.store.temporary() as scratch, self.progress.timed(Phase.PREDICT) as meter:
            meter.start()  # no guest does
            partial = scratch / "predictions.npy"
            if not equal.copy(self.workbench.store.root, partial):
                return None
            self.progress.log(logging.INFO, f"is as seed_{equal.seed}: another seed made equal predictions, so no Fit")
            if self.item.list_length >= self.checkpoints.previous.get("exported", 0):
                self._export(dataset, partial, scratch)
            meter.read()
            return self.checkpoints.save_predictions(equal.answer, partial, as_seed=equal.seed)

    def _export(self, dataset: Path, predictions: Path, scratch: Path) -> None:
        for export in export_predictions(dataset, predictions, scratch):
            self.checkpoints.save_export(export)

    def _evaluate(self, dataset: Path, predictions: Path) -> dict[str, float]:
        """Return the wanted metrics, evaluating those that are missing, and record that the item is done."""
        recorded = self.checkpoints.evaluations()
        timed, scratches = self.progress.timed(Phase.EVAL), self.workbench.store.temporary()
        with self.workbench.evaluating, scratches as scratch, timed as meter:
            missing = recorded.missing
            fold, refit = self.experiment.fold, self.experiment.refit
            with self.workbench.core.left():
                evaluation = evaluate(dataset, fold, predictions, missing, refit) if missing else None
            spare = self._spare_model()
            values = self.checkpoints.save_metrics(recorded, evaluation, meter, scratch, spare_model=spare)
        if self._tuned is not None:
            is_copied = self.workbench.policy.keep_models not in ("all", "auto")
            self._tuned.drop_models(all_of_them=spare is not None or is_copied)
        get = self.checkpoints.records.get
        item = self.item.with_groups(get)  # those that were evaluated just now
        metrics = item.qualified_values(values | item.costs(get))
        self.workbench.worker.count_completed()
        return {name: float(value) for name, value in metrics.items()}

    def _spare_model(self) -> Record | None:
        """Return the record of the fit whose model is not worth its space once the item is done, or None."""
        if self.workbench.is_awaited(self.experiment.fit_key):
            return None
        fit = self.checkpoints.records.get(self.item.fit_record_key)
        return fit if fit is not None and is_spare(fit, self.workbench.policy.keep_models) else None

"""The coordinator of a run: looks up which items are done, computes the others, and gathers results and failures."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from omnibench.data.dataset import RecSysDataSet
from omnibench.engine.attempt import Attempt
from omnibench.engine.items import Item
from omnibench.engine.policy import Policy
from omnibench.engine.records import opening_records
from omnibench.engine.run import CACHED, ItemsFailedError, Outcome, new_run_id, recorded_outcome, require_begun
from omnibench.engine.stopping import Stopping
from omnibench.engine.survey import State, count, is_begun, look_up, look_up_all
from omnibench.engine.workbench import Workbench, out_of_use, refuse_guests
from omnibench.errors import DataError, PhaseError, StoreError
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.experiment import Experiment, experiments
from omnibench.experiment.plan import ExperimentPlan
from omnibench.runners.environments import Environments
from omnibench.runners.pool import GuestPool
from omnibench.seed import get_random_state
from omnibench.store import CheckpointStore
from omnibench.store.builders import ended_run
from omnibench.store.generations import Reset, reset
from omnibench.store.leases import Lease
from omnibench.store.schema import RecordType, Status
from omnibench.store.workers import Worker


def _print_to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a script's user wants to know


class Coordinator:
    """Runs items against a checkpoint store. Use it as a context manager, or close it.

    Args:
        checkpoint_dir: Where checkpoints are kept; made absolute at once, created when missing.
        tmp_dir: Where guests get their working directories; inside the checkpoint directory by default.
        policy: How to deal with earlier runs' checkpoints, with failures, and with requests to stop.
        environments: ``isolated``, ``current``, or a mapping by framework name.
        threads: Threads per guest; all cores of this process by default.
        notify: Called with a line when something is worth telling; stderr by default.
        run_id: The run that this is part of; one of its own by default.
        worker: The name of this process in the run.
        stopping: Hears signals; ``run`` listens by itself when none is given.

    Raises:
        StoreError: The checkpoint directory cannot be used.
    """

    def __init__(
        self,
        checkpoint_dir: str | os.PathLike[str] = "checkpoints",
        tmp_dir: str | os.PathLike[str] | None = None,
        *,
        policy: Policy | None = None,
        environments: str | Mapping[str, str] | Environments = "isolated",
        threads: int | None = None,
        notify: Callable[[str], None] = _print_to_stderr,
        run_id: str | None = None,
        worker: str = "main",
        stopping: Stopping | None = None,
    ) -> None:
        refuse_guests()
        self.policy = policy or Policy()
        self.environments = environments if isinstance(environments, Environments) else Environments(environments)
        self.run_id = run_id or new_run_id()
        self._notify = notify
        self._stopping = stopping or Stopping(self.policy.grace, notify)
        self._run_recorded = False
        self.workbench = Workbench(
            checkpoint_dir,
            tmp_dir,
            policy=self.policy,
            environments=self.environments,
            threads=threads,
            notify=notify,
            run_id=self.run_id,
            worker=worker,
            stopping=self._stopping,
        )

    @property
    def store(self) -> CheckpointStore:
        """The checkpoint store."""
        return self.workbench.store

    @property
    def guests(self) -> GuestPool:
        """The guest processes."""
        return self.workbench.guests

    @property
    def worker(self) -> Worker:
        """This process, as the store knows it."""
        return self.workbench.worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the guests, write the exports, close the records."""
        self.workbench.close(self._record_end)

    def _record_end(self) -> None:
        key = RecordType.RUN.key(self.run_id)
        record = self.store.records.get(key) if self._run_recorded else None
        if record is not None:
            self.store.records.commit({key: ended_run(record)})

    def begin(self, items: Sequence[Experiment], states: Sequence[State], directory: Path | None = None) -> None:
        """Record the run, and the items that have no record yet; once per run.

        Args:
            items: Every experiment of the run.
            states: The state of each, from its records.
            directory: Where the user's code is, for the provenance; the working directory by default.

        Raises:
            StoreError: The store cannot be written.
        """
        code = directory or Path.cwd()
        try:
            self.store.register(opening_records(self.run_id, items, states, self.policy, code))
        except OSError as error:
            raise out_of_use(self.store.root, error) from error
        self._run_recorded = True
        self.worker.log.add(logging.INFO, "omnibench", f"run {self.run_id}: {count(states)}")

    def run(
        self, datasets: RecSysDataSet | Iterable[RecSysDataSet], plan: ExperimentPlan, evaluator: Evaluator
    ) -> Evaluator:
        """Run every experiment that is not done, and fill the evaluator with the results of all.

        Args:
            datasets: One or several datasets with a split.
            plan: The algorithms.
            evaluator: The metrics; it is returned with all results.

        Raises:
            OmnibenchError: Datasets, plan and metrics do not go together; nothing has been computed.
            ItemsFailedError: Some items failed; raised after all others are done.
            KeyboardInterrupt: The run was asked to stop.
        """
        planned = experiments(
            datasets,
            plan,
            evaluator.metrics,
            versions=self.environments.version,
            seed=get_random_state(),
            device=lambda configuration: configuration.device(self.policy.device),
            salt=self.policy.salt,
            candidates=evaluator.candidates,
        )
        with self._stopping:
            return self._run(planned, evaluator)

    def _run(self, planned: Sequence[Experiment], evaluator: Evaluator) -> Evaluator:
        columns, list_length = evaluator.columns, evaluator.list_length
        items = [Item(experiment, columns, list_length) for experiment in planned]
        if self.policy.resume == "require":
            snapshot = self.store.snapshot()
            require_begun(is_begun(snapshot.get, item) for item in items)
        if self.policy.resume == "fresh":
            self.reset(planned, keep=True)
        self.workbench.expect(items)
        states = self.store.read(lambda reader: look_up_all(reader, items))
        self._notify(f"{count(states)} ({self.store.root})")
        pending = [item.experiment for item, state in zip(items, states, strict=True) if not state.is_done]
        if pending:
            self._prepare(pending)
            self.begin(planned, states)
        failures: dict[str, PhaseError] = {}
        for number, item in enumerate(items, start=1):
            outcome = self.run_item(item)
            name = item.experiment.name
            if outcome.status in (Status.DONE, CACHED):
                evaluator.add(outcome.result)
            if outcome.status == Status.FAILED and outcome.error is not None:
                failures[name] = outcome.error
            if outcome.status != CACHED:
                times = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in outcome.seconds.items())
                self._notify(f"[{number}/{len(items)}] {outcome.status} {name} ({times})")
        self.workbench.export(immediately=True)
        if failures:
            raise ItemsFailedError(evaluator, failures, len(items))
        return evaluator

    def _prepare(self, pending: Iterable[Experiment]) -> None:
        """Prepare every dataset that is needed, so that an impossible one is refused before any Fit.

        Raises:
            DataError: A dataset cannot be prepared.
        """
        for dataset in {experiment.dataset.key: experiment.dataset for experiment in pending}.values():
            try:
                self.workbench.datasets.get(dataset)
            except PhaseError as error:
                raise DataError("\n".join(filter(None, [error.message, error.details]))) from error

    def run_item(self, item: Item) -> Outcome:
        """Bring one item to Done, computing only what is not recorded.

        Args:
            item: The item.

        Returns:
            How it ended; a failure is an outcome, not an exception.

        Raises:
            StoreError: The store itself failed.
        """
        try:
            recorded = recorded_outcome(item.experiment, look_up(self.store.records.get, item), self.policy)
            return recorded or self._attempt(item)
        except OSError as error:
            raise out_of_use(self.store.root, error) from error

    def _attempt(self, item: Item) -> Outcome:
        experiment, workbench = item.experiment, self.workbench
        with self._lease(experiment) as lease:
            state = look_up(self.store.records.get, item)
            if state.metrics is not None:  # another run finished it while this one waited
                return Outcome(CACHED, experiment.result(state.metrics))
            attempt = Attempt(workbench, item, lease)
            workbench.current = experiment.name
            try:
                metrics = attempt.run()
            except PhaseError as error:
                return Outcome(Status.FAILED, experiment.result({}), attempt.progress.seconds, error)
            finally:
                workbench.current = ""
                workbench.export()
            return Outcome(Status.DONE, experiment.result(metrics), attempt.progress.seconds)

    def _lease(self, experiment: Experiment) -> AbstractContextManager[Lease]:
        def waits(holder: str) -> None:
            self._notify(f"{experiment.name}: waiting for {holder}, which computes it")

        return self.store.lease(experiment.fit_key, waits, self._stopping.check)

    def foresee(self, experiment: Experiment, following: Experiment) -> None:
        """Start the guest of a later item while an item is computed, unless both use the same guest.

        Args:
            experiment: The item's experiment; nothing happens while its own guest is not there.
            following: The later item's.
        """
        current, later = ((item.configuration.runner, item.device) for item in (experiment, following))
        if current != later and self.guests.is_alive(*current):
            self.guests.warm_if_room(*later)

    def note_death(self, experiment: Experiment, message: str) -> None:
        """Record that the process which computed an item died; it could not do so itself.

        Args:
            experiment: The item's experiment.
            message: The reason, as far as it is known.

        Raises:
            StoreError: The store cannot be written, or somebody computes the item again already.
        """
        with self.store.lease(experiment.fit_key, _refuse_to_wait) as lease:
            Attempt(self.workbench, Item(experiment, (), 0), lease).note_death(message)

    def reset(self, items: Iterable[Experiment], what: str = "all", *, keep: bool = False) -> Reset:
        """Have items computed anew by the next run; see ``store.generations.reset``."""
        names = {experiment.fit_key: experiment.name for experiment in items}
        try:
            done = reset(self.store, names, what, keep=keep)
        except OSError as error:
            raise out_of_use(self.store.root, error) from error
        if done.busy:
            busy_names = ", ".join(names[key] for key in done.busy[:3])
            more = f" and {len(done.busy) - 3} more" if len(done.busy) > 3 else ""  # noqa: PLR2004 - a few
            self._notify(f"{busy_names}{more}: computed by another process right now, so not reset")
        return done


def _refuse_to_wait(holder: str) -> None:
    raise StoreError(f"{holder} computes it")

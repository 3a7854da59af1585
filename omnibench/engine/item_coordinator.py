"""The coordinator of items: what every run does with single items, whoever chooses and shows them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from omnibench.arguments import checked_arguments
from omnibench.engine.attempt import Attempt
from omnibench.engine.devices import Devices
from omnibench.engine.helping import help_searches
from omnibench.engine.items import Item
from omnibench.engine.live import ClosableScreen
from omnibench.engine.policy import Policy
from omnibench.engine.records import opening_records
from omnibench.engine.run import CACHED, SKIPPED, Outcome, new_run_id, recorded_outcome
from omnibench.engine.stopping import Stopping
from omnibench.engine.survey import State, count, look_up
from omnibench.engine.workbench import Workbench, refuse_guests
from omnibench.errors import ClusterError, DataError, GuestEnvironmentError, PhaseError, StoreError
from omnibench.experiment.experiment import Experiment
from omnibench.metrics.base import Columns
from omnibench.naming import first_few
from omnibench.notebooks import in_notebook
from omnibench.runners.environments import Environments
from omnibench.runners.machine import available_cores
from omnibench.runners.pool import Guests
from omnibench.runners.shared_core import SharedCore
from omnibench.store import CheckpointStore
from omnibench.store.builders import ended_run
from omnibench.store.generations import Reset, reset
from omnibench.store.held_records import HeldRecords
from omnibench.store.leases import Lease
from omnibench.store.refusals import out_of_use
from omnibench.store.schema import RecordType, Status
from omnibench.store.watching import ChangedInputError
from omnibench.store.workers import Worker
from omnibench.terminal import terminal_text

if TYPE_CHECKING:  # which runs on this machine do not need
    from omnibench.cluster.cluster import Cluster


def print_to_stderr(line: str) -> None:
    """Print a line where a script's user sees it, apart from its results; a notebook shows stderr as an alarm."""
    print(terminal_text(line), file=sys.stdout if in_notebook() else sys.stderr, flush=True)


@checked_arguments
class ItemCoordinator:
    """Brings single items to their end against a checkpoint store. Use it as a context manager, or close it.

    Args:
        checkpoint_dir: Where checkpoints are kept; made absolute at once, created when missing.
        tmp_dir: Where guests get their working directories; inside the checkpoint directory by default.
        policy: How to deal with earlier runs' checkpoints, with failures, and with requests to stop.
        environments: ``isolated``, ``current``, or by framework: a mapping, or a text such as ``LensKit=current``.
        threads: The number of cores that the guests share, of which algorithms make use whose numbers do not depend on it;
            all of this process by default. For the others see ``Policy.threads``.
        notify: Called with a line when something is worth telling; stderr by default.
        run_id: The run that this is part of; one of its own by default.
        worker: The name of this process in the run.
        stopping: Hears signals; ``run`` listens by itself when none is given.
        cluster: Where guests run: ``local:4``, ``slurm``, ``tcp://...``, ``tls://...`` or ``file:...``; on this machine, in
            processes of this one, by default.
        workers: How many processes like this one share the cores of the machine.

    Raises:
        ClusterError: There is no such place.
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
        notify: Callable[[str], None] = print_to_stderr,
        run_id: str | None = None,
        worker: str = "main",
        stopping: Stopping | None = None,
        cluster: str | None = None,
        workers: int = 1,
    ) -> None:
        refuse_guests()
        self.policy = policy or Policy()
        self.environments = _environments(environments)
        self.devices = Devices(self.policy.device, cluster)
        self.run_id = run_id or new_run_id()
        self._user_notify = notify
        self._screen: ClosableScreen | None = None
        self._threads = threads or max(1, available_cores() // workers)
        self._stopping = stopping or Stopping(self.policy.grace, self._notify)
        self._run_recorded = False
        self.workbench = Workbench(
            checkpoint_dir,
            tmp_dir,
            policy=self.policy,
            environments=self.environments,
            threads=self.policy.guest_threads(self._threads),
            notify=self._notify,
            run_id=self.run_id,
            worker=worker,
            stopping=self._stopping,
            cluster=None if cluster is None else self._connection_to(cluster),
            share=threads or available_cores() / workers,
            core=SharedCore.dealt(worker, workers) if cluster is None else None,
        )

    def _connection_to(self, cluster: str) -> Callable[[Path], Cluster]:
        """Return what connects to a cluster, given a directory for temporary files; a run on this machine imports none of it."""
        from omnibench.cluster.choice import ClusterChoice
        from omnibench.cluster.cluster import Cluster
        from omnibench.cluster.schedulers import require_dask
        from omnibench.cluster.settings import slurm_settings

        choice = ClusterChoice.parse(cluster)

        def connect(scratch: Path) -> Cluster:
            require_dask(choice)
            slurm = slurm_settings(Path.cwd())
            return Cluster(choice, slurm, self.run_id, self.environments, scratch, self.policy.reconnect, self._notify)

        return connect

    @property
    def store(self) -> CheckpointStore:
        """The checkpoint store."""
        return self.workbench.store

    @property
    def stopping(self) -> Stopping:
        """Whether the run was asked to stop."""
        return self._stopping

    @property
    def guests(self) -> Guests:
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
        self._warn_of_cores(items, states)
        self.worker.log.add(logging.INFO, "omnibench", f"run {self.run_id}: {count(states)}")

    def _warn_of_cores(self, items: Sequence[Experiment], states: Sequence[State]) -> None:
        """Say so where a key names more threads than numeric libraries will take here."""
        pending = (item.threads for item, state in zip(items, states, strict=True) if not state.is_done)
        threads, cores = max(pending, default=0), available_cores()
        if threads > cores:
            self._notify(
                f"{threads} threads are to compute, and there are {cores} cores: libraries may take as many threads as there "
                f"are cores, so that numbers may differ from those of a machine with {threads}"
            )

    def _notify(self, line: str) -> None:
        """Show a line where the run shows itself right now."""
        (self._screen.say if self._screen is not None else self._user_notify)(line)

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

    def run_item(self, item: Item, workbench: Workbench | None = None) -> Outcome:
        """Bring one item to Done, computing only what is not recorded.

        Args:
            item: The item.
            workbench: Where it is computed; the coordinator's own by default.

        Returns:
            How it ended; a failure is an outcome, not an exception.

        Raises:
            StoreError: The store itself failed.
        """
        try:
            recorded = recorded_outcome(item.experiment, look_up(self.store.records.get, item), self.policy)
            return recorded or self._blocked(item, SKIPPED) or self._attempt(item, workbench or self.workbench)
        except OSError as error:
            raise out_of_use(self.store.root, error) from error

    def _attempt(self, item: Item, workbench: Workbench) -> Outcome:
        experiment = item.experiment
        with self._lease(experiment, workbench) as lease:
            records = HeldRecords(self.store, lease)
            # In one look; those of phases are asked for wherever the attempt may go on.
            records.get_all([item.record_key, item.fit_record_key, item.predict_record_key, item.data_record_key])
            state = look_up(records.get, item)
            if state.metrics is not None:  # another run finished it while this one waited
                return Outcome(CACHED, experiment.result(state.metrics, state.as_seed))
            attempt = Attempt(workbench, item, lease, records)
            workbench.current = experiment.name
            try:
                try:
                    metrics = attempt.run()
                except ChangedInputError as error:
                    self._notify(f"{experiment.label}: {error}. It is computed again")
                    attempt.forget_inputs()
                    attempt = Attempt(workbench, item, lease)
                    metrics = attempt.run()
            except PhaseError as error:
                return Outcome(Status.FAILED, experiment.result({}), attempt.progress.seconds, error)
            except GuestEnvironmentError:
                blocked = self._blocked(item, Status.FAILED)
                if blocked is None:
                    raise
                return blocked
            except ClusterError as error:
                if error.ends_run:
                    raise
                reason = PhaseError(attempt.progress.phase.value, str(error))
                return Outcome(Status.FAILED, experiment.result({}), attempt.progress.seconds, reason, blocked=True)
            finally:
                workbench.current = ""
                workbench.export()
            result = replace(experiment.result(metrics, attempt.as_seed), chosen=attempt.checkpoints.chosen)
            return Outcome(Status.DONE, result, attempt.progress.seconds)

    def _blocked(self, item: Item, status: str) -> Outcome | None:
        """Return the outcome of an item whose framework's environment cannot be used, or None.

        The first one fails, to say so; the others are skipped.
        """
        runner = item.experiment.configuration.runner
        refusal = self.environments.refusal(runner)
        if refusal is None:
            return None
        error = PhaseError(f"Starting {runner.name}", str(refusal))
        return Outcome(status, item.experiment.result({}), error=error, blocked=True)

    def _lease(self, experiment: Experiment, workbench: Workbench) -> AbstractContextManager[Lease]:
        def waits(holder: str) -> None:
            self._notify(f"{experiment.label}: waiting for {holder}, which computes it")

        def while_waiting() -> None:
            self._stopping.check()
            workbench.resources.wait_for_others()  # who computes it may wait for what our guests have

        return self.store.lease(experiment.fit_key, waits, while_waiting)

    def help_searches(self, items: Iterable[Experiment], workbench: Workbench | None = None) -> None:
        """Compute trials of tuned items that other workers are at, once there is nothing else to do.

        Args:
            items: All items of the run.
            workbench: Where they are computed; the coordinator's own by default.
        """
        help_searches(workbench or self.workbench, list(items))

    def foresee(self, experiment: Experiment, following: Experiment) -> None:
        """Start the guest of a later item while an item is computed, unless both use the same guest.

        Args:
            experiment: The item's experiment; nothing happens while its own guest is not there.
            following: The later item's.
        """
        current, later = experiment.guest, following.guest
        if current != later and self.guests.is_alive(*current):
            self.guests.warm_if_room(*later)

    def note_death(self, experiment: Experiment, message: str, columns: Columns = (), list_length: int = 0) -> str:
        """Record that the process which computed an item died; it could not do so itself. An item that is done stays so.

        Args:
            experiment: The item's experiment.
            message: The reason, as far as it is known.
            columns: The metrics and labels that were to be measured.
            list_length: Recommendations per user.

        Returns:
            What the next run does about it; see ``PhaseError.prospect``.

        Raises:
            StoreError: The store cannot be written, or somebody computes the item again already.
        """
        with self.store.lease(experiment.fit_key, _refuse_to_wait) as lease:
            return Attempt(self.workbench, Item(experiment, columns, list_length), lease).note_death(message)

    def reset(self, items: Iterable[Experiment], what: str = "all", *, keep: bool = False) -> Reset:
        """Have items computed anew by the next run; see ``store.generations.reset``."""
        names = {experiment.fit_key: experiment.name for experiment in items}
        try:
            done = reset(self.store, names, what, keep=keep)
        except OSError as error:
            raise out_of_use(self.store.root, error) from error
        if done.busy:
            busy_names = first_few([names[key] for key in done.busy], 3)
            self._notify(f"{busy_names}: computed by another process right now, so not reset")
        return done


def _environments(choice: str | Mapping[str, str] | Environments) -> Environments:
    if isinstance(choice, Environments):
        return choice
    return Environments.parse(choice) if isinstance(choice, str) else Environments(choice)


def _refuse_to_wait(holder: str) -> None:
    raise StoreError(f"{holder} computes it")

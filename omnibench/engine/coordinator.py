"""Takes items through their phases: lease -> record -> phase -> publish -> record."""

from __future__ import annotations

import logging
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from omnibench.data.dataset import RecSysDataSet
from omnibench.engine.attempt import Attempt, Workbench
from omnibench.engine.datasets import PreparedDatasets
from omnibench.engine.policy import Policy
from omnibench.engine.records import opening_records
from omnibench.engine.run import CACHED, SKIPPED, ItemsFailedError, Outcome, new_run_id, require, throwaway
from omnibench.engine.stopping import Stopping
from omnibench.engine.survey import Columns, State, count, is_begun, look_up, look_up_all
from omnibench.errors import DataError, OmnibenchError, PhaseError, StoreError
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.experiment import Experiment, experiments
from omnibench.experiment.plan import ExperimentPlan
from omnibench.runners.environments import Environments
from omnibench.runners.gateway import GUEST_MARK
from omnibench.runners.machine import available_cores, dealt_gpu
from omnibench.runners.pool import GuestPool
from omnibench.seed import get_random_state
from omnibench.store import CheckpointStore
from omnibench.store.exports import Exports
from omnibench.store.generations import Reset, reset
from omnibench.store.leases import Lease, Workspace
from omnibench.store.records import timestamp
from omnibench.store.schema import Status
from omnibench.store.workers import Worker


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a script's user wants to know


class Coordinator:
    """Runs items against a checkpoint store. Use it as a context manager, or close it.

    Args:
        checkpoint_dir: Where checkpoints are kept; made absolute at once, created when missing.
        tmp_dir: Where guests get their working directories; inside the checkpoint directory by default.
        policy: How to deal with what earlier runs have left, with failures, and with being stopped.
        environments: ``isolated``, ``current``, or a mapping by framework name.
        threads: Threads per guest; all cores of this process by default.
        notify: Called with a line when something is worth telling; stderr by default.
        run_id: The run that this is part of; one of its own by default.
        worker: What this process is called in the run.
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
        notify: Callable[[str], None] = _tell,
        run_id: str | None = None,
        worker: str = "main",
        stopping: Stopping | None = None,
    ) -> None:
        _refuse_guests()
        self.policy = policy or Policy()
        self.environments = environments if isinstance(environments, Environments) else Environments(environments)
        self.run_id = run_id or new_run_id()
        self._notify = notify
        self._stopping = stopping or Stopping(self.policy.grace, notify)
        self._throwaway = throwaway() if self.policy.resume == "never" else None
        self.store = CheckpointStore(
            self._throwaway.directory / "checkpoints" if self._throwaway else checkpoint_dir,
            verify=self.policy.verify,
            allow_network_fs=self.policy.allow_network_fs,
            notify=notify,
        )
        self._exports = Exports(self.store)
        self._datasets = PreparedDatasets(self.store)
        self._current = ""
        self._run_noted = False
        try:
            scratch = self.store.scratch(tmp_dir)
        except StoreError:
            self.store.close()
            raise
        self.worker = Worker(self.store, self.run_id, worker)
        cores = threads or available_cores()
        self.guests = GuestPool(self.environments, scratch, cores, self._log, notify, dealt_gpu(worker))
        # Also when nobody closes it: DESIGN's `Coordinator(...).run(...)` leaves that to the interpreter's end.
        self._finalizer = weakref.finalize(self, _end, self.guests, self.worker, self.store, self._throwaway)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the guests, write the exports, close the records."""
        if not self._finalizer.alive:
            return
        self.guests.close()
        self._export(now=True)
        try:
            if self._run_noted:
                self._note_end()
            self._finalizer()
        except StoreError as error:
            self._notify(str(error))
        if self.worker.log.lost:
            self._notify(f"{self.worker.log.lost} log entries could not be written to {self.worker.log.path}")

    def _note_end(self) -> None:
        key = f"run/{self.run_id}"
        record = self.store.records.get(key)
        if record is not None:
            self.store.records.commit({key: {**record, "ended": timestamp()}})

    def begin(self, items: Sequence[Experiment], states: Sequence[State], directory: Path | None = None) -> None:
        """Note the run, and the items that nothing is known of yet; once per run.

        Args:
            items: Every item of the run.
            states: What is known of each.
            directory: Where the user's code is, for the provenance; the working directory by default.

        Raises:
            StoreError: The store cannot be written.
        """
        place = directory or Path.cwd()
        try:
            self.store.register(opening_records(self.run_id, items, states, self.policy, place))
        except OSError as error:
            raise self._out_of_use(error) from error
        self._run_noted = True
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
        items = experiments(
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
            return self._run(items, evaluator)

    def _run(self, items: Sequence[Experiment], evaluator: Evaluator) -> Evaluator:
        if self.policy.resume == "require":
            snapshot = self.store.snapshot()
            require(is_begun(snapshot.get, item, evaluator.list_length) for item in items)
        if self.policy.resume == "fresh":
            self.reset(items, keep=True)
        wanted = [(item, evaluator.columns, evaluator.list_length) for item in items]
        states = self.store.read(lambda reader: look_up_all(reader, wanted))
        self._notify(f"{count(states)} ({self.store.root})")
        pending = [item for item, state in zip(items, states, strict=True) if state.status != Status.DONE]
        if pending:
            self._prepare(pending)
            self.begin(items, states)
        failures: dict[str, PhaseError] = {}
        for number, item in enumerate(items, start=1):
            outcome = self.run_item(item, evaluator.columns, evaluator.list_length)
            if outcome.status in (Status.DONE, CACHED):
                evaluator.add(outcome.result)
            if outcome.status == Status.FAILED and outcome.error is not None:
                failures[item.name] = outcome.error
            if outcome.status != CACHED:
                times = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in outcome.seconds.items())
                self._notify(f"[{number}/{len(items)}] {outcome.status} {item.name} ({times})")
        self._export(now=True)
        if failures:
            raise ItemsFailedError(evaluator, failures, len(items))
        return evaluator

    def _prepare(self, items: Iterable[Experiment]) -> None:
        """Prepare every dataset that is needed, so that an impossible one is refused before any Fit.

        Raises:
            DataError: A dataset cannot be prepared.
        """
        for dataset in {item.dataset.key: item.dataset for item in items}.values():
            try:
                self._datasets.get(dataset)
            except PhaseError as error:
                raise DataError("\n".join(filter(None, [error.message, error.details]))) from error

    def run_item(self, experiment: Experiment, columns: Columns, list_length: int) -> Outcome:
        """Bring one item to Done, computing only what is not recorded.

        Args:
            experiment: The item.
            columns: The wanted metrics and labels.
            list_length: Recommendations per user.

        Returns:
            How it ended; a failure is an outcome, not an exception.

        Raises:
            StoreError: The store itself failed.
        """
        try:
            return self._recorded(experiment, columns, list_length) or self._attempt(experiment, columns, list_length)
        except OSError as error:
            raise self._out_of_use(error) from error

    def foresee(self, experiment: Experiment, following: Experiment) -> None:
        """While an item is computed, let the guest of a later one start, if it is another and the item has its own."""
        guests, kinds = self.guests, [(one.configuration.runner, one.device) for one in (experiment, following)]
        if kinds[0] != kinds[1] and guests.is_alive(*kinds[0]):
            guests.warm_if_room(*kinds[1])

    def _out_of_use(self, error: OSError) -> StoreError:
        return StoreError(
            f"the checkpoints in {self.store.root} cannot be used ({error}). What was recorded is safe; make room or make "
            "it writable, and run again."
        )

    def _attempt(self, experiment: Experiment, columns: Columns, list_length: int) -> Outcome:
        with self._lease(experiment) as lease:
            state = self._state(experiment, columns, list_length)
            if state.status == Status.DONE:  # another run finished it while this one waited
                return Outcome(CACHED, experiment.result(state.metrics))
            attempt = Attempt(self._bench(), experiment, columns, list_length, lease)
            self._current = experiment.name
            try:
                metrics = attempt.run()
            except PhaseError as error:
                return Outcome(Status.FAILED, experiment.result({}), attempt.seconds, error)
            finally:
                self._current = ""
                self._export()
            return Outcome(Status.DONE, experiment.result(metrics), attempt.seconds)

    def _bench(self) -> Workbench:
        return Workbench(self.store, self.guests, self._datasets, self.worker, self._stopping, self.policy)

    def _export(self, *, now: bool = False) -> None:
        trouble = self._exports.refresh(now=now)
        if trouble:
            self._notify(trouble)

    def _lease(self, experiment: Experiment) -> AbstractContextManager[Lease]:
        return self.store.lease(
            experiment.fit_key, lambda holder: self._waits(experiment, holder), self._stopping.check
        )

    def note_death(self, experiment: Experiment, message: str) -> None:
        """Record that the process which computed an item died, when it could not do so itself.

        Args:
            experiment: The item.
            message: What is known of it.

        Raises:
            StoreError: The store cannot be written, or somebody computes the item again already.
        """
        with self.store.lease(experiment.fit_key, _give_up) as lease:
            bench = self._bench()
            Attempt(bench, experiment, (), 0, lease).note_death(message)

    def _recorded(self, experiment: Experiment, columns: Columns, list_length: int) -> Outcome | None:
        """Return an outcome that needs no work, or None."""
        state = self._state(experiment, columns, list_length)
        if state.status == Status.DONE:
            return Outcome(CACHED, experiment.result(state.metrics))
        if state.status == Status.FAILED:
            error = PhaseError.recorded(state.error)
            if self.policy.failed == "skip":
                return Outcome(SKIPPED, experiment.result({}), error=error)
            if self.policy.failed == "replay":
                return Outcome(Status.FAILED, experiment.result({}), error=error, replayed=True)
            if state.deaths >= self.policy.max_attempts:
                told = (
                    f"its process died {state.deaths} times in a row, so it is not tried again; --omnirec-max-attempts="
                    f"{state.deaths + 1} tries once more, --omnirec-reset=failed forgets it. Last time: "
                )
                again = PhaseError(error.phase, told + error.message, error.details, died=True)
                return Outcome(Status.FAILED, experiment.result({}), error=again, replayed=True)
        return None

    def _state(self, experiment: Experiment, columns: Columns, list_length: int) -> State:
        return look_up(self.store.records.get, experiment, columns, list_length)

    def _waits(self, experiment: Experiment, holder: str) -> None:
        self._notify(f"{experiment.name}: waiting for {holder}, which computes it")

    def _log(self, stream: str, lines: bytes) -> None:
        prefix = f"[{self._current}] ".encode() if self._current else b""
        self.store.append_log(stream, b"".join(prefix + line for line in lines.splitlines(keepends=True)))
        level = logging.INFO if stream == "out" else logging.WARNING
        self.worker.log.add_lines(level, f"guest.std{stream}", lines, self._current or None)

    def reset(self, items: Iterable[Experiment], what: str = "all", *, keep: bool = False) -> Reset:
        """Have items computed anew by the next run; see ``store.generations.reset``."""
        chosen = {item.fit_key: item for item in items}
        try:
            done = reset(self.store, chosen, what, keep=keep)
        except OSError as error:
            raise self._out_of_use(error) from error
        if done.busy:
            named = ", ".join(chosen[key].name for key in done.busy[:3])
            more = f" and {len(done.busy) - 3} more" if len(done.busy) > 3 else ""  # noqa: PLR2004 - a few
            self._notify(f"{named}{more}: computed by another process right now, so not reset")
        return done


def _give_up(holder: str) -> None:
    raise StoreError(f"{holder} computes it")


def _refuse_guests() -> None:
    """Refuse to run benchmarks inside a guest, which imports a script only to find a class in it.

    Raises:
        OmnibenchError: This process is a guest.
    """
    if os.environ.get(GUEST_MARK):
        raise OmnibenchError(
            "this script runs its benchmarks while it is imported, and a class of yours in it is being imported by the "
            'process that fits it. Put the run below `if __name__ == "__main__":`.'
        )


def _end(guests: GuestPool, worker: Worker, store: CheckpointStore, directory: Workspace | None) -> None:
    """Leave neither processes nor temporary files behind."""
    try:
        guests.close()
    finally:
        try:
            worker.end()
            store.close()
        finally:
            if directory is not None:
                directory.remove()

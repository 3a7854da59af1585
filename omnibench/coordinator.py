"""Takes items through their phases: lease -> record -> phase -> publish -> record."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Self

from omnibench.attempt import Attempt
from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import DataError, OmnibenchError, PhaseError, StoreError
from omnibench.evaluation import Evaluator, Result
from omnibench.experiment import Experiment, experiments
from omnibench.plan import ExperimentPlan
from omnibench.prepared import PreparedDatasets
from omnibench.runners.gateway import GUEST_MARK
from omnibench.runners.pool import Environments, GuestPool, available_cores
from omnibench.seed import get_random_state
from omnibench.store import CheckpointStore
from omnibench.store.exports import Exports
from omnibench.store.leases import Lease
from omnibench.survey import DONE, FAILED, Columns, State, count, look_up

CACHED, SKIPPED = "cached", "skipped"


@dataclass(frozen=True)
class Outcome:
    """How an item ended.

    Attributes:
        status: ``done`` (something was computed), ``cached``, ``failed`` or ``skipped``.
        result: Its metrics, when done or cached.
        seconds: Wall time of each phase that ran now.
        error: Why it failed, or failed last time when it is skipped.
    """

    status: str
    result: Result
    seconds: dict[str, float] = field(default_factory=dict)
    error: PhaseError | None = None


class ItemsFailedError(OmnibenchError):
    """Some items of a run failed; the others are done.

    Attributes:
        evaluator: With the results of all that are done.
        failures: The error of each failed item, by name.
    """

    def __init__(self, evaluator: Evaluator, failures: Mapping[str, PhaseError], total: int) -> None:
        first, error = next(iter(failures.items()))
        super().__init__(
            f"{len(failures)} of {total} items failed, the first is {first}: {error}\n{error.details}\n"
            "The others are done; the next run tries the failed ones again."
        )
        self.evaluator = evaluator
        self.failures = dict(failures)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a script's user wants to know


class Coordinator:
    """Runs items against a checkpoint store. Use it as a context manager, or close it.

    Args:
        checkpoint_dir: Where checkpoints are kept; made absolute at once, created when missing.
        tmp_dir: Where guests get their working directories; inside the checkpoint directory by default.
        environments: ``isolated``, ``current``, or a mapping by framework name.
        failed: ``retry`` items whose last attempt failed, or ``skip`` them.
        threads: Threads per guest; all cores of this process by default.
        notify: Called with a line when something is worth telling; stderr by default.

    Raises:
        StoreError: The checkpoint directory cannot be used.
    """

    def __init__(
        self,
        checkpoint_dir: str | os.PathLike[str] = "checkpoints",
        tmp_dir: str | os.PathLike[str] | None = None,
        *,
        environments: str | Mapping[str, str] | Environments = "isolated",
        failed: str = "retry",
        threads: int | None = None,
        notify: Callable[[str], None] = _tell,
    ) -> None:
        if failed not in ("retry", "skip"):
            raise OmnibenchError(f"failed is {failed!r}; choose 'retry' or 'skip'.")
        _refuse_guests()
        self.environments = environments if isinstance(environments, Environments) else Environments(environments)
        self.failed = failed
        self.store = CheckpointStore(checkpoint_dir)
        self._notify = notify
        self._exports = Exports(self.store)
        self._datasets = PreparedDatasets(self.store)
        self._current = ""
        try:
            scratch = self.store.scratch(tmp_dir)
        except StoreError:
            self.store.close()
            raise
        self.guests = GuestPool(self.environments, scratch, threads or available_cores(), self._log, notify)
        # Also when nobody closes it: DESIGN's `Coordinator(...).run(...)` leaves that to the interpreter's end.
        self._finalizer = weakref.finalize(self, _end, self.guests, self.store)

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
        self._finalizer()

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
        """
        items = experiments(
            datasets, plan, evaluator.metrics, versions=self.environments.version, seed=get_random_state()
        )
        snapshot = self.store.snapshot()
        states = [look_up(snapshot.get, item, evaluator.columns, evaluator.list_length) for item in items]
        self._notify(f"{count(states)} ({self.store.root})")
        self._prepare([item for item, state in zip(items, states, strict=True) if state.status != DONE])
        failures: dict[str, PhaseError] = {}
        for number, item in enumerate(items, start=1):
            outcome = self.run_item(item, evaluator.columns, evaluator.list_length)
            if outcome.status in (DONE, CACHED):
                evaluator.add(outcome.result)
            if outcome.status == FAILED and outcome.error is not None:
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
            raise StoreError(
                f"the checkpoints in {self.store.root} cannot be used ({error}). What was recorded is safe; make room "
                "or make it writable, and run again."
            ) from error

    def _attempt(self, experiment: Experiment, columns: Columns, list_length: int) -> Outcome:
        with self._lease(experiment) as lease:
            state = self._state(experiment, columns, list_length)
            if state.status == DONE:  # another run finished it while this one waited
                return Outcome(CACHED, Result.of(experiment, state.metrics))
            attempt = Attempt(self.store, self.guests, self._datasets, experiment, columns, list_length, lease)
            self._current = f"[{experiment.name}] "
            try:
                metrics = attempt.run()
            except PhaseError as error:
                return Outcome(FAILED, Result.of(experiment, {}), attempt.seconds, error)
            finally:
                self._current = ""
                self._export()
            return Outcome(DONE, Result.of(experiment, metrics), attempt.seconds)

    def _export(self, *, now: bool = False) -> None:
        trouble = self._exports.refresh(now=now)
        if trouble:
            self._notify(trouble)

    def _lease(self, experiment: Experiment) -> AbstractContextManager[Lease]:
        return self.store.lease(experiment.fit_key, lambda holder: self._waits(experiment, holder))

    def _recorded(self, experiment: Experiment, columns: Columns, list_length: int) -> Outcome | None:
        """Return an outcome that needs no work, or None."""
        state = self._state(experiment, columns, list_length)
        if state.status == DONE:
            return Outcome(CACHED, Result.of(experiment, state.metrics))
        if state.status == FAILED and self.failed == "skip":
            error = PhaseError(**state.error)
            return Outcome(SKIPPED, Result.of(experiment, {}), error=error)
        return None

    def _state(self, experiment: Experiment, columns: Columns, list_length: int) -> State:
        return look_up(self.store.records.get, experiment, columns, list_length)

    def _waits(self, experiment: Experiment, holder: str) -> None:
        self._notify(f"{experiment.name}: waiting for {holder}, which computes it")

    def _log(self, stream: str, lines: bytes) -> None:
        prefix = self._current.encode()
        self.store.append_log(stream, b"".join(prefix + line for line in lines.splitlines(keepends=True)))

    def reset(self, items: Sequence[Experiment]) -> None:
        """Forget everything recorded of items, so that the next run computes them anew.

        Files stay where they are and are replaced by what the next run publishes.
        """
        recorded: dict[str, list[str]] = {}
        for key, record in self.store.snapshot().items():
            recorded.setdefault(record.get("fit_key", ""), []).append(key)
        for experiment in items:
            if experiment.fit_key in recorded:
                with self._lease(experiment) as lease:
                    self.store.commit(lease, {}, delete=recorded[experiment.fit_key])


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


def _end(guests: GuestPool, store: CheckpointStore) -> None:
    """Leave neither processes nor temporary files behind."""
    try:
        guests.close()
    finally:
        store.close()

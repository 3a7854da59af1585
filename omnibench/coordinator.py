"""Takes items through their phases: lease -> record -> phase -> publish -> record."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from omnibench import phases
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare
from omnibench.errors import GuestError, OmnibenchError, PhaseError
from omnibench.evaluation import Evaluator, Result
from omnibench.experiment import Experiment, experiments
from omnibench.plan import ExperimentPlan
from omnibench.runners.pool import Environments, GuestPool
from omnibench.seed import get_random_state
from omnibench.store import CheckpointStore
from omnibench.store.artifacts import Artifact
from omnibench.store.exports import Exports
from omnibench.store.leases import Lease
from omnibench.store.records import Record
from omnibench.survey import DONE, FAILED, Columns, State, count, eval_keys, look_up

CACHED, SKIPPED = "cached", "skipped"
PhaseListener = Callable[[str, float], None]


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


class ItemsFailed(OmnibenchError):
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
    print(line, file=sys.stderr, flush=True)


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
        self.environments = environments if isinstance(environments, Environments) else Environments(environments)
        self.failed = failed
        self.store = CheckpointStore(checkpoint_dir)
        self._notify = notify
        self._exports = Exports(self.store)
        self._datasets: dict[str, Path | PhaseError] = {}
        self._current = ""
        self._scratch = self.store.scratch(tmp_dir)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.guests = GuestPool(self.environments, self._scratch, threads or cores, self._log, notify)

    def __enter__(self) -> Coordinator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the guests, write the exports, close the records."""
        self.guests.close()
        self.store.drop_scratch(self._scratch)
        self._exports.refresh(now=True)
        self.store.close()

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
            ItemsFailed: Some items failed; raised after all others are done.
        """
        items = experiments(
            datasets, plan, evaluator.metrics, versions=self.environments.version, seed=get_random_state()
        )
        snapshot = self.store.snapshot()
        states = [look_up(snapshot.get, item, evaluator.columns, evaluator.list_length) for item in items]
        self._notify(f"{count(states)} ({self.store.root})")
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
        self._exports.refresh(now=True)
        if failures:
            raise ItemsFailed(evaluator, failures, len(items))
        return evaluator

    def run_item(
        self,
        experiment: Experiment,
        columns: Columns,
        list_length: int,
        on_phase: PhaseListener = lambda phase, seconds: None,
    ) -> Outcome:
        """Bring one item to Done, computing only what is not recorded.

        Args:
            experiment: The item.
            columns: The wanted metrics and labels.
            list_length: Recommendations per user.
            on_phase: Called with a phase and its wall time when it is done.

        Returns:
            How it ended; a failure is an outcome, not an exception.

        Raises:
            StoreError: The store itself failed.
        """
        outcome = self._recorded(experiment, columns, list_length)
        if outcome is not None:
            return outcome
        with self.store.lease(experiment.fit_key, lambda holder: self._waits(experiment, holder)) as lease:
            state = self._state(experiment, columns, list_length)
            if state.status == DONE:  # another run finished it while this one waited
                return Outcome(CACHED, Result.of(experiment, state.metrics))
            work = _Work(self, experiment, columns, list_length, lease, on_phase)
            self._current = f"[{experiment.name}] "
            try:
                metrics = work.run()
            except PhaseError as error:
                return Outcome(FAILED, Result.of(experiment, {}), work.seconds, error)
            finally:
                self._current = ""
                self._exports.refresh()
            return Outcome(DONE, Result.of(experiment, metrics), work.seconds)

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

    def prepared(self, dataset: RecSysDataSet) -> Path:
        """Return the directory of a dataset's arrays, preparing it when nobody has.

        Raises:
            PhaseError: The recipe is impossible; remembered, so that every item of the dataset says it.
        """
        if dataset.key not in self._datasets:
            try:
                self._datasets[dataset.key] = self._prepare(dataset)
            except OmnibenchError as error:
                self._datasets[dataset.key] = PhaseError("Prepare", str(error))
        found = self._datasets[dataset.key]
        if isinstance(found, PhaseError):
            raise found
        return found

    def _prepare(self, dataset: RecSysDataSet) -> Path:
        name = f"data/{dataset.key}"
        with self.store.lease(f"data-{dataset.key}") as lease:
            record = self.store.records.get(name)
            if record is not None and all([self.store.usable(file) for file in record["files"]]):
                return self.store.root / record["directory"]
            directory = self.store.claim(self.store.root / "datasets", dataset.name, dataset.key)
            with self.store.temporary() as scratch:
                partial = scratch / "dataset"
                partial.mkdir(mode=0o700)
                (partial / ".key").write_text(dataset.key, encoding="utf-8")
                manifest = prepare(dataset, partial)
                files = self.store.publish_directory(partial, directory)
            relative = directory.relative_to(self.store.root).as_posix()
            facts = {name: manifest[name] for name in ("identity", "name", "test", "users", "items", "interactions")}
            self.store.commit(lease, {name: {**facts, "directory": relative, "files": files, "finished": _now()}})
            return directory

    def reset(self, items: Sequence[Experiment]) -> None:
        """Forget everything recorded of items, so that the next run computes them anew.

        Files stay where they are and are replaced by what the next run publishes.
        """
        snapshot = self.store.snapshot()
        for experiment in items:
            with self.store.lease(experiment.fit_key, lambda holder, of=experiment: self._waits(of, holder)) as lease:  # type: ignore[misc]
                named = snapshot.get(f"item/{experiment.fit_key}")
                evaluations = [metric["key"] for metric in named["metrics"].values()] if named else []
                predictions = [
                    key
                    for key, record in snapshot.items()
                    if key.startswith("predict/") and record["fit_key"] == experiment.fit_key
                ]
                gone = [f"fit/{experiment.fit_key}", f"item/{experiment.fit_key}", *predictions]
                self.store.commit(lease, {}, delete=[*gone, *(f"eval/{key}" for key in evaluations)])


class _Work:
    """One attempt at one item, under its lease."""

    def __init__(
        self,
        coordinator: Coordinator,
        experiment: Experiment,
        columns: Columns,
        list_length: int,
        lease: Lease,
        on_phase: PhaseListener,
    ) -> None:
        self.coordinator = coordinator
        self.store = coordinator.store
        self.experiment = experiment
        self.columns = columns
        self.list_length = list_length
        self.lease = lease
        self.on_phase = on_phase
        self.seconds: dict[str, float] = {}
        self._phase = "Prepare"

    def run(self) -> dict[str, float]:
        """Go through the phases and return the wanted metrics."""
        try:
            self._dataset = self.coordinator.prepared(self.experiment.dataset)
            self._directory = self._claim()
            predictions = self._predictions()
            return self._evaluate(predictions)
        except PhaseError as error:
            self._record_end(FAILED, {"phase": error.phase, "message": error.message, "details": error.details})
            raise
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C: the guest is in the middle of something
                self.coordinator.guests.discard(self.experiment.configuration.runner)
                self._record_end("interrupted", None)
            raise

    def _claim(self) -> Path:
        dataset, configuration = self.experiment.dataset, self.experiment.configuration
        parent = self.store.claim(self.store.root, dataset.name, dataset.key)
        directory = self.store.claim(parent, configuration.name, self.experiment.configuration_key)
        return directory if dataset.folds is None else directory / f"fold_{self.experiment.fold}"

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        """Time a phase, and make whatever goes wrong in it a PhaseError."""
        self._phase = phase
        started = time.perf_counter()
        try:
            yield
        except GuestError as error:
            runner = self.experiment.configuration.runner
            if not self.coordinator.guests.is_alive(runner):
                self.coordinator.guests.discard(runner)
            raise PhaseError(phase, str(error), error.details) from error
        except OmnibenchError as error:
            raise PhaseError(phase, str(error)) from error
        except Exception as error:
            raise PhaseError(phase, f"{type(error).__name__}: {error}", traceback.format_exc()) from error
        finally:
            self.seconds[phase] = time.perf_counter() - started
        self.on_phase(phase, self.seconds[phase])

    def _progress(self, values: dict[str, Any]) -> None:
        """Receive what a framework reports while it works."""

    def _usable(self, key: str, role: str) -> tuple[Record, Path] | None:
        """Return a phase's record and its file, when it is recorded and the file is what the record says."""
        record = self.store.records.get(key)
        if record is None:
            return None
        path = self.store.usable(record[role])
        return None if path is None else (record, path)

    def _model(self) -> Path:
        key = f"fit/{self.experiment.fit_key}"
        found = self._usable(key, "model")
        if found is not None:
            return found[1]
        with self._timed("Fit"), self.store.temporary() as scratch:
            guest = self.coordinator.guests.get(self.experiment.configuration.runner)
            answer = phases.fit(guest, self.experiment, self._dataset, scratch, self._progress)
            model = self.store.publish(scratch / answer["file"], self._directory / answer["file"])
            facts = {name: answer[name] for name in ("seconds", "cpu_seconds", "peak_rss", "effective", "version")}
            self.store.commit(
                self.lease, {key: {**self._labels("Fit"), **facts, "identity": self.experiment.identity, "model": model}}
            )
        return self.store.root / model["path"]

    def _predictions(self) -> tuple[Artifact, Path]:
        name = self.experiment.predict_key(self.list_length)
        key = f"predict/{name}"
        found = self._usable(key, "predictions")
        if found is not None:
            return found[0]["predictions"], found[1]
        model = self._model()
        with self._timed("Predict"), self.store.temporary() as scratch:
            guest = self.coordinator.guests.get(self.experiment.configuration.runner)
            partial = scratch / "predictions.npy"
            answer = phases.predict(
                guest, self.experiment, self._dataset, model, self.list_length, partial, self._progress
            )
            export = phases.export_predictions(self._dataset, partial, scratch)
            exported = self.store.publish(export, self._directory / export.name)
            predictions = self.store.publish(partial, self._directory / f"predictions-{name[:8]}.npy")
            facts = {fact: answer[fact] for fact in ("seconds", "cpu_seconds", "peak_rss", "rows")}
            record = {**self._labels("Predict"), **facts, "predictions": predictions, "export": exported}
            self.store.commit(self.lease, {key: record})
        return predictions, self.store.root / predictions["path"]

    def _evaluate(self, predictions: tuple[Artifact, Path]) -> dict[str, float]:
        get = self.store.records.get
        keys = eval_keys(get, self.experiment, self.columns, self.list_length)
        assert keys is not None, "predictions were published just now"
        known = {label: get(f"eval/{key}") for label, key in keys.items()}
        missing = [(metric, label) for metric, label in self.columns if known[label] is None]
        values = {label: float(record["value"]) for label, record in known.items() if record is not None}
        with self._timed("Eval"), self.store.temporary() as scratch:
            records: dict[str, Record] = {}
            if missing:
                found = phases.evaluate(self._dataset, self.experiment.fold, predictions[1], missing)
                np.save(scratch / "per_user.npy", found.per_user, allow_pickle=False)
                batch = keys[missing[0][1]][:8]
                per_user = self.store.publish(scratch / "per_user.npy", self._directory / f"per_user-{batch}.npy")
                for row, (_, label) in enumerate(missing):
                    fact = {"value": found.values[label], "users": len(found.users), "per_user": per_user, "row": row}
                    records[f"eval/{keys[label]}"] = {**self._labels("Eval"), "label": label, **fact}
                values.update(found.values)
            ordered = {label: values[label] for _, label in self.columns}
            records[f"item/{self.experiment.fit_key}"] = self._item(
                DONE, "Done", {label: {"value": value, "key": keys[label]} for label, value in ordered.items()}, None
            )
            self.store.commit(self.lease, records)
        return ordered

    def _record_end(self, status: str, error: dict[str, str] | None) -> None:
        before = self.store.records.get(f"item/{self.experiment.fit_key}")
        metrics = before["metrics"] if before else {}
        record = self._item(status, error["phase"] if error else self._phase, metrics, error)
        self.store.commit(self.lease, {f"item/{self.experiment.fit_key}": record})

    def _item(self, status: str, phase: str, metrics: dict[str, Any], error: dict[str, str] | None) -> Record:
        before = self.store.records.get(f"item/{self.experiment.fit_key}")
        failures = before["failures"] if before else 0
        kept = before["metrics"] if before and status == DONE else {}
        return {
            **self._labels(phase),
            "status": status,
            "metrics": {**kept, **metrics},
            "error": error,
            "failures": failures + 1 if status == FAILED else 0 if status == DONE else failures,
        }

    def _labels(self, phase: str) -> Record:
        experiment = self.experiment
        return {
            "phase": phase,
            "item": experiment.name,
            "fit_key": experiment.fit_key,
            "dataset": experiment.dataset_name,
            "algorithm": experiment.algorithm_name,
            "parameters": phases.plain(experiment.configuration.parameters),
            "fold": None if experiment.dataset.folds is None else experiment.fold,
            "finished": _now(),
        }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

"""One attempt at one item, under its lease: phase by phase, each published before it is recorded."""

from __future__ import annotations

import errno
import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.engine import evaluation as judging
from omnibench.engine import phases
from omnibench.engine.datasets import PreparedDatasets
from omnibench.engine.phases import Asking
from omnibench.engine.policy import Policy
from omnibench.engine.records import item_labels, labels
from omnibench.engine.stopping import Stopping
from omnibench.engine.survey import Columns, costs, eval_keys
from omnibench.errors import GuestError, OmnibenchError, PhaseError, StoreError
from omnibench.experiment.experiment import Experiment
from omnibench.guest.base import Meter
from omnibench.keys import digest
from omnibench.runners.gateway import Guest
from omnibench.runners.pool import GuestPool
from omnibench.runners.registry import RunnerInfo
from omnibench.store import CheckpointStore
from omnibench.store.leases import Lease
from omnibench.store.per_user import write_per_user
from omnibench.store.records import timestamp
from omnibench.store.schema import Artifact, Record, Status
from omnibench.store.workers import Worker

_NOT_ITS_FAULT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""What an operating system says when it has no room or a broken disk: no failure of the algorithm that met it."""

_MEASURES = ("seconds", "cpu_seconds", "peak_rss", "gpu_peak", "python_peak")


@dataclass(frozen=True)
class Workbench:
    """What all attempts of a process share.

    Attributes:
        store: Where everything is published and recorded.
        guests: Who computes.
        datasets: The prepared datasets.
        worker: This process, as the store knows it.
        stopping: Whether the run was asked to stop.
        policy: What is the same for all items.
    """

    store: CheckpointStore
    guests: GuestPool
    datasets: PreparedDatasets
    worker: Worker
    stopping: Stopping
    policy: Policy


class Attempt:
    """One attempt at one item.

    Args:
        bench: What all attempts share.
        experiment: The item.
        columns: The wanted metrics and labels.
        list_length: Recommendations per user.
        lease: The item's lease, held for as long as this attempt lasts.

    Attributes:
        seconds: Wall time of each phase that ran.
    """

    def __init__(
        self, bench: Workbench, experiment: Experiment, columns: Columns, list_length: int, lease: Lease
    ) -> None:
        self.bench = bench
        self.store = bench.store
        self.experiment = experiment
        self.columns = columns
        self.list_length = list_length
        self.lease = lease
        self.seconds: dict[str, float] = {}
        self._phase = "Prepare"
        self._asking = Asking(bench.policy.track, bench.policy.timeout, bench.stopping.expired, bench.worker.progress)

    def run(self) -> dict[str, float]:
        """Go through the phases and return the wanted metrics.

        Raises:
            PhaseError: A phase failed; that is recorded.
            StoreError, OSError: The store itself failed; what was recorded before is safe.
            KeyboardInterrupt: The run was asked to stop; that is recorded.
        """
        self._log(logging.INFO, "begins")
        try:
            self.bench.worker.at(self.experiment.name, "Prepare")
            self._dataset = self._prepared()
            with self.bench.stopping.phases(self.experiment.name):
                self._claim()
                metrics = self._evaluate(self._predictions())
            self._log(logging.INFO, f"is done: {', '.join(f'{label} {metrics[label]:.4f}' for label in metrics)}")
        except PhaseError as error:
            self._log(logging.ERROR, f"{error}\n{error.details}".rstrip())
            self._record_end(Status.FAILED, error)
            raise
        except (StoreError, OSError) as error:
            self._log(logging.ERROR, f"was given up in {self._phase}: {error}")
            with suppress(StoreError, OSError):
                self._record_end(Status.INTERRUPTED, PhaseError(self._phase, str(error)))
            raise
        except BaseException as error:
            if not isinstance(error, Exception):  # the guest is in the middle of something
                self._log(logging.WARNING, f"was interrupted in {self._phase} ({type(error).__name__}: {error})")
                self.bench.guests.discard(*self._guest)
                self._record_end(Status.INTERRUPTED, None)
            raise
        else:
            return metrics
        finally:
            self.bench.worker.at(None)

    def _prepared(self) -> Path:
        """Return the prepared dataset; while it is being prepared, the guest starts."""
        ready = self.bench.datasets.ready(self.experiment.dataset)  # as of every item but a dataset's first
        if not ready and self.store.records.get(f"fit/{self.experiment.fit_key}") is None:
            self.bench.guests.warm(*self._guest)
        return self.bench.datasets.get(self.experiment.dataset)

    @property
    def _guest(self) -> tuple[RunnerInfo, str]:
        return self.experiment.configuration.runner, self.experiment.device

    def _ready_guest(self, phase: str) -> Guest:
        """Return the item's guest, and say so while it starts."""
        if not self.bench.guests.is_alive(*self._guest):
            self.bench.worker.at(self.experiment.name, f"starting {self._guest[0].name} for {phase}")
        guest = self.bench.guests.get(*self._guest)
        self.bench.worker.at(self.experiment.name, phase)
        return guest

    def note_death(self, message: str) -> None:
        """Record that the process of an earlier attempt died."""
        self._log(logging.ERROR, message)
        before = self._before()
        self._claim()
        phase = before.get("phase") if before.get("status") == Status.INTERRUPTED else None
        self._record_end(Status.FAILED, PhaseError(phase or "Fit", message, died=True))

    def _claim(self) -> None:
        dataset, configuration = self.experiment.dataset, self.experiment.configuration
        parent = self.store.claim(self.store.root, dataset.name, dataset.key)
        base = self.store.claim(parent, configuration.name, self.experiment.configuration_key)
        self._base = base if dataset.folds is None else base / f"fold_{self.experiment.fold}"
        self.store.make_directory(self._base)
        generation = self._before().get("generation", 0)
        self._directory = self._base / f"generation_{generation}" if generation else self._base

    @contextmanager
    def _timed(self, phase: str) -> Iterator[Meter]:
        """Measure a phase, and make whatever goes wrong in it a PhaseError."""
        self.bench.stopping.check()
        self._phase = phase
        self.bench.worker.at(self.experiment.name, phase)
        meter = Meter(self.bench.policy.track)
        started = time.perf_counter()
        try:
            yield meter
        except GuestError as error:
            if not self.bench.guests.is_alive(*self._guest):
                self.bench.guests.discard(*self._guest)
            if error.errno in _NOT_ITS_FAULT:
                raise OSError(error.errno, f"{phase}: {error}") from error
            raise PhaseError(phase, str(error), error.details, died=error.died) from error
        except (StoreError, OSError):
            raise
        except OmnibenchError as error:
            raise PhaseError(phase, str(error)) from error
        except Exception as error:
            raise PhaseError(phase, f"{type(error).__name__}: {error}", traceback.format_exc()) from error
        finally:
            meter.stop()
            self.seconds[phase] = time.perf_counter() - started
        self._log(logging.INFO, f"{phase} took {self.seconds[phase]:.3f} s")

    def _log(self, level: int, message: str) -> None:
        self.bench.worker.log.add(level, "omnibench", message, self.experiment.name)

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
            guest = self._ready_guest("Fit")
            answer = phases.fit(guest, self.experiment, self._dataset, scratch, self._asking)
            model = self.store.publish(scratch / answer["file"], self._directory / answer["file"])
            facts = {name: answer[name] for name in (*_MEASURES, "effective", "version")}
            self.store.commit(
                self.lease,
                {key: {**self._labels("Fit"), **facts, "identity": self.experiment.recorded_identity, "model": model}},
            )
        return self.store.root / model["path"]

    def _predictions(self) -> tuple[Artifact, Path]:
        name = self.experiment.predict_key(self.list_length)
        key = f"predict/{name}"
        found = self._usable(key, "predictions")
        if found is not None:
            if not any(self._base.glob("predictions.*")):  # somebody removed the readable copy
                with self.store.temporary() as scratch:
                    self._export_predictions(found[1], scratch)
            return found[0]["predictions"], found[1]
        model = self._model()
        with self._timed("Predict"), self.store.temporary() as scratch:
            guest = self._ready_guest("Predict")
            partial = scratch / "predictions.npy"
            answer = phases.predict(
                guest, self.experiment, self._dataset, model, self.list_length, partial, self._asking
            )
            if self.list_length >= self._before().get("exported", 0):  # the export keeps the longest lists
                self._export_predictions(partial, scratch)
            predictions = self.store.publish(partial, self._directory / f"predictions-{name[:8]}.npy")
            facts = {fact: answer[fact] for fact in (*_MEASURES, "rows")}
            records = {key: {**self._labels("Predict"), **facts, "predictions": predictions}}
            before = self._before()
            if before.get("predicted"):  # its metrics are of other predictions
                records[f"item/{self.experiment.fit_key}"] = {**before, "predicted": None}
            self.store.commit(self.lease, records)
        return predictions, self.store.root / predictions["path"]

    def _export_predictions(self, predictions: Path, scratch: Path) -> None:
        export = phases.export_predictions(self._dataset, predictions, scratch)
        self.store.publish(export, self._base / export.name)

    def _evaluate(self, predictions: tuple[Artifact, Path]) -> dict[str, float]:
        get = self.store.records.get
        keys = eval_keys(get, self.experiment, self.columns, self.list_length)
        data = get(f"data/{self.experiment.dataset.key}")
        assert keys is not None and data is not None, "they were published just now"  # noqa: PT018 - both for one reason
        known = {label: get(f"eval/{key}") for label, key in keys.items()}
        missing = [(metric, label) for metric, label in self.columns if label in keys and known[label] is None]
        names = {label: self.experiment.qualified(metric, label) for metric, label in self.columns}
        values = {label: record["value"] for label, record in known.items() if record is not None}
        with self._timed("Eval") as meter, self.store.temporary() as scratch:
            records: dict[str, Record] = {}
            if missing:
                found = judging.evaluate(self._dataset, self.experiment.fold, predictions[1], missing)
                file = scratch / "per_user.parquet"
                facts = judging.facts(found, missing, write_per_user(file, found.users, found.columns(missing)))
                # Named after all that is in it: the files of other evaluations stay what their records say.
                batch = digest(sorted(keys[label] for _, label in missing))[:8]
                per_user = self.store.publish(file, self._directory / f"per_user-{batch}.parquet")
                cost = {**meter.read(), "batch": per_user["path"]}
                for label, fact in facts.items():
                    told = {"label": names[label], "per_user": per_user, **fact, **cost}
                    records[f"eval/{keys[label]}"] = {**self._labels("Eval"), **told}
                    values[label] = fact["value"]
            defined = {label: values[label] for label in keys if values[label] is not None}
            metrics = {
                names[label]: {"value": defined[label], "key": keys[label], "metric": metric.canonical_identity(label)}
                for metric, label in self.columns
                if label in defined
            }
            records[f"item/{self.experiment.fit_key}"] = {
                **self._item(Status.DONE, "Done", metrics, None),
                # What the metrics were made of, once more, so that one look at this record is enough.
                "predicted": self.experiment.predicted(self.list_length),
                "test": data["test"][self.experiment.fold],
            }
            self.store.commit(self.lease, records)
        defined |= costs(get, self.experiment, self.columns, self.list_length)
        ordered = {names[label]: float(defined[label]) for _, label in self.columns if label in defined}
        self.bench.worker.completed()
        return ordered

    def _before(self) -> Record:
        """Return the item's record as earlier attempts left it."""
        return self.store.records.get(f"item/{self.experiment.fit_key}") or {}

    def _record_end(self, status: str, error: PhaseError | None) -> None:
        metrics = self._before().get("metrics", {})
        record = self._item(status, error.phase if error else self._phase, metrics, error)
        self.store.commit(self.lease, {f"item/{self.experiment.fit_key}": record})

    def _item(self, status: str, phase: str, metrics: dict[str, Any], error: PhaseError | None) -> Record:
        before = self._before()
        counts = {"failures": before.get("failures", 0), "deaths": before.get("deaths", 0)}
        if status == Status.DONE:
            counts = {"failures": 0, "deaths": 0}
        if status == Status.FAILED:
            died = error is not None and error.died
            counts = {"failures": counts["failures"] + 1, "deaths": counts["deaths"] + 1 if died else 0}
        kept = self._still_true(before) if status == Status.DONE else {}
        exported = before.get("exported", 0)
        return {
            **item_labels(self.experiment),
            **self._labels(phase),
            "status": status,
            "metrics": {**kept, **metrics},
            "error": error and {"phase": error.phase, "message": error.message, "details": error.details},
            "exported": max(exported, self.list_length) if status == Status.DONE else exported,
            "generation": before.get("generation", 0),
            "predict_key": self.experiment.predict_key(self.list_length),
            **counts,
        }

    def _still_true(self, before: Record) -> Record:
        """Return the metrics of an item's record whose evaluations are still recorded."""
        get = self.store.records.get
        return {label: one for label, one in before.get("metrics", {}).items() if get(f"eval/{one['key']}")}

    def _labels(self, phase: str) -> Record:
        base = getattr(self, "_base", None)
        return {
            **labels(self.experiment),
            "phase": phase,
            "finished": timestamp(),
            "run": self.bench.worker.log.run,
            "worker": self.bench.worker.id,
            "directory": base.relative_to(self.store.root).as_posix() if base else None,
        }

"""One attempt at one item, under its lease: phase by phase, each published before it is recorded."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from omnibench import phases
from omnibench.errors import GuestError, OmnibenchError, PhaseError
from omnibench.experiment import Experiment
from omnibench.prepared import PreparedDatasets
from omnibench.runners.pool import GuestPool
from omnibench.store import CheckpointStore
from omnibench.store.artifacts import Artifact
from omnibench.store.leases import Lease
from omnibench.store.records import Record, timestamp
from omnibench.survey import DONE, FAILED, Columns, eval_keys

INTERRUPTED = "interrupted"


class Attempt:
    """One attempt at one item.

    Args:
        store: Where everything is published and recorded.
        guests: Who computes.
        datasets: The prepared datasets.
        experiment: The item.
        columns: The wanted metrics and labels.
        list_length: Recommendations per user.
        lease: The item's lease, held for as long as this attempt lasts.

    Attributes:
        seconds: Wall time of each phase that ran.
    """

    def __init__(
        self,
        store: CheckpointStore,
        guests: GuestPool,
        datasets: PreparedDatasets,
        experiment: Experiment,
        columns: Columns,
        list_length: int,
        lease: Lease,
    ) -> None:
        self.store = store
        self.guests = guests
        self.datasets = datasets
        self.experiment = experiment
        self.columns = columns
        self.list_length = list_length
        self.lease = lease
        self.seconds: dict[str, float] = {}
        self._phase = "Prepare"

    def run(self) -> dict[str, float]:
        """Go through the phases and return the wanted metrics.

        Raises:
            PhaseError: A phase failed; that is recorded.
            StoreError: The store itself failed.
        """
        try:
            self._dataset = self.datasets.get(self.experiment.dataset)
            self._directory = self._claim()
            predictions = self._predictions()
            return self._evaluate(predictions)
        except PhaseError as error:
            self._record_end(FAILED, {"phase": error.phase, "message": error.message, "details": error.details})
            raise
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C: the guest is in the middle of something
                self.guests.discard(self.experiment.configuration.runner)
                self._record_end(INTERRUPTED, None)
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
            if not self.guests.is_alive(runner):
                self.guests.discard(runner)
            raise PhaseError(phase, str(error), error.details) from error
        except OmnibenchError as error:
            raise PhaseError(phase, str(error)) from error
        except Exception as error:
            raise PhaseError(phase, f"{type(error).__name__}: {error}", traceback.format_exc()) from error
        finally:
            self.seconds[phase] = time.perf_counter() - started

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
            guest = self.guests.get(self.experiment.configuration.runner)
            answer = phases.fit(guest, self.experiment, self._dataset, scratch)
            model = self.store.publish(scratch / answer["file"], self._directory / answer["file"])
            facts = {name: answer[name] for name in ("seconds", "cpu_seconds", "peak_rss", "effective", "version")}
            self.store.commit(
                self.lease,
                {key: {**self._labels("Fit"), **facts, "identity": self.experiment.identity, "model": model}},
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
            guest = self.guests.get(self.experiment.configuration.runner)
            partial = scratch / "predictions.npy"
            answer = phases.predict(guest, self.experiment, self._dataset, model, self.list_length, partial)
            if self.list_length >= self._before().get("exported", 0):  # the export keeps the longest lists
                export = phases.export_predictions(self._dataset, partial, scratch)
                self.store.publish(export, self._directory / export.name)
            predictions = self.store.publish(partial, self._directory / f"predictions-{name[:8]}.npy")
            facts = {fact: answer[fact] for fact in ("seconds", "cpu_seconds", "peak_rss", "rows")}
            record = {**self._labels("Predict"), **facts, "predictions": predictions}
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

    def _before(self) -> Record:
        """Return the item's record as earlier attempts left it."""
        return self.store.records.get(f"item/{self.experiment.fit_key}") or {}

    def _record_end(self, status: str, error: dict[str, str] | None) -> None:
        metrics = self._before().get("metrics", {})
        record = self._item(status, error["phase"] if error else self._phase, metrics, error)
        self.store.commit(self.lease, {f"item/{self.experiment.fit_key}": record})

    def _item(self, status: str, phase: str, metrics: dict[str, Any], error: dict[str, str] | None) -> Record:
        before = self._before()
        failures = before.get("failures", 0)
        kept = before.get("metrics", {}) if status == DONE else {}
        exported = before.get("exported", 0)
        return {
            **self._labels(phase),
            "status": status,
            "metrics": {**kept, **metrics},
            "error": error,
            "exported": max(exported, self.list_length) if status == DONE else exported,
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
            "finished": timestamp(),
        }

"""The checkpoints of one item: the files and records of its phases; each file is published before it is recorded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from omnibench.engine.equal_seeds import alike_seed
from omnibench.engine.evaluation import Evaluations, evaluation_facts
from omnibench.engine.grouped import evaluated_groups, with_evaluated_groups
from omnibench.engine.items import Item
from omnibench.engine.progress import PhaseMeter
from omnibench.engine.records import labels_of, took_long
from omnibench.engine.survey import look_up, missing_metrics
from omnibench.errors import PhaseError
from omnibench.keys import DISPLAY_DIGITS, recorded_text, sha256
from omnibench.metrics.evaluation import Evaluation
from omnibench.store import CheckpointStore, snapshots
from omnibench.store.beneath import relative_path
from omnibench.store.builders import ItemLabels, Origin, eval_record, fit_record, predict_record
from omnibench.store.compression import compress_where_it_pays
from omnibench.store.held_records import HeldRecords
from omnibench.store.item_records import (
    done_item,
    failed_item,
    interrupted_item,
    item_metric,
    outdated_item,
    unmeasured_item,
)
from omnibench.store.leases import Lease
from omnibench.store.models import remove_file, without_model
from omnibench.store.per_user import write_per_user
from omnibench.store.permissions import keep_to_oneself
from omnibench.store.schema import DROPPED, GROUPS, Artifact, Phase, Record, RecordType
from omnibench.store.series import series_record
from omnibench.store.states import phase_left_in
from omnibench.store.workers import Worker


class ItemCheckpoints:
    """The files and records of one item, as an attempt at it finds and saves them.

    Args:
        store: The checkpoint store.
        item: The item.
        lease: The item's lease, held for as long as this is used.
        worker: The worker that makes the attempt.
        search: The key of the search whose trial it is; empty where it is an item of a plan.
        records: The item's records, where they were read under this lease before.

    Attributes:
        records: The item's records; those of other items are the store's.
        directory: The item's directory, relative to the store's; None until it is claimed.
        chosen: What the item's record says of the configuration that its search has chosen, once that is known.
    """

    def __init__(
        self,
        store: CheckpointStore,
        item: Item,
        lease: Lease,
        worker: Worker,
        *,
        search: str = "",
        records: HeldRecords | None = None,
    ) -> None:
        self.store = store
        self.item = item
        self.records = records or HeldRecords(store, lease)
        self.chosen: Record | None = None
        self._predict_key = item.predict_key
        self._predict_record_key = RecordType.PREDICT.key(self._predict_key)
        self._worker = worker
        self._search = search
        self._inputs = store.inputs()
        self._base: Path | None = None
        self._directory: Path | None = None
        self.directory: str | None = None

    def claim(self) -> None:
        """Make the item's directory, which has to be there before anything is saved.

        Raises:
            StoreError, OSError: It cannot be made.
        """
        experiment = self.item.experiment
        parent = self.store.claim(self.store.root, experiment.dataset.name, experiment.dataset.key)
        base = self.store.claim(parent, experiment.configuration.name, experiment.configuration_key)
        if experiment.dataset.folds is not None:
            base /= f"fold_{experiment.fold}"
        self.store.make_directory(base)
        generation = self.previous.get("generation", 0)
        # At the end: after an error before it nothing is claimed, and whoever asks again has all of it made.
        self.directory = relative_path(base, self.store.root)
        self._base, self._directory = base, base / f"generation_{generation}" if generation else base

    @property
    def previous(self) -> Record:
        """The item's record as earlier attempts left it."""
        return self.records.get(self.item.record_key) or {}

    @property
    def is_done(self) -> bool:
        """Whether every metric that the attempt was to compute is recorded."""
        return look_up(self.records.get, self.item).is_done

    @property
    def is_fitted(self) -> bool:
        """Whether a model is recorded and was not dropped, even if its file is missing or damaged."""
        record = self.records.get(self.item.fit_record_key)
        return record is not None and not record.get(DROPPED)

    @property
    def interrupted_in(self) -> str:
        """The phase in which an attempt of another process has ended without a word, as far as anybody knows."""
        return phase_left_in(
            self.store, self.item.experiment.name, self.previous, self._worker.id, is_fitted=self.is_fitted
        )

    def model(self) -> Path | None:
        """Return the model's file, or None unless it is recorded, intact, and not to be feared."""
        model = self._usable(self.item.fit_record_key, "model")
        return model if model is not None and self.store.loadable(model) else None

    def predictions(self) -> Path | None:
        """Return the predictions' file, or None unless it is recorded and intact."""
        return self._usable(self._predict_record_key, "predictions")

    def _usable(self, key: str, role: str) -> Path | None:
        record = self.records.get(key)
        if record is None or record.get(DROPPED):
            return None
        path = self.store.usable(record[role])
        if path is not None:
            self.watch([record[role]])
        return path

    def watch(self, artifacts: Iterable[Artifact]) -> None:
        """Watch files that this attempt computes from; see ``watching.Inputs``."""
        self._inputs.add(artifacts)

    def check_inputs(self) -> None:
        """Refuse to record what was computed from files that have changed meanwhile.

        Raises:
            ChangedInputError: There is such a file.
        """
        self._inputs.check()

    def save_model(self, answer: Mapping[str, Any], scratch: Path, spare: Sequence[Record] = ()) -> Path:
        """Publish and record a fitted model.

        Args:
            answer: The answer that ``phases.fit`` returned.
            scratch: The directory that the model was written into.
            spare: The records of the snapshots that nobody needs when it is recorded.

        Returns:
            The model's file.
        """
        self.check_inputs()
        partial = compress_where_it_pays(scratch / answer["file"])
        keep_to_oneself(partial)  # in a shared store others might change what is loaded here
        key, final = self.item.fit_record_key, self.claimed() / partial.name
        is_unrecorded = self.records.get(key) is None
        model = self.store.publish(partial, final, until_commit=True, is_unrecorded=is_unrecorded, of_records=[key])
        self.watch([model])
        is_item = bool(self.previous)  # a plan may have what a search tries
        search = "" if is_item else self._search
        records = {key: fit_record(self.labels, self.origin, answer, model, search=search)}
        series = series_record(self.labels, self.origin, answer.get("series", ()), search=search)
        if series is not None:
            records[RecordType.SERIES.key(self.item.experiment.fit_key)] = series
        self.replace_snapshots(records, spare, is_durable=took_long(answer))
        return final

    def claimed(self) -> Path:
        """Return the directory of the item's files in its generation, and make it where it is missing."""
        if self._directory is None:
            self.claim()
        assert self._directory is not None, "it was claimed, or that has raised an error"
        return self._directory

    def _snapshots(self) -> list[Record]:
        return snapshots.snapshots_of(self.store, self.item.experiment.fit_key)

    def commit(self, records: Mapping[str, Record], forget: Mapping[str, Record] | None = None) -> None:
        """Commit records of snapshots under the item's lease."""
        self.records.commit(records, forget)

    def forget(self, spare: Sequence[Record]) -> None:
        """Forget snapshots, then remove their files."""
        if spare:
            self.replace_snapshots({}, spare)

    def replace_snapshots(
        self,
        records: Mapping[str, Record],
        spare: Sequence[Record],
        forget: Mapping[str, Record] | None = None,
        *,
        is_durable: bool = True,
    ) -> None:
        """Commit records that make some snapshots needless, and forget others; then remove the files of the former."""
        snapshots.replace(self.store, self.records, records, spare, forget or {}, is_durable=is_durable)

    @property
    def has_export(self) -> bool:
        """Whether there is a readable copy of predictions."""
        return self._base is not None and any(self._base.glob("predictions.*"))

    def save_export(self, export: Path) -> None:
        """Publish a readable copy of predictions, before they are recorded or when it is missing; no record names it."""
        assert self._base is not None, "it is claimed first"
        final, key = self._base / export.name, self._predict_record_key
        # Beside recorded predictions a file of this name is taken for a whole copy, so it is synced before it is moved.
        is_first = self.records.get(key) is None and not os.path.lexists(final)
        self.store.publish(export, final, until_commit=True, is_unrecorded=is_first, of_records=[key])

    def save_predictions(self, answer: Mapping[str, Any], partial: Path, *, as_seed: int | None = None) -> Path:
        """Publish and record predictions.

        Args:
            answer: The answer that ``phases.predict`` returned.
            partial: The file that it wrote.
            as_seed: The seed whose predictions these are, where they were taken over.

        Returns:
            The predictions' file.
        """
        name = f"predictions-{self._predict_key[:DISPLAY_DIGITS]}.npy"
        self.check_inputs()
        key, previous = self._predict_record_key, self.previous
        earlier, final = self.records.get(key), self.claimed() / name
        predictions = self.store.publish(
            partial, final, until_commit=True, is_unrecorded=earlier is None, of_records=[key]
        )
        self.watch([predictions])
        record = predict_record(self.labels, self.origin, answer, predictions, as_seed=as_seed)
        records = {key: record}
        replaced = earlier is not None and earlier["predictions"]["sha256"] != predictions["sha256"]
        if replaced and previous.get("predict_key") == self._predict_key:  # e.g. the earlier file was damaged
            records[self.item.record_key] = unmeasured_item(previous)
        elif previous.get("predicted"):
            records[self.item.record_key] = outdated_item(previous)
        self.records.commit(records, is_durable=bool(previous.get("predicted")) or replaced or took_long(answer))
        return final

    def evaluations(self) -> Evaluations:
        """Return the recorded values of the item's metrics; its predictions have to be recorded before."""
        get = self.records.get
        item = self.item.with_groups(get)
        keys, data = item.eval_keys(get), get(item.data_record_key)
        assert keys is not None and data is not None, "they were published just now"  # noqa: PT018 - both for one reason
        evaluations = self.records.get_all(map(RecordType.EVAL.key, keys.values()))
        records = {label: evaluations[RecordType.EVAL.key(key)] for label, key in keys.items()}
        return Evaluations(
            item=item,
            keys=keys,
            values={label: record["value"] for label, record in records.items() if record is not None},
            missing=[column for column in item.columns if column[1] in keys and records[column[1]] is None],
            test=data["test"][self.item.experiment.fold],
        )

    def save_metrics(
        self,
        recorded: Evaluations,
        evaluation: Evaluation | None,
        meter: PhaseMeter,
        scratch: Path,
        *,
        spare_model: Record | None = None,
    ) -> dict[str, float]:
        """Publish and record the metrics that were missing, and record that the item is done.

        Args:
            recorded: The metrics that were recorded before.
            evaluation: The metrics that Eval computed, or None when nothing was missing.
            meter: The meter of the phase.
            scratch: A directory for the file of values per user.
            spare_model: The record of the fit whose model is dropped now, in the same transaction.

        Returns:
            The values that are defined, by label.
        """
        self.check_inputs()
        groups = evaluation.groups if evaluation is not None else {}
        item, values = with_evaluated_groups(recorded.item, groups), dict(recorded.values)
        keys = (item.eval_keys(self.records.get) or {}) if groups else recorded.keys
        names = item.qualified_labels
        records: dict[str, Record] = {}
        if evaluation is not None:
            partial = scratch / "per_user.parquet"
            positions = write_per_user(partial, evaluation.users, evaluation.values_per_user())
            # Named after all that is in it: the files of other evaluations stay what their records say.
            batch = sha256(recorded_text(sorted(recorded.keys[label] for _, label in recorded.missing)))[
                :DISPLAY_DIGITS
            ]
            final = self.claimed() / f"per_user-{batch}.parquet"
            facts_by_label = evaluation_facts(evaluation, positions)
            # No metric of it is recorded.
            of = [RecordType.EVAL.key(keys[label]) for label in facts_by_label]
            per_user = self.store.publish(partial, final, until_commit=True, is_unrecorded=True, of_records=of)
            costs, origin = meter.read(), self.origin
            for label, facts in facts_by_label.items():
                record = eval_record(self.labels, origin, names[label], per_user, facts, costs)
                records[RecordType.EVAL.key(keys[label])] = record
                values[label] = facts["value"]
        defined = {label: value for label in keys if (value := values[label]) is not None}
        metrics = {
            names[label]: item_metric(defined[label], keys[label], metric.canonical_identity(label))
            for metric, label in item.columns
            if label in defined
        }
        previous = self.previous
        records[self.item.record_key] = done_item(
            self.labels,
            self.origin,
            previous,
            metrics={**self._valid_metrics(previous), **metrics},
            predict_key=self._predict_key,
            list_length=self.item.list_length,
            predicted=self.item.predicted,
            test=recorded.test,
            as_seed=alike_seed(self.store.records.get, self.item),
            chosen=self.chosen,
            groups={**previous.get(GROUPS, {}), **evaluated_groups(recorded.item, recorded.keys, groups)},
        )
        if spare_model is not None:
            records[self.item.fit_record_key] = without_model(spare_model)
        self.records.commit(records)
        if spare_model is not None:  # only now: until the record says so, the model is needed
            remove_file(self.store, spare_model["model"])
        return defined

    def _valid_metrics(self, previous: Record) -> Record:
        """Return the metrics of the item's record whose evaluations are still recorded."""
        get = self.records.get
        metrics = previous.get("metrics", {})
        return {name: metric for name, metric in metrics.items() if get(RecordType.EVAL.key(metric["key"]))}

    def save_failure(self, error: PhaseError, costs: Mapping[str, Any]) -> None:
        """Record that the attempt failed, and what the phase has cost in which it did; what is done stays done.

        Deaths in a row are counted from the last snapshot on: behind it the item has come further.
        """
        previous = self.previous
        number = max((int(snapshot["number"]) for snapshot in self._snapshots()), default=0)
        if number > previous.get("snapshot", 0):
            previous = {**previous, "deaths": 0, "snapshot": number}
        record = failed_item(
            self.labels,
            self.origin,
            previous,
            predict_key=self._predict_key,
            error=error,
            costs=costs,
            missing=missing_metrics(self.records.get, self.item),
        )
        self.records.commit({self.item.record_key: record})

    def save_interruption(self, phase: Phase, costs: Mapping[str, Any], error: PhaseError | None = None) -> None:
        """Record that the attempt was given up, unless the item is done: it may be stopped right behind its last commit.

        Args:
            phase: The phase that it was in.
            costs: What that phase has cost until then.
            error: The trouble of the store or the machine; None when the run was asked to stop.
        """
        if self.is_done:
            return
        record = interrupted_item(
            self.labels,
            self.origin,
            self.previous,
            predict_key=self._predict_key,
            phase=phase.value,
            costs=costs,
            error=error,
        )
        self.records.commit({self.item.record_key: record})

    @cached_property
    def labels(self) -> ItemLabels:
        """What its records say of the item."""
        return labels_of(self.item.experiment)

    @property
    def origin(self) -> Origin:
        """The run and worker of the attempt, and the item's directory."""
        return Origin(self._worker.log.run, self._worker.id, self.directory)

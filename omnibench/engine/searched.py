"""The records of one search, as a process that takes part in it finds and saves them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omnibench.engine.items import Item
from omnibench.engine.trials import Measured
from omnibench.experiment.experiment import Experiment
from omnibench.keys import digest
from omnibench.store import CheckpointStore
from omnibench.store.artifacts import resolve
from omnibench.store.builders import Origin
from omnibench.store.leases import Lease, free_leases
from omnibench.store.models import remove_file, without_model
from omnibench.store.schema import DROPPED, Artifact, Record, RecordType, TrialStatus
from omnibench.store.series import series_of
from omnibench.store.trials import FINISHED, score_record, search_record, trial_key, trial_record, trials_of
from omnibench.store.workers import Worker

_MOST_AT_ONCE = 64
"""Trials of a search that are computed at the same time, at most: nobody looks for others' results behind so many."""


class SearchRecords:
    """What the store has of one search.

    Args:
        store: The checkpoint store.
        experiment: The tuned item's experiment.
        worker: The worker that takes part.
        directory: The item's directory, relative to the store's; None while it has none.

    Attributes:
        finished: The records of finished trials by number.
        proposed: How many trials were proposed.
    """

    def __init__(self, store: CheckpointStore, experiment: Experiment, worker: Worker, directory: str | None) -> None:
        assert experiment.search is not None, "it is tuned"
        self.finished: dict[int, Record] = {}
        self.proposed = 0
        self._open: dict[int, Record] = {}
        self._store = store
        self._experiment = experiment
        self._search = experiment.search
        self._key = experiment.search_key
        self._origin = Origin(worker.log.run, worker.id, directory)

    @property
    def open(self) -> list[Record]:
        """The records of trials that were proposed and are not finished, in order."""
        return [self._open[number] for number in sorted(self._open)]

    def begin(self) -> None:
        """Record the search, unless that was done."""
        key, experiment, search = RecordType.SEARCH.key(self._key), self._experiment, self._search
        with self._store.lease(self._key) as lease:
            if self._store.records.get(key) is not None:
                return
            record = search_record(
                self._key,
                self._origin,
                item=experiment.name,
                algorithm=experiment.algorithm_name,
                dataset=experiment.dataset_name,
                dataset_label=experiment.dataset_label,
                label=experiment.configuration.label,
                fold=None if experiment.dataset.folds is None else experiment.fold_of_trials(search),
                data_key=experiment.dataset.key,
                metric=search.qualified_label,
                higher_is_better=search.metric.higher_is_better,
                space=search.space.identity,
                fixed=experiment.configuration.plain_parameters,
                tuning=search.tuning.identity,
                per_fold=search.tuning.per_fold,
            )
            self._store.commit(lease, {key: record})

    def refresh(self, *, everything: bool = False) -> None:
        """Look for what others have recorded meanwhile.

        Args:
            everything: Read all trials at once: there may be hundreds, of which nothing is known yet.
        """
        if everything:
            for record in self._store.read(lambda reader: trials_of(reader, self._key)):
                self._note(record)
            return
        unfinished = 0
        for number in sorted(self._open):  # everybody takes the first that is free, so later ones need no look
            unfinished = 0 if self.look_again(number) else unfinished + 1
            if unfinished == _MOST_AT_ONCE:
                break
        while (proposed := self._store.records.get(trial_key(self._key, self.proposed))) is not None:
            self._note(proposed)

    def look_again(self, number: int) -> bool:
        """Return whether a trial is finished by now."""
        record = self._store.records.get(trial_key(self._key, number))
        if record is not None:
            self._note(record)
        return number in self.finished

    def _note(self, record: Record) -> None:
        number = record["number"]
        if record["status"] in FINISHED:
            self.finished[number] = record
            self._open.pop(number, None)
        else:
            self._open[number] = record
        self.proposed = max(self.proposed, number + 1)

    @contextmanager
    def proposing(self) -> Iterator[Lease | None]:
        """Hold the right to propose; None where another process has it."""
        busy: list[str] = []
        with free_leases(self._store.lease, [self._key], busy) as leases:
            yield leases.get(self._key)

    def propose(self, lease: Lease, proposals: Mapping[int, tuple[Mapping[str, Any], str]]) -> None:
        """Record what is tried next.

        Args:
            lease: The search's lease.
            proposals: Hyperparameters and fit key by number.
        """
        records = {
            trial_key(self._key, number): trial_record(
                self._key,
                number,
                self._origin,
                parameters,
                status=TrialStatus.PROPOSED,
                fit_key=fit_key,
                metric=self._search.qualified_label,
            )
            for number, (parameters, fit_key) in proposals.items()
        }
        self._store.commit(lease, records)
        for record in records.values():
            self._note(record)

    def score(self, item: Item) -> Record | None:
        """Return what any search has recorded of a trial's value, or None."""
        return self._store.records.get(self._score_key(item))

    def _score_key(self, item: Item) -> str:
        experiment = item.experiment
        ((metric, label),) = item.columns
        judged = {
            "fit": experiment.fit_key,
            "metric": metric.identity(label),
            "predicted": experiment.predicted(item.list_length, item.outputs),
        }
        return RecordType.SCORE.key(digest(["score/1", judged]))

    def take_over(self, lease: Lease, proposed: Record, score: Record) -> None:
        """Record that a trial's value is one that is known already."""
        names = ("value", "phases", "epochs", "history", "threads", "peak_rss")
        self._finish(lease, proposed, {name: score[name] for name in names}, TrialStatus.DONE, {}, reused=True)

    def finish(self, lease: Lease, proposed: Record, item: Item, measured: Measured, *, keep: bool) -> None:
        """Record what a trial has come to, and drop its model if nobody needs it.

        Args:
            lease: The lease of its fit key.
            proposed: Its record so far.
            item: The item that its value is that of.
            measured: What it has come to.
            keep: Whether its model is kept: it is the best so far.
        """
        records: dict[str, Record] = {}
        if measured.value is not None:
            fit_key, label = item.experiment.fit_key, self._search.qualified_label
            records[self._score_key(item)] = score_record(
                self._origin, fit_key, label, measured.value, **measured.effort
            )
        spare = None if keep else self._spare_fit(item.experiment.fit_key)
        if spare is not None:
            records[item.fit_record_key] = without_model(spare)
        facts = {**measured.effort, "value": measured.value, "pruned": measured.pruned, "error": measured.error}
        self._finish(lease, proposed, facts, measured.status, records)
        if spare is not None:
            remove_file(self._store, spare["model"])

    def _finish(
        self,
        lease: Lease,
        proposed: Record,
        facts: Mapping[str, Any],
        status: TrialStatus,
        records: Mapping[str, Record],
        *,
        reused: bool = False,
    ) -> None:
        record = trial_record(
            self._key,
            proposed["number"],
            self._origin,
            proposed["parameters"],
            status=status,
            fit_key=proposed["fit_key"],
            metric=self._search.qualified_label,
            reused=reused,
            **facts,
        )
        self._store.commit(lease, {**records, trial_key(self._key, proposed["number"]): record})
        self._note(record)

    def _spare_fit(self, fit_key: str) -> Record | None:
        """Return the record of a trial's fit whose model nobody needs, or None: there is none, or it is an item's."""
        get = self._store.records.get
        fit = get(RecordType.FIT.key(fit_key))
        is_needed = self._search.tuning.keep_trials or get(RecordType.ITEM.key(fit_key)) is not None
        return None if fit is None or fit.get(DROPPED) or is_needed else fit

    def model(self, experiment: Experiment) -> tuple[Path, Record] | None:
        """Return the model of a trial with the record of its fit, or None unless it is there, intact, and not to be feared."""
        fit = self._store.records.get(RecordType.FIT.key(experiment.fit_key))
        if fit is None or fit.get(DROPPED):
            return None
        path = self._store.usable(fit["model"])
        series = series_of(experiment.fit_key, self._store.records.get)
        return (path, {**fit, "series": series}) if path is not None and self._store.loadable(path) else None

    def drop_others(self, fit_key: str) -> None:
        """Drop the models of all finished trials but one; of all where no key is given."""
        for loser in {record["fit_key"] for record in self.finished.values()} - {fit_key}:
            self.drop_model(loser)

    def drop_model(self, fit_key: str) -> None:
        """Drop a trial's model, unless it is needed or somebody is at it; also the file that a killed run has left of one."""
        if self._spare_fit(fit_key) is None and self._left_file(fit_key) is None:
            return
        with free_leases(self._store.lease, [fit_key], []) as leases:
            if fit_key not in leases:
                return
            spare, left = self._spare_fit(fit_key), self._left_file(fit_key)
            if spare is not None:
                self._store.commit(leases[fit_key], {RecordType.FIT.key(fit_key): without_model(spare)})
                remove_file(self._store, spare["model"])
            elif left is not None:
                remove_file(self._store, left)

    def _left_file(self, fit_key: str) -> Artifact | None:
        """Return a model whose file is there although its record says that it was dropped, or None."""
        fit = self._store.records.get(RecordType.FIT.key(fit_key))
        if fit is None or not fit.get(DROPPED):
            return None
        path = resolve(fit["model"], self._store.root)
        return fit["model"] if path is not None and path.exists() else None

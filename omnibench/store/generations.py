"""Generations: an item is computed anew without destroying its earlier records and files.

A reset takes the item's records out of the way (they go on under ``old/<generation>/<key>``) and raises the item's
generation, so that the next attempt gets a directory of its own. ``omnibench gc`` removes generations
that were reset; those that ``--omnirec-resume=fresh`` has put aside are removed only with ``omnibench gc --kept``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from omnibench.errors import OmnibenchError, nearest
from omnibench.store.changes import portions
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.item_records import pending_item
from omnibench.store.leases import Lease, free_leases
from omnibench.store.models import remove_file, without_model
from omnibench.store.schema import (
    DROPPED,
    PHASE_OF,
    RESETS,
    SEARCHED,
    Artifact,
    Phase,
    Record,
    RecordType,
    Status,
    artifacts_of,
    finished_phases,
    old_key,
    status_of,
    timestamp,
)
from omnibench.store.searches import belongings, searches_in
from omnibench.store.stops import has_failure, without_failure

_FROM_FIT = (
    *(RecordType.SNAPSHOT, RecordType.FIT, RecordType.SERIES, RecordType.SCORE),
    *(RecordType.PREDICT, RecordType.EVAL),
)
_TYPES_FROM = {
    Phase.TUNE: _FROM_FIT,
    Phase.FIT: _FROM_FIT,
    Phase.PREDICT: (RecordType.PREDICT, RecordType.EVAL),
    Phase.EVAL: (RecordType.EVAL,),
}
"""The types of the item's own records that go when it is reset from a phase on; from Tune on its search goes as well."""


@dataclass(frozen=True)
class Reset:
    """Which items a reset has changed.

    Attributes:
        items: Keys of the items that will be computed anew.
        busy: Keys of items that somebody computes right now, so that they were left alone.
    """

    items: tuple[str, ...]
    busy: tuple[str, ...]


def reset(store: CheckpointStore, items: Iterable[str], what: str = "all", *, keep: bool = False) -> Reset:
    """Have items computed anew, from the beginning or from a phase on.

    Args:
        store: The store.
        items: Their fit keys; those that nothing is recorded of are passed over.
        what: One of ``RESETS``.
        keep: Whether ``omnibench gc`` leaves the old results alone.

    Raises:
        OmnibenchError: ``what`` is none of them.
        StoreError: The store cannot be written.
    """
    if what not in RESETS:
        raise OmnibenchError(f"{what!r} cannot be reset{nearest(what, RESETS)}; choose from {', '.join(RESETS)}.")
    snapshot = store.snapshot()
    recorded = _records_by_item(snapshot)
    fit_keys = [
        key for key in dict.fromkeys(items) if _concerns(recorded.get(key, {}), what, _search_of(key, snapshot))
    ]
    done: list[str] = []
    busy: list[str] = []
    for portion in portions(fit_keys):
        with free_leases(store.lease, portion, busy) as leases:
            _put_aside(store, leases, what, keep=keep)
            done += leases
    return Reset(tuple(done), tuple(busy))


def _records_by_item(snapshot: Mapping[str, Record]) -> dict[str, dict[str, Record]]:
    recorded: dict[str, dict[str, Record]] = {}
    for key, record in snapshot.items():
        if "fit_key" in record and RecordType.of(key) not in (RecordType.OLD, RecordType.TRIAL):
            recorded.setdefault(record["fit_key"], {})[key] = record
    return recorded


def _search_of(fit_key: str, snapshot: Mapping[str, Record]) -> str:
    """Return the key of the search of a tuned item that has begun; empty where there is none."""
    search = str(snapshot.get(RecordType.ITEM.key(fit_key), {}).get(SEARCHED, ""))
    return search if RecordType.SEARCH.key(search) in snapshot else ""


def _concerns(records: Mapping[str, Record], scope: str, search: str) -> bool:
    """Whether an item with these records, and perhaps a search, has anything to reset."""
    item = next((record for key, record in records.items() if RecordType.ITEM.has(key)), None)
    in_fit = any(map(RecordType.SNAPSHOT.has, records))
    last_seen = Phase.FIT.value if in_fit else Phase.TUNE.value if search else None
    status = status_of(item, finished_phases(item, records), last_seen=last_seen).status
    if scope == Phase.TUNE:
        return bool(search)
    if scope in _TYPES_FROM:
        return any(RecordType.of(key) in _TYPES_FROM[Phase(scope)] for key in records) or status is Status.FAILED
    if scope == "failed":
        return status is Status.FAILED or has_failure(item)
    if scope == "incomplete":
        return status in (Status.FAILED, Status.INTERRUPTED) or has_failure(item)
    return status is not Status.PENDING or any(RecordType.EVAL.has(key) for key in records)


def _put_aside(store: CheckpointStore, leases: Mapping[str, Lease], scope: str, *, keep: bool) -> None:
    from_phase = Phase(scope) if scope in _TYPES_FROM else Phase.FIT
    types = (*_TYPES_FROM[from_phase], RecordType.ITEM, RecordType.TAKEN)
    # Only under the leases is it certain what there is.
    snapshot = store.snapshot()
    recorded = _records_by_item(snapshot)
    new_records: dict[str, Record] = {}
    removed_records: dict[str, Record] = {}
    for fit_key in leases:
        records = recorded.get(fit_key, {})
        item_key = RecordType.ITEM.key(fit_key)
        item = records.get(item_key, {})
        if scope in ("failed", "incomplete") and item.get("status") == Status.DONE:
            if has_failure(item):  # of metrics that were asked for later: all that it has stays
                new_records[item_key] = without_failure(item)
            continue
        generation = item.get("generation", 0)
        for key, record in records.items():
            if RecordType.of(key) in types:
                removed_records[key] = record
                new_records[old_key(generation, key)] = {**record, "kept": keep, "reset": timestamp()}
        if item:
            new_records[item_key] = _pending(item, generation + 1)
            removed_records.pop(item_key)
        elif labels := next((record for key, record in records.items() if RecordType.of(key) in PHASE_OF), None):
            # interrupted before its own record was there
            new_records[item_key] = _pending(labels, generation + 1)
    reset_items = [recorded[fit_key].get(RecordType.ITEM.key(fit_key), {}) for fit_key in leases if fit_key in recorded]
    searched = _searched(reset_items, scope, snapshot)
    models = _put_searches_aside(store, searched, snapshot, new_records, removed_records, keep=keep)
    if new_records:
        store.commit(list(leases.values()), new_records, removed_records)
    for model in models:
        remove_file(store, model)


def _searched(items: Iterable[Record], scope: str, snapshot: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records of the searches of items that go with a reset, by key.

    From Fit on these are the models and snapshots of trials alone, one of which is the chosen one's. Where it concerns what has failed
    or was interrupted, an item that has stopped behind its search keeps that.
    """
    whole: set[str] = set()
    models: set[str] = set()
    for item in items:
        if scope in ("failed", "incomplete"):
            if item.get("status") != Status.DONE:
                stopped_in = item.get("phase") in (None, Phase.PREPARE, Phase.TUNE)
                (whole if stopped_in else models).update(searches_in([item]))
        elif scope in ("all", Phase.TUNE, Phase.FIT):
            (models if scope == Phase.FIT else whole).update(searches_in([item]))
    of_fits = {
        key: record
        for key, record in belongings(models, snapshot).items()
        if RecordType.of(key) in (RecordType.FIT, RecordType.SNAPSHOT)
    }
    return of_fits | {key: record for key, record in belongings(whole, snapshot).items() if not RecordType.OLD.has(key)}


def _put_searches_aside(
    store: CheckpointStore,
    searched: Mapping[str, Record],
    snapshot: Mapping[str, Record],
    new_records: dict[str, Record],
    removed_records: dict[str, Record],
    *,
    keep: bool,
) -> list[Artifact]:
    """Put records of searches aside; return the files of models that are to be removed.

    The models of their trials do not last: the next search makes them anew, at the same places.
    """
    models: list[Artifact] = []
    generation = next(number for number in count() if all(old_key(number, key) not in snapshot for key in searched))
    for key, record in searched.items():
        of_fit = RecordType.of(key) in (RecordType.FIT, RecordType.SNAPSHOT)
        if of_fit and store.holder(record["fit_key"]):
            continue  # somebody computes it for another search or plan
        if RecordType.FIT.has(key):
            models += artifacts_of(record)
        aside = record if not record.get("model") or record.get(DROPPED) else without_model(record)
        removed_records[key] = record
        new_records[old_key(generation, key)] = {**aside, "kept": keep, "reset": timestamp()}
    return models


_LABELS = (
    *("item", "fit_key", "dataset", "algorithm", "parameters", "fold", "directory", "identity", "data_key"),
    *("user_label", "dataset_label", "module", "node", SEARCHED),
)


def _pending(record: Record, generation: int) -> Record:
    """Return the record of an item that is to be computed again, with the labels of an earlier record."""
    labels = {name: record[name] for name in _LABELS if name in record}
    return pending_item(labels, generation)

"""Generations: an item is computed anew without destroying its earlier records and files.

A reset takes the item's records out of the way (they go on under ``old/<generation>/<key>``) and raises the item's
generation, so that the next attempt gets a directory of its own. ``omnibench gc`` removes generations
that were reset; those that ``--omnirec-resume=fresh`` has put aside are removed only with ``omnibench gc --kept``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from omnibench.errors import OmnibenchError, nearest
from omnibench.store.changes import portions
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.item_records import pending_item
from omnibench.store.leases import Lease, free_leases
from omnibench.store.schema import (
    RESETS,
    Phase,
    Record,
    RecordType,
    Status,
    finished_phases,
    old_key,
    status_of,
    timestamp,
)
from omnibench.store.stops import has_failure, without_failure

_TYPES_FROM = {
    Phase.FIT: (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL),
    Phase.PREDICT: (RecordType.PREDICT, RecordType.EVAL),
    Phase.EVAL: (RecordType.EVAL,),
}
"""The types of the records that go when an item is reset from a phase on."""


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
    recorded = _records_by_item(store.snapshot())
    fit_keys = [key for key in dict.fromkeys(items) if _concerns(recorded.get(key, {}), what)]
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
        if "fit_key" in record and not RecordType.OLD.has(key):
            recorded.setdefault(record["fit_key"], {})[key] = record
    return recorded


def _concerns(records: Mapping[str, Record], scope: str) -> bool:
    """Whether an item with these records has anything to reset."""
    item = next((record for key, record in records.items() if RecordType.ITEM.has(key)), None)
    status = status_of(item, finished_phases(item, records)).status
    if scope in _TYPES_FROM:
        return any(RecordType.of(key) in _TYPES_FROM[Phase(scope)] for key in records) or status is Status.FAILED
    if scope == "failed":
        return status is Status.FAILED or has_failure(item)
    if scope == "incomplete":
        return status in (Status.FAILED, Status.INTERRUPTED) or has_failure(item)
    return status is not Status.PENDING or any(RecordType.EVAL.has(key) for key in records)


def _put_aside(store: CheckpointStore, leases: Mapping[str, Lease], scope: str, *, keep: bool) -> None:
    types = (*_TYPES_FROM[Phase(scope) if scope in _TYPES_FROM else Phase.FIT], RecordType.ITEM)
    # Only under the leases is it certain what there is.
    recorded = _records_by_item(store.snapshot())
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
        elif records:  # interrupted before its own record was there
            labels = next(iter(records.values()))
            new_records[item_key] = _pending(labels, generation + 1)
    if new_records:
        store.commit(list(leases.values()), new_records, removed_records)


_LABELS = (
    *("item", "fit_key", "dataset", "algorithm", "parameters", "fold", "directory", "identity", "data_key"),
    *("user_label", "dataset_label", "module", "node"),
)


def _pending(record: Record, generation: int) -> Record:
    """Return the record of an item that is to be computed again, with the labels of an earlier record."""
    labels = {name: record[name] for name in _LABELS if name in record}
    return pending_item(labels, generation)

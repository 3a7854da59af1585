"""Choosing an older snapshot: the next attempt goes on from it, and newer ones are passed over; none is removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.errors import StoreError, nearest
from omnibench.store.advice import refit_command, snapshots_command
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.exports import Exports
from omnibench.store.item_names import title_of
from omnibench.store.leases import free_leases
from omnibench.store.refusals import told_as_store_errors
from omnibench.store.resumption import is_of_choice, snapshot_rows
from omnibench.store.schema import DROPPED, PASSED_OVER, Record, RecordType, snapshot_identity, timestamp
from omnibench.store.snapshot_files import trouble_in
from omnibench.store.states import RecordsInMemory


@dataclass(frozen=True, slots=True)
class Restored:
    """What the choice of a snapshot has changed.

    Attributes:
        snapshot: The record of the snapshot that was chosen.
        passed_over: The names of the newer ones, which the next attempt does not look at, oldest first.
    """

    snapshot: Record
    passed_over: tuple[str, ...]


def restore(store: CheckpointStore, item: Record, name: str) -> Restored:
    """Have the next attempt at an item go on from one of its snapshots.

    Args:
        store: The store.
        item: The item's record.
        name: The snapshot's name; one that was passed over before counts again.

    Raises:
        StoreError: There is no such snapshot, it is damaged, or of something else than the next Fit is asked for; the
            item's Fit is recorded; somebody computes it; or the store cannot be written.
    """
    fit_key = _fit_key(store, item, name)
    busy: list[str] = []
    with free_leases(store.lease, [fit_key], busy) as leases:
        if busy:
            raise StoreError(
                f"{title_of(item)} is being computed right now ({store.holder(fit_key)}), so no snapshot is chosen for it; "
                "stop that run (its first Ctrl-C takes one more snapshot), and say this again."
            )
        records = store.snapshot()  # only under the lease is it certain what there is
        fit = records.get(RecordType.FIT.key(fit_key))
        if fit is not None and not fit.get(DROPPED):
            raise StoreError(
                f"the Fit of {title_of(item)} is recorded, so nothing goes on from its snapshots. "
                f"`{refit_command(store.root, item['item'])}` has the next run fit it again, from the beginning."
            )
        snapshots = {key: record for key, record in records.items() if _is_of(key, record, fit_key)}
        chosen = records.get(RecordType.SNAPSHOT.key(snapshot_identity(fit_key, name)))
        if chosen is None:
            raise _unknown(store, item, name, [record["name"] for record in snapshots.values()])
        trouble = trouble_in(chosen, store.root)
        if trouble:
            raise StoreError(
                f"the snapshot {name} of {title_of(item)} is damaged ({trouble}), so it cannot be chosen; "
                f"`{snapshots_command(store.root, item['item'])}` lists the others."
            )
        if fit_key == item["fit_key"] and not is_of_choice(RecordsInMemory(records), item, chosen):
            raise StoreError(
                f"the snapshot {name} of {title_of(item)} is of hyperparameters that its search does not choose any more, so "
                f"no Fit goes on from it; `{snapshots_command(store.root, item['item'])}` lists the others."
            )
        newer = {key: record for key, record in snapshots.items() if record["number"] > chosen["number"]}
        changed = {key: {**record, PASSED_OVER: timestamp()} for key, record in newer.items() if _counts(record)}
        if not _counts(chosen):
            changed[RecordType.SNAPSHOT.key(snapshot_identity(fit_key, name))] = {**chosen, PASSED_OVER: None}
        if changed:
            store.commit(list(leases.values()), changed)
    names = sorted(newer.values(), key=lambda record: int(record["number"]))
    return Restored(chosen, tuple(str(record["name"]) for record in names))


def restore_in(root: Path, item: Record, name: str) -> Restored:
    """Choose a snapshot in a store that no run has open here; see ``restore``.

    Args:
        root: The store's directory.
        item: The item's record.
        name: The snapshot's name.
    """
    store = CheckpointStore(root)
    try:
        with told_as_store_errors(root, "changed"):
            restored = restore(store, item, name)
            Exports(store).refresh(immediately=True)
            return restored
    finally:
        store.close()


def _fit_key(store: CheckpointStore, item: Record, name: str) -> str:
    """Return the key of the Fit that a snapshot is of: the item's, or that of a trial of its search."""
    rows = [row for row in snapshot_rows(RecordsInMemory(store.snapshot())) if row["item"] == item["item"]]
    named = [row for row in rows if row["name"] == name]
    if not named:
        raise _unknown(store, item, name, [row["name"] for row in rows])
    return str(max(named, key=lambda row: (row["resumes"], str(row["made"])))["fit_key"])


def _unknown(store: CheckpointStore, item: Record, name: str, names: list[str]) -> StoreError:
    if not names:
        return StoreError(f"{title_of(item)} has no snapshots; a reset forgets them, and so does the end of its Fit.")
    return StoreError(
        f"{title_of(item)} has no snapshot {name!r}{nearest(name, names) or '.'} "
        f"`{snapshots_command(store.root, item['item'])}` lists what it has."
    )


def _is_of(key: str, record: Mapping[str, Any], fit_key: str) -> bool:
    return RecordType.SNAPSHOT.has(key) and record["fit_key"] == fit_key


def _counts(record: Mapping[str, Any]) -> bool:
    return not record.get(PASSED_OVER)

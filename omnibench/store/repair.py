"""Repairing a store: what is damaged is moved aside, and what was made of it is marked to be computed again.

Nothing is computed here, and nothing is deleted: a damaged file is renamed, a damaged record is kept in
``damaged-records.jsonl``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store import artifacts, manifests, recovery
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.exports import Exports
from omnibench.store.item_records import unmeasured_item
from omnibench.store.leases import Lease, free_leases
from omnibench.store.manifest_checks import lacking_in_manifests
from omnibench.store.models import without_model
from omnibench.store.reader import Reader
from omnibench.store.schema import DROPPED, Phase, Record, RecordType, Status, timestamp
from omnibench.store.sealing import unseal
from omnibench.store.snapshot_files import folder_of, is_folder, is_intact, is_ours, trouble_in
from omnibench.store.verification import MISSING, Damage, Part, of_items, trouble_of

_ASIDE = "set aside; "
_REMEDIES = {
    Part.DATABASE: "set aside, and rebuilt from the manifests",
    Part.RECORD: f"{_ASIDE}put back from its manifest, or else made again by the next run",
    Part.ITEM: "the next run makes what it lacks",
    Part.MODEL: f"{_ASIDE}fitted again only where other predictions need it",
    Part.SNAPSHOT: f"{_ASIDE}the next attempt goes on from the one before, or from the beginning",
    Part.PREDICTIONS: f"{_ASIDE}the next run predicts again",
    Part.PER_USER: f"{_ASIDE}the next run evaluates again",
    Part.DATASET: f"{_ASIDE}prepared again when a run needs it",
    Part.EARLIER: f"{_ASIDE}nothing needs it",
    Part.MANIFEST: "completed from the records",
    Part.COPY: "written again",
}
"""What is done about each part."""


def remedy(damage: Damage) -> str:
    """Return what is done about a damage; a file that is not there cannot be set aside."""
    text = _REMEDIES[damage.part]
    return text.removeprefix(_ASIDE) if damage.trouble == MISSING else text


_MARKED = {Part.MODEL, Part.SNAPSHOT, Part.PREDICTIONS, Part.PER_USER, Part.EARLIER, Part.ITEM}


def repair(store: CheckpointStore, damages: Sequence[Damage]) -> list[Damage]:
    """Repair what is damaged, but for the readable copies of single items' predictions.

    Args:
        store: The store.
        damages: What is damaged, as ``verification.verify`` says.

    Returns:
        The damages of items that somebody computes right now, which were left alone.

    Raises:
        StoreError: The store cannot be written.
    """
    _repair_records(store, [damage.name for damage in damages if damage.part is Part.RECORD])
    for damage in damages:
        if damage.part is Part.DATASET:
            _repair_dataset(store, damage)
    busy: list[str] = []
    for fit_key, of_item in of_items(damage for damage in damages if damage.part in _MARKED).items():
        with free_leases(store.lease, [fit_key], busy) as leases:
            for lease in leases.values():
                _repair_snapshots(store, lease, of_item)
                _repair_item(store, lease, fit_key, [damage for damage in of_item if damage.part is not Part.SNAPSHOT])
    if any(damage.part is Part.MANIFEST for damage in damages):
        _repair_manifests(store)
    Exports(store).refresh(immediately=True)
    return [damage for damage in damages if damage.fit_key in busy]


def _repair_records(store: CheckpointStore, keys: Sequence[str]) -> None:
    """Set damaged records aside, and put back those that a manifest repeats, if their files are intact."""
    if not keys:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they are damaged was said
        for key in keys:
            store.records.get(key)
    restored: dict[str, Record] = {}
    for directory in recovery.manifest_directories(store.root):
        repeated = manifests.read(directory)
        for key in repeated.keys() & set(keys):
            if is_intact(repeated[key], store.root):
                restored[key] = repeated[key]
    if restored:
        store.records.add(restored)


def _repair_dataset(store: CheckpointStore, damage: Damage) -> None:
    """Set a damaged file of a dataset aside; the record stays, for whoever asks what the dataset is, without files."""
    (key,) = damage.keys[:1]
    with store.lease(f"data-{RecordType.DATA.identity(key)}") as lease:
        record = store.records.get(key)
        if record is None or damage.artifact is None or not trouble_of(damage.artifact, store.root):
            return
        _set_aside(damage, store.root)
        store.commit(lease, {key: {**record, "files": [], DROPPED: timestamp()}})


def _repair_item(store: CheckpointStore, lease: Lease, fit_key: str, damages: Iterable[Damage]) -> None:
    """Set the damaged files of an item aside, and forget the records of what is to be made again."""
    changed: dict[str, Record] = {}
    forgotten: dict[str, Record] = {}
    missing: set[str] = set()
    for damage in damages:
        if damage.artifact is not None and not trouble_of(damage.artifact, store.root):
            continue  # a run has made it again
        _set_aside(damage, store.root)
        for key in damage.keys:
            record = store.records.get(key)
            if record is None:
                missing.add(key)
            elif damage.part is Part.MODEL:
                changed[key] = without_model(record)
            elif damage.part is not Part.ITEM:
                forgotten[key] = record
    item_key = RecordType.ITEM.key(fit_key)
    item = store.records.get(item_key)
    if item is not None and item["status"] == Status.DONE:
        marked = _marked(item, {*forgotten, *missing})
        if marked != item:
            changed[item_key] = marked
    if changed or forgotten:
        store.commit(lease, changed, forgotten)


def _repair_snapshots(store: CheckpointStore, lease: Lease, damages: Iterable[Damage]) -> None:
    """Set damaged snapshots of an item aside, each with all that is left of it, and forget their records."""
    damaged: dict[str, Record] = {}
    for key in dict.fromkeys(key for damage in damages if damage.part is Part.SNAPSHOT for key in damage.keys):
        record = store.records.get(key)
        if record is None or not trouble_in(record, store.root):
            continue
        folder = folder_of(record, store.root)
        try:
            if is_folder(folder) and (not record.get("outside") or is_ours(record, folder)):
                folder.rename(artifacts.aside_name(folder))
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be set aside ({error.strerror}); make its directory writable."
            ) from error
        damaged[key] = record
    if damaged:
        store.commit(lease, {}, damaged)


def _marked(item: Record, gone: set[str]) -> Record:
    """Return the record of a done item without what is to be made again.

    Args:
        item: Its record.
        gone: The keys of the records that are not there any more.
    """
    if RecordType.PREDICT.key(item.get("predict_key") or "") in gone:
        return {**unmeasured_item(item), "phase": Phase.PREDICT.value}
    metrics = {
        label: metric for label, metric in item["metrics"].items() if RecordType.EVAL.key(metric["key"]) not in gone
    }
    if len(metrics) == len(item["metrics"]):
        return item
    return {**item, "metrics": metrics, "predicted": None} if metrics else unmeasured_item(item)


def _repair_manifests(store: CheckpointStore) -> None:
    """Have the manifests repeat the records that they lack."""

    def take(reader: Reader) -> dict[str, dict[str, Record]]:
        lacking = lacking_in_manifests(store.root, reader)
        return {directory: {key: unseal(key, reader.text(key)) for key in keys} for directory, keys in lacking.items()}

    for directory, records in store.read(take).items():
        store.make_directory(store.root / directory)
        manifests.append(store.root / directory, store.root, records)


def _set_aside(damage: Damage, root: Path) -> None:
    if damage.artifact is not None:
        with suppress(FileNotFoundError):
            try:
                artifacts.set_aside(damage.artifact, root)
            except OSError as error:
                raise StoreError(
                    f"{damage.name} cannot be set aside ({error.strerror}); make its directory writable."
                ) from error

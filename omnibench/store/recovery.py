"""Opening a store that is damaged or old: set aside, rebuild from the manifests, migrate."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.errors import StoreError
from omnibench.store import artifacts, durable_names, manifests
from omnibench.store.beneath import OF_ALL, paths_like, read_bytes, refuse_links, write_new
from omnibench.store.damage import DamagedStoreError, is_damage, set_database_aside
from omnibench.store.formats import FORMAT, MARKER, marked_format, refuse_format
from omnibench.store.lost_files import write_lost_files
from omnibench.store.reading import read_all
from omnibench.store.records import Records
from omnibench.store.schema import Record, RecordType, Status
from omnibench.store.searches import fit_keys_of
from omnibench.store.small_blocks import require_room
from omnibench.store.snapshot_files import folder_of, goes, is_intact
from omnibench.store.stops import settled
from omnibench.store.unsynced_files import sync_file_system
from omnibench.store.waiting import LockWait


@dataclass(frozen=True)
class Rebuilt:
    """How much a rebuild has put back.

    Attributes:
        records: Records that are there again.
        items: Items that they belong to.
        lost: Records whose files are missing or damaged, so that they are computed again.
    """

    records: int
    items: int
    lost: int

    def __str__(self) -> str:
        lost = f"; {self.lost} more name files that are missing or damaged" if self.lost else ""
        return f"{self.records} records of {self.items} items were rebuilt from the manifests{lost}"


def open_records(root: Path, waiting: LockWait | None = None) -> tuple[Records, list[str]]:
    """Open a store's records whatever state they are in; call it under the store's opening lock.

    Args:
        root: The checkpoint directory.
        waiting: How to wait while other processes write to them.

    Returns:
        The records, and sentences about what had to be done.

    Raises:
        StoreError: They are locked, read-only, out of room, or of a newer format.
    """
    repairs: list[str] = []
    refuse_links(root, *OF_ALL)
    try:
        repairs += _check_format(root)
        records, sentences = _opened(root, waiting)
    except (DamagedStoreError, sqlite3.DatabaseError) as error:
        if not is_damage(error):
            raise StoreError(f"the checkpoint records in {root / 'store'} cannot be opened ({error}).") from error
        records, sentence = recover(root, error)
        _write_marker(root / MARKER)
        sentences = [sentence]
    return records, [*repairs, *sentences]


def _opened(root: Path, waiting: LockWait | None) -> tuple[Records, list[str]]:
    records = Records(root / "store", waiting=waiting)
    try:
        return records, write_lost_files(records, root)
    except BaseException:
        records.close()
        raise


def recover(root: Path, error: Exception) -> tuple[Records, str]:
    """Set a damaged database aside with its log, rebuild it from the manifests, and say so."""
    aside = set_database_aside(root / "store")
    _sync(root)  # what it alone had of files that were not synced is given up with it
    records = Records(root / "store")
    damage = error if isinstance(error, DamagedStoreError) else f"the checkpoint records are damaged ({error})"
    return records, f"{damage}; they were set aside as {aside.name}, and {rebuild(records, root)}."


def _sync(root: Path) -> None:
    """Sync a store's file system as far as that can be done."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        sync_file_system(descriptor)
    except OSError:
        os.sync()
    finally:
        os.close(descriptor)


def rebuild(records: Records, root: Path) -> Rebuilt:
    """Put back the records that only the manifests have, as far as their files are intact."""
    recorded = read_all(records.directory)
    missing: dict[str, Record] = {}
    lost = 0
    for directory in manifest_directories(root):
        for key, record in manifests.read(directory).items():
            if key in recorded:
                continue
            if is_intact(record, root) or (goes(key, record) and folder_of(record, root).is_dir()):
                missing[key] = record
            else:
                lost += 1
    for key, manifest_record in missing.items():
        record = settled(key, manifest_record)
        if RecordType.ITEM.has(key) and record["status"] == Status.DONE:
            needed = {RecordType.PREDICT.key(record["predict_key"])}
            needed |= {RecordType.EVAL.key(metric["key"]) for metric in record["metrics"].values()}
            present = {*missing, *recorded}
            if not needed <= present or present.isdisjoint(map(RecordType.FIT.key, fit_keys_of(record))):
                missing[key] = {**record, "status": Status.INTERRUPTED.value, "metrics": {}}
    if missing:
        records.commit(missing)
    items = {record["fit_key"] for record in missing.values() if "fit_key" in record}
    return Rebuilt(len(missing), len(items), lost)


def manifest_directories(root: Path) -> Iterator[Path]:
    """Yield every directory of datasets and items that has a manifest (and lies in the store)."""
    for manifest in sorted(
        path for depth in ("", "*/*/", "*/*/fold_*/") for path in paths_like(root, depth + manifests.NAME)
    ):
        yield manifest.parent


def _check_format(root: Path) -> list[str]:
    """Read STORE.json, writing it for a new store, refusing a newer format and migrating an older one."""
    marker = root / MARKER
    repairs: list[str] = []
    marked = marked_format(root)
    # The database notes its format too, so that one broken file does not lock everything away.
    store_format = _noted_format(root) if marked is None else marked
    refuse_format(root, store_format)
    if marked is None and marker.exists():
        read_bytes(root, MARKER)  # which raises where the file is sound, and cannot be read
        aside = marker.replace(artifacts.aside_name(marker))
        repairs.append(
            f"{marker} was damaged; it was set aside as {aside.name} and written anew (format {store_format})."
        )
    if store_format < FORMAT and (root / "store" / "cache.db").exists():
        repairs.append(_migrate(root, store_format))
    if store_format != FORMAT or not marker.exists():
        _write_marker(marker)
    return repairs


def _write_marker(marker: Path) -> None:
    partial = write_new(marker.parent, f"{marker.name}.new", json.dumps({"format": FORMAT}).encode())
    _publish_durably(partial, marker, marker.parent)


def _publish_durably(partial: Path, final: Path, root: Path) -> None:
    unsynced = durable_names.UnsyncedNames()
    artifacts.publish(partial, final, root, unsynced)
    unsynced.sync()


def _noted_format(root: Path) -> int:
    """Return the format that the database itself notes; the newest when there is none."""
    try:
        with closing(_connected(root)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0]) or 1
    except (sqlite3.Error, OSError):
        return FORMAT


def _connected(root: Path) -> sqlite3.Connection:
    require_room(root / "store")
    uri = f"{(root / 'store' / 'cache.db').absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)


def _migrate(root: Path, old_format: int) -> str:
    """Bring records of format 1 to format 2 in one transaction, after a backup; return a sentence about it."""
    backup = root / f"store.format-{old_format}.db"
    refuse_links(root, backup.name)
    if not backup.exists():  # else a migration was cut off: what is there now may be half new
        partial = backup.with_name(f"{backup.name}.new")
        partial.unlink(missing_ok=True)
        with closing(_connected(root)) as connection, closing(sqlite3.connect(partial)) as copy:
            connection.backup(copy)
        _publish_durably(partial, backup, root)
    records = Records(root / "store", version=old_format)
    try:
        old = read_all(root / "store")  # without damaged records: `get` sets them aside when somebody asks for them
        new = dict(upgraded(old))
        for key, record in new.items():
            if "directory" in record:
                manifests.append(root / record["directory"], root, {key: record})
        records.commit(new)
    finally:
        records.close()
    return f"{root} was of store format {old_format} and is now of {FORMAT}; a copy of its records is {backup.name}."


def upgraded(old: dict[str, Record]) -> Iterator[tuple[str, Record]]:
    """Yield records of format 1 with the members that format 2 expects of them."""
    directories: dict[str, str] = {}
    predictions: dict[str, str] = {}
    identities: dict[str, Any] = {}
    for key, record in old.items():
        if RecordType.FIT.has(key):
            directories[record["fit_key"]] = Path(record["model"]["path"]).parent.as_posix()
            identities[record["fit_key"]] = record["identity"]
        if RecordType.PREDICT.has(key):
            predictions[record["fit_key"]] = RecordType.PREDICT.identity(key)
    for key, record in old.items():
        fit_key = record.get("fit_key")
        if fit_key is None:
            yield key, record
            continue
        added_members: dict[str, Any] = {"directory": directories[fit_key]} if fit_key in directories else {}
        if RecordType.ITEM.has(key):
            added_members |= {"generation": 0, "deaths": 0, "predict_key": predictions.get(fit_key, "")}
            added_members |= {"identity": identities[fit_key]} if fit_key in identities else {}
        if RecordType.EVAL.has(key):
            added_members |= {"batch": record["per_user"]["path"]}
        yield key, {**record, **added_members}

"""Whether everything of a store is what was recorded: its records, the files that they name, manifests, readable copies."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from omnibench.store import artifacts, manifests
from omnibench.store.copies import NAMES, is_current
from omnibench.store.damage import DamagedStoreError
from omnibench.store.manifest_checks import lacking_in_manifests
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import Artifact, Record, RecordType, Status, artifacts_of, snapshot_identity
from omnibench.store.single_items import item_in
from omnibench.store.snapshot_files import goes, trouble_in
from omnibench.store.states import is_alive
from omnibench.store.stored_records import StoredRecords, of_type, present_in


class Part(StrEnum):
    """A part of a store that can be damaged; each is repaired in a way of its own."""

    DATABASE = "database"
    RECORD = "record"
    ITEM = "item"
    MODEL = "model"
    SNAPSHOT = "snapshot"
    PREDICTIONS = "predictions"
    PER_USER = "values per user"
    DATASET = "dataset"
    EARLIER = "earlier generation"
    MANIFEST = "manifest"
    COPY = "readable copy"


PART_OF = {
    RecordType.FIT: Part.MODEL,
    RecordType.SNAPSHOT: Part.SNAPSHOT,
    RecordType.PREDICT: Part.PREDICTIONS,
    RecordType.EVAL: Part.PER_USER,
    RecordType.DATA: Part.DATASET,
    RecordType.OLD: Part.EARLIER,
}
"""What the files are that records of a type name."""

MISSING = "is missing"
"""The trouble of a file that is not there."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was recorded.

    Attributes:
        part: The part of the store.
        name: The path relative to the store, the key of a record, or the name of an item.
        trouble: What is wrong with it, e.g. ``MISSING``.
        keys: The keys of the records that are concerned.
        fit_key: The item that it belongs to; empty where it belongs to none.
        artifact: The file as its records describe it, where it is one.
    """

    part: Part
    name: str
    trouble: str
    keys: tuple[str, ...] = ()
    fit_key: str = ""
    artifact: Artifact | None = None


@dataclass
class Verification:
    """What was looked at, and what is damaged.

    Attributes:
        items: The number of items.
        records: The number of records.
        files: The number of files that records name.
        size: The bytes of these files.
        damages: What is damaged.
    """

    items: int = 0
    records: int = 0
    files: int = 0
    size: int = 0
    damages: list[Damage] = field(default_factory=list)


@dataclass(frozen=True)
class Snapshot:
    """The records of a store as of one moment.

    Attributes:
        records: The sound ones, by key.
        damaged: The keys of the others, as far as they have been met.
        lacking: By directory, the keys of the records that its manifest does not repeat.
        revision: Their revision.
    """

    records: Mapping[str, Record]
    damaged: dict[str, None]
    lacking: dict[str, list[str]]
    revision: str


def verify_store(
    root: Path,
    fit_keys: Collection[str] | None = None,
    on_progress: Callable[[int, int], None] = lambda *_: None,
    further: Callable[[Mapping[str, Record]], Iterable[Damage]] = lambda _: (),
) -> Verification:
    """Compare all records of a store with everything, as ``verify`` does; none of them is kept in memory.

    Args:
        root: The store's directory.
        fit_keys: The items to look at; all, and what belongs to none, by default.
        on_progress: Called with the bytes that were read and those that are to be read.
        further: Called with all records when they have been looked at; what it returns is damaged as well.

    Raises:
        DamagedStoreError: The database is damaged.
        StoreError: It cannot be read.
    """
    damaged: dict[str, None] = {}

    def take(reader: Reader) -> Verification:
        damaged.clear()
        reader.check()
        records, lacking = StoredRecords(reader), lacking_in_manifests(root, reader)
        verification = verify(root, Snapshot(records, damaged, lacking, reader.revision), fit_keys, on_progress)
        verification.damages += further(records)
        return verification

    return read(root / "store", take, damaged.setdefault)


def snapshot_of_items(root: Path, texts: Iterable[str]) -> tuple[Snapshot, set[str]] | None:
    """Read what is recorded of some items, and compare it with their manifests; the database itself is not looked over.

    Args:
        root: The store's directory.
        texts: Texts that stand for an item each.

    Returns:
        The records, and the keys of the items; None where that takes all records, as ``single_items`` says.

    Raises:
        StoreError: The records cannot be read.
    """
    damaged: list[str] = []

    def take(reader: Reader) -> tuple[Snapshot, set[str]] | None:
        damaged.clear()
        records: dict[str, Record] = {}
        fit_keys = set()
        for text in texts:
            item = item_in(reader, text, damaged, labelled=False)
            if item is None:
                return None
            records |= item.records
            fit_keys.add(item.fit_key)
        lacking = lacking_in_manifests(root, reader, records)
        return Snapshot(records, dict.fromkeys(damaged), lacking, reader.revision), fit_keys

    return read(root / "store", take, damaged.append)


def verify(
    root: Path,
    snapshot: Snapshot,
    fit_keys: Collection[str] | None = None,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> Verification:
    """Compare the records of a store with each other, with the files that they name, and with their copies.

    Args:
        root: The store's directory.
        snapshot: Its records.
        fit_keys: The items to look at; all, and what belongs to none, by default.
        on_progress: Called with the bytes that were read and those that are to be read.

    Raises:
        StoreError: The records cannot be read.
    """
    records = _chosen(snapshot.records, fit_keys)
    verification, files = Verification(), _Files()
    damages, total = verification.damages, 0
    naming: list[str] = []  # the keys of records that name a file as the first
    for key, record in records.items():
        verification.records += 1
        verification.items += RecordType.ITEM.has(key)
        sizes = [artifact["size"] for artifact in artifacts_of(record) if files.is_new(artifact)]
        if sizes:
            naming.append(key)
            total += sum(sizes)
    verification.files = len(files)
    expected = set() if fit_keys is None else _expected_keys(records, fit_keys, snapshot.damaged)
    for key in snapshot.damaged:
        if fit_keys is None or key in expected:
            damages.append(Damage(Part.RECORD, key, "differs from its checksum", (key,)))
    damages += _incomplete_items(records, snapshot)
    damages += _files(root, records, naming, lambda size: on_progress(size, total))
    verification.size = total
    damages += _outside(records, root)
    damages += _manifests(snapshot, records)
    if fit_keys is None:
        damages += _stale_copies(root, snapshot)
    return verification


def _chosen(records: Mapping[str, Record], fit_keys: Collection[str] | None) -> Mapping[str, Record]:
    """Return the records of items and of their datasets; all where no item is named."""
    if fit_keys is None:
        return records
    own = {key: record for key, record in records.items() if record.get("fit_key") in fit_keys}
    datasets = {RecordType.DATA.key(record["data_key"]) for record in own.values() if record.get("data_key")}
    return own | {key: records[key] for key in datasets if key in records}


def _expected_keys(records: Mapping[str, Record], fit_keys: Collection[str], damaged: Iterable[str]) -> set[str]:
    """Return the keys that records of items have, as far as the sound ones, and the damaged ones' keys, tell."""
    prefixes = tuple(RecordType.SNAPSHOT.key(snapshot_identity(fit_key, "")) for fit_key in fit_keys)
    keys = {key for key in damaged if key.startswith(prefixes)}
    keys |= {record_type.key(fit_key) for fit_key in fit_keys for record_type in (RecordType.ITEM, RecordType.FIT)}
    for _, item in of_type(records, RecordType.ITEM):
        keys |= {RecordType.EVAL.key(metric["key"]) for metric in item["metrics"].values()}
        keys |= {
            RecordType.PREDICT.key(item.get("predict_key") or ""),
            RecordType.DATA.key(item.get("data_key") or ""),
        }
    return keys


def _incomplete_items(records: Mapping[str, Record], snapshot: Snapshot) -> Iterator[Damage]:
    """Yield the done items whose predictions or evaluations have no record."""
    all_needed: dict[str, tuple[Record, dict[str, str]]] = {}
    for key, item in of_type(records, RecordType.ITEM):
        if item["status"] != Status.DONE:
            continue
        needed = {RecordType.EVAL.key(metric["key"]): label for label, metric in item["metrics"].items()}
        if item.get("predict_key"):  # store format 1 has none
            needed[RecordType.PREDICT.key(item["predict_key"])] = "its predictions"
        all_needed[key] = {"item": item["item"], "fit_key": item["fit_key"]}, needed
        if len(all_needed) >= _AT_ONCE:
            yield from _incomplete(all_needed, snapshot)
            all_needed.clear()
    yield from _incomplete(all_needed, snapshot)


_AT_ONCE = 100  # items


def _incomplete(needed_by_item: Mapping[str, tuple[Record, Mapping[str, str]]], snapshot: Snapshot) -> Iterator[Damage]:
    """Yield the items that lack records, of their names and what stands in each record that they need: what is damaged has one."""
    keys = {name for _, needed in needed_by_item.values() for name in needed}
    present = present_in(snapshot.records, keys) | (keys & snapshot.damaged.keys())
    for key, (item, needed) in needed_by_item.items():
        missing = [name for name in needed if name not in present]
        if missing:
            names = ", ".join(needed[name] for name in missing)
            trouble = f"is done, but there is no record of {names}"
            yield Damage(Part.ITEM, item["item"], trouble, (key, *missing), item["fit_key"])


class _Files:
    """The files that were met: of each a hash, as there may be a million."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def __len__(self) -> int:
        return len(self._hashes)

    def is_new(self, artifact: Artifact) -> bool:
        """Whether a file is met for the first time."""
        count = len(self._hashes)
        self._hashes.add(hash((artifact["path"], artifact["sha256"])))
        return len(self._hashes) > count


def _files(
    root: Path, records: Mapping[str, Record], naming: Iterable[str], on_size: Callable[[int], None]
) -> Iterator[Damage]:
    """Yield the files that are not as they were recorded, each once, with the keys of all records that name it.

    Args:
        root: The store's directory.
        records: The records.
        naming: The keys of those that name a file as the first, in their order.
        on_size: Called with the bytes of the files that were looked at.
    """
    files, size = _Files(), 0
    troubles: dict[tuple[str, str], tuple[Artifact, str, str, list[str]]] = {}
    for key in naming:
        record = records[key]
        for artifact in artifacts_of(record):
            if files.is_new(artifact):
                trouble = trouble_of(artifact, root)
                if trouble and not _has_changed(root, key, artifact):
                    identity = (artifact["path"], artifact["sha256"])
                    troubles[identity] = (artifact, trouble, str(record.get("fit_key", "")), [])
                size += artifact["size"]
                on_size(size)
    for key, record in records.items() if troubles else ():
        for artifact in artifacts_of(record):
            identity = (artifact["path"], artifact["sha256"])
            if identity in troubles:
                troubles[identity][-1].append(key)
    for artifact, trouble, fit_key, keys in troubles.values():
        part = PART_OF[RecordType(keys[0].partition("/")[0])]
        yield Damage(part, artifact["path"], trouble, tuple(keys), fit_key, artifact)


def trouble_of(artifact: Artifact, root: Path) -> str:
    """Return what is wrong with a file, or nothing."""
    path = artifacts.resolve(artifact, root)
    if path is None:
        return artifacts.UNRESOLVED
    try:
        size = path.stat().st_size
        if size != artifact["size"]:
            return f"has {size:,} bytes instead of {artifact['size']:,}"
        return "" if artifacts.sha256_of(path) == artifact["sha256"] else "differs from its record"
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _has_changed(root: Path, key: str, artifact: Artifact) -> bool:
    """Whether a run has replaced a file and its record since the records were read."""
    record = read(root / "store", lambda reader: reader.get(key))
    return record is None or all(named["sha256"] != artifact["sha256"] for named in artifacts_of(record))


def _outside(records: Mapping[str, Record], root: Path) -> Iterator[Damage]:
    """Yield the snapshots that lie outside of the store and are not what was recorded."""
    for key, record in (
        pair for record_type in (RecordType.SNAPSHOT, RecordType.OLD) for pair in of_type(records, record_type)
    ):
        if record.get("outside") and not goes(key, record):
            trouble = trouble_in(record, root)
            if trouble:
                yield Damage(
                    Part.SNAPSHOT, record["outside"]["folder"], f"is damaged: {trouble}", (key,), record["fit_key"]
                )


def _manifests(snapshot: Snapshot, records: Mapping[str, Record]) -> Iterator[Damage]:
    for directory, of_directory in snapshot.lacking.items():
        own = [key for key in of_directory if key not in snapshot.damaged]
        if records is not snapshot.records:  # of some items
            own = [key for key in own if key in records]
        if own:
            path = f"{directory}/{manifests.NAME}"
            count = f"{len(own)} record{'' if len(own) == 1 else 's'}"
            fit_key = str(records[own[0]].get("fit_key", ""))
            yield Damage(Part.MANIFEST, path, f"does not repeat {count}", tuple(own), fit_key)


def _stale_copies(root: Path, snapshot: Snapshot) -> Iterator[Damage]:
    """Yield the readable copies at the root that are damaged, or behind the records while nobody is at work."""
    workers = (record for _, record in of_type(snapshot.records, RecordType.WORKER))
    if any(is_alive(root, worker) for worker in workers):
        return  # it writes them when it has the time
    for name in NAMES:
        file = root / name
        if not file.exists():
            if any(True for _ in of_type(snapshot.records, RecordType.ITEM)):
                yield Damage(Part.COPY, name, MISSING)
        elif not (is_current(file, snapshot.revision) if snapshot.revision else _is_json(file)):
            yield Damage(Part.COPY, name, "is damaged, or behind the records")


def _is_json(file: Path) -> bool:
    """Whether a copy of an earlier version, which has no checksum, can be read."""
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def database_damage(error: DamagedStoreError) -> Damage:
    """Return the damage of a database that cannot be read."""
    return Damage(Part.DATABASE, "store/cache.db", f"is damaged ({error})")


def of_items(damages: Iterable[Damage]) -> dict[str, list[Damage]]:
    """Return damages by the item that they belong to; those of none are left out."""
    by_item: dict[str, list[Damage]] = {}
    for damage in damages:
        if damage.fit_key:
            by_item.setdefault(damage.fit_key, []).append(damage)
    return by_item

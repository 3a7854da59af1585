"""Deleting items for good: their records, and then their files.

Records go first, in one transaction under the items' leases: a kill in between leaves files that nobody names, never a
record of files that are gone; ``omnibench gc`` removes what it left. The directories that items share go only while
nobody uses the store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store import leases, manifests, recovery, snapshot_files
from omnibench.store.beneath import has_link, paths_like, relative_path
from omnibench.store.changes import portions, remove_trees
from omnibench.store.checkpoints import PRESENCE, CheckpointStore
from omnibench.store.directory_texts import directories_in
from omnibench.store.durable_names import sync_directory
from omnibench.store.leases import free_leases
from omnibench.store.reader import Reader
from omnibench.store.schema import Record, RecordType, current_key
from omnibench.store.searches import belongings, searches_in
from omnibench.store.snapshot_files import files_below, leaving, outside_files, remove_outside
from omnibench.store.stored_records import StoredRecords, of_type

OURS = re.compile(r"model\.[^.]+|predictions-[0-9a-f]{8}\.npy|per_user-[0-9a-f]{8}\.(?:npy|parquet)")
"""Names of the files that records name."""

EXPORTED = re.compile(r"predictions\.(?:json|parquet)")
"""Names of readable copies, which no record names."""

_SNAPSHOTS = tuple(
    f"*-*/*-*/{inner}{snapshot_files.FOLDER}{ending}"
    for ending in ("/*", "")
    for inner in ("fold_*/generation_*/", "fold_*/", "generation_*/", "")
)
"""Where folders of snapshots are, and what has only them."""

ASIDE = re.compile(r".+\.damaged-\d{8}T\d{6}-[0-9a-f]{8}")
"""Names of what was set aside as damaged."""


@dataclass
class Deleted:
    """What was, or would be, deleted.

    Attributes:
        items: Fit keys of the items.
        busy: Those that somebody computes right now, so that they were left alone.
        size: Bytes of their files.
        sizes: The same by directory, relative to the store's: of the items, and of what only their searches have needed.
    """

    items: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    size: int = 0
    sizes: dict[str, int] = field(default_factory=dict)


def delete(store: CheckpointStore, items: Iterable[str], *, dry_run: bool = False) -> Deleted:
    """Delete items with all that was recorded and computed of them, earlier generations too.

    Args:
        store: The store.
        items: Their fit keys.
        dry_run: Only tell what would be deleted.

    Raises:
        StoreError: The store cannot be written.
    """
    deleted, counted = Deleted(), set[Path]()
    fit_keys = list(dict.fromkeys(items))
    for portion in portions(fit_keys):
        with free_leases(store.lease, portion, deleted.busy) as leased:
            # Only under the leases is it certain what there is.
            removed, shared = store.read(partial(_going, store, leased))
            own = (record for key, record in removed.items() if _is_of(key, record, leased))
            deleted.items += dict.fromkeys(record["fit_key"] for record in own)
            directories = sorted({record["directory"] for record in removed.values() if record.get("directory")})
            directory_of = {
                file: directory
                for directory in directories
                for file in files_of(store.root, store.root / directory)
                if file.name != manifests.NAME or directory not in shared
            }
            files = list(directory_of)
            outside = {file: record["directory"] for record in removed.values() for file in outside_files(record)}
            directory_of |= outside
            for file in directory_of.keys() - counted:
                size, directory = file.stat().st_size, directory_of[file]
                deleted.sizes[directory] = deleted.sizes.get(directory, 0) + size
            counted.update(directory_of)
            deleted.size = sum(deleted.sizes.values())
            if removed and not dry_run:
                going = leaving(removed.values())
                store.commit(list(leased.values()), going, {key: removed[key] for key in removed.keys() - going.keys()})
                for record in going.values():
                    remove_outside(record)
                if going:
                    store.commit(list(leased.values()), {}, going)
                remove_files(store.root, files)
    return deleted


def _going(store: CheckpointStore, fit_keys: Collection[str], reader: Reader) -> tuple[dict[str, Record], set[str]]:
    """Return the records of some items and of what only their searches have needed, and the directories of all others.

    A search that other items share lies with one of them.
    """
    recorded = StoredRecords(reader)
    removed = {key: record for key, record in recorded.items() if _is_of(key, record, fit_keys)}
    removed |= _searched_for_alone(store, removed, recorded)
    return removed, set(directories_in(reader, removed))


def _is_of(key: str, record: Record, fit_keys: Collection[str]) -> bool:
    """Whether a record belongs to one of some items; a trial belongs to its search, though it is equal to an item."""
    return record.get("fit_key") in fit_keys and not RecordType.TRIAL.has(current_key(key))


def _searched_for_alone(
    store: CheckpointStore, removed: Mapping[str, Record], recorded: Mapping[str, Record]
) -> dict[str, Record]:
    """Return the records of the searches that chose for items that go and for no others; not what somebody computes."""
    gone, remaining = (
        searches_in(record for key, record in of_type(recorded, RecordType.ITEM) if (key in removed) is goes)
        for goes in (True, False)
    )
    own = belongings(gone - remaining, recorded)
    return {
        key: record for key, record in own.items() if not (RecordType.FIT.has(key) and store.holder(record["fit_key"]))
    }


def files_of(root: Path, directory: Path) -> Iterator[Path]:
    """Yield the files of the item that has a directory, the manifest last; nothing that is not ours, and no link.

    Args:
        root: The store's directory.
        directory: The item's directory, in which earlier generations have theirs.
    """
    if has_link(root, relative_path(directory, root)) or not directory.is_dir():
        return
    for folder in [*sorted(directory.glob("generation_*")), directory]:
        if folder.is_symlink() or not folder.is_dir():
            continue
        for file in sorted(folder.iterdir()):
            is_ours = any(pattern.fullmatch(file.name) for pattern in (OURS, EXPORTED, ASIDE))
            if is_ours and file.is_file() and not file.is_symlink():
                yield file
        yield from files_below(folder)
    manifest = directory / manifests.NAME
    if manifest.is_file() and not manifest.is_symlink():
        yield manifest


def remove_files(root: Path, files: Iterable[Path]) -> None:
    """Remove files of items, in this order, and the directories of single items and generations that are empty then."""
    parents: dict[Path, None] = {}
    for file in files:
        file.unlink(missing_ok=True)
        parents[file.parent] = None
    for parent in sorted(snapshot_files.remove_empty(parents), key=lambda path: len(path.parts), reverse=True):
        if parent.is_dir():
            sync_directory(parent)
            if parent.name.startswith(("fold_", "generation_")) and parent != root and not any(parent.iterdir()):
                parent.rmdir()


def abandoned_files(root: Path, directory: Path, directories: set[str]) -> list[Path]:
    """Return the files of an item that was deleted, when a kill has left some.

    Args:
        root: The store's directory.
        directory: An item's directory.
        directories: The directories that records of items name.
    """
    if directory.relative_to(root).as_posix() in directories or not (directory / manifests.NAME).is_file():
        return []
    if manifests.read(directory):  # a database that was lost could be rebuilt from it
        return []
    return list(files_of(root, directory))


def remove_empty(root: Path) -> None:
    """Remove the directories of items that are empty, and those of datasets and configurations with nothing but their keys.

    Call it only while nobody else uses the store.
    """
    for pattern in (*_SNAPSHOTS, "*-*/*-*/fold_*/generation_*", "*-*/*-*/generation_*", "*-*/*-*/fold_*"):
        for directory in paths_like(root, pattern):
            parents = list(directory.parents)
            claimed = any((parent / ".key").is_file() for parent in parents[: parents.index(root)])
            if claimed and directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()
    for pattern in ("*-*/*-*", "*-*"):
        for directory in paths_like(root, pattern):
            if not directory.is_dir() or not (directory / ".key").is_file():
                continue
            if [path.name for path in directory.iterdir()] == [".key"]:
                (directory / ".key").unlink()
                directory.rmdir()
                sync_directory(directory.parent)


def tidy(root: Path) -> None:
    """Remove empty directories if nobody uses the store right now; else the next ``omnibench gc`` does."""
    try:
        with leases.exclusive_use(root / PRESENCE):
            remove_empty(root)
    except StoreError:
        return


def unused_datasets(records: Mapping[str, Record], is_needed: Callable[[str], bool]) -> dict[str, Record]:
    """Return the records of prepared datasets, and of recipes, that no item is of.

    Args:
        records: All records.
        is_needed: Whether a dataset is needed all the same, of its key.
    """
    used = {record.get("data_key") for _, record in records.items() if "fit_key" in record and "data_key" in record}
    items = (record for _, record in of_type(records, RecordType.ITEM))
    if not all(record.get("data_key") for record in items):  # of store format 1: it is not known
        return {}
    return {
        key: record
        for record_type in (RecordType.DATA, RecordType.RECIPE)
        for key, record in of_type(records, record_type)
        if record_type.identity(key) not in used and not is_needed(record_type.identity(key))
    }


def remove_datasets(
    root: Path, is_needed: Callable[[str], bool] = lambda _: False, *, dry_run: bool = False
) -> tuple[list[str], int]:
    """Remove the prepared datasets that no item is of.

    Args:
        root: The checkpoint directory.
        is_needed: Whether a dataset is needed all the same, of its key.
        dry_run: Only tell what would be removed.

    Returns:
        Their directories, relative to the root, and the bytes of their files.

    Raises:
        StoreError: Somebody is using the store.
    """
    with leases.exclusive_use(root / PRESENCE):
        records, _ = recovery.open_records(root)
        try:
            removed = unused_datasets(records.all(), is_needed)
            directories = sorted(record["directory"] for key, record in removed.items() if RecordType.DATA.has(key))
            size = sum(file["size"] for record in removed.values() for file in record.get("files", []))
            if removed and not dry_run:
                forget_datasets(root, removed)
                records.commit({}, removed)
                remove_trees(root / directory for directory in directories if not has_link(root, directory))
        finally:
            records.checkpoint()
            records.close()
    return directories, size


def forget_datasets(root: Path, removed: Mapping[str, Record]) -> None:
    """Have manifests forget the records of datasets and recipes."""
    manifests.append(root, root, {}, [key for key in removed if RecordType.RECIPE.has(key)])
    for key, record in removed.items():
        if RecordType.DATA.has(key):
            manifests.append(root / record["directory"], root, {}, [key])

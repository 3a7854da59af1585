"""``omnibench gc``: remove files that no record names, while nobody uses the store; never a file that is not ours."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from omnibench.store import leases, manifests, recovery, reserve
from omnibench.store.beneath import paths_like
from omnibench.store.changes import remove_trees
from omnibench.store.checkpoints import PRESENCE
from omnibench.store.deletion import (
    ASIDE,
    OURS,
    abandoned_files,
    forget_datasets,
    remove_empty,
    remove_files,
)
from omnibench.store.durable_names import sync_directory
from omnibench.store.history import History, remove_history
from omnibench.store.ownership import no_store
from omnibench.store.reading import read
from omnibench.store.records import Records
from omnibench.store.refusals import told_as_store_errors
from omnibench.store.requests import remove_dead_requests
from omnibench.store.reserve import PORTION
from omnibench.store.schema import Record, RecordType, artifacts_of, current_key
from omnibench.store.snapshot_files import (
    PARTIAL,
    folder_of,
    folders_below,
    is_folder,
    leaving,
    outside_files,
    remove_folder,
    remove_outside,
)
from omnibench.store.unneeded import unneeded_records
from omnibench.store.workspaces import left_over

_ITEM_DIRECTORIES = ("*-*/*-*", "*-*/*-*/fold_*", "*-*/*-*/generation_*", "*-*/*-*/fold_*/generation_*")


@dataclass
class Collected:
    """What was, or would be, removed.

    Attributes:
        records: Keys of records of generations that were reset, and of items that were planned and never begun.
        files: Files and directories that nothing names.
        size: Their bytes.
        history: What runs have left beside their results.
    """

    records: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    size: int = 0
    history: History = field(default_factory=History)

    def __str__(self) -> str:
        parts = [
            f"{len(self.records)} records and {len(self.files)} files ({self.size / 1e6:.1f} MB)",
            str(self.history),
        ]
        return ", and ".join(filter(None, parts))


def collect(
    root: Path,
    *,
    dry_run: bool = False,
    kept: bool = False,
    planned: bool = False,
    datasets: bool = False,
    snapshots: bool = False,
    aside_older_than: float | None = None,
    history_older_than: float | None = None,
) -> Collected:
    """Remove records and files that are of no use any more.

    Args:
        root: The checkpoint directory.
        dry_run: Only tell what would be removed.
        kept: Also the generations that ``--omnirec-resume=fresh`` has put aside.
        planned: Also the records of items that were planned and never begun.
        datasets: Also prepared datasets that no item is of.
        snapshots: Also snapshots that were to stay when their Fit was recorded.
        aside_older_than: Also what was set aside as damaged this many seconds ago or longer.
        history_older_than: Also records of runs and workers that no result refers to and log entries of other runs, if
            they are so many seconds old; lock files; and lines of manifests that do not count any more.

    Raises:
        StoreError: Somebody is using the store, or it is none.
    """
    if not os.path.exists(root / "store" / "cache.db"):  # unlike Path's, it says no to a name that is too long
        raise no_store(root)
    with reserve.released(root) as is_tight, leases.exclusive_use(root / PRESENCE):
        records, _ = recovery.open_records(root)
        try:
            with told_as_store_errors(root, "removed"):
                return _collect(
                    root,
                    records,
                    is_tight,
                    dry_run=dry_run,
                    kept=kept,
                    planned=planned,
                    datasets=datasets,
                    snapshots=snapshots,
                    aside_older_than=aside_older_than,
                    history_older_than=history_older_than,
                )
        finally:
            records.checkpoint()
            records.close()


def _collect(
    root: Path,
    records: Records,
    is_tight: bool,
    *,
    dry_run: bool,
    kept: bool,
    planned: bool,
    datasets: bool,
    snapshots: bool,
    aside_older_than: float | None,
    history_older_than: float | None,
) -> Collected:
    unneeded = read(
        root / "store",
        lambda reader: unneeded_records(
            root,
            reader,
            kept=kept,
            planned=planned,
            datasets=datasets,
            snapshots=snapshots,
            history_older_than=history_older_than,
        ),
    )
    removed_records, stays = unneeded.removed, unneeded.stays
    garbage = Collected(sorted(removed_records))
    folders = list(_unnamed_snapshots(root, stays.folders))
    aside = [folder for directory in unneeded.outside for folder in left_over(directory, PARTIAL)]
    in_folders = frozenset(folders)  # an item that was deleted has them among its files as well
    outside = {file: record for record in removed_records.values() for file in outside_files(record)}
    for path in [
        *(
            path
            for path in _unnamed_files(root, stays.files, stays.directories)
            if not in_folders.intersection(path.parents)
        ),
        *folders,
        *_unnamed_datasets(root, stays.homes),
        *_set_aside_before(root, aside_older_than),
    ]:
        garbage.files.append(path)
        garbage.size += sum(file.stat().st_size for file in _files_in(path))
    garbage.size += sum(file.stat().st_size for file in outside)
    garbage.size += sum(file.stat().st_size for folder in aside for file in _files_in(folder))
    if not dry_run:
        named = {path for key, record in removed_records.items() for path in _paths_of(key, record, root)}
        named |= stays.files | stays.directories | {_relative(folder, root) for folder in stays.folders}
        of_no_record = [path for path in garbage.files if _relative(path, root) not in named]
        _remove_files(root, of_no_record)  # first: there may be no room to forget records
        removed_records = _remove_outside(root, records, removed_records)
        _forget(root, records, removed_records, PORTION if is_tight else len(removed_records))
        _remove_files(root, [path for path in garbage.files if path not in of_no_record])
        remove_trees(aside)
        remove_empty(root)
        remove_dead_requests(root)
    garbage.files += [*outside, *aside]
    if history_older_than is not None:
        garbage.history = remove_history(root, stays.runs, stays.directories, history_older_than, dry_run=dry_run)
    return garbage


def _relative(path: Path, root: Path) -> str:
    """Return a path as records have it; the whole one where it lies outside of the store."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _files_in(path: Path) -> Iterator[Path]:
    """Yield a file, or the files in a directory; no links."""
    for file in (path, *(() if path.is_symlink() else path.rglob("*"))):
        if file.is_file() and not file.is_symlink():
            yield file


def _paths_of(key: str, record: Record, root: Path) -> list[str]:
    """Return the paths of the files and directories that a record names."""
    files = [artifact["path"] for artifact in artifacts_of(record)]
    is_folder_inside = RecordType.SNAPSHOT.has(current_key(key)) and not record.get("outside")
    folders = [folder_of(record, root).relative_to(root).as_posix()] if is_folder_inside else []
    return [*files, *folders, *filter(None, [record.get("directory")])]


def _remove_outside(root: Path, records: Records, removed_records: dict[str, Record]) -> dict[str, Record]:
    """Remove folders outside of the store, each remembered until it is gone; return what is to be forgotten now."""
    outside = {key: record for key, record in removed_records.items() if record.get("outside")}
    going = leaving(outside.values())
    replaced = sorted(outside.keys() - going.keys())
    if replaced:
        for directory in sorted({str(record["directory"]) for record in going.values() if record.get("directory")}):
            lines = {key: record for key, record in going.items() if record.get("directory") == directory}
            keys = [key for key in replaced if outside[key].get("directory") == directory]
            manifests.append(root / directory, root, lines, keys)
        records.commit(going, replaced)
    for record in going.values():
        remove_outside(record)
    return {key: record for key, record in removed_records.items() if key not in outside} | going


def _forget(root: Path, records: Records, removed_records: dict[str, Record], portion: int) -> None:
    """Forget records, before their files go: a kill in between leaves files that nobody names, never the reverse."""
    forget_datasets(root, {key: record for key, record in removed_records.items() if RecordType.RECIPE.has(key)})
    manifests.append(root, root, {}, [key for key in removed_records if RecordType.RUN.has(key)])
    for directory in sorted(
        {str(record["directory"]) for record in removed_records.values() if record.get("directory")}
    ):
        keys = [key for key, record in removed_records.items() if record.get("directory") == directory]
        manifests.append(root / directory, root, {}, keys)
    keys = sorted(removed_records)
    for start in range(0, len(keys), max(1, portion)):
        records.commit({}, keys[start : start + portion])
        if portion < len(keys):
            records.checkpoint()  # so that the log takes no more room than one portion of them


def _remove_files(root: Path, files: list[Path]) -> None:
    directories = [path for path in files if path.is_dir() and not path.is_symlink()]
    remove_files(root, [path for path in files if path not in directories])
    try:
        for folder in filter(is_folder, directories):
            remove_folder(folder)
        remove_trees(directories)
    finally:
        for parent in {path.parent for path in directories}:
            sync_directory(parent)


def _unnamed_files(root: Path, named_paths: set[str], directories: set[str]) -> Iterator[Path]:
    """Yield files in items' directories that are named as ours are and that no record names.

    Where an item was deleted, and a kill has left some of its files, these are all of them.
    """
    for pattern in _ITEM_DIRECTORIES:
        for directory in paths_like(root, pattern):
            if not directory.is_dir() or not _is_ours(directory, root):
                continue
            abandoned = abandoned_files(root, directory, directories)
            yield from abandoned
            for file in sorted(directory.iterdir()):
                relative = file.relative_to(root).as_posix()
                if (
                    OURS.fullmatch(file.name)
                    and relative not in named_paths
                    and file not in abandoned
                    and not file.is_symlink()
                    and file.is_file()
                ):
                    yield file


def _is_ours(directory: Path, root: Path) -> bool:
    """Whether a directory lies in the store and belongs to an item: it or a parent of it has been claimed."""
    if not directory.resolve().is_relative_to(root.resolve()):
        return False
    return any(
        (parent / ".key").is_file()
        for parent in (directory, *directory.parents)
        if parent != root and root in parent.parents
    )


def _unnamed_snapshots(root: Path, named_folders: set[Path]) -> Iterator[Path]:
    """Yield the folders of snapshots in items' directories that no record names, and that were not set aside."""
    for pattern in _ITEM_DIRECTORIES:
        for directory in paths_like(root, pattern):
            if not directory.is_dir() or not _is_ours(directory, root):
                continue
            for folder in folders_below(directory):
                if folder not in named_folders and not ASIDE.fullmatch(folder.name):
                    yield folder


def _unnamed_datasets(root: Path, homes: set[str]) -> Iterator[Path]:
    for directory in paths_like(root, "datasets/*-*"):
        is_dataset = (directory / ".key").is_file() and _is_ours(directory, root)
        if is_dataset and directory.relative_to(root).as_posix() not in homes and not ASIDE.fullmatch(directory.name):
            yield directory


def _set_aside_before(root: Path, older_than: float | None) -> Iterator[Path]:
    if older_than is None:
        return
    for path in sorted(root.rglob("*.damaged-*")):
        inside = any(ASIDE.fullmatch(parent.name) for parent in path.parents)
        is_aside = ASIDE.fullmatch(path.name) and not inside and not path.is_symlink()
        if is_aside and time.time() - path.lstat().st_mtime >= older_than:
            yield path

"""Snapshots of running Fits in a store: published as everything else, recorded, verified before they are used.

A snapshot is a folder of files beside its item's, or where ``Snapshots(directory=...)`` says. It belongs to a fit key: to
other hyperparameters, data, code or versions there is no way from it. It never becomes a result.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omnibench.errors import StoreError
from omnibench.owners import user_name
from omnibench.store import artifacts, durable_names
from omnibench.store.builders import ItemLabels, Origin
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.held_records import HeldRecords
from omnibench.store.permissions import is_own_work, is_shared, keep_to_oneself
from omnibench.store.schema import UNSUPPLIED, Artifact, Phase, Record, RecordType
from omnibench.store.series import bounded
from omnibench.store.snapshot_files import (
    FOLDER,
    OWNER,
    folder_of,
    is_ours,
    key_of,
    leaving,
    remove_folder,
    remove_outside,
    replace_links,
    trouble_in,
)
from omnibench.terminal import terminal_line

__all__ = [
    "FOLDER",  # it and what is next lie lower, for what looks at files without a store
    "folder_of",
    "key_of",
    "leaving",
    "newest_first",
    "publish",
    "remove_files",
    "replace",
    "snapshot_record",
    "snapshots_of",
    "usable",
]

_MEMBERS = ("iteration", "iterations", "unit", "within", "reason", "missing", "seconds")
"""What a record repeats of what a snapshot says of itself."""


def snapshot_record(
    labels: ItemLabels,
    origin: Origin,
    requested: str,
    name: str,
    number: int,
    manifest: Mapping[str, Any],
    attempts: list[Record],
    files: list[Artifact],
    outside: Path | None,
) -> Record:
    """Return the record of a snapshot.

    Args:
        labels: The item whose Fit it is of.
        origin: The run and worker of the Fit.
        requested: The fit key of what is fitted: of a tuned item another than its own.
        name: Its name.
        number: Its number among those of the Fit, rising.
        manifest: What it says of itself; see ``guest.snapshots``.
        attempts: The attempts at the Fit until then, each with its costs, and the iterations it goes ``from`` and ``to``.
        files: Its files.
        outside: Its folder where that lies outside of the store; the files' paths are relative to it. Else None.
    """
    return {
        **labels.common_members,
        **origin.members(Phase.FIT.value),
        "requested": requested,
        "name": name,
        "number": number,
        **{member: manifest[member] for member in _MEMBERS},
        **({UNSUPPLIED: True} if manifest.get(UNSUPPLIED) else {}),
        "series": bounded(manifest["series"]),
        "fit_seconds": sum(attempt["seconds"] for attempt in attempts),
        "attempts": attempts,
        "size": sum(file["size"] for file in files),
        "files": [] if outside is not None else files,
        **({} if outside is None else {"outside": {"folder": str(outside), "files": files}}),
        "identity": labels.identity,
    }


def snapshots_of(store: CheckpointStore, fit_key: str) -> list[Record]:
    """Return the records of all snapshots of a Fit, the newest first.

    Args:
        store: The store.
        fit_key: The Fit's key.
    """
    with suppress(StoreError):  # which a reading of its own repairs, or tells
        if not store.records.has_any(RecordType.SNAPSHOT, f"{fit_key}/"):  # small Fits have none
            return []
    prefix = f"{RecordType.SNAPSHOT.key(fit_key)}/"
    return newest_first(store.read(lambda reader: [record for _, record in reader.records(prefix)]))


def newest_first(records: Iterable[Record]) -> list[Record]:
    """Return the records of snapshots in the order in which a Fit takes them to go on from."""
    return sorted(records, key=lambda record: int(record["number"]), reverse=True)


def publish(store: CheckpointStore, partial: Path, final: Path, identity: str) -> list[Artifact]:
    """Move a finished folder into place durably, inside or outside of the store, and describe its files.

    Args:
        store: The store.
        partial: The folder, on the same file system.
        final: The path that it gets, which is free.
        identity: What its record's key consists of. Outside of the store a file of the folder says it: no record of a store
            that comes from anybody may have another folder read or removed.

    Returns:
        The files; outside of the store, their paths are relative to the folder.
    """
    replace_links(partial)
    if final.is_relative_to(store.root):
        return store.publish_directory(partial, final, is_loaded=True)
    (partial / OWNER).write_text(identity, encoding="utf-8")
    for file in _files_in(partial):
        keep_to_oneself(file)
    artifacts.sync_tree(partial)
    sums = {
        file.relative_to(partial): artifacts.sha256_of(file) for file in sorted(partial.rglob("*")) if file.is_file()
    }
    final.parent.mkdir(parents=True, exist_ok=True)
    partial.rename(final)
    durable_names.sync_names_above(final)
    return [artifacts.describe(final / name, final, sha256) for name, sha256 in sums.items()]


def _warn(sentence: str) -> None:
    warnings.warn(f"{sentence}.", UserWarning, stacklevel=3)


def usable(store: CheckpointStore, record: Record, say: Callable[[str], None] = _warn) -> Path | None:
    """Return a snapshot's folder, or None unless all of its files are intact and may be read; says so.

    A damaged one is set aside, and so is one that has more files than were recorded: whoever may write into the folder
    of a shared store could have put there what a guest would load.

    Args:
        store: The store.
        record: Its record.
        say: Called with the reason, where it cannot be used; by default, a warning says it.
    """
    folder = folder_of(record, store.root)
    outside = record.get("outside")
    root, files = (folder, outside["files"]) if outside else (store.root, record["files"])
    name = f"the snapshot {terminal_line(record['name'])} of {terminal_line(record['item'])}"
    if outside and not is_ours(record, folder):
        say(f"{name} is missing: {terminal_line(str(folder))} is not there, or is something else")
        return None
    if trouble_in(record, store.root) or _files_in(folder) != {root / file["path"] for file in files}:
        say(f"{name} {_set_aside(folder, folder.parent if outside else store.root)}")
        return None
    shared = is_shared(store.root)
    stranger = next((file for file in files if not is_own_work(root / file["path"], shared=shared)), None)
    if stranger is not None and not store.loads_models_of_others:
        owner = user_name((root / stranger["path"]).stat().st_uid)
        say(
            f"{name} belongs to {owner}, and going on from a snapshot runs what is in it, so it is not used; "
            "--omnirec-shared=models loads it"
        )
        return None
    return folder


def _files_in(folder: Path) -> set[Path]:
    """Return what is in a folder and below, but for the directories themselves; links are not followed."""
    return {path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


def _set_aside(folder: Path, root: Path) -> str:
    """Give a damaged folder another name, if it is there; return what is to be said of it.

    Args:
        folder: The folder.
        root: The directory below which no link is followed.
    """
    try:
        artifacts.refuse_outside(folder, root)
        return f"differs from its record and was set aside as {folder.rename(artifacts.aside_name(folder)).name}"
    except FileNotFoundError:
        return "is missing"
    except StoreError:
        return artifacts.UNRESOLVED
    except OSError as error:
        return f"differs from its record, and cannot be set aside ({error.strerror})"


def remove_files(store: CheckpointStore, records: Iterable[Record]) -> None:
    """Remove the folders of snapshots that no record names any more; if that fails, ``omnibench gc`` does it.

    Args:
        store: The store.
        records: Their records, which are forgotten already.
    """
    for record in records:
        with suppress(OSError, StoreError):
            if record.get("outside"):
                remove_outside(record)
                continue
            folder = folder_of(record, store.root)
            artifacts.refuse_outside(folder, store.root)
            remove_folder(folder)
            folder.parent.rmdir()  # unless others lie there


def replace(
    store: CheckpointStore,
    held: HeldRecords,
    records: Mapping[str, Record],
    spare: Sequence[Record],
    forget: Mapping[str, Record],
    *,
    is_durable: bool = True,
) -> None:
    """Commit records that make some snapshots needless, and forget others; then remove the files of the former.

    Args:
        store: The checkpoint store.
        held: The records of the item.
        records: What is committed, by key.
        spare: The records of the snapshots that are needless then.
        forget: Records that go, by key.
        is_durable: Whether the disk is waited for, which it is anyhow before files are removed.
    """
    gone = leaving(spare)
    forgotten = {**forget, **{key_of(snapshot): snapshot for snapshot in spare}}
    held.commit({**records, **gone}, forgotten, is_durable=bool(spare) or is_durable)
    remove_files(store, spare)
    removed = {key: record for key, record in gone.items() if not os.path.lexists(record["outside"]["folder"])}
    if removed:
        with suppress(StoreError, OSError):  # it is recorded, and `omnibench gc` tidies up
            held.commit({}, removed)

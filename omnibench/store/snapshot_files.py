"""The files of snapshots: where they are, whether they are what was recorded, and which belong to no record.

A snapshot's files lie in a folder of their own, beside the other files of its item, or wherever the user wants it
(``Snapshots(directory=...)``). What lies outside of the store is never searched, only what records name is looked at.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from omnibench.errors import StoreError
from omnibench.guest.snapshots import MANIFEST
from omnibench.store import artifacts, durable_names
from omnibench.store.beneath import has_link, read_bytes
from omnibench.store.schema import Record, RecordType, artifacts_of, old_key, snapshot_identity, timestamp

FOLDER = "snapshots"
"""The name of the directory beside an item's files that has the folders of its snapshots."""

PARTIAL = ".partial."
"""The beginning of the names of folders, in a directory of the user's, in which snapshots are written aside."""


OWNER = "snapshot.key"
"""The file that says of a folder outside of the store which snapshot it is."""


def key_of(record: Mapping[str, Any]) -> str:
    """Return the key of a snapshot's record."""
    return RecordType.SNAPSHOT.key(snapshot_identity(record["fit_key"], record["name"]))


def folder_of(record: Mapping[str, Any], root: Path) -> Path:
    """Return the folder of a snapshot.

    Args:
        record: Its record.
        root: The store's directory.
    """
    if outside := record.get("outside"):
        return Path(outside["folder"])
    path = Path(record["files"][0]["path"])
    depth = path.parts.index(FOLDER) + 2
    return root.joinpath(*path.parts[:depth])


def replace_links(directory: Path) -> None:
    """Replace links in a directory, hard and symbolic ones, by copies of what they lead to.

    A class may have linked a file of its own, or of the snapshot before. What is written there later, or damages it, would
    be in two snapshots at once.

    Args:
        directory: A snapshot's, which nobody has been told of yet.

    Raises:
        OSError: A link leads nowhere, or there is no room for a copy.
    """
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() and path.is_dir():
            copy = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
            shutil.copytree(path, copy)
            path.unlink()
            copy.rename(path)
        elif path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1):
            copy = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
            shutil.copyfile(path, copy)
            copy.replace(path)


def is_ours(record: Mapping[str, Any], folder: Path) -> bool:
    """Whether a folder outside of the store is the one that a record was made for.

    A store may come from anybody, and its records may name any folder.
    """
    identity = snapshot_identity(record["fit_key"], record["name"]).encode()
    try:
        return not folder.is_symlink() and read_bytes(folder, OWNER, len(identity) + 1) == identity
    except (OSError, StoreError):
        return False


def trouble_in(record: Record, root: Path) -> str:
    """Return what is wrong with the files of a snapshot, or nothing.

    Args:
        record: Its record.
        root: The store's directory.
    """
    outside = record.get("outside")
    if outside and not is_ours(record, folder_of(record, root)):
        return "its folder is missing, or is something else"
    base, files = (Path(outside["folder"]), outside["files"]) if outside else (root, artifacts_of(record))
    damaged = [file["path"] for file in files if not artifacts.is_intact(file, base)]
    return f"{damaged[0]} differs from its record, or is missing" if damaged else ""


def is_intact(record: Record, root: Path) -> bool:
    """Whether all files that any record names are there, and are what was recorded.

    Args:
        record: The record, of a snapshot or of anything else.
        root: The store's directory.
    """
    if record.get("outside"):
        return not trouble_in(record, root)
    return all(artifacts.is_intact(artifact, root) for artifact in artifacts_of(record))


def leaving(records: Iterable[Record]) -> dict[str, Record]:
    """Return the records that remember folders outside of the store, by key, for as long as no snapshot's record names them.

    What lies in the store is seen to belong to no record. Out there nobody looks for it: these records have ``omnibench
    gc`` remove what a kill has left, before a folder is recorded or after its snapshot was forgotten.

    Args:
        records: Records of snapshots that are about to be made, or forgotten.
    """
    return {
        old_key(0, key_of(record)): {**record, "kept": False, "reset": timestamp()}
        for record in records
        if record.get("outside")
    }


def goes(key: str, record: Mapping[str, Any]) -> bool:
    """Whether a record only says that a folder outside of the store is to go, so that it may be gone in part.

    Args:
        key: The record's key.
        record: The record.
    """
    return bool(RecordType.OLD.has(key) and record.get("outside") and not record.get("kept"))


def outside_files(record: Record) -> list[Path]:
    """Return the files of a snapshot that lies outside of the store, as far as it is the one that a record was made for.

    Args:
        record: A record; of all but such snapshots, nothing is returned.
    """
    outside = record.get("outside")
    if not outside or not is_ours(record, Path(outside["folder"])):
        return []
    folder = Path(outside["folder"])
    if not outside["files"]:  # a kill came before they were described
        return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    names = [file["path"] for file in outside["files"] if not has_link(folder, file["path"])]
    return [folder / name for name in names if (folder / name).is_file()]


def folders_below(directory: Path) -> Iterator[Path]:
    """Yield the folders of snapshots beside the files of an item or of one of its generations; nothing that is not ours.

    Args:
        directory: The directory of the item, or of the generation.
    """
    parent = directory / FOLDER
    if parent.is_symlink() or not parent.is_dir():
        return
    for folder in sorted(parent.iterdir()):
        if is_folder(folder):
            yield folder


def is_folder(path: Path) -> bool:
    """Whether a path is the folder of a snapshot, whole or partly removed: it has the manifest, which goes last."""
    manifest = path / MANIFEST
    return not path.is_symlink() and manifest.is_file() and not manifest.is_symlink()


def remove_folder(folder: Path) -> None:
    """Remove the folder of a snapshot; last, what tells that it is one: after a kill, the next ``omnibench gc`` goes on.

    Args:
        folder: The folder.

    Raises:
        OSError: Something cannot be removed.
    """
    marks = [folder / name for name in (MANIFEST, OWNER)]
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path not in marks:
            path.unlink()
    for path in marks:
        path.unlink(missing_ok=True)
    folder.rmdir()


def files_below(directory: Path) -> Iterator[Path]:
    """Yield the files of the snapshots beside those of an item or a generation, the manifest of each last; no links.

    Args:
        directory: The directory of the item, or of the generation.
    """
    for folder in folders_below(directory):
        inner = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
        yield from (path for path in inner if path != folder / MANIFEST)
        yield folder / MANIFEST


def directory_outside(record: Record) -> Path | None:
    """Return the directory of the user's that has the folders of snapshots by item; None for what lies in the store.

    Args:
        record: A record of a snapshot, or any other.
    """
    outside = record.get("outside")
    if not outside:
        return None
    folder, names = Path(outside["folder"]), str(record["item"]).split("/")
    return folder.parents[len(names)] if folder.parts[-1 - len(names) : -1] == tuple(names) else None


def remove_outside(record: Record) -> None:
    """Remove the folder of a snapshot that lies outside of the store, and those of its item that have nothing else.

    Args:
        record: A record; of all but such snapshots, nothing is removed.

    Raises:
        OSError: Something cannot be removed.
    """
    outside = record.get("outside")
    if not outside:
        return
    folder = Path(outside["folder"])
    if is_ours(record, folder):
        remove_folder(folder)
        durable_names.sync_directory(folder.parent)
    elif folder.name == record["name"] and _is_empty(folder):  # a kill came before that
        folder.rmdir()
    if directory_outside(record) is not None:
        with suppress(OSError):  # others lie there
            for parent in folder.parents[: len(str(record["item"]).split("/"))]:
                parent.rmdir()


def _is_empty(directory: Path) -> bool:
    return directory.is_dir() and not directory.is_symlink() and not any(directory.iterdir())


def remove_empty(directories: Iterable[Path]) -> set[Path]:
    """Remove the folders of snapshots in a store that are empty, and the directories that had nothing but them.

    Args:
        directories: Directories of files that were removed, those of other files too.

    Returns:
        Directories of which something was removed.
    """
    changed: set[Path] = set()
    for directory in sorted(directories, key=_depth, reverse=True):
        folder, is_inside = directory, FOLDER in directory.parts
        while is_inside and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            is_inside, folder = folder.name != FOLDER, folder.parent
        changed.add(folder)
    return changed


def _depth(path: Path) -> int:
    return len(path.parts)

"""Files that a loss of power has taken, written again from what the database of the records has of them; see ``unsynced_files``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from omnibench.store.artifacts import make_directories, publish
from omnibench.store.beneath import read_bytes, write_new
from omnibench.store.durable_names import UnsyncedNames
from omnibench.store.leases import is_held
from omnibench.store.permissions import is_shared
from omnibench.store.records import Records
from omnibench.store.schema import DROPPED, EXPORTED_PREDICTIONS, Record, artifacts_of
from omnibench.store.unsynced_files import UnsyncedFile, sync_file_system

_LIFELINE = re.compile(r"tmp/work\.\d+\.[0-9a-z_]{8}/\.lock")
"""The lock file that a process holds for life; see ``workspaces``."""


def write_lost_files(records: Records, root: Path) -> list[str]:
    """Write again what the disk has not of the files that dead processes have left unsynced, and forget their contents.

    Call it under the store's opening lock. What a process that lives has left is its own.

    Args:
        records: The records.
        root: The store's directory.

    Returns:
        Sentences about what was written; none where nothing was.

    Raises:
        OSError, StoreError: A file cannot be written. The database has its content still.
    """
    rows = records.rows("SELECT DISTINCT CAST(holder AS BLOB) FROM UnsyncedFiles")
    dead = [holder for (holder,) in rows if not _lives(holder.decode(errors="replace"), root)]
    if not dead:
        return []
    lost = [file for file in _files_of(dead, records) if _is_needed(file, records) and not _is_there(file, root)]
    if is_shared(root):  # a model that is written again would be this member's, whoever has put it into the database
        lost = []
    unsynced = UnsyncedNames()
    try:
        for file in lost:
            _write(file, root, unsynced)
        unsynced.sync()
    finally:
        unsynced.close()
    sync_file_system(root)  # the others
    statement = "DELETE FROM UnsyncedFiles WHERE CAST(holder AS BLOB) = ?"
    records.change(lambda connection: connection.executemany(statement, [(holder,) for holder in dead]))
    if not lost:
        return []
    return [
        f"{len(lost)} files that the power had taken were written again from what the records' database had of them"
    ]


def _lives(holder: str, root: Path) -> bool:
    return _LIFELINE.fullmatch(holder) is not None and is_held(root / holder) is not None


def _files_of(dead: list[bytes], records: Records) -> list[UnsyncedFile]:
    """Return the files that some processes have left unsynced; of several at one path the last."""
    query = (
        "SELECT CAST(holder AS BLOB), CAST(path AS BLOB), CAST(record AS BLOB), CAST(content AS BLOB) "
        "FROM UnsyncedFiles ORDER BY number"
    )
    files: dict[str, UnsyncedFile] = {}
    for holder, path, record, content in records.rows(query):
        if holder in dead:
            name = path.decode(errors="replace")
            files[name] = UnsyncedFile(name, record.decode(errors="replace"), content)
    return list(files.values())


def _is_needed(file: UnsyncedFile, records: Records) -> bool:
    """Whether its record names a file of this content, or has a readable copy beside its files that this is."""
    record: Record | None = records.get(file.record)
    if record is None:
        return False
    for artifact in artifacts_of(record):
        if artifact["path"] == file.path:
            return artifact["sha256"] == hashlib.sha256(file.content).hexdigest()
    directory, _, name = file.path.rpartition("/")
    return not record.get(DROPPED) and directory == record.get("directory") and name in EXPORTED_PREDICTIONS


def _is_there(file: UnsyncedFile, root: Path) -> bool:
    try:
        return read_bytes(root, file.path, len(file.content) + 1) == file.content
    except FileNotFoundError:
        return False


def _write(file: UnsyncedFile, root: Path, unsynced: UnsyncedNames) -> None:
    final = root / file.path
    make_directories(final.parent, root, unsynced)
    publish(write_new(root, f"{file.path}.partial", file.content), final, root, unsynced)

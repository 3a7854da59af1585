"""What runs leave beside their results, and nothing refers to: records of runs and workers, log entries, locks, old lines.

To be removed only by who uses the store alone: then no run lives, and nobody takes a lock.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from omnibench.store import logbook, manifests
from omnibench.store.schema import Record, RecordType, Status
from omnibench.store.small_blocks import require_room
from omnibench.store.stored_records import of_type

_LASTING = frozenset({"store.lock", "opening.lock"})
"""Locks that are not of an item or a dataset."""


@dataclass
class History:
    """What was, or would be, removed beside records and files.

    Attributes:
        entries: Entries of the log.
        locks: Lock files.
        manifests: Manifests that were written anew without lines that do not count any more.
        size: Bytes of all this.
    """

    entries: int = 0
    locks: int = 0
    manifests: int = 0
    size: int = 0

    def __str__(self) -> str:
        parts = [
            f"{number} {singular if number == 1 else plural}"
            for number, singular, plural in (
                (self.entries, "log entry", "log entries"),
                (self.locks, "lock file", "lock files"),
                (self.manifests, "manifest with old lines", "manifests with old lines"),
            )
            if number
        ]
        return f"{', '.join(parts)} ({self.size / 1e6:.1f} MB)" if parts else ""


def outdated_records(records: Mapping[str, Record], older_than: float) -> dict[str, Record]:
    """Return the records of runs and workers that no result refers to.

    A worker that has died stays for as long as its item is not done: it tells in which phase that was interrupted.

    Args:
        records: All records, by key.
        older_than: Seconds since a run or a worker was last heard of.
    """
    workers, runs = (dict(of_type(records, record_type)) for record_type in (RecordType.WORKER, RecordType.RUN))
    unnamed = {key for key, record in (*workers.items(), *runs.items()) if _is_old(record, older_than)}
    for key, record in records.items() if unnamed else ():
        if key not in workers and key not in runs:
            for result in (record, *(record.get("attempts") or ())):
                unnamed -= {
                    record_type.key(str(result[name]))
                    for name, record_type in (("worker", RecordType.WORKER), ("run", RecordType.RUN))
                    if result.get(name)
                }
        if not unnamed:  # mostly long before the last record
            return {}
    telling = {
        key: record["item"]
        for key, record in workers.items()
        if key in unnamed and record.get("ended") is None and record.get("item")
    }
    if telling:
        done = {record["item"] for _, record in of_type(records, RecordType.ITEM) if _is_done(record)}
        unnamed -= {key for key, item in telling.items() if item not in done}
    unnamed -= {RecordType.RUN.key(str(record.get("run"))) for key, record in workers.items() if key not in unnamed}
    return {key: record for key, record in (*workers.items(), *runs.items()) if key in unnamed}


def _is_done(item: Record) -> bool:
    return bool(item.get("status") == Status.DONE)


def _is_old(record: Record, older_than: float) -> bool:
    """Whether a run or a worker was last heard of long ago; of a time that cannot be read nobody knows."""
    moment = record.get("ended") or record.get("heartbeat") or record.get("started")
    try:
        seen = datetime.fromisoformat(str(moment))
        return (datetime.now(UTC) - seen).total_seconds() >= older_than
    except (TypeError, ValueError):
        return False


def remove_history(
    root: Path, runs: Iterable[str], directories: Iterable[str], older_than: float, *, dry_run: bool = False
) -> History:
    """Remove log entries of runs without a record, lock files, and lines of manifests that do not count any more.

    Args:
        root: The checkpoint directory, which nobody else uses.
        runs: The ids of the runs of which a record stays.
        directories: Those of the records that stay, relative to the store's.
        older_than: Seconds from which on a log entry is old.
        dry_run: Only tell what would be removed.

    Raises:
        OSError: Something cannot be written.
    """
    history = History()
    history.entries, size = _remove_entries(root / logbook.NAME, list(runs), older_than, dry_run=dry_run)
    history.size += size
    for lock in _locks(root):
        history.locks += 1
        history.size += lock.lstat().st_size
        if not dry_run:
            lock.unlink(missing_ok=True)
    for directory in sorted({root, *(root / name for name in directories)}):
        saved = manifests.compact(directory, root, dry_run=dry_run)
        if saved:
            history.manifests += 1
            history.size += saved
    return history


def _locks(root: Path) -> Iterator[Path]:
    with suppress(OSError):
        for entry in sorted(os.scandir(root / "leases"), key=lambda entry: entry.name):
            if entry.name.endswith(".lock") and entry.name not in _LASTING and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _remove_entries(path: Path, runs: list[str], older_than: float, *, dry_run: bool) -> tuple[int, int]:
    """Remove old log entries of other runs; return their number, and the bytes by which the file has shrunk."""
    if not path.is_file() or path.is_symlink():
        return 0, 0
    before = path.stat().st_size
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - older_than))
    condition = "FROM logs WHERE time < ? AND (run IS NULL OR run NOT IN (SELECT value FROM json_each(?)))"
    parameters = (stamp, json.dumps(runs))
    # A log that cannot be read, or is being read for long, is nobody's loss.
    with suppress(sqlite3.Error), closing(_connected(path)) as connection:
        ((number,),) = connection.execute(f"SELECT count(*) {condition}", parameters).fetchall()
        if number and not dry_run:
            connection.execute(f"DELETE {condition}", parameters)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return number, max(0, before - path.stat().st_size)
    return 0, 0


def _connected(path: Path) -> sqlite3.Connection:
    require_room(path.parent)
    return sqlite3.connect(path, timeout=1, isolation_level=None)

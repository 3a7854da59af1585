"""Manifests: a copy of an item's records beside its files, so that the records can be rebuilt from it.

A manifest is an append-only file ``records.jsonl`` of lines ``key TAB sealed record``. The last line of a key
counts; a line ``forget TAB {"keys": [...]}`` takes keys back. A torn or damaged line fails its checksum and is
passed over. Lines are written before the transaction that they repeat, and without waiting for the disk: the
database is the truth, this is what is left when it is lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from omnibench.store.artifacts import refuse_outside
from omnibench.store.permissions import file_mode
from omnibench.store.schema import Record
from omnibench.store.sealing import DamagedRecordError, seal, unseal

NAME = "records.jsonl"
_FORGET = "forget"


def append(directory: Path, root: Path, records: Mapping[str, Record], forget: Iterable[str] = ()) -> None:
    """Add lines to a directory's manifest; readers see each of them whole or not at all.

    Args:
        directory: Where the files of these records lie; nothing is written when it is not there.
        root: The store's directory.
        records: By key.
        forget: Keys that no longer hold.

    Raises:
        OSError: The lines cannot be written.
        StoreError: The directory leads out of the store.
    """
    gone = sorted(set(forget) - set(records))
    lines = [f"{_FORGET}\t{seal(_FORGET, {'keys': gone})}"] if gone else []
    lines += [f"{key}\t{seal(key, record)}" for key, record in records.items()]
    if not lines or not directory.is_dir():
        return
    refuse_outside(directory / NAME, root)
    descriptor = os.open(directory / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, file_mode(directory))
    try:
        # The first newline ends a line that a crash has torn.
        _write_all(descriptor, ("\n" + "\n".join(lines) + "\n").encode())
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def read(directory: Path) -> dict[str, Record]:
    """Return the records that a directory's manifest holds, by key."""
    records: dict[str, Record] = {}
    try:
        text = (directory / NAME).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return records
    for line in text.split("\n"):
        key, tab, sealed = line.partition("\t")
        if not tab:
            continue
        try:
            record = unseal(key, sealed)
        except DamagedRecordError:
            continue
        if key == _FORGET:
            for gone in record["keys"]:
                records.pop(gone, None)
        else:
            records[key] = record
    return records

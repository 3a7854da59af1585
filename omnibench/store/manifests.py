"""Manifests: a copy of an item's records beside its files, so that the records can be rebuilt from it.

A manifest is an append-only file ``records.jsonl`` of lines ``key TAB sealed record``. The last line of a key
counts; a line ``forget TAB {"keys": [...]}`` takes keys back. A torn or damaged line fails its checksum and is
passed over. Lines are written before the transaction that they repeat, and without waiting for the disk: the
database is the truth, this is what is left when it is lost.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from omnibench.store.beneath import LinkedFileError, has_link, open_file, read_bytes, relative_path
from omnibench.store.durable_names import sync_directory
from omnibench.store.forms import record_of
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
    append_texts(
        relative_path(directory, root), root, {key: seal(key, record) for key, record in records.items()}, forget
    )


def append_texts(directory: str, root: Path, texts: Mapping[str, str], forget: Iterable[str] = ()) -> None:
    """Add lines of records that are sealed already; see ``append``.

    Args:
        directory: Where the files of these records lie, relative to the root; nothing is written when it is not there.
        root: The store's directory.
        texts: By key; see ``sealing.seal``.
        forget: Keys that no longer hold.
    """
    gone = sorted(set(forget) - set(texts))
    lines = [f"{key}\t{text}" for key, text in texts.items()]
    # Behind what takes their place: a kill in the midst of it must not take both.
    lines += [f"{_FORGET}\t{seal(_FORGET, {'keys': gone})}"] if gone else []
    if not lines or not _is_directory(f"{root}/{directory}"):
        return
    descriptor = open_file(root, f"{directory}/{NAME}" if directory else NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        # The first newline ends a line that a crash has torn.
        _write_all(descriptor, ("\n" + "\n".join(lines) + "\n").encode())
    finally:
        os.close(descriptor)


def _is_directory(path: str) -> bool:
    """Whether a directory is there. Where nobody can tell, that is an error: a line that is left out in silence is missed by ``rebuild``."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def compact(directory: Path, root: Path, *, dry_run: bool = False) -> int:
    """Write a manifest anew without the lines that do not count any more: those of earlier states, and torn ones.

    To be called only while nobody else uses the store.

    Args:
        directory: Where the manifest is.
        root: The store's directory.
        dry_run: Only tell what it would save.

    Returns:
        The bytes that this saves.

    Raises:
        OSError: It cannot be written; the old one is still there.
        StoreError: The directory leads out of the store.
    """
    path = directory / NAME
    relative = relative_path(path, root)
    if has_link(root, relative) or not path.is_file():
        return 0
    lines = [f"{key}\t{seal(key, record)}\n" for key, record in read(directory).items()]
    content = "".join(lines).encode()
    saved = path.stat().st_size - len(content)
    if saved <= len(lines) + 1:  # only the empty lines between them
        return 0
    if not dry_run:
        partial = path.with_name(f"{NAME}.new")
        descriptor = open_file(root, relative_path(partial, root), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            _write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        partial.replace(path)
        sync_directory(directory)
    return saved


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def lines(root: Path, directory: str) -> frozenset[str]:
    """Return the lines of a directory's manifest as they stand, sound or not; none where it cannot be read.

    Args:
        root: The store's directory.
        directory: The directory, relative to it.
    """
    try:
        return frozenset(read_bytes(root, f"{directory}/{NAME}").decode(errors="replace").split("\n"))
    except (OSError, LinkedFileError):
        return frozenset()


def read(directory: Path) -> dict[str, Record]:
    """Return the records that a directory's manifest holds, by key; a link in its place is not followed."""
    records: dict[str, Record] = {}
    try:
        text = read_bytes(directory, NAME).decode(errors="replace")
    except (OSError, LinkedFileError):
        return records
    for line in text.split("\n"):
        key, tab, sealed = line.partition("\t")
        if not tab:
            continue
        try:
            if key == _FORGET:
                for gone in map(str, unseal(key, sealed)["keys"]):
                    records.pop(gone, None)
            else:
                records[key] = record_of(key, sealed)
        except (DamagedRecordError, KeyError, TypeError):  # of one line; the others count all the same
            continue
    return records

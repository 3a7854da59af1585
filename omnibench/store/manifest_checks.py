"""Whether the manifests beside items' files repeat the records that name these files, so that a lost database can be rebuilt."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from sys import intern

from omnibench.store import manifests
from omnibench.store.directory_texts import directory_in
from omnibench.store.formats import SEALED_SINCE
from omnibench.store.reader import Reader
from omnibench.store.schema import RecordType
from omnibench.store.sealing import DamagedRecordError, text_of


def lacking_in_manifests(root: Path, reader: Reader, keys: Collection[str] | None = None) -> dict[str, list[str]]:
    """Return the keys of the records that the manifests beside their files do not repeat, by directory; of old formats none.

    Args:
        root: The store's directory.
        reader: Reads the records.
        keys: The keys of those to look at, which are there; all by default.
    """
    if reader.version < SEALED_SINCE:
        return {}
    expected: dict[str, array[int]] = {}
    for directory, _, line in _manifest_lines(reader, keys):
        expected.setdefault(directory, array("q")).append(line)
    behind: dict[str, frozenset[int]] = {}
    for directory, lines in expected.items():
        repeated = frozenset(map(hash, manifests.lines(root, directory)))
        if not repeated.issuperset(lines):
            behind[directory] = repeated
    lacking: dict[str, list[str]] = {}
    for directory, key, line in _manifest_lines(reader, keys) if behind else ():
        if directory in behind and line not in behind[directory]:
            lacking.setdefault(directory, []).append(key)
    return lacking


def _manifest_lines(reader: Reader, keys: Collection[str] | None) -> Iterator[tuple[str, str, int]]:
    """Yield directory and key of each record that a manifest is to repeat, and a hash of the line: the texts of all are too many."""
    for key, mode, value in reader.texts() if keys is None else reader.texts_of(keys):
        with suppress(DamagedRecordError):  # which is damage of its own
            text = text_of(mode, value)
            directory = directory_in(key, text)
            if directory and not RecordType.OLD.has(key):
                yield intern(directory), key, hash(f"{key}\t{text}")

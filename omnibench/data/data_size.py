"""The size of a dataset: as it was counted, or as it can be expected before anybody has read it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import OmnibenchError

COUNTS = ("users", "items", "interactions")

_BYTES_PER_ROW = 22
"""Of a text file with user, item, rating and time; MovieLens-20M has 27, its rows without a time 15."""

_COMPRESSED_BYTES_PER_ROW = 7
"""Of Parquet and of compressed text."""

_TEXTS = (".csv", ".tsv", ".txt", ".dat", ".data", ".inter", ".json", ".jsonl")

_PER_USER, _PER_ITEM = 100, 500
"""Interactions of a user and of an item where nobody knows; MovieLens-20M has 144 and 748, MovieLens-100K 106 and 59."""


class FeatureSize(NamedTuple):
    """What is counted in a feature of users or items.

    Attributes:
        subject: ``users`` or ``items``.
        name: Its name.
        type: Its type; see ``guest.feature_types``.
        values: How many different values there are; 1 of numbers.
        longest: How many values the longest of its lists has; 1 without lists.
        vocabulary: How many different words its texts have; 0 of what are no texts, and in records of releases that did not count them.
        words: How many words the texts of all users or items have together; 0 likewise.
    """

    subject: str
    name: str
    type: str
    values: int
    longest: int = 1
    vocabulary: int = 0
    words: int = 0


class DataSize(NamedTuple):
    """What is counted in a dataset.

    Attributes:
        users: Users.
        items: Items.
        interactions: Interactions of all parts.
        features: What is known of users and items; nothing in records of releases that did not count it.
        validated: Users who have interactions in a fold's validation part; 0 in such records.
        longest_user: The interactions of the user who has most; 0 in such records.
        longest_item: The interactions of the item that has most; 0 in such records.
    """

    users: int
    items: int
    interactions: int
    features: tuple[FeatureSize, ...] = ()
    validated: int = 0
    longest_user: int = 0
    longest_item: int = 0


def expected_size(dataset: RecSysDataSet) -> DataSize | None:
    """Return about how large a dataset is at most, without reading it; None where nothing tells.

    A frame has its length, a file its bytes, a data set of the catalogue what is expected of it. What steps leave out is not
    known before they were applied.

    Args:
        dataset: The dataset.
    """
    source: Any = dataset.source
    definition = getattr(getattr(source, "data", None), "definition", None)
    if definition is not None:
        counts = definition.counts
        rows = counts.interactions or counts.pairs
        return _guessed(rows, counts.users or 0, counts.items or 0) if rows else None
    frame = getattr(source, "frame", None)
    if frame is not None:
        return _guessed(len(frame))
    parts: Sequence[Any] = getattr(source, "parts", None) or [source]
    paths = [path for part in parts if (path := getattr(part, "path", None)) is not None]
    rows = sum(map(_rows_in, map(Path, paths)))
    return _guessed(rows) if rows else None


def _guessed(rows: int, users: int = 0, items: int = 0) -> DataSize:
    return DataSize(users or rows // _PER_USER + 1, items or rows // _PER_ITEM + 1, rows)


def _rows_in(path: Path) -> int:
    """Return about how many rows a file has, or the files in a directory; 0 where it cannot be looked at."""
    from omnibench.data.files.through import size_of  # what opens archives is imported only where there are files

    with suppress(OSError, OmnibenchError):
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        return sum(
            size_of(file) // (_BYTES_PER_ROW if file.suffix.lower() in _TEXTS else _COMPRESSED_BYTES_PER_ROW)
            for file in files
        )
    return 0

"""What the files of a store take on disk, by what they are and by item."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from omnibench.sizes import size_text
from omnibench.store.schema import Record
from omnibench.store.snapshot_files import FOLDER, directory_outside, folder_of, outside_files

_PARTS = (
    ("models", re.compile(r"model\..+")),
    ("predictions", re.compile(r"predictions[-.].+")),
    ("per_user", re.compile(r"per_user-.+")),
    ("snapshots", re.compile(r"(?!)")),
)
"""What an item's files are, by how their names begin; set aside ones count as what they were. Those of snapshots have any."""

_ITEM_PARTS = tuple(part for part, _ in _PARTS)

_GENERATION = re.compile(r"/generation_\d+$")
_SNAPSHOT = re.compile(rf"/{FOLDER}/.+")
"""What follows the directory of an item, or of one of its generations, in that of a snapshot's files."""


@dataclass
class Sizes:
    """Bytes of the files of a store.

    Attributes:
        parts: Bytes by part: ``models``, ``predictions``, ``per_user`` (values per user), ``snapshots``, ``datasets``, ``records``
            (database, manifests, logs, readable copies) and ``other``.
        items: Bytes by part of each item, by its directory relative to the store's.
        outside: Bytes of snapshots that ``Snapshots(directory=...)`` has lie elsewhere, by that directory; ``parts`` and
            ``items`` count them, too.
    """

    parts: dict[str, int] = field(default_factory=dict)
    items: dict[str, dict[str, int]] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(self.parts.values())


def sizes_of(root: Path, snapshots: Iterable[Record] = ()) -> Sizes:
    """Return what the files of a store take, links aside.

    Args:
        root: The checkpoint directory.
        snapshots: The records of snapshots, of which some may lie outside of it.
    """
    sizes = Sizes({**{part: 0 for part, _ in _PARTS}, "datasets": 0, "records": 0, "other": 0})
    for directory, name, size in _files(root):
        top, slash, _ = directory.partition("/")
        home = _SNAPSHOT.sub("", directory)
        part = "snapshots" if home != directory else ""
        part = part or next((part for part, pattern in _PARTS if slash and pattern.fullmatch(name)), "")
        if top == "datasets":
            part = "datasets"
        elif not part and (top in ("", "store", "leases", "requests") or name in ("records.jsonl", ".key")):
            part = "records"
        sizes.parts[part or "other"] += size
        if top != "datasets" and (part in _ITEM_PARTS or name == "records.jsonl"):
            _count(sizes.items.setdefault(_GENERATION.sub("", home), {}), part, size)
    for record in snapshots:
        total = sum(_size(path) or 0 for path in outside_files(record))
        if total:
            _count(sizes.outside, str(directory_outside(record) or folder_of(record, root)), total)
            _count(sizes.parts, "snapshots", total)
            home = _GENERATION.sub("", record.get("directory") or record["item"])
            _count(sizes.items.setdefault(home, {}), "snapshots", total)
    return sizes


def _count(counts: dict[str, int], name: str, size: int) -> None:
    counts[name] = counts.get(name, 0) + size


def _size(path: str | Path) -> int | None:
    """Return the bytes of a file; None where it has gone meanwhile."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return None


def _files(root: Path) -> Iterator[tuple[str, str, int]]:
    """Yield directory (relative to the root), name and bytes of every file; others may remove some meanwhile."""
    for directory, _, names in os.walk(root):
        relative = os.path.relpath(directory, root).replace(os.sep, "/")
        for name in names:
            size = _size(os.path.join(directory, name))
            if size is not None:
                yield "" if relative == "." else relative, name, size


def sizes_text(sizes: Sizes) -> str:
    """Return what a store takes, in a line for people."""
    names = {"per_user": "values per user", "records": "records and logs"}
    parts = [f"{names.get(part, part)} {size_text(size)}" for part, size in sizes.parts.items() if size]
    outside = [f"; {size_text(size)} of it in {directory}" for directory, size in sizes.outside.items()]
    return f"{size_text(sizes.total)} on disk: {', '.join(parts)}{''.join(outside)}"

"""What was read of a data set, kept for every project of the user: columns, digests and counts."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.announcements import announce
from omnibench.data.catalogue.arrays import read_arrays, write_arrays
from omnibench.data.catalogue.counting import counts_of
from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.folders import DataFolder, write_json
from omnibench.data.catalogue.raw_parts import RawPart
from omnibench.data.catalogue.rows import read_part, reading_identity
from omnibench.data.content import Content, content_of
from omnibench.data.digests import file_digest
from omnibench.errors import DataError
from omnibench.keys import digest

_FORMAT = 1
_SECONDS_WORTH_SAYING = 5.0


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part of a data set as it was read.

    Attributes:
        arrays: The file of its columns.
        sha256: The digest of that file.
        columns: The names of the columns.
        content: The digests of its rows.
    """

    arrays: Path
    sha256: str
    columns: tuple[str, ...]
    content: Content

    def read(self) -> dict[str, Any]:
        """Return the columns.

        Raises:
            DataError: The file is not what was written.
        """
        try:
            if file_digest(self.arrays) == self.sha256:
                return read_arrays(self.arrays)
            problem = "has changed"
        except OSError as error:
            problem = f"cannot be read ({error.strerror or error})"
        raise DataError(f"{self.arrays} {problem} since omnibench has written it; remove it, and run again.")


@dataclass(frozen=True, slots=True)
class StoredContent:
    """A data set as it was read.

    Attributes:
        parts: Its parts by name; of a set without a published split, the only one under an empty name.
        counts: Users, items, interactions and pairs of all parts together.
    """

    parts: Mapping[str, StoredPart]
    counts: Mapping[str, int]


def stored_content(folder: DataFolder, identity: list[Any]) -> StoredContent | None:
    """Return what was read before; None where nothing was, or it is not there any more.

    Args:
        folder: The folder of the data set.
        identity: What identifies the rows; see ``reading_identity``.
    """
    path = folder.path / f"{_name(identity)}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        parts = {
            name: StoredPart(
                folder.path / part["arrays"], part["sha256"], tuple(part["columns"]), Content(**part["content"])
            )
            for name, part in record["parts"].items()
        }
        stored = StoredContent(parts, {name: int(count) for name, count in record["counts"].items()})
        return stored if all(part.arrays.is_file() for part in parts.values()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # nothing is kept, or nothing readable: it is read again


def read_content(definition: Definition, folder: DataFolder, raw: Mapping[str, RawPart]) -> StoredContent:
    """Read the raw files of a data set and keep what is in them; only while the folder is locked.

    Args:
        definition: The data set.
        folder: Its folder.
        raw: Its raw files, by part.

    Raises:
        DataError: A file cannot be read, or has no interactions.
    """
    identity = reading_identity(definition, {name: (part.source, part.sha256) for name, part in raw.items()})
    begun = time.monotonic()
    announce(f"{definition.name}: reading {', '.join(sorted({part.path.name for part in raw.values()}))}, this once")
    try:
        stored = _read_and_keep(definition, folder, raw, _name(identity))
    except OSError as error:  # those of reading are said by the readers
        raise folder.unwritable(definition.name, error) from error
    seconds = time.monotonic() - begun
    if seconds > _SECONDS_WORTH_SAYING:
        announce(f"{definition.name}: read {stored.counts['interactions']:,} interactions in {seconds:.0f} s")
    return stored


def _read_and_keep(definition: Definition, folder: DataFolder, raw: Mapping[str, RawPart], name: str) -> StoredContent:
    """Read the parts one after the other, and write what is in them."""
    parts: dict[str, StoredPart] = {}
    ids: list[dict[str, Any]] = []
    unrated = 0
    for part_name, part in raw.items():
        rows = read_part(definition, part)
        content = content_of(rows.columns, f"{definition.name} ({part.path.name})")
        arrays = folder.path / f"{name}{'-' * bool(part_name)}{part_name}.arrow"
        write_arrays(arrays, rows.columns)
        parts[part_name] = StoredPart(arrays, file_digest(arrays), tuple(rows.columns), content)
        ids.append({column: rows.columns[column] for column in ("user", "item")})
        unrated += rows.counts.interactions - len(rows.columns["user"])
    counts = counts_of(ids, with_pairs=definition.counts.pairs is not None)
    if len(raw) == 1:  # makers count rows that lack a rating, too
        counts |= rows.counts._asdict()
    else:
        counts["interactions"] += unrated
    stored = StoredContent(parts, counts)
    write_json(folder.path / f"{name}.json", _record(stored))
    return stored


def _name(identity: list[Any]) -> str:
    return f"content-{digest([_FORMAT, *identity])[:16]}"


def _record(stored: StoredContent) -> dict[str, Any]:
    parts = {
        name: {
            "arrays": part.arrays.name,
            "sha256": part.sha256,
            "columns": list(part.columns),
            "content": part.content._asdict(),
        }
        for name, part in stored.parts.items()
    }
    return {"parts": parts, "counts": dict(stored.counts)}

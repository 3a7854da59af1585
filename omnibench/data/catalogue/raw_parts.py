"""What is known of the raw files of a data set on this machine, without any of them at hand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from omnibench.data.catalogue.definition import Definition, Source
from omnibench.data.catalogue.folders import DataFolder, FileNote
from omnibench.data.digests import file_digest


@dataclass(frozen=True, slots=True)
class RawPart:
    """The raw file of a part.

    Args:
        source: The source that it is of, with what is read of it and how.
        path: Where it is.
        sha256: Its digest.
    """

    source: Source
    path: Path
    sha256: str


def mirrors_of(definition: Definition, part: str) -> list[Source]:
    """Return the sources of a part, in the order in which they are tried."""
    return [source for source in definition.sources if source.part == part]


def local_path(source: Source) -> Path | None:
    """Return where a source is that lies on this machine, as those of a project's own definitions may; None otherwise."""
    address = urlsplit(source.url)
    return Path(unquote(address.path)) if address.scheme == "file" else None


def noted_parts(definition: Definition, folder: DataFolder) -> dict[str, tuple[Source, str]] | None:
    """Return of each part the source that was used first and the digest of its file; None where one is unknown.

    The files themselves may be gone: what was read of them is kept for good.
    """
    notes = folder.notes()
    parts: dict[str, tuple[Source, str]] = {}
    for part in definition.parts:
        mirrors = mirrors_of(definition, part)
        local = next((source for source in mirrors if (path := local_path(source)) and path.is_file()), None)
        used = next((source for source in mirrors if source.file in notes), None)
        if local is not None:
            parts[part] = local, file_digest(cast("Path", local_path(local)))
        elif used is not None:
            parts[part] = used, notes[used.file].sha256
        else:
            return None
    return parts


def note_files(folder: DataFolder, parts: Mapping[str, RawPart]) -> None:
    """Note the digests of raw files that were read, or that are of use as they are; only while the folder is locked.

    Args:
        folder: The folder of the data set.
        parts: Its raw files.
    """
    notes = folder.notes()
    for part in parts.values():
        name = part.source.file
        if part.path.parent == folder.path and (name not in notes or notes[name].sha256 != part.sha256):
            date = time.strftime("%Y-%m-%d")
            folder.note(name, FileNote(part.sha256, part.source.url, part.path.stat().st_size, date))

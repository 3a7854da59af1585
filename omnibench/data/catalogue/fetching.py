"""Data sets fetched before anybody needs them: into the cache, where they are read, or into a folder of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omnibench.data.catalogue.contents import StoredContent
from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.folders import DataFolder
from omnibench.data.catalogue.raw_files import fetch
from omnibench.data.catalogue.raw_parts import RawPart, note_files
from omnibench.data.catalogue.source import CatalogueData


@dataclass(frozen=True, slots=True)
class FetchedData:
    """A data set that was fetched.

    Attributes:
        folder: Where its raw files are.
        raw: These, by part.
        stored: What was read of them; None where they were not read.
    """

    folder: Path
    raw: Mapping[str, RawPart]
    stored: StoredContent | None


def fetch_data(definition: Definition, directory: Path | None = None, *, accept_changed: bool = False) -> FetchedData:
    """Fetch the raw files of a data set, and read them where they go into the cache.

    Args:
        definition: The data set.
        directory: A folder for the raw files, in which they get one of the data set's name; None for the cache.
        accept_changed: Whether a file may be another one than was published, or than at its first use.

    Raises:
        DataError: It cannot be had, or not be read.
    """
    if directory is None:
        raw, stored = CatalogueData(definition).fetched(accept_changed=accept_changed)
        return FetchedData(DataFolder.of(definition).path, raw, stored)
    folder = DataFolder(directory / definition.name, is_cache=False)
    with folder.locked(definition.name):
        raw = fetch(definition, folder, accept_changed=accept_changed)
        note_files(folder, raw)
    return FetchedData(folder.path, raw, None)

"""The source behind ``load_dataset``: a data set of the catalogue, fetched and read when somebody needs its rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.catalogue.contents import StoredContent, StoredPart, read_content, stored_content
from omnibench.data.catalogue.counting import differences
from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.folders import DataFolder
from omnibench.data.catalogue.local import local_parts
from omnibench.data.catalogue.raw_files import RawPart, fetch, noted_parts
from omnibench.data.catalogue.rows import columns_of, reader_of_source, reading_identity
from omnibench.data.content import Content
from omnibench.data.interactions import Interactions, from_columns
from omnibench.data.numbers import row_name

if TYPE_CHECKING:
    from omnibench.data.features.sources import FeatureSource

_warned: set[tuple[str, ...]] = set()
"""Differences that this process has warned of."""


@dataclass(frozen=True)
class CatalogueData:
    """A data set of the catalogue, read at most once on this machine.

    Attributes:
        definition: What the catalogue knows of it.
        path: A copy of the user's own, or None for the cache.
    """

    definition: Definition
    path: Path | None = None

    @cached_property
    def stored(self) -> StoredContent:
        """What was read of it, now or before.

        Raises:
            DataError: It cannot be had, or not be read.
        """
        stored = self._stored()
        different = differences(self.definition, stored.counts)
        if different and (self.definition.name, *different) not in _warned:
            _warned.add((self.definition.name, *different))
            source = self.definition.counts.evidence
            warnings.warn(
                f"{self.definition.name} is not as large as its definition says: {'; '.join(different)} (who counted: {source}). "
                "Compare its results with nobody else's before you know why.",
                UserWarning,
                stacklevel=2,
            )
        return stored

    def _stored(self) -> StoredContent:
        folder = DataFolder.of(self.definition)
        if self.path is None:
            noted = noted_parts(self.definition, folder)
            stored = noted and stored_content(folder, reading_identity(self.definition, noted))
            if stored:
                return stored
        with folder.locked(self.definition.name):
            raw = fetch(self.definition, folder) if self.path is None else local_parts(self.definition, self.path)
            return self._read(folder, raw)

    def _read(self, folder: DataFolder, raw: dict[str, RawPart]) -> StoredContent:
        sources = {name: (part.source, part.sha256) for name, part in raw.items()}
        stored = stored_content(folder, reading_identity(self.definition, sources))  # another process was faster
        return stored or read_content(self.definition, folder, raw)


def is_cached(definition: Definition) -> bool:
    """Whether a data set was fetched and read on this machine, so that it needs no network any more."""
    folder = DataFolder.of(definition)
    noted = noted_parts(definition, folder)
    return noted is not None and stored_content(folder, reading_identity(definition, noted)) is not None


@dataclass(frozen=True)
class CatalogueSource:
    """The rows of a data set of the catalogue, or of a part of a published split.

    Attributes:
        data: The data set.
        part: The name of the part, empty for a set without a split.
    """

    data: CatalogueData
    part: str = ""

    @property
    def features(self) -> Mapping[str, FeatureSource]:
        """What is known about items and users; see ``RecSysDataSet.with_features``."""
        from omnibench.data.catalogue.features import catalogue_features  # which few runs need

        return catalogue_features(self.data.definition, self.data.path)

    @property
    def _stored(self) -> StoredPart:
        return self.data.stored.parts[self.part]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        definition = self.data.definition
        readers = [reader_of_source(definition, source) for source in definition.sources if source.part == self.part]
        of_readers = {columns_of(reader) for reader in readers}  # those of mirrors differ where these are other files
        (columns,) = of_readers if len(of_readers) == 1 else (None,)
        return self._stored.columns if columns is None else columns

    @property
    def label(self) -> str:
        return f"{self.data.definition.name}{f' ({self.part})' if self.part else ''}"

    @property
    def content(self) -> Content:
        return self._stored.content

    @property
    def identity(self) -> Any:
        """What identifies the rows in their order, known once they were read on this machine."""
        return ["table", self.content.ordered]

    @property
    def fingerprint(self) -> Any:
        return self.identity

    def row_name(self, row: int) -> str:
        return row_name(row)

    def read(self) -> dict[str, Any]:
        return self._stored.read()

    def load(self) -> Interactions:
        return from_columns(self.read(), self.label)

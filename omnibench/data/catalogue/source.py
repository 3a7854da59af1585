"""The source behind ``load_dataset``: a data set of the catalogue, fetched and read when somebody needs its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.caller_warnings import warn_caller
from omnibench.data.catalogue.contents import StoredContent, StoredPart, read_content, stored_content
from omnibench.data.catalogue.counting import differences
from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.folders import DataFolder, UnwritableError
from omnibench.data.catalogue.local import local_parts
from omnibench.data.catalogue.raw_parts import RawPart, local_path, note_files, noted_parts
from omnibench.data.catalogue.rows import reader_of_source, reading_identity
from omnibench.data.content import Content
from omnibench.data.interactions import Interactions, from_columns
from omnibench.data.numbers import row_name
from omnibench.errors import DataError

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
        _warn_of_differences(self.definition, stored)
        return stored

    def _stored(self) -> StoredContent:
        folder = DataFolder.of(self.definition)
        if self.path is None:
            noted = noted_parts(self.definition, folder)
            stored = noted and stored_content(folder, reading_identity(self.definition, noted))
            if stored:
                return stored
        return self._fetched(accept_changed=False)[1]

    def fetched(self, *, accept_changed: bool = False) -> tuple[dict[str, RawPart], StoredContent]:
        """Return its raw files, fetched where they are not there yet, and what is in them.

        Args:
            accept_changed: Whether a file may be another one than was published, or than at its first use.

        Raises:
            DataError: It cannot be had, or not be read.
        """
        raw, stored = self._fetched(accept_changed=accept_changed)
        _warn_of_differences(self.definition, stored)
        return raw, stored

    def _fetched(self, *, accept_changed: bool) -> tuple[dict[str, RawPart], StoredContent]:
        from omnibench.data.catalogue.raw_files import fetch  # which few runs need

        folder = DataFolder.of(self.definition)
        with folder.locked(self.definition.name):
            if self.path is not None:
                raw = local_parts(self.definition, self.path)
                return raw, self._read(folder, raw)
            raw = fetch(self.definition, folder, accept_changed=accept_changed)
            try:
                stored = self._read(folder, raw)
            except UnwritableError:
                raise
            except DataError as error:
                raise DataError(f"{error}{_advice(raw)}") from error
            note_files(folder, raw)  # of those that can be read: another one is to be fetched anew
            return raw, stored

    def _read(self, folder: DataFolder, raw: dict[str, RawPart]) -> StoredContent:
        sources = {name: (part.source, part.sha256) for name, part in raw.items()}
        stored = stored_content(folder, reading_identity(self.definition, sources))  # another process was faster
        return stored or read_content(self.definition, folder, raw)


def _warn_of_differences(definition: Definition, stored: StoredContent) -> None:
    """Warn, once in a process, of a data set that is not as large as its definition says."""
    different = differences(definition, stored.counts)
    if not different or (definition.name, *different) in _warned:
        return
    _warned.add((definition.name, *different))
    warn_caller(
        f"{definition.name} is not as large as its definition says: {'; '.join(different)} (who counted: "
        f"{definition.counts.evidence}). Compare its results with nobody else's before you know why."
    )


def _advice(raw: Mapping[str, RawPart]) -> str:
    """Return what to do about files that cannot be read, and that nobody has published a digest of."""
    doubtful = [
        str(part.path)
        for part in raw.values()
        if not (
            part.source.sha256 or part.source.md5 or local_path(part.source)
        )  # nobody has to remove files of their own
    ]
    if not doubtful:
        return ""
    return f" Nobody has published its digest, so the download may be to blame: remove {' and '.join(doubtful)}, and run again."


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
        of_readers = {reader.roles for reader in readers}  # those of mirrors differ where these are other files
        return of_readers.pop() if len(of_readers) == 1 else self._stored.columns

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

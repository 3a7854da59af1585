"""What a definition of the catalogue knows about items and users: read where a dataset is asked for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from omnibench.data.catalogue.definition import Definition, Features, Source
from omnibench.data.catalogue.folders import DataFolder
from omnibench.data.catalogue.local import local_parts
from omnibench.data.catalogue.raw_files import fetch
from omnibench.data.catalogue.raw_parts import note_files, noted_parts
from omnibench.data.digests import file_digest
from omnibench.data.features.columns import FeatureColumns, feature_columns, split_lists
from omnibench.data.features.sources import FeatureSource, remembered_digest
from omnibench.data.files.members import RawFile, members
from omnibench.data.readers.conversions import as_texts, is_among
from omnibench.data.readers.gaps import Filters
from omnibench.data.readers.read import VERSION, batches
from omnibench.errors import DataError
from omnibench.guest.feature_types import singular

if TYPE_CHECKING:
    import pandas as pd

_VERSION = 1
"""To be raised when the same raw files come to other features."""


def catalogue_features(definition: Definition, path: Path | None = None) -> dict[str, FeatureSource]:
    """Return what a definition knows, by subject; nothing is downloaded or read yet.

    Args:
        definition: The data set.
        path: A copy of the user's own; None for the cache.
    """
    subjects = dict.fromkeys(features.subject for features in definition.features)
    return {subject: CatalogueFeatures(definition, subject, path) for subject in subjects}


@dataclass(frozen=True)
class CatalogueFeatures:
    """The features of a data set of the catalogue.

    Attributes:
        definition: What the catalogue knows of the data set.
        subject: ``items`` or ``users``.
        path: A copy of the user's own, or None for the cache.
    """

    definition: Definition
    subject: str
    path: Path | None = None

    @property
    def _label(self) -> str:
        return f"{self.definition.name}, the features of {self.subject}"

    @property
    def _parts(self) -> list[Features]:
        return [features for features in self.definition.features if features.subject == self.subject]

    @property
    def names(self) -> Sequence[str]:
        return sorted({name for features in self._parts for name in features.names})

    @cached_property
    def digest(self) -> str:
        read_as = [
            [features.reader.format, _columns(features), dict(features.reader.options), asdict(features.shape)]
            for features in self._parts
        ]
        digests = self._noted_digests()
        if digests is None:
            digests = [file_digest(path) for path in self._raw_paths()]
        identity = ["catalogue", _VERSION, VERSION, self.subject, read_as, digests]
        return remembered_digest(identity, lambda: self.read().digest())

    def read(self) -> FeatureColumns:
        """Return the features, of all files that the definition names.

        Raises:
            DataError: A file cannot be had or read, or two files have a feature of one name.
        """
        frames = [self._frame(features) for features in self._parts]
        joined = frames[0]
        id_name = singular(self.subject)
        for frame in frames[1:]:
            doubled = sorted({*frame.columns} & {*joined.columns} - {id_name})
            if doubled:
                raise DataError(f"{self._label}: two files have the feature {doubled[0]!r}; give one another name.")
            is_alike = frame[id_name].dtype == joined[id_name].dtype
            tables = [table if is_alike else table.astype({id_name: str}) for table in (joined, frame)]
            joined = tables[0].merge(tables[1], on=id_name, how="outer")
        lists = {name: separator for features in self._parts for name, separator in features.shape.lists.items()}
        return split_lists(feature_columns(joined, self.subject, self._label), lists, self._label)

    def _frame(self, features: Features) -> pd.DataFrame:
        files = self._files(features)
        columns: dict[str, list[str | None]] = {}
        filters = Filters(features.reader.options.get("keep", {}))
        codes = features.reader.options.get("missing", ())
        for _, batch in batches(features.reader, files):
            for name, column in filters.keep(batch).columns.items():
                texts = as_texts(column).to_pylist()
                if codes:
                    texts = [None if gone else text for text, gone in zip(texts, is_among(column, codes), strict=True)]
                columns.setdefault(name, []).extend(texts)
        if not any(columns.values()):
            raise DataError(f"{self._label}: {files[0].label} has no rows.{filters.advice}")
        frame = features.shape.frame(columns, self.subject, files[0].label)
        # What several files say of an item is the same.
        return frame if len(files) == 1 else frame.drop_duplicates(singular(self.subject), ignore_index=True)

    def _noted_digests(self) -> list[str] | None:
        """Return the digests of the raw files without looking for them; None where one is unknown."""
        if self.path is not None:
            return None
        digests: list[str] = []
        for definition in self._definitions():
            noted = noted_parts(definition, DataFolder.of(self.definition))
            if noted is None:
                return None
            digests += [sha256 for _, sha256 in noted.values()]
        return digests

    def _raw_paths(self) -> list[Path]:
        if self.path is not None:
            return list(dict.fromkeys(file.path for features in self._parts for file in self._files(features)))
        return [path for definition in self._definitions() for path in _fetched(self.definition, definition)]

    def _definitions(self) -> list[Definition]:
        """Return the data set where its archive has features, and one for each file of its own."""
        own = [_definition_of(self.definition, features) for features in self._parts if features.url]
        return [*([self.definition] if any(features.members for features in self._parts) else []), *own]

    def _files(self, features: Features) -> list[RawFile]:
        """Return the files of features, downloaded where they are not there yet.

        Raises:
            DataError: They cannot be had.
        """
        if self.path is not None:
            return _local_files(self.definition, features, self.path)
        if features.url:
            return members(_fetched(self.definition, _definition_of(self.definition, features))[0])
        return _with_members(_fetched(self.definition, self.definition), features.members)


def _columns(features: Features) -> Any:
    columns = features.reader.columns
    return sorted(columns.items()) if isinstance(columns, Mapping) else list(columns)


def _definition_of(definition: Definition, features: Features) -> Definition:
    """Return a data set of nothing but a file of features, which is fetched as any other."""
    name = PurePosixPath(unquote(urlsplit(features.url).path)).name
    source = Source(features.url, name, md5=features.md5, evidence="the definition" if features.md5 else "")
    return replace(definition, sources=(source,))


def _fetched(definition: Definition, fetched: Definition) -> list[Path]:
    folder = DataFolder.of(definition)
    with folder.locked(definition.name):
        parts = fetch(fetched, folder)
        note_files(folder, parts)
        return [part.path for part in parts.values()]


def _with_members(paths: Sequence[Path], patterns: Sequence[str]) -> list[RawFile]:
    """Return the members of all archives that have them; the parts of a published split may each have some.

    Raises:
        DataError: None has.
    """
    files: list[RawFile] = []
    failure: DataError | None = None
    for path in dict.fromkeys(paths):
        try:
            files += [file for file in members(path, patterns) if file.member]
        except DataError as error:
            failure = error
    if not files:
        raise failure or DataError(
            f"{paths[0]} is no archive, so it has no {' or '.join(map(repr, patterns))} with the features; another source of the "
            "data set has them: remove the file, and put that archive into its place."
        )
    return files


def _local_files(definition: Definition, features: Features, path: Path) -> list[RawFile]:
    """Return the files of features in a copy of the user's: in an archive, or beside the interactions."""
    if features.url:
        return members(_folder_of(path) / PurePosixPath(unquote(urlsplit(features.url).path)).name)
    parts = local_parts(definition, path).values()
    archives = [part.path for part in parts if part.source.members and part.path.is_file()]
    if archives:
        return _with_members(archives, features.members)
    folder = _folder_of(path)
    names = [PurePosixPath(pattern).name for pattern in features.members]
    try:
        return members(folder, features.members)
    except DataError:
        return members(folder, names)


def _folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent

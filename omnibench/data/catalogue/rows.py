"""What is read of a raw file: the members of an archive that belong to a data set, by the reader of its definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibench.data.catalogue.definition import Definition, Source
from omnibench.data.catalogue.raw_parts import RawPart
from omnibench.data.files.members import members
from omnibench.data.readers.read import VERSION, read_rows
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import RawRows


def reader_of_source(definition: Definition, source: Source) -> Reader:
    """Return how a source is read."""
    return source.reader or definition.reader


def reading_identity(definition: Definition, sources: Mapping[str, tuple[Source, str]]) -> list[Any]:
    """Return what identifies the rows of a data set before anybody reads them: how which bytes are read.

    Args:
        definition: The data set.
        sources: Of each part its source, and the digest of the file.
    """
    parts = []
    for part, (source, sha256) in sources.items():
        reader = reader_of_source(definition, source)
        columns = list(reader.columns.items()) if isinstance(reader.columns, Mapping) else list(reader.columns)
        parts.append([part, reader.format, columns, dict(reader.options), list(source.members), sha256])
    return ["reading", VERSION, parts]


def read_part(definition: Definition, part: RawPart) -> RawRows:
    """Read the rows of a part.

    Raises:
        DataError: The file has no such members, or cannot be read.
    """
    return read_rows(reader_of_source(definition, part.source), members(part.path, part.source.members))

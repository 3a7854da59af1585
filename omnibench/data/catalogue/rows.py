"""What is read of a raw file: the members of an archive that belong to a data set, by the reader of its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnibench.data.catalogue.definition import Definition, Source
from omnibench.data.catalogue.raw_files import RawPart
from omnibench.data.files.text import TextColumns
from omnibench.data.readers.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

READERS_VERSION = 1
"""To be raised when a reader reads other values of the same file, so that what it has read before is not used any more."""


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
        columns = list(reader.columns.items()) if hasattr(reader.columns, "items") else list(reader.columns)
        parts.append([part, reader.format, columns, dict(reader.options), list(source.members), sha256])
    return ["reading", READERS_VERSION, parts]


def read_part(definition: Definition, part: RawPart) -> TextColumns:
    """Read the columns of a part.

    Raises:
        DataError: The file has no such members, or cannot be read.
    """
    import io
    import zipfile

    import pandas as pd

    reader = reader_of_source(definition, part.source)
    assert reader.format == "table"
    stream: Any = part.path.open("rb")
    if part.source.members and zipfile.is_zipfile(part.path):
        stream = io.BytesIO(zipfile.ZipFile(part.path).read(part.source.members[0]))
    names = reader.columns
    frame = pd.read_csv(stream, sep=reader.options["separator"], names=list(names), engine="python", header=None)
    return TextColumns({name: frame[name] for name in names}, as_before=True)

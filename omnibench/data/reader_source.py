"""The source of raw files that a reader reads: of another format than plain tables, or with values to be converted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omnibench.data.file_source import StoredSource, path_digest, unreadable
from omnibench.data.files.layout import TextLayout
from omnibench.data.files.members import RawFile
from omnibench.data.files.size import require_memory
from omnibench.data.files.streams import BROKEN
from omnibench.data.files.text import TextColumns
from omnibench.data.readers.read import VERSION, read_rows
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.row_labels import row_label
from omnibench.errors import ChangedDataError, DataError

_ESTIMATED = ("table", "json", "python", "adjacency", "netflix", "behaviours", "idomaar", "parquet", "feather")
"""Formats of which the number of interactions is known, or that of lines, of which each has one at least."""


@dataclass(frozen=True)
class ReaderSource(StoredSource):
    """Interactions in raw files.

    Attributes:
        reader: How they are read.
        files: The files, in the order of their rows.
    """

    reader: Reader
    files: Sequence[RawFile]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.reader.roles

    @property
    def label(self) -> str:
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"{self.files[0].label}{more}"

    @cached_property
    def identity(self) -> list[Any]:
        names = self.reader.columns
        reading = {
            "columns": [[*pair] for pair in names.items()] if isinstance(names, Mapping) else list(names),
            "options": dict(self.reader.options),
            "version": VERSION,
        }
        return ["file", self.reader.format, reading, [file.member for file in self.files], self._digest()]

    def _digest(self) -> str:
        digests = [path_digest(file.path) for file in self.files]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def row_name(self, row: int) -> str:
        return row_label(self.reader, self.files, row)

    def table(self) -> TextColumns:
        try:
            self._require_memory()
            rows = read_rows(self.reader, self.files, strict=True)
        except (*BROKEN, MemoryError) as error:
            raise DataError(unreadable(self.files[0].path, self.reader.format, error)) from error
        if self._digest() != self.identity[-1]:
            raise ChangedDataError(
                f"{self.label} has changed since this run read its key; its results would be recorded for the old content. Run again."
            )
        return TextColumns(rows.columns, rows.as_before)

    def _require_memory(self) -> None:
        """Refuse what can be told beforehand not to fit into memory; the rest is looked at while it is read."""
        reader_format, options = self.reader.format, self.reader.options
        if reader_format not in _ESTIMATED or options.get("keep") or options.get("missing"):
            return
        encoding = str(options.get("encoding", "utf-8"))
        paths = [_path(file) for file in self.files]
        is_text = reader_format not in ("parquet", "feather")
        with suppress(*BROKEN):  # which the reader says, or knows better than the suffix
            require_memory(
                [
                    (path, TextLayout(path, reader_format, ",", "", encoding, (), 0) if is_text else None)
                    for path in paths
                ]
            )


def _path(file: RawFile) -> Path:
    """Return the path of a file, through its archive where it is in one."""
    return file.path / file.member.replace("!", "/") if file.member else file.path

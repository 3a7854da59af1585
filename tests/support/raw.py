"""Raw files as data sets are published in them, read as their definitions say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omnibench.data.files.members import RawFile
from omnibench.data.interactions import Interactions, from_columns
from omnibench.data.readers.read import read_rows
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import RawRows


class Raw(NamedTuple):
    """A raw file.

    Attributes:
        path: The file.
        rows: What was read of it.
        interactions: The same as a dataset has it.
    """

    path: Path
    rows: RawRows
    interactions: Interactions

    def column(self, name: str) -> list[Any]:
        """A column of the rows."""
        values: list[Any] = self.rows.columns[name].tolist()
        return values

    @property
    def pairs(self) -> list[tuple[Any, Any]]:
        """Users and items."""
        return list(zip(self.column("user"), self.column("item"), strict=True))


def written(path: Path, content: str | bytes) -> Path:
    """Write a file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_raw(
    path: Path,
    content: str | bytes,
    file_format: str,
    columns: tuple[str, ...] | Mapping[str, str] = (),
    *,
    strict: bool = False,
    **options: Any,
) -> Raw:
    """Write a raw file, and read it."""
    rows = read_rows(Reader(file_format, columns, options), [RawFile(written(path, content))], strict=strict)
    return Raw(path, rows, from_columns(rows.columns, path.name))

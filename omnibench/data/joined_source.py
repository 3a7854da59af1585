"""The source of several files as one table: their rows one after the other."""

from __future__ import annotations

import hashlib
import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from omnibench.data.file_source import FileSource, StoredSource, unreadable
from omnibench.data.files.size import require_memory
from omnibench.data.files.streams import BROKEN
from omnibench.data.files.text import IDS, TextColumns
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


@dataclass(frozen=True)
class JoinedSource(StoredSource):
    """Interactions in several files.

    Attributes:
        parts: The files, in the order of their rows.
    """

    parts: Sequence[FileSource]
    _ends: list[int] = field(default_factory=list, init=False, repr=False, compare=False)
    """The numbers of rows up to the end of each part, once they are read."""

    @property
    def columns(self) -> tuple[str, ...]:
        return self.parts[0].columns

    @property
    def label(self) -> str:
        names = ", ".join(part.path.name for part in self.parts[1:3])
        return f"{self.parts[0].path} with {names}{', ...' if len(self.parts) > 3 else ''}"  # noqa: PLR2004 - three are shown

    @cached_property
    def identity(self) -> list[Any]:
        parts = [part.identity for part in self.parts]
        formats = "/".join(dict.fromkeys(part.file_format for part in self.parts))
        return ["files", formats, parts, hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()]

    def row_name(self, row: int) -> str:
        """Return what errors call a row: the file and its row in there."""
        number = bisect_right(self._ends, row)
        part, begin = self.parts[number], [0, *self._ends][number]
        return f"{part.path.name}, {part.row_name(row - begin)}"

    def table(self) -> TextColumns:
        try:
            require_memory([(part.path, part.layout) for part in self.parts])
        except BROKEN as error:
            raise DataError(unreadable(self.parts[0].path, self.parts[0].file_format, error)) from error
        tables = [part.table_with_texts(frozenset()) for part in self.parts]
        self._ends[:] = itertools.accumulate(len(table.columns["user"]) for table in tables)
        # As in a single file: where an id is no integer, all are texts, as they are written.
        texts = frozenset(name for name in IDS if len({*_texts(tables, name)} - {None}) > 1)
        for number, part in enumerate(self.parts if texts else ()):
            if any(_texts([tables[number]], name) == [False] for name in texts):
                tables[number] = part.table_with_texts(texts)
        filled = [table.columns for table in tables if len(table.columns["user"])] or [tables[0].columns]
        columns = {name: _joined([table[name] for table in filled]) for name in self.columns}
        return TextColumns(columns, all(table.as_before for table in tables))


def require_same_columns(parts: Sequence[FileSource]) -> None:
    """Refuse files of which some have ratings or timestamps, and others do not.

    Raises:
        DataError: There are such files.
    """
    first = parts[0]
    for part in parts[1:]:
        for column in {*first.columns} ^ {*part.columns}:
            having, lacking = (first, part) if column in first.columns else (part, first)
            raise DataError(
                f"{lacking.path} has no column {column!r}, but {having.path.name} has {list(having.renamed)}; read them apart, or say "
                "which columns are meant: from_file(..., columns={...})."
            )


def _texts(tables: Sequence[TextColumns], name: str) -> list[bool | None]:
    """Return of each table whether a column of ids holds texts rather than integers; None where it has no rows."""
    return [None if len(table.columns[name]) == 0 else not _are_integers(table.columns[name]) for table in tables]


def _are_integers(column: Any) -> bool:
    import pandas as pd

    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    return pd.api.types.is_integer_dtype(values.dtype)


def _joined(columns: list[Any]) -> Any:
    """Return columns one after the other, as categories or numbers where all are."""
    import pandas as pd

    if all(isinstance(column.dtype, pd.CategoricalDtype) for column in columns):
        return pd.Series(pd.api.types.union_categoricals(columns))
    plain = [_plain(column) for column in columns]
    numeric = [pd.api.types.is_numeric_dtype(column) for column in plain]
    if any(numeric) and not all(numeric):
        # A text far down in one of them: all are looked at as texts, as in a single file.
        texts = [column.astype(str) if is_number else column for column, is_number in zip(plain, numeric, strict=True)]
        return pd.Series(np.concatenate([column.to_numpy(dtype=object) for column in texts]))
    return pd.concat(plain, ignore_index=True)


def _plain(column: Any) -> Any:
    """Return a column of categories as one of their values."""
    import pandas as pd

    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    return column.astype(object if column.isna().any() else column.cat.categories.dtype)

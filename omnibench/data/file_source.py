"""The source behind ``from_file``: a file, which of its columns are used, and how it is read."""

from __future__ import annotations

import hashlib
import lzma
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from omnibench.data.content import Content, content_of_rows, refuse_nothing, remembered_content
from omnibench.data.digests import file_digest, stamp_of
from omnibench.data.files.arrow import ARROW_FORMATS, read_arrow
from omnibench.data.files.layout import ROW_NAMES, TextLayout
from omnibench.data.files.lines import line_of_row, refuse_undecodable
from omnibench.data.files.misnamed import columnar_advice
from omnibench.data.files.number_rows import read_number_rows
from omnibench.data.files.parquet import parquet_files, read_parquet, read_plain_parquet
from omnibench.data.files.plain import PlainColumns, read_plain_text
from omnibench.data.files.size import require_memory
from omnibench.data.files.streams import BROKEN
from omnibench.data.files.text import IDS, TextColumns, read_text
from omnibench.data.files.through import archive_in
from omnibench.data.interactions import (
    COLUMNS,
    CodedColumns,
    Interactions,
    coded_columns,
    order_within_seconds,
    timed,
)
from omnibench.data.numbers import row_name
from omnibench.data.scratch import keep_scratch_memory
from omnibench.errors import ChangedDataError, DataError

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

T = TypeVar("T")

_STAMPS = "stamps_of_rows"
"""The attribute of a source with what its file was like when its rows were read."""

_TEXT_SUFFIX = ":token"
"""Ends the names of RecBole's columns of texts."""


class StoredSource(ABC):
    """Interactions in files: identified by their content, which is remembered by the digests of the files."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that the source has, of user, item, rating and timestamp."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The name of the source in errors."""

    @property
    @abstractmethod
    def identity(self) -> list[Any]:
        """What identifies the bytes of the files, and how they are read; a text with the digest comes last."""

    @abstractmethod
    def table(self) -> TextColumns:
        """Read the columns.

        Raises:
            DataError: A file cannot be read; ChangedDataError where it has changed since it was identified.
        """

    @abstractmethod
    def row_name(self, row: int) -> str:
        """Return what errors call a row, of its number from 0."""

    @cached_property
    def content(self) -> Content:
        return remembered_content(lambda: self.identity, None, self._computed_content)

    def _computed_content(self) -> Content:
        coded = self.coded()
        refuse_nothing(coded.rows, self.label)
        return content_of_rows(coded)

    @cached_property
    def fingerprint(self) -> Any:
        """What identified the files before their content did; another for what was read wrong then."""
        return self.identity if self.content.as_before else [f"{self.identity[0]}/2", *self.identity[1:]]

    def read(self) -> dict[str, Any]:
        return self.table().columns

    def coded(self) -> CodedColumns:
        """Return the rows as they come, their ids coded.

        Raises:
            DataError: As reading the columns does; or a value of them is none.
        """
        table = self.table()
        coded = coded_columns(table.columns, self.label, self.row_name)
        return coded._replace(as_before=coded.as_before and table.as_before)

    def load(self) -> Interactions:
        rows, moments, *_ = self.coded()
        order = order_within_seconds(rows, moments)
        return rows if order is None else rows.take(order)


@dataclass(frozen=True)
class FileSource(StoredSource):
    """Interactions in a text file, Parquet or Arrow's format.

    Attributes:
        path: The file, a directory of Parquet files, or a path through an archive.
        file_format: Its format.
        renamed: omnibench's names of the columns that are used, by the file's own.
        layout: How a text file is laid out; None for the others.
        options: What was said of the layout that is not so by default; part of what identifies the file.
    """

    path: Path
    file_format: str
    renamed: Mapping[str, str]
    layout: TextLayout | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for column in COLUMNS if column in self.renamed.values())

    @property
    def label(self) -> str:
        return str(self.path)

    @cached_property
    def identity(self) -> list[Any]:
        layout_options = [dict(self.options)] if self.options else []
        identity = ["file", self.file_format, dict(self.renamed), *layout_options, path_digest(self.path)]
        if path_stamps(self.path) != vars(self).get(_STAMPS, path_stamps(self.path)):
            raise self._changed("has changed since its rows were read")
        return identity

    def row_name(self, row: int) -> str:
        """Return what errors call a row: of a text file, with the number of its line."""
        if self.layout is None:
            return row_name(row)
        return f"{row_name(row)}, line {line_of_row(self.layout.settled()[0], row)}"

    def coded(self) -> CodedColumns:
        plain = self._read(self._plain_columns)
        if plain is None:
            return super().coded()
        rows = Interactions(plain.user.codes, plain.item.codes, plain.rating, None, plain.user.ids, plain.item.ids)
        if plain.timestamp is None:
            return CodedColumns(rows, None, plain.as_before, is_own=True)
        coded = timed(rows, plain.timestamp, self.label, self.row_name)
        as_before = coded.as_before and plain.as_before and "timestamp" not in self._tokens
        if np.may_share_memory(coded.rows.timestamp, plain.timestamp):  # pandas hands the array back, but locked
            coded = coded._replace(rows=replace(coded.rows, timestamp=plain.timestamp))
        return coded._replace(as_before=as_before, is_own=True)

    def table(self) -> TextColumns:
        return self.table_with_texts(frozenset())

    def table_with_texts(self, texts: frozenset[str]) -> TextColumns:
        """Read the columns.

        Args:
            texts: Those of users and items whose ids are texts, whatever is in them.

        Raises:
            DataError: The file cannot be read; ChangedDataError where it has changed since it was identified.
        """
        layout = self.layout
        return self._read(self._arrow_columns if layout is None else lambda: self._text_columns(layout, texts))

    def _read(self, read: Callable[[], T]) -> T:
        """Read the file, of which nothing may change meanwhile."""
        is_identified = "identity" in vars(self)
        keep_scratch_memory()
        try:
            before = path_stamps(self.path)
            require_memory([(self.path, self.layout)])
            content = read()
            has_changed = path_stamps(self.path) != before
        except (*BROKEN, MemoryError) as error:
            raise DataError(unreadable(self.path, self.file_format, error)) from error
        # Rows whose key nobody has asked for yet need no digest: the key that somebody asks for later is of the file then.
        if has_changed or (is_identified and path_digest(self.path) != self.identity[-1]):
            raise self._changed("has changed since this run read its key")
        vars(self)[_STAMPS] = before
        return content

    def _changed(self, problem: str) -> ChangedDataError:
        return ChangedDataError(f"{self.path} {problem}; its results would be recorded for another content. Run again.")

    def _plain_columns(self) -> PlainColumns | None:
        """Return the columns of a file of plain numbers and texts, which is read faster; None of any other."""
        if self.layout is None:
            columns = {target: name for name, target in self.renamed.items()}
            return read_plain_parquet(self.path, columns) if self.file_format == "parquet" else None
        if self.layout.names[0] == ROW_NAMES:
            return None
        positions, tokens = self._positions(self.layout), self._tokens & set(IDS)
        numbers = None
        if not tokens:
            numbers = read_number_rows(self.layout, positions) or read_plain_text(self.layout, positions)
        return numbers or read_plain_text(self.layout, positions, frozenset(IDS), tokens)

    def _arrow_columns(self) -> TextColumns:
        names = list(self.renamed)
        frame = read_parquet(self.path, names) if self.file_format == "parquet" else read_arrow(self.path, names)
        return TextColumns({self.renamed[name]: frame[name] for name in self.renamed}, as_before=True)

    def _text_columns(self, layout: TextLayout, texts: frozenset[str]) -> TextColumns:
        table = read_text(layout, self._positions(layout), self._tokens | texts)
        # Texts of numbers were no times, but for years.
        counts_texts = "timestamp" in self._tokens and table.columns["timestamp"].dtype.kind in "iuf"
        return table._replace(as_before=table.as_before and layout.names[0] != ROW_NAMES and not counts_texts)

    @cached_property
    def _tokens(self) -> frozenset[str]:
        """The columns that RecBole's header says to be texts."""
        return frozenset(target for name, target in self.renamed.items() if name.endswith(_TEXT_SUFFIX))

    def _positions(self, layout: TextLayout) -> dict[str, int]:
        return {target: layout.names.index(name) for name, target in self.renamed.items()}


def unreadable(path: Path, file_format: str, error: Exception) -> str:
    """Return what to say of a file that cannot be read; a line that is not in its encoding is an error of its own."""
    problem = str(error) or type(error).__name__
    if (
        isinstance(error, OSError) and error.filename and error.strerror
    ):  # the system's, such as of a file that has gone
        return f"{error.filename} cannot be read ({error.strerror}); check the path."
    is_own = isinstance(error, OSError) and error.errno is None  # of a decompressor, and not of the system
    is_cut = isinstance(error, EOFError) or (is_own and "Truncated" in problem)  # Arrow's word
    if is_cut or is_own or isinstance(error, zipfile.BadZipFile | zlib.error | lzma.LZMAError):
        state = "cut off" if is_cut else "damaged or cut off"
        return f"{path} is {state}: {problem}. It was not copied or downloaded completely; fetch it again."
    if isinstance(error, UnicodeDecodeError):
        refuse_undecodable(path, error.encoding)
    is_columnar = file_format in ("parquet", *ARROW_FORMATS) and not path.is_dir()
    advice = f". {columnar_advice(path)}" if is_columnar and not isinstance(error, MemoryError) else ""
    return f"{path} cannot be read as .{file_format}: {problem.removesuffix('.') if advice else problem}{advice}"


def path_stamps(path: Path) -> list[list[int]]:
    """Return what changes with the content of a file, of the archive that a path goes through, or of a directory's files."""
    return [stamp_of(file) for file in (parquet_files(path) if path.is_dir() else [archive_in(path)])]


def path_digest(path: Path) -> str:
    """Return the digest of a file, of the archive that a path goes through, or of a directory's files with their names.

    Raises:
        DataError: It cannot be read.
    """
    try:
        if not path.is_dir():
            return file_digest(archive_in(path))
        parts = [f"{file.relative_to(path).as_posix()}\n{file_digest(file)}\n" for file in parquet_files(path)]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

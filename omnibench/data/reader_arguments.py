"""The reader that the arguments of ``from_file`` ask for, with the columns that a look into the first file tells."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from omnibench.data.column_names import Columns, left_out, listed_names, renamed_columns, require_columns
from omnibench.data.file_columns import TextOptions, own_role, proposal, unknown_format
from omnibench.data.files.archives import BROKEN_MEMBERS
from omnibench.data.files.arrow import ARROW_FORMATS, arrow_names
from omnibench.data.files.layout import ROW_NAMES, SEPARATORS, names_them, with_row_names
from omnibench.data.files.members import RawFile, open_member, unreadable_member
from omnibench.data.files.parquet import column_names, parquet_files
from omnibench.data.files.streams import JSON_SUFFIXES, format_of
from omnibench.data.files.through import raw_file
from omnibench.data.reader_source import ReaderSource
from omnibench.data.readers.arrays import SPARSE
from omnibench.data.readers.keys import READER_KEYS
from omnibench.data.readers.layouts import WHITESPACE, layout_of, records
from omnibench.data.readers.options import checked_options
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.record_keys import record_keys
from omnibench.errors import DataError, nearest

_PLAIN = (*SEPARATORS, "parquet", *ARROW_FORMATS)
_FIRST_LINES = 9
"""Lines that tell whether rows have names."""

_RECORD_FORMATS = ("json", "python", "blocks")


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are to be read, as a user says it.

    Attributes:
        format: Their format; None for what their suffix says.
        text: The layout of text.
        options: What else readers take, by name; those alone that were given.
    """

    format: str | None
    text: TextOptions
    options: Mapping[str, Any]

    def is_plain(self, suffix: str) -> bool:
        """Whether nothing but a table is read whose values are what they are."""
        is_table = self.format in (None, *_PLAIN) and self.format_of(suffix) != "json"
        return is_table and not self.options and self.text.separator != WHITESPACE

    def format_of(self, suffix: str) -> str:
        """Return the format of a file: a reader's, a plain table's, or the suffix that says nothing.

        Raises:
            DataError: There is no such format.
        """
        name: Any = self.format
        if name is None:
            return "json" if suffix in JSON_SUFFIXES else suffix
        if name in JSON_SUFFIXES:
            return "json"
        if name not in (*_PLAIN, *READER_KEYS):
            formats = ", ".join(dict.fromkeys((*_PLAIN, *READER_KEYS)))
            raise DataError(
                f"from_file: format is {name!r}{nearest(name, [*_PLAIN, *READER_KEYS])}; give one of {formats}."
            )
        return str(name)


class DescribedRows(NamedTuple):
    """Raw files and what their columns are.

    Attributes:
        source: The files as a source.
        label: What warnings call them.
        renamed: omnibench's names of the columns that are used, by the files' own.
        guessed: Those that nobody has said.
        unused: The columns that are not used.
    """

    source: ReaderSource
    label: str
    renamed: Mapping[str, str]
    guessed: Mapping[str, str]
    unused: list[str]


def described_rows(paths: Sequence[Path], columns: Columns, reading: Reading, suffix: str) -> DescribedRows:
    """Look at the first of several files.

    Args:
        paths: The files, all of one format.
        columns: What their columns are.
        reading: How they are read.
        suffix: The format that the first one's suffix stands for.

    Raises:
        DataError: An argument does not go with the format, the file cannot be read, or lacks a column.
    """
    files = [raw_file(file) for path in paths for file in parquet_files(path)]
    stated = reading.format_of(suffix)
    reader_format = {"parquet": "parquet", **dict.fromkeys(ARROW_FORMATS, "feather")}.get(stated, stated)
    if reader_format not in READER_KEYS:
        reader_format = "table"
    options = checked_options(reader_format, {**reading.text.changed(), **reading.options})
    if reader_format == "table" and "separator" not in options:
        if stated not in SEPARATORS and suffix not in SEPARATORS:
            raise DataError(unknown_format(paths[0], reading.text.codec()))
        options["separator"] = SEPARATORS[stated if stated in SEPARATORS else suffix]
    look = _Look(paths[0], files[0], reader_format, options, stated)
    try:
        reader, renamed, guessed, names = look.reader(columns)
    except BROKEN_MEMBERS as error:
        raise DataError(unreadable_member(files[0], error)) from error
    _require_what_is_converted(reader, renamed, paths[0].name)
    used = {*renamed, *map(str, options.get("keep", ())), *left_out(columns)}
    unused = [name for name in names if name not in used]
    return DescribedRows(ReaderSource(reader, files), paths[0].name, renamed, guessed, unused)


def _require_what_is_converted(reader: Reader, renamed: Mapping[str, str], source: str) -> None:
    """Refuse a conversion of a column that is not there."""
    converted = {"time": "timestamp", "ratings": "rating", "decimal": "rating", "fraction": "rating"}
    for option, role in converted.items() if "columns" in READER_KEYS[reader.format] else ():
        if option in reader.options and role not in renamed.values():
            raise DataError(
                f"{source}: {option} says what the column {role!r} is, but there is none; say which it is, e.g. "
                f"columns={{'user_id': 'user', 'item_id': 'item', 'x': {role!r}}}, or leave {option} out."
            )


@dataclass(frozen=True, slots=True)
class _Look:
    """The first of several files, as it is looked at for its columns."""

    path: Path
    file: RawFile
    reader_format: str
    options: dict[str, Any]
    stated: str

    def reader(self, columns: Columns) -> tuple[Reader, Mapping[str, str], Mapping[str, str], list[str]]:
        """Return the reader, the columns that are used and those of them that are guessed, and the names of all."""
        if "columns" not in READER_KEYS[self.reader_format]:
            if columns is not None:
                raise DataError(
                    f"{self.path.name}: columns is {columns!r}, but the format {self.reader_format!r} has no names of columns; leave "
                    "it out."
                )
            return Reader(self.reader_format, (), self.options), {}, {}, []
        if columns is not None and not isinstance(columns, Mapping):
            return self._listed(columns)
        mapping = dict(columns or {})
        is_said = {"user", "item"} <= set(mapping.values()) and self.reader_format in _RECORD_FORMATS
        names = [] if is_said else self._names()
        if self.reader_format == "npz" and set(names) >= SPARSE and not mapping:
            return Reader("npz", (), self.options), {}, {}, []
        header = [*names, *(name for name in mapping if name not in names and self.reader_format in _RECORD_FORMATS)]
        renamed, guessed = renamed_columns(header, mapping, self.path.name, self._own_role, self._hint)
        for name in self.options.get("keep", {}) if names and self.reader_format not in _RECORD_FORMATS else ():
            if name not in names:
                raise DataError(
                    f"{self.path.name} has no column {name!r}, which keep names{nearest(name, names) or '.'} It has {names}."
                )
        reader = Reader(self.reader_format, renamed, self.options)
        if self.reader_format == "table" and names[0] == ROW_NAMES:
            reader = self._by_position(names, renamed)
        return reader, renamed, guessed, names

    def _by_position(self, names: Sequence[str], renamed: Mapping[str, str]) -> Reader:
        """Return the reader of a table whose first column has no name in the header, as R's write.table writes it."""
        line = next(self._records())[0]
        options = {**self.options, "header": False, "skipped_lines": line}
        if "keep" in options:
            options["keep"] = {self._number(name, names): values for name, values in options["keep"].items()}
        return Reader("table", tuple(renamed.get(name, "") for name in names), options)

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        return records(self.file, layout_of(Reader("table", {}, self.options)))

    def _own_role(self, column: str) -> str:
        return own_role(column, self.stated)

    def _listed(self, columns: Sequence[str | None]) -> tuple[Reader, Mapping[str, str], Mapping[str, str], list[str]]:
        """Return the reader of a table without a header, or whose header does not count."""
        if self.reader_format not in ("table", "npz"):
            raise DataError(
                f"{self.path.name}: columns is {columns!r}, but the format {self.reader_format!r} has names; give a mapping such as "
                "{'userId': 'user'}."
            )
        names = listed_names(columns, self.path.name)
        options = {name: value for name, value in self.options.items() if name != "header"}
        roles = tuple(name if name in ("user", "item", "rating", "timestamp") else "" for name in map(str, names))
        require_columns(roles, [str(name) for name in names if name], self.path.name)
        if self.reader_format == "table":
            self._check_first_line(names)
            if self.options.get("header"):
                options["skipped_lines"] = options.get("skipped_lines", 0) + 1
            options["keep"] = {
                self._number(column, names): values for column, values in options.get("keep", {}).items()
            }
            if not options["keep"]:
                del options["keep"]
        return Reader(self.reader_format, roles, options), dict(zip(roles, roles, strict=True)), {}, []

    def _check_first_line(self, names: Sequence[str | None]) -> None:
        fields = next(
            records(self.file, layout_of(Reader("table", ("",), {**self.options, "header": False}))), (0, [])
        )[1]
        if fields and self.options.get("header") is None and names_them(fields, names):
            raise DataError(
                f"{self.path.name}: its first line, {fields}, looks like a header, but columns is a list, which is for a file without "
                "one. Leave columns out, or give a mapping from its names; say header=True where the list has other names for all "
                "columns."
            )
        if fields and len(fields) != len(names):
            raise DataError(
                f"{self.path.name}: columns lists {len(names)} names, but its first line has {len(fields)} fields: {fields}. Give a "
                "name for each, None for what is not used."
            )

    def _number(self, column: str, names: Sequence[str | None]) -> str:
        """Return the number of a column that has a name in the list alone."""
        if column in names:
            return str(list(names).index(column) + 1)
        if column.isdecimal() and 1 <= int(column) <= len(names):
            return column
        listed = [name for name in names if name]
        raise DataError(
            f"{self.path.name}: keep names the column {column!r}, which columns does not list{nearest(column, listed)}; it has "
            f"{', '.join(map(repr, listed))}."
        )

    def _names(self) -> list[str]:
        encoding = str(self.options.get("encoding", "utf-8"))
        if self.reader_format == "parquet":
            return column_names(self.path)
        if self.reader_format == "feather":
            return arrow_names(self.path)
        if self.reader_format == "npz":
            return self._arrays()
        if self.reader_format in _RECORD_FORMATS:
            keys = record_keys(self.file, self.reader_format, encoding, str(self.options.get("nested", "")))
            if not keys:
                hint = self._hint()
                problem = f"has no record of the format {self.reader_format!r} at its beginning" if hint else "is empty"
                raise DataError(f"{self.path} {problem}; give a file with interactions.{hint}")
            return keys
        if self.options.get("header") is False:
            raise DataError(
                f"{self.path.name}: without a header, columns has to list the names of all columns, e.g. ['user', 'item', None, "
                f"'timestamp'].{self._hint()}"
            )
        first = [fields for _, fields in itertools.islice(self._records(), _FIRST_LINES)]
        if not first:
            raise DataError(f"{self.path} is empty; give a file with a header and interactions.")
        return list(with_row_names(tuple(first[0]), first[1:], self.path))

    def _arrays(self) -> list[str]:
        """Return the names of numpy's arrays.

        Raises:
            DataError: It is a single one, whose columns have no names.
        """
        with open_member(self.file) as stream:
            content = io.BytesIO(stream.read())
        if not zipfile.is_zipfile(content):
            raise DataError(
                f"{self.path.name} is an array without names; say what its columns are, e.g. columns=['user', 'item', 'rating']."
            )
        with zipfile.ZipFile(content) as arrays:
            return [name.removesuffix(".npy") for name in arrays.namelist()]

    def _hint(self) -> str:
        if self.reader_format in ("parquet", "feather", "npz"):
            return ""
        return proposal(self.path, format_of(self.path), str(self.options.get("encoding", "utf-8")))

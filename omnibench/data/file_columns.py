"""How a file is read: its format, the layout of text, and which of its columns are used."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from omnibench.data.column_names import Columns, left_out, listed_names, renamed_columns
from omnibench.data.file_source import FileSource, unreadable
from omnibench.data.files.arrow import ARROW_FORMATS, arrow_names
from omnibench.data.files.layout import SEPARATORS, TextLayout, first_lines, layout_of
from omnibench.data.files.parquet import column_names
from omnibench.data.files.quotes import QUOTE
from omnibench.data.files.streams import BROKEN, COMPRESSIONS, format_of
from omnibench.data.files.through import archive_in
from omnibench.data.probable_calls import probable_call
from omnibench.errors import DataError

_HDF5 = (".h5", ".hdf5")

_SHOWN_LINES = 3
_LONGEST_SHOWN = 60
_LONGEST = 200
"""Letters of a line that tell whether it is one of text."""

_ALIASES = {"user_id": "user", "item_id": "item"}
"""The columns' names in RecBole's atomic files."""


@dataclass(frozen=True, slots=True)
class TextOptions:
    """What was said of the layout of text files; None where nothing was.

    Attributes:
        separator: What separates fields.
        header: Whether the first line is a header.
        encoding: As Python calls it.
        quote: What stands around fields.
    """

    separator: str | None
    header: bool | None
    encoding: str
    quote: str | None

    def changed(self) -> dict[str, Any]:
        """Return what is not so by default, checked.

        Raises:
            DataError: An argument cannot be.
        """
        if self.quote not in (None, "", QUOTE):
            raise DataError(f"from_file: quote is {self.quote!r}; give {QUOTE!r}, or '' for none.")
        mark: Any = self.separator
        if mark is not None and (not isinstance(mark, str) or not mark or set(mark) & set('\n\r"')):
            raise DataError(f"from_file: separator is {mark!r}; give what stands between two fields, e.g. ';' or '::'.")
        arguments = {
            "separator": self.separator,
            "header": self.header,
            "encoding": None if self.codec() == "utf-8" else self.codec(),
            "quote": self.quote,
        }
        return {option: value for option, value in arguments.items() if value is not None}

    def codec(self) -> str:
        """Return the encoding's usual name.

        Raises:
            DataError: There is no such encoding.
        """
        try:
            return codecs.lookup(self.encoding).name
        except (LookupError, TypeError) as error:
            raise DataError(
                f"from_file: there is no encoding {self.encoding!r}; give one such as 'utf-8' or 'latin-1'."
            ) from error


class DescribedFile(NamedTuple):
    """A file and what its columns are.

    Attributes:
        source: The file as a source.
        guessed: omnibench's names of columns that nobody has said, by the file's own.
        unused: The columns that are not used, without those that are left out on purpose.
    """

    source: FileSource
    guessed: Mapping[str, str]
    unused: list[str]


def described_file(path: Path, columns: Columns, text: TextOptions, file_format: str) -> DescribedFile:
    """Look at a file's first lines, or what else tells its columns.

    Args:
        path: The file, a directory of Parquet files, or a path through an archive.
        columns: What its columns are.
        text: How a text file is laid out.
        file_format: Its format, or the suffix that says none.

    Raises:
        DataError: The file is of an unknown kind, cannot be read, or lacks a column.
    """
    options = text.changed()
    try:
        if file_format == "parquet" or file_format in ARROW_FORMATS:
            if options:
                raise DataError(f"{path.name}: {', '.join(options)} is for text files; leave it out.")
            layout, names = None, column_names(path) if file_format == "parquet" else arrow_names(path)
        else:
            layout = _layout(path, file_format, columns, text)
            names = list(layout.names)
    except BROKEN as error:
        raise DataError(_unreadable(path, file_format, error)) from error
    is_list = columns is not None and not isinstance(columns, Mapping)
    if layout is None and is_list:
        raise DataError(
            f"{path.name}: columns is {columns!r}, but a .{file_format} file has names; give a mapping from those that are not "
            f"called user, item, rating or timestamp, e.g. columns={{{names[0]!r}: 'user'}}. It has {names}."
        )
    if layout is not None and is_list:
        options["columns"] = list(layout.names)
    if archive_in(path) != path:
        options["member"] = path.relative_to(archive_in(path)).as_posix()
    mapping = dict(columns) if isinstance(columns, Mapping) else {}

    def hint() -> str:
        return "" if layout is None else proposal(path, file_format, text.codec())

    renamed, guessed = renamed_columns(
        names, mapping, path.name, lambda name: own_role(name, file_format), hint, guesses=not is_list
    )
    used = {*renamed, *left_out(columns)}
    unused = [name for name in names if name not in used and not (is_list and name.startswith("column "))]
    return DescribedFile(FileSource(path, file_format, renamed, layout, options), guessed, unused)


def own_role(column: str, file_format: str) -> str:
    """Return what a column is by its own name, which may end in its type as RecBole's do."""
    base_name = column.split(":", maxsplit=1)[0]
    return _ALIASES.get(base_name, base_name) if file_format == "inter" else base_name


def _layout(path: Path, file_format: str, columns: Columns, text: TextOptions) -> TextLayout:
    """Return how a text file is laid out.

    Raises:
        DataError: Nothing says what separates its fields; the error shows a call that would work.
    """
    if text.separator is None and file_format not in SEPARATORS:
        raise DataError(unknown_format(path, text.codec()))
    names = None if columns is None or isinstance(columns, Mapping) else listed_names(columns, path.name)
    separator = text.separator or SEPARATORS[file_format]
    return layout_of(path, file_format, separator, names, text.header, text.codec(), text.quote)


def _unreadable(path: Path, file_format: str, error: Exception) -> str:
    """Return what to say of a file that cannot be read, with a call that would read one in another encoding."""
    try:
        return unreadable(path, file_format, error)
    except DataError as flaw:
        call = probable_call(path, file_format) if isinstance(error, UnicodeDecodeError) else ""
        return f"{flaw} Or try {call}; check what it says of the columns." if call else str(flaw)


def unknown_format(path: Path, encoding: str) -> str:
    """Return what to say of a file whose suffix is of no format, with a call that would read it."""
    endings = path.suffixes[-2:] if path.suffix.lower() in COMPRESSIONS else path.suffixes[-1:]
    problem = (
        f"{path.name} ends in {''.join(endings)!r}; from_file reads .csv, .tsv, .parquet, .feather, .inter and .jsonl, text with a "
        "separator=, and other formats by format="
    )
    lines = _first_lines(path, encoding)
    call = probable_call(path, format_of(path))
    start = f" Its first lines are {_shown(lines)}; try" if lines else " Try"
    advice = f"{start} {call}; check what it says of the columns." if call else ""
    if path.suffix.lower() in _HDF5:
        advice = " Say that it is format='hdf5', and its matrix=... where it has several, orientation='items' where a row is an item."
    return f"{problem}.{advice} For anything else, read it with pandas and use from_frame."


def proposal(path: Path, file_format: str, encoding: str) -> str:
    """Return the first lines of a file for an error, and a call that would read it where they tell one."""
    lines = _first_lines(path, encoding)
    call = probable_call(path, file_format)
    end = f"; try {call}; check what it says of the columns." if call else "."
    return f" Its first lines are {_shown(lines)}{end}" if lines else ""


def _shown(lines: Sequence[str]) -> str:
    """Return the first lines of a file for an error."""
    texts = [line.rstrip("\r\n") for line in lines[:_SHOWN_LINES]]
    return ", ".join(repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...") for text in texts)


def _first_lines(path: Path, encoding: str) -> list[str]:
    try:
        lines = first_lines(path, encoding)
    except BROKEN:
        return []
    is_text = all(letter.isprintable() or letter in "\t\r\n" for line in lines for letter in line[:_LONGEST])
    return lines if is_text else []

"""Sources of interactions: pandas frames and files."""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.content import Content, content_of, remembered_content
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.digests import table_digest
from omnibench.data.file_source import FileSource, unreadable
from omnibench.data.files.layout import TextLayout, first_lines, layout_of
from omnibench.data.files.parquet import column_names, is_parquet_directory
from omnibench.data.files.proposals import SEPARATORS, proposed_call, shown_lines, usual_columns
from omnibench.data.files.quotes import QUOTE
from omnibench.data.files.streams import BROKEN, COMPRESSIONS, uncompressed_name
from omnibench.data.interactions import COLUMNS, Interactions, from_columns
from omnibench.data.numbers import row_name
from omnibench.errors import DataError, nearest
from omnibench.paths import absolute_paths, overlong_name

if TYPE_CHECKING:
    import pandas as pd

_ALIASES = {"user_id": "user", "item_id": "item"}
"""The columns' names in RecBole's atomic files."""


@dataclass(frozen=True)
class FrameSource:
    """Interactions that the user already has in memory."""

    frame: pd.DataFrame
    name: str

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for column in COLUMNS if column in self.frame.columns)

    @property
    def label(self) -> str:
        return self.name

    def read(self) -> dict[str, Any]:
        return {name: self.frame[name] for name in self.columns}

    @cached_property
    def content(self) -> Content:
        return remembered_content(lambda: self.identity, len(self.frame), lambda: content_of(self.read(), self.label))

    @cached_property
    def identity(self) -> list[str]:
        """What identifies the rows of the frame as they are."""
        return ["table", table_digest(self.read())]

    @cached_property
    def fingerprint(self) -> Any:
        """What identified the frame before the order of its rows and the types of its numbers stopped to count.

        Another for what was read wrong then.
        """
        return self.identity if self.content.as_before else ["table/2", *self.identity[1:]]

    def row_name(self, row: int) -> str:
        return row_name(row)

    def load(self) -> Interactions:
        return from_columns(self.read(), self.name)


def from_frame(df: pd.DataFrame, name: str = "frame", *, items: Any = None, users: Any = None) -> RecSysDataSet:
    """Make a dataset of a pandas frame of interactions.

    The frame is copied, so changing it later does not change the dataset.

    Args:
        df: Columns user and item (any hashable ids), and optionally rating (numbers) and timestamp (seconds
            since 1970, or dates; whole numbers in another unit stay what they are).
        name: What to call the dataset; a label, not part of its key.
        items: What is known about items: a frame with a column ``item``, or a file; see ``RecSysDataSet.with_features``.
        users: The same for users.

    Raises:
        DataError: It is no pandas frame, a column is missing, or there is no row.
    """
    import pandas as pd

    argument: Any = df
    if not isinstance(argument, pd.DataFrame):
        hint = "; give its .to_pandas()" if hasattr(argument, "to_pandas") else ""
        raise DataError(f"from_frame got {type(df).__name__}, not a pandas DataFrame{hint}.")
    if df.columns.nlevels > 1:
        raise DataError(
            f"{name} has columns of {df.columns.nlevels} levels, {list(df.columns)}; give them one name each."
        )
    header = [str(column) for column in df.columns]
    names = [column for column in COLUMNS if column in df.columns]
    _require_columns({column: column for column in names}, header, name)
    repeated = [column for column in names if header.count(column) > 1]
    if repeated:
        raise DataError(f"{name} has the column {repeated[0]!r} twice; it has {header}. Rename or drop one.")
    if len(df) == 0:
        raise DataError(f"{name} has no interactions.")
    rename = "df.rename(columns={{{!r}: {!r}}})"
    warn_of_unused_columns([column for column in header if column not in names], names, name, rename)
    dataset = RecSysDataSet(FrameSource(df[names].reset_index(drop=True).copy(), name), name)
    return dataset if items is None and users is None else dataset.with_features(items, users)


def from_file(
    path: str | Path,
    name: str | None = None,
    columns: Mapping[str, str] | Sequence[str | None] | None = None,
    *,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str = "utf-8",
    quote: str | None = None,
    items: Any = None,
    users: Any = None,
) -> RecSysDataSet:
    """Make a dataset of a file of interactions.

    Ids are texts, unless all of a column's are integers as they are usually written: ``007`` stays what it is. Every
    line has as many fields as the header.

    Args:
        path: A ``.csv``, ``.tsv``, ``.parquet`` or (RecBole's atomic format) ``.inter`` file, a text file of another suffix
            with its ``separator``, one of these compressed (``.gz``, ``.bz2``, ``.xz``, ``.zst``), or a directory of Parquet
            files. Under pytest a relative path begins beside the bench file; what is not there, and in a script, in the
            working directory.
        name: What to call the dataset; the file's stem by default.
        columns: The file's own column names to omnibench's, e.g. ``{"userId": "user", "movieId": "item"}``,
            where they are not called user, item, rating, timestamp already. For a file without a header the names of all
            its columns, e.g. ``["user", "item", None, "timestamp"]``, None for one that is not used.
        separator: What separates the fields of a text file, e.g. ``";"`` or ``"::"``; the format's own by default.
        header: Whether the first line is a header; by default it is, unless ``columns`` lists all names.
        encoding: The encoding of a text file as Python calls it, e.g. ``latin-1``.
        quote: ``'"'`` for fields that may stand in quotation marks, ``""`` for marks that are letters like any other. By
            default the first of .csv files; of others the second, unless all marks are needed as quotes.
        items: What is known about items: a frame with a column ``item``, or a file; see ``RecSysDataSet.with_features``.
        users: The same for users.

    Raises:
        DataError: The file is not there, of an unknown kind, cannot be read, or lacks a column.
    """
    problem = overlong_name(path)
    if problem:
        raise DataError(f"from_file: {problem}; check the path.")
    paths = absolute_paths(path)
    path = next((file for file in paths if file.is_file() or is_parquet_directory(file)), paths[0])
    if path.is_dir() and not is_parquet_directory(path):
        raise DataError(f"{path} is a directory without .parquet files; give a file, or a directory of Parquet files.")
    if not path.exists():
        raise DataError(f"there is no file {' or '.join(repr(str(file)) for file in paths)}; check the path.")
    stem = uncompressed_name(path)
    file_format = "parquet" if path.is_dir() else stem.suffix.lower().lstrip(".")
    options = _options(separator, header, encoding, quote)
    try:
        if file_format == "parquet" and path.suffix.lower() not in COMPRESSIONS:
            if options:
                raise DataError(f"{path.name}: {', '.join(options)} is for text files; leave it out.")
            layout, names = None, column_names(path)
        else:
            layout = _layout(path, file_format, columns, separator, header, encoding, quote)
            names = list(layout.names)
    except BROKEN as error:
        raise DataError(unreadable(path, file_format, error)) from error
    if layout is not None and isinstance(columns, Sequence):
        options["columns"] = list(layout.names)
    renamed = _renamed(path, file_format, names, columns, encoding)
    unused = [
        column
        for column in names
        if column not in renamed and not (options.get("columns") and column.startswith("column "))
    ]
    warn_of_unused_columns(unused, list(renamed.values()), path.name, "columns={{{!r}: {!r}}}")
    dataset = RecSysDataSet(FileSource(path, file_format, renamed, layout, options), name or stem.stem)
    return dataset if items is None and users is None else dataset.with_features(items, users)


def _options(separator: str | None, header: bool | None, encoding: str, quote: str | None) -> dict[str, Any]:
    """Return what was said of a text file that is not so by default."""
    if quote not in (None, "", QUOTE):
        raise DataError(f"from_file: quote is {quote!r}; give {QUOTE!r}, or '' for none.")
    mark: Any = separator
    if mark is not None and (not isinstance(mark, str) or not mark or set(mark) & set('\n\r"')):
        raise DataError(
            f"from_file: separator is {separator!r}; give what stands between two fields, e.g. ';' or '::'."
        )
    try:
        codec = codecs.lookup(encoding).name
    except (LookupError, TypeError) as error:
        raise DataError(
            f"from_file: there is no encoding {encoding!r}; give one such as 'utf-8' or 'latin-1'."
        ) from error
    arguments = {
        "separator": separator,
        "header": header,
        "encoding": None if codec == "utf-8" else codec,
        "quote": quote,
    }
    return {option: value for option, value in arguments.items() if value is not None}


def _layout(
    path: Path,
    file_format: str,
    columns: Mapping[str, str] | Sequence[str | None] | None,
    separator: str | None,
    header: bool | None,
    encoding: str,
    quote: str | None,
) -> TextLayout:
    """Return how a text file is laid out.

    Raises:
        DataError: Nothing says what separates its fields; the error shows a call that would work.
    """
    if separator is None and file_format not in SEPARATORS:
        raise DataError(_unknown_format(path, encoding))
    codec = codecs.lookup(encoding).name
    names = None if columns is None or isinstance(columns, Mapping) else _listed(columns, path.name)
    return layout_of(path, file_format, separator or SEPARATORS[file_format], names, header, codec, quote)


def _unknown_format(path: Path, encoding: str) -> str:
    problem = f"{path.name} ends in {path.suffix!r}; from_file reads .csv, .tsv, .parquet and .inter, and text with a separator="
    lines = _first_lines(path, encoding)
    call = proposed_call(path, "", lines) if lines else ""
    proposal = f" Its first lines are {shown_lines(lines)}; try {call}, with what its columns are." if call else ""
    return f"{problem}.{proposal} For anything else, read it with pandas and use from_frame."


def _first_lines(path: Path, encoding: str) -> list[str]:
    try:
        return first_lines(path, encoding)
    except BROKEN:
        return []


def _listed(columns: Sequence[str | None], source: str) -> list[str | None]:
    """Return the names of all columns as they were listed.

    Raises:
        DataError: They are no names, or not all different.
    """
    listed = [] if isinstance(columns, str) or not isinstance(columns, Sequence) else list(columns)
    names: list[Any] = [name for name in listed if name is not None]
    if not all(isinstance(name, str) and name for name in names) or not names:
        raise DataError(
            f"{source}: columns is {columns!r}; give a mapping such as {{'userId': 'user'}}, or for a file without a header "
            "the names of all its columns, e.g. ['user', 'item', None, 'timestamp']."
        )
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise DataError(f"{source}: columns lists {doubled[0]!r} twice; give each name once.")
    return listed


def _renamed(
    path: Path,
    file_format: str,
    header: list[str],
    columns: Mapping[str, str] | Sequence[str | None] | None,
    encoding: str,
) -> dict[str, str]:
    """Return omnibench's names of the columns that are used, by the file's own."""
    if columns is not None and not isinstance(columns, Mapping) and file_format == "parquet":
        raise DataError(
            f"{path.name}: columns is {columns!r}, but a .parquet file has names; give a mapping from those that are not "
            f"called user, item, rating or timestamp, e.g. columns={{{header[0]!r}: 'user'}}. It has {header}."
        )
    mapping = dict(columns) if isinstance(columns, Mapping) else {}
    _check_mapping(mapping, header, path.name)
    renamed: dict[str, str] = {}
    for column in header:
        base_name = column.split(":")[0]
        target = mapping.get(column) or (_ALIASES.get(base_name, base_name) if file_format == "inter" else base_name)
        if (
            target in COLUMNS
            and target not in renamed.values()
            and (column in mapping or target not in mapping.values())
        ):
            renamed[column] = target
    hint = ""
    if file_format != "parquet" and not {"user", "item"} <= set(renamed.values()):
        lines = _first_lines(path, encoding)
        call = proposed_call(path, file_format, lines)
        hint = f" Its first lines are {shown_lines(lines)}" + (
            f"; try {call}, with what its columns are." if call else "."
        )
    _require_columns(renamed, header, path.name, hint)
    return renamed


def _check_mapping(mapping: Mapping[str, str], header: list[str], source: str) -> None:
    for column, target in mapping.items():
        if column not in header:
            raise DataError(f"{source} has no column {column!r}{nearest(column, header) or '.'} It has {header}.")
        if target not in COLUMNS:
            raise DataError(
                f"{source}: the column {column!r} is to be {target!r}, which omnibench does not know"
                f"{nearest(target, COLUMNS)}; known are {', '.join(COLUMNS)}."
            )
        if list(mapping.values()).count(target) > 1:
            raise DataError(f"{source}: two columns are to be {target!r}; give one.")


def warn_of_unused_columns(unused: list[str], used: list[str], source: str, rename: str) -> None:
    """Warn of columns that a dataset drops; row numbers that pandas or R has written are nobody's loss."""
    unused = [column for column in unused if column and not column.startswith(("Unnamed:", "__index_level_"))]
    if not unused:
        return
    missing = [column for column in COLUMNS if column not in used]
    usual = {role: column for role, column in usual_columns(unused).items() if role in missing}
    role, column = next(iter(usual.items()), (missing[-1] if missing else "", unused[0]))
    call = f" If {column!r} is the {role}, say so: {rename.format(column, role)}." if missing else ""
    warnings.warn(
        f"{source}: a dataset keeps user, item, rating and timestamp, and drops {', '.join(map(repr, unused))}.{call} An "
        "algorithm or a metric of your own that needs the others is given them as a parameter, as "
        "IntraListDiversity({item: features}) is, or reads them itself.",
        UserWarning,
        stacklevel=3,
    )


def _require_columns(renamed: Mapping[str, str], header: list[str], source: str, hint: str = "") -> None:
    for column in ("user", "item"):
        if column not in renamed.values():
            raise DataError(
                f"{source} has no column {column!r}{nearest(column, header) or '.'} It has {header}. "
                "Interactions need columns user and item, and may have rating and timestamp; rename what is called "
                f"otherwise.{hint}"
            )

"""Files of features as frames: CSV, TSV, Parquet and RecBole's atomic files of items and users."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.file_source import unreadable
from omnibench.data.files.layout import SEPARATORS, TextLayout, layout_of
from omnibench.data.files.lines import refuse_flaws, refuse_undecodable
from omnibench.data.files.parquet import column_names, is_parquet_directory, read_parquet
from omnibench.data.files.streams import BROKEN, format_of, open_utf8, single
from omnibench.data.files.text import integers_of
from omnibench.data.numbers import EXACT_INTEGERS
from omnibench.data.usual_names import usual_columns
from omnibench.errors import DataError, nearest
from omnibench.guest.feature_types import singular

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = {"csv": SEPARATORS["csv"], **dict.fromkeys(("tsv", "item", "user"), SEPARATORS["tsv"])}
_ATOMIC = ("item", "user")
"""RecBole's files, whose header says the type of each column."""

_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?$|^-?\.[0-9]+$"
_INTEGER = r"^-?(0|[1-9][0-9]*)$"
_TRUTHS = {"true": True, "false": False}


def feature_names(path: Path, subject: str) -> list[str]:
    """Return the names of the columns that ``feature_frame`` has, of which only the first lines are read.

    Raises:
        DataError: The file cannot be read, or no column has the ids.
    """
    return list(_renamed(_header(path), path, subject).values())


def feature_frame(path: Path, subject: str) -> pd.DataFrame:
    """Read a file of features; ids as in a file of interactions, other columns as numbers where all of it are.

    Args:
        path: The file, or a directory of Parquet files.
        subject: ``items`` or ``users``, whose ids are in the column ``item`` or ``user``, or one of a usual name.

    Raises:
        DataError: The file cannot be read, or no column has the ids.
    """
    import pandas as pd

    renamed = _renamed(_header(path), path, subject)
    if format_of(path) == "parquet":
        return _parquet(path, list(renamed)).rename(columns=renamed)
    layout, table = _texts(path)
    columns: dict[str, Any] = {}
    for name, column in zip(layout.names, table.columns, strict=True):
        if name not in renamed:
            continue
        atomic_type = name.partition(":")[2] if format_of(path) in _ATOMIC else ""
        if renamed[name] == singular(subject):
            integers = None if column.null_count else integers_of(column.combine_chunks())
            columns[renamed[name]] = pd.Series(column.to_pylist(), dtype=object) if integers is None else integers
        else:
            columns[renamed[name]] = typed_texts(column, atomic_type)
    return pd.DataFrame(columns)


def _header(path: Path) -> list[str]:
    """Return the names of the columns as they stand in the file.

    Raises:
        DataError: It cannot be read.
    """
    file_format = format_of(path)
    try:
        if file_format == "parquet":
            if path.is_dir() and not is_parquet_directory(path):
                raise DataError(f"{path} is a directory without .parquet files; give a file of features.")
            return column_names(path)
        return list(_layout(path).names)
    except BROKEN as error:
        raise DataError(_unreadable(path, error)) from error


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        call = f"pandas.read_csv({path.name!r}, dtype=str, encoding='latin-1')"
        refuse_undecodable(path, "utf-8", f"Read it in its own encoding, e.g. {call}, and give the frame.")
    return unreadable(path, format_of(path), error)


def _layout(path: Path) -> TextLayout:
    file_format = format_of(path)
    if file_format not in _SEPARATORS:
        raise DataError(
            f"{path.name} ends in {path.suffix!r}; features are read from .csv, .tsv, .parquet, .item and .user. Read anything else "
            "with pandas, and give the frame."
        )
    return layout_of(path, file_format, _SEPARATORS[file_format], None, None, "utf-8", None)


def _renamed(header: list[str], path: Path, subject: str) -> dict[str, str]:
    """Return the names of the columns that are used, by the file's own; row numbers of pandas and R are not."""
    names = [name for name in header if name and not name.startswith(("Unnamed:", "__index_level_"))]
    is_atomic = format_of(path) in _ATOMIC
    renamed = {name: name.partition(":")[0] if is_atomic else name for name in names}
    id_name = singular(subject)
    if id_name not in renamed.values():
        usual = usual_columns(names).get(id_name)
        if usual is None:
            raise DataError(
                f"{path.name} has no column {id_name!r}{nearest(id_name, names) or '.'} It has {names}. Features of {subject} need "
                f"the ids of the interactions in a column {id_name!r}: rename what is called otherwise, e.g. "
                f"pandas.read_csv({path.name!r}, dtype={{{names[0]!r}: str}}).rename(columns={{{names[0]!r}: {id_name!r}}}), and give "
                "the frame."
            )
        renamed[usual] = id_name
    return renamed


def _parquet(path: Path, names: list[str]) -> pd.DataFrame:
    try:
        return read_parquet(path, names)
    except BROKEN as error:
        raise DataError(_unreadable(path, error)) from error


def _texts(path: Path) -> tuple[TextLayout, Any]:
    """Return how a text file is laid out, and its columns as texts, without what is missing."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        layout, quotes = _layout(path).settled()
        if layout.quote and not quotes.well_formed:
            refuse_flaws(layout)
        names = [f"column {number}" for number in range(len(layout.names))]
        with open_utf8(layout.path, layout.encoding, layout.separator) as stream:
            table = csv.read_csv(
                stream,
                csv.ReadOptions(column_names=names, skip_rows=layout.skipped_lines),
                csv.ParseOptions(
                    delimiter=single(layout.separator),
                    quote_char=layout.quote or False,
                    newlines_in_values=bool(layout.quote),
                ),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
                ),
            )
    except BROKEN as error:
        if isinstance(error, pa.ArrowInvalid):
            refuse_flaws(layout)
        raise DataError(_unreadable(path, error)) from error
    return layout, table


def typed_texts(column: Any, atomic_type: str = "") -> Any:
    """Return a column as numbers, truth values or texts, whatever all of its fields are written as.

    A field that begins with a needless zero is a text, and so are whole numbers that 64-bit floats do not hold.

    Args:
        column: The fields as a pyarrow array of texts, null where there is nothing.
        atomic_type: What RecBole's header says; empty where nothing is said.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if atomic_type == "token_seq":
        return pd.Series([None if field is None else field.split() for field in column.to_pylist()], dtype=object)
    texts = pc.drop_null(column)
    is_number = atomic_type != "token" or pc.all(pc.match_substring_regex(texts, _INTEGER)).as_py()
    if is_number and len(texts) and pc.all(pc.match_substring_regex(texts, _NUMBER)).as_py():
        numbers = column.cast(pa.float64()).to_pandas()
        wholes = texts.filter(pc.match_substring_regex(texts, _INTEGER)).cast(pa.float64())
        if not len(wholes) or pc.max(pc.abs(wholes)).as_py() < EXACT_INTEGERS:
            return numbers
    fields = column.to_pylist()
    if len(texts) and all(field is None or field.lower() in _TRUTHS for field in fields):
        return pd.Series([None if field is None else _TRUTHS[field.lower()] for field in fields], dtype=object)
    return pd.Series(fields, dtype=object)

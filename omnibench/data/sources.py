"""Sources of interactions: pandas frames and files."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.content import Content, content_of, remembered_content
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.digests import file_digest, table_digest
from omnibench.data.interactions import COLUMNS, Interactions, from_columns
from omnibench.errors import ChangedDataError, DataError, nearest
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
        return remembered_content(
            lambda: self.fingerprint, len(self.frame), lambda: content_of(self.read(), self.label)
        )

    @cached_property
    def fingerprint(self) -> Any:
        """What identified the frame before the order of its rows and the types of its numbers stopped to count."""
        return ["table", table_digest(self.read())]

    def load(self) -> Interactions:
        return from_columns(self.read(), self.name)


@dataclass(frozen=True)
class FileSource:
    """Interactions in a CSV, TSV, Parquet or atomic ``.inter`` file."""

    path: Path
    file_format: str
    renamed: Mapping[str, str]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for column in COLUMNS if column in self.renamed.values())

    @property
    def label(self) -> str:
        return str(self.path)

    @cached_property
    def content(self) -> Content:
        return remembered_content(lambda: self.fingerprint, None, lambda: content_of(self.read(), self.label))

    @cached_property
    def fingerprint(self) -> Any:
        """What identified the file before its content did."""
        try:
            return ["file", self.file_format, dict(self.renamed), file_digest(self.path)]
        except OSError as error:
            raise DataError(f"{self.path} cannot be read ({error.strerror or error}); check the path.") from error

    def read(self) -> dict[str, Any]:
        header = list(self.renamed)
        try:
            frame = (
                _read_parquet(self.path, header)
                if self.file_format == "parquet"
                else _read_text(self.path, self.file_format, header)
            )
        except (OSError, ValueError) as error:  # what pandas and pyarrow raise for broken content are ValueErrors
            raise DataError(f"{self.path} cannot be read as .{self.file_format}: {error}") from error
        if file_digest(self.path) != self.fingerprint[-1]:
            raise ChangedDataError(
                f"{self.path} has changed since this run read its key; its results would be recorded for the old "
                "content. Run again."
            )
        return {self.renamed[name]: frame[name] for name in header}

    def load(self) -> Interactions:
        return from_columns(self.read(), self.label)


def _read_parquet(path: Path, columns: list[str]) -> pd.DataFrame:
    import pyarrow.parquet as pq

    # Without pandas' metadata, which would make an index of a column that was one.
    with path.open("rb") as file:  # pyarrow opens no name that is not UTF-8
        frame: pd.DataFrame = pq.read_table(file, columns=columns).to_pandas(ignore_metadata=True)
    return frame


def _read_text(path: Path, file_format: str, columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    options: dict[str, Any] = {
        # Tokens of atomic files are names, not numbers: '007' and '7' are two users.
        "dtype": {name: str for name in columns if name.endswith(":token")},
        # "NA", "null" and the like are ids as good as any; only an empty field is a missing one.
        "keep_default_na": False,
        "na_values": [""],
        # Guessing a type chunk by chunk would make 1 and '1' of the same id.
        "low_memory": False,
        "encoding": "utf-8",
    }
    if tuple(int(part) for part in pd.__version__.split(".")[:2]) < (3, 1):
        options["float_precision"] = "round_trip"  # later versions do that always, and warn of the option
    frame: pd.DataFrame = pd.read_csv(path, sep="," if file_format == "csv" else "\t", usecols=columns, **options)
    return frame


def from_frame(df: pd.DataFrame, name: str = "frame") -> RecSysDataSet:
    """Make a dataset of a pandas frame of interactions.

    The frame is copied, so changing it later does not change the dataset.

    Args:
        df: Columns user and item (any hashable ids), and optionally rating (numbers) and timestamp (seconds
            since 1970, or dates; whole numbers in another unit stay what they are).
        name: What to call the dataset; a label, not part of its key.

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
    _warn_of_unused_columns([column for column in header if column not in names], names, name, rename)
    return RecSysDataSet(FrameSource(df[names].reset_index(drop=True).copy(), name), name)


def from_file(path: str | Path, name: str | None = None, columns: Mapping[str, str] | None = None) -> RecSysDataSet:
    """Make a dataset of a file of interactions.

    Args:
        path: A ``.csv``, ``.tsv``, ``.parquet`` or (RecBole's atomic format) ``.inter`` file with a header. Under
            pytest a relative path begins beside the bench file; what is not there, and in a script, in the working
            directory.
        name: What to call the dataset; the file's stem by default.
        columns: The file's own column names to omnibench's, e.g. ``{"userId": "user", "movieId": "item"}``,
            where they are not called user, item, rating, timestamp already.

    Raises:
        DataError: The file is not there, of an unknown kind, cannot be read, or lacks a column.
    """
    problem = overlong_name(path)
    if problem:
        raise DataError(f"from_file: {problem}; check the path.")
    paths = absolute_paths(path)
    path = next((candidate for candidate in paths if candidate.is_file()), paths[0])
    if not path.is_file():
        raise DataError(f"there is no file {' or '.join(repr(str(candidate)) for candidate in paths)}; check the path.")
    file_format = path.suffix.lower().lstrip(".")
    if file_format not in ("csv", "tsv", "parquet", "inter"):
        raise DataError(
            f"{path.name} ends in {path.suffix!r}; from_file reads .csv, .tsv, .parquet and .inter. "
            "For anything else, read it with pandas and use from_frame."
        )
    try:
        header = _header(path, file_format)
    except (OSError, ValueError) as error:  # a UnicodeDecodeError and pyarrow's ArrowInvalid are ValueErrors
        raise DataError(f"{path} cannot be read as .{file_format}: {error}") from error
    mapping = dict(columns or {})
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
    _require_columns(renamed, header, path.name)
    unused = [column for column in header if column not in renamed]
    _warn_of_unused_columns(unused, list(renamed.values()), path.name, "columns={{{!r}: {!r}}}")
    return RecSysDataSet(FileSource(path, file_format, renamed), name or path.stem)


def _header(path: Path, file_format: str) -> list[str]:
    if file_format == "parquet":
        import pyarrow.parquet as pq

        with path.open("rb") as parquet:
            return list(pq.read_schema(parquet).names)
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file, delimiter="," if file_format == "csv" else "\t")
        return next((row for row in rows if row), [])  # like pandas, past empty lines


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


def _warn_of_unused_columns(unused: list[str], used: list[str], source: str, rename: str) -> None:
    """Warn of columns that a dataset drops; row numbers that pandas or R has written are nobody's loss."""
    unused = [column for column in unused if column and not column.startswith(("Unnamed:", "__index_level_"))]
    if not unused:
        return
    missing = [column for column in COLUMNS if column not in used]
    call = (
        f" If {unused[0]!r} is the {missing[-1]}, say so: {rename.format(unused[0], missing[-1])}." if missing else ""
    )
    warnings.warn(
        f"{source}: a dataset keeps user, item, rating and timestamp, and drops {', '.join(map(repr, unused))}.{call} An "
        "algorithm or a metric of your own that needs the others is given them as a parameter, as "
        "IntraListDiversity({item: features}) is, or reads them itself.",
        UserWarning,
        stacklevel=3,
    )


def _require_columns(renamed: Mapping[str, str], header: list[str], source: str) -> None:
    for column in ("user", "item"):
        if column not in renamed.values():
            raise DataError(
                f"{source} has no column {column!r}{nearest(column, header) or '.'} It has {header}. "
                "Interactions need columns user and item, and may have rating and timestamp; rename what is called "
                "otherwise."
            )

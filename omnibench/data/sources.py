"""Sources of interactions: registered datasets by name, pandas frames, files."""

from __future__ import annotations

import csv
import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data import movielens
from omnibench.data.content import Content, content_of, remembered_content
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.digests import file_digest, table_digest
from omnibench.data.interactions import COLUMNS, Interactions, from_columns
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
            raise DataError(
                f"{self.path} has changed since this run read its key; its results would be recorded for the old "
                "content. Run again."
            )
        return {self.renamed[name]: frame[name] for name in header}

    def load(self) -> Interactions:
        return from_columns(self.read(), self.label)


def _read_parquet(path: Path, columns: list[str]) -> pd.DataFrame:
    import pyarrow.parquet as pq

    # Without pandas' metadata, which would make an index of a column that was one.
    frame: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas(ignore_metadata=True)
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
        path: A ``.csv``, ``.tsv``, ``.parquet`` or (RecBole's atomic format) ``.inter`` file with a header. Under pytest
            a relative path begins beside the bench file; what is not there, and in a script, in the working directory.
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

        return list(pq.read_schema(path).names)
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


Loader = Callable[..., Any]

_BUILT_IN: dict[str, Loader] = {"MovieLens100K": movielens.MovieLens100K}
_LOADERS: dict[str, Loader] = dict(_BUILT_IN)


def register_dataset(name: str, loader: Loader) -> None:
    """Register a dataset, so that ``load_dataset(name)`` returns it.

    Every process that loads it has to register it, as a ``conftest.py``, a bench file or a module that they import
    does. A name that is registered again stands for the new loader.

    Args:
        name: The dataset's name.
        loader: A function without arguments, or one that takes the path given to ``load_dataset`` (or None). It returns a
            pandas frame (see ``from_frame``), the path of a file (see ``from_file``), a dataset with steps of its own,
            or a source that reads its interactions only when somebody needs them (``omnibench.data.dataset.Source``).

    Raises:
        DataError: It is no function, or omnibench has a dataset of that name itself.
    """
    label: Any = name
    argument: Any = loader
    if not isinstance(label, str) or not label.strip():
        raise DataError(f"register_dataset got the name {name!r}; give a text, e.g. 'Shop'.")
    if not callable(argument):
        raise DataError(
            f"register_dataset({name!r}, ...) got {type(loader).__name__}; give a function that returns it, e.g. "
            f"register_dataset({name!r}, lambda: frame)."
        )
    if name in _BUILT_IN:
        raise DataError(f"omnibench has a dataset named {name!r} itself; choose another name.")
    _LOADERS[name] = loader


def dataset_names() -> list[str]:
    """Return the names that ``load_dataset`` takes, in alphabetical order."""
    return sorted(_LOADERS)


def load_dataset(name: str, path: str | Path | None = None) -> RecSysDataSet:
    """Return a registered dataset by name. Of omnibench's own ones nothing is read or downloaded yet.

    Args:
        name: ``MovieLens100K``, or a name given to ``register_dataset``.
        path: Where a copy lies, when you have one, relative as in ``from_file``; it does not change the key.

    Raises:
        DataError: The name is unknown, there is nothing at the path, or a registered loader returned no dataset.
    """
    if name not in _LOADERS:
        names = ", ".join(sorted(_LOADERS))
        raise DataError(f"there is no dataset named {name!r}{nearest(name, _LOADERS)}; known are: {names}.")
    problem = "" if path is None else overlong_name(path)
    if problem:
        raise DataError(f"{name}: {problem}; check the path, or leave it out.")
    paths = [] if path is None else absolute_paths(path)
    local = next((candidate for candidate in paths if candidate.exists()), None)
    if paths and local is None:
        places = " or ".join(repr(str(candidate)) for candidate in paths)
        raise DataError(f"{name}: there is nothing at {places}; check the path, or leave it out.")
    return _dataset_of(_loaded(name, local), name)


def _loaded(name: str, path: Path | None) -> Any:
    """Call a loader, with the path if it takes one."""
    loader = _LOADERS[name]
    try:
        signature = inspect.signature(loader)
    except (TypeError, ValueError):  # written in C: nothing is known
        return loader(path)
    for arguments in ((path,), ()):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        if path is not None and not arguments:
            raise DataError(f"{name}: its loader takes no path; leave {str(path)!r} out, or let the loader take it.")
        return loader(*arguments)
    raise DataError(f"{name}: its loader has the arguments {signature}; let it take a path, or nothing.")


def _dataset_of(loaded: Any, name: str) -> RecSysDataSet:
    """Make a dataset of what a loader returned, under the name that it is registered by."""
    if isinstance(loaded, RecSysDataSet):
        return RecSysDataSet(loaded.source, name, loaded.steps, loaded.seed)
    if isinstance(loaded, str | Path):
        return from_file(loaded, name)
    missing = [member for member in ("load", "columns", "fingerprint") if member not in dir(loaded)]
    if not missing:  # told without pandas, which runs that find everything done do not import
        return RecSysDataSet(loaded, name)
    import pandas as pd

    if isinstance(loaded, pd.DataFrame):
        return from_frame(loaded, name)
    raise DataError(
        f"{name}: its loader returned {type(loaded).__name__}; return a pandas frame with the columns user and item, the path "
        f"of a file, a dataset, or a source (which needs {', '.join(missing)})."
    )

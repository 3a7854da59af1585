"""Columns of Parquet: a file, or a directory of files, as Spark and Dask write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.files.plain import PlainBlocks, PlainColumns
from omnibench.data.files.streams import open_seekable
from omnibench.data.files.text import IDS, categories_of, coded_texts
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    from omnibench.lazy import np

_SUFFIX = ".parquet"

_ROWS = 1 << 16
"""Rows that are decoded at once: what fits into a core's cache."""


def is_parquet_directory(path: Path) -> bool:
    """Whether a directory holds Parquet files."""
    return path.is_dir() and next(_below(path), None) is not None


def parquet_files(path: Path) -> list[Path]:
    """Return the Parquet files that a path stands for, in the order of their names."""
    return sorted(_below(path)) if path.is_dir() else [path]


def column_names(path: Path) -> list[str]:
    """Return the names of the columns.

    Raises:
        DataError: The files of a directory have different columns.
    """
    import pyarrow.parquet as pq

    first: list[str] | None = None
    files = parquet_files(path)
    for name in files:
        with open_seekable(name) as file:  # pyarrow opens no name that is not UTF-8
            names = list(pq.read_schema(file).names)
        if first is not None and names != first:
            raise DataError(
                f"{name} has the columns {names}, but {files[0].name} beside it has {first}; read them apart."
            )
        first = names
    return first or []


def read_parquet(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read some columns; the rows of several files one after the other.

    Raises:
        DataError: A column of theirs has types that are not of one kind.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for name in parquet_files(path):
        with open_seekable(name) as file:
            tables.append(pq.read_table(file, columns=columns))
    try:
        table = tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError as error:
        raise DataError(
            f"{path} has files whose columns have different types ({error}); write them with the same, or read them apart."
        ) from error
    rest = [name for name in table.column_names if not _is_text(table.field(name).type)]
    # Without pandas' metadata, which would make an index of a column that was one.
    frame = table.select(rest).to_pandas(ignore_metadata=True)
    return pd.DataFrame({name: frame[name] if name in rest else _categories(table[name]) for name in columns})


def _categories(column: Any) -> Any:
    """Return texts as categories: pandas would make a text of its own for each row."""
    codes, texts = coded_texts(column)
    return categories_of(codes, np.array(texts.to_pylist(), dtype=object))


def _is_text(arrow_type: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type))


def read_plain_parquet(path: Path, columns: Mapping[str, str]) -> PlainColumns | None:
    """Return columns of texts and whole numbers (ratings of any) without ever holding all as Arrow does; None of others.

    Args:
        path: The file, or a directory of files.
        columns: The files' names of the columns, by omnibench's.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    blocks: PlainBlocks | None = None
    for name in parquet_files(path):
        with open_seekable(name) as stream, pq.ParquetFile(stream, pre_buffer=False) as file:
            types = {target: file.schema_arrow.field(column).type for target, column in columns.items()}
            if not all(_is_plain(target, arrow_type) for target, arrow_type in types.items()):
                return None
            texts = frozenset(target for target, arrow_type in types.items() if _is_text(arrow_type))
            blocks = blocks or PlainBlocks(tuple(columns), file.metadata.num_rows, texts)
            if blocks.texts != texts:
                return None
            for batch in file.iter_batches(_ROWS, columns=list(columns.values()), use_threads=False):
                block = {target: batch.column(column) for target, column in columns.items()}
                wide = {"user": pa.int64(), "item": pa.int64(), "timestamp": pa.int64(), "rating": pa.float64()}
                wide |= {target: types[target] for target in texts}
                if any(column.null_count for column in block.values()):
                    return None
                if not blocks.append({target: column.cast(wide[target]) for target, column in block.items()}):
                    return None
    return None if blocks is None else blocks.finish(tokens=frozenset(IDS))


def _is_plain(target: str, arrow_type: Any) -> bool:
    """Whether values of a type of Arrow are plain ones of a column; unsigned 64-bit integers may be too large."""
    import pyarrow as pa

    if target in IDS and _is_text(arrow_type):
        return True
    is_integer = pa.types.is_integer(arrow_type) and arrow_type != pa.uint64()
    return is_integer or (target == "rating" and (arrow_type in (pa.float32(), pa.float64())))


def _below(path: Path) -> Iterator[Path]:
    """Return the files below a directory, without those that Spark and others hide."""
    for file in path.rglob(f"*{_SUFFIX}"):
        hidden = any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
        if file.is_file() and not hidden:
            yield file

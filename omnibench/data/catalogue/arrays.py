"""Columns as they were read, in one Arrow file: ids as codes, so that nobody parses or codes them again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_IDS = ("user", "item")


def write_arrays(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns into a file, in one step.

    Args:
        path: The file.
        columns: pandas Series by name; users and items are integers or texts, as readers give them.
    """
    import pyarrow as pa

    arrays = {name: _ids(column) if name in _IDS else _values(column) for name, column in columns.items()}
    table = pa.table(arrays)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_arrays(path: Path) -> dict[str, Any]:
    """Return the columns of a file, ids as categories; the numbers stay in the file until somebody looks at them.

    Args:
        path: A file of ``write_arrays``.
    """
    import pandas as pd
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        if name in _IDS:
            array = column.combine_chunks()
            array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
            codes = array.indices.to_numpy(zero_copy_only=False)
            columns[name] = pd.Series(pd.Categorical.from_codes(codes, _categories(array.dictionary)))
        else:
            columns[name] = column.to_pandas()
    return columns


def _ids(column: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    series = pd.Series(column)
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, categories = series.cat.codes.to_numpy(), series.cat.categories
    else:
        codes, categories = pd.factorize(series)
    own_ids = pd.Index(categories)
    type_of_ids = pa.int64() if pd.api.types.is_integer_dtype(own_ids) else pa.large_string()
    dictionary = pa.array(own_ids.to_numpy(), type=type_of_ids)
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), dictionary)


def _values(column: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    return pa.Array.from_pandas(pd.Series(column))


def _categories(dictionary: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_integer(dictionary.type):
        return pd.Index(dictionary.to_numpy(zero_copy_only=False))
    return pd.Index(np.array(dictionary.to_pylist(), dtype=object), dtype=object)

"""Tables of other libraries as pandas frames: polars, Arrow, DuckDB and whatever else speaks Arrow; none is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnibench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_ARROW = ("__arrow_c_stream__", "__arrow_c_array__")
"""What objects have that give their columns as Arrow's."""

_ARROW_TABLE = "to_arrow_table"
"""The method of DuckDB's relations that gives them, in releases that have no such interface."""

_CONVERSIONS = ("to_pandas", "toPandas", "compute", "df")
"""What tables of further libraries call the method that returns a pandas frame."""


def is_table(table: object) -> bool:
    """Whether an object is a frame or a table that ``pandas_frame`` takes."""
    if _root(table) == "pandas":
        import pandas as pd

        return isinstance(table, pd.DataFrame)
    return _is_lazy(table) or any(hasattr(table, method) for method in (*_ARROW, _ARROW_TABLE))


def pandas_frame(table: Any, caller: str, *, codes_texts: bool = True) -> pd.DataFrame:
    """Return a table as a pandas frame, with texts as categories where they are not pandas' own.

    A lazy frame or a query is run, once.

    Args:
        table: A pandas or polars frame, a pyarrow table, a DuckDB relation, or another object with the interface of
            Arrow's C streams.
        caller: The function that was called, for the error.
        codes_texts: False for texts that stay Arrow's, where they may never be looked at.

    Raises:
        DataError: It is none of these, or gives no table.
    """
    if _root(table) == "pandas":
        import pandas as pd

        if isinstance(table, pd.DataFrame):
            return table
    if not is_table(table):
        method = next((name for name in _CONVERSIONS if callable(getattr(table, name, None))), None)
        hint = f"; give its .{method}()" if method else ""
        raise DataError(
            f"{caller} got {type(table).__name__}, which is no frame (of pandas or polars), pyarrow table, scipy sparse matrix or "
            f"DuckDB relation{hint}."
        )
    import pyarrow as pa

    try:
        if _is_lazy(table):
            table = table.collect()
        if _root(table) == "polars":
            table = table.to_arrow()  # whose texts every release of pyarrow knows
        elif not any(hasattr(table, method) for method in _ARROW):
            table = table.to_arrow_table()
        return _frame(table if isinstance(table, pa.Table) else pa.table(table), codes_texts=codes_texts)
    except DataError:
        raise
    except Exception as error:  # a query may fail in whatever way its library has
        raise DataError(f"{caller}: the {type(table).__name__} gives no table: {error}") from error


def _root(table: object) -> str:
    """Return the package that an object's class, or one of its bases, comes from."""
    roots = [base.__module__.partition(".")[0] for base in type(table).__mro__]
    return next((root for root in roots if root in ("pandas", "polars", "scipy")), roots[0])


def _is_lazy(table: object) -> bool:
    return _root(table) == "polars" and hasattr(table, "collect") and hasattr(table, "collect_schema")


def _frame(table: Any, *, codes_texts: bool) -> pd.DataFrame:
    """Return an Arrow table as a frame; it shares at most texts with it, which do not change."""
    import pandas as pd

    names: Sequence[str] = table.column_names
    columns = [_series(table.column(number), codes_texts=codes_texts) for number in range(len(names))]
    frame = pd.DataFrame(dict(enumerate(columns)), index=range(table.num_rows))
    frame.columns = pd.Index(list(names), dtype=object)
    return frame


def _is_list(column_type: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(column_type) or pa.types.is_large_list(column_type))


def _series(column: Any, *, codes_texts: bool) -> Any:
    """Return an Arrow column as a pandas Series."""
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)  # whose codes may be of a type that pandas does not know
    if pa.types.is_string_view(column.type):
        try:
            column = column.cast(pa.large_string())
        except pa.ArrowNotImplementedError:  # of older releases
            column = pa.chunked_array([column.to_pylist()], pa.large_string())
    if _is_list(column.type) and pa.types.is_string_view(column.type.value_type):  # polars', which pandas does not take
        column = column.cast(pa.large_list(pa.large_string()))
    if pa.types.is_decimal(column.type) and column.type.scale == 0:  # DuckDB's HUGEINT, such as a sum of whole numbers
        column = _integers(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        if not codes_texts:
            return pd.Series(pd.arrays.ArrowExtensionArray(column))
        column = column.dictionary_encode()
    return column.to_pandas(date_as_object=False)


def _integers(column: Any) -> Any:
    """Return decimals without a fraction as 64-bit integers, where they fit."""
    import pyarrow as pa

    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column

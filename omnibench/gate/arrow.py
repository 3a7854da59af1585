"""Conversions between numpy and Arrow without pandas, which Arrow's own conversions would import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


if TYPE_CHECKING:
    import pyarrow as pa


def text_column(texts: Sequence[str], counts: Sequence[int]) -> pa.Array:
    """Return an Arrow array that repeats each of several texts, and stores each once.

    Args:
        texts: The texts.
        counts: How often each is repeated.
    """
    import pyarrow as pa

    codes = {text: code for code, text in enumerate(dict.fromkeys(texts))}
    contents = [text.encode() for text in codes]
    ends = pa.py_buffer(np.cumsum([0, *map(len, contents)]).astype("<i4"))
    dictionary = pa.Array.from_buffers(pa.string(), len(contents), [None, ends, pa.py_buffer(b"".join(contents))])
    repeated = np.repeat(np.array([codes[text] for text in texts], "<i4"), counts)
    return pa.DictionaryArray.from_arrays(number_array(repeated, pa.int32()), dictionary)


def number_array(values: npt.NDArray[Any], arrow_type: pa.DataType) -> pa.Array:
    """Return an Arrow array of numbers, null where they are NaN.

    Args:
        values: The numbers, little-endian, shape (n,).
        arrow_type: Their type, as wide as that of ``values``.
    """
    import pyarrow as pa

    present = ~np.isnan(values)
    validity = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(arrow_type, len(values), [validity, pa.py_buffer(values)])


def number_column(table: pa.Table, name: str, dtype: str) -> npt.NDArray[Any]:
    """Return a column of numbers, NaN where it is null.

    Args:
        table: A table whose columns have one chunk each, shape (n,).
        name: The column's name.
        dtype: The numpy type of its numbers, e.g. ``<f8``.
    """
    chunk = table.column(name).chunk(0)
    validity, content = chunk.buffers()
    values = np.frombuffer(content, dtype, chunk.offset + len(chunk))[chunk.offset :]
    if not chunk.null_count:
        return values
    present = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[chunk.offset :][: len(chunk)]
    return np.where(present, values, np.nan)

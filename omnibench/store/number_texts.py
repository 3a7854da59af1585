"""Numbers as arrays, from the texts that records have of them: of a hundred thousand items there are two millions."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np

_COMMA = ord(",")


def floats_in(text: str) -> npt.NDArray[np.float64]:
    """Return the numbers in a text, which commas separate, shape (n,); NaN where there is nothing between two of them.

    Arrow rounds them as Python does, in a third of the time; where nobody has imported it yet, that would take longer.

    Args:
        text: The text, in ASCII.
    """
    return _floats_by_python(text) if "pyarrow" not in sys.modules else _floats_by_arrow(text)


def _floats_by_python(text: str) -> npt.NDArray[np.float64]:
    return np.array([float(number) if number else math.nan for number in text.split(",")], np.float64)


def _floats_by_arrow(text: str) -> npt.NDArray[np.float64]:
    import pyarrow as pa

    characters = np.frombuffer(text.encode(), np.uint8)
    is_comma = characters == _COMMA
    lengths = np.diff(np.flatnonzero(is_comma), prepend=-1, append=len(characters)) - 1
    ends = np.concatenate(([0], np.cumsum(lengths))).astype("<i4")
    missing = lengths == 0
    validity = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    buffers = [validity, pa.py_buffer(ends), pa.py_buffer(characters[~is_comma])]
    numbers = pa.Array.from_buffers(pa.string(), len(lengths), buffers).cast(pa.float64())
    return np.where(missing, np.nan, np.frombuffer(numbers.buffers()[1], "<f8", len(lengths)))

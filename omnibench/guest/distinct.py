"""The distinct values of codes, found by sorting: from 2.3 on numpy hashes them, which takes ten times as long where most differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Code = TypeVar("Code", bound="np.integer[Any]")


def distinct(codes: npt.NDArray[Code]) -> npt.NDArray[Code]:
    """Return the distinct values, ascending; what ``numpy.unique`` returns.

    Args:
        codes: Integers, shape (n,).
    """
    import numpy as np  # the host reads this module before it needs numpy

    ordered = np.sort(codes)
    is_first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]

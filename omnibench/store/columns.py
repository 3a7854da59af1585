"""The columns of tables that may have a million rows: numbers take eight bytes each, not the forty of a list of them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np, npt


class Column:
    """A column that keeps its values as floats for as long as they are such, or missing."""

    def __init__(self) -> None:
        self._floats = array("d")
        self._mixed: list[Any] | None = None
        self._has_number = False

    def __len__(self) -> int:
        return len(self._floats if self._mixed is None else self._mixed)

    def append(self, value: Any) -> None:
        """Append a value; None is a missing one, and NaN is none."""
        if self._mixed is None:
            if value is None or type(value) is float:
                self._floats.append(math.nan if value is None else value)
                self._has_number = self._has_number or value is not None
                return
            self._mixed = self.values
        self._mixed.append(value)

    def extend(self, values: Sequence[Any]) -> None:
        """Append several values; see ``append``."""
        if self._mixed is None and set(map(type, values)) == {float}:
            self._floats.extend(values)
            self._has_number = True
        elif self._mixed is not None:
            self._mixed += values
        else:
            for value in values:
                self.append(value)

    @property
    def values(self) -> list[Any]:
        """The values."""
        if self._mixed is not None:
            return self._mixed
        return [None if math.isnan(value) else value for value in self._floats]

    def series(self) -> pd.Series[Any]:
        """Return what pandas makes of the values."""
        import pandas as pd

        return pd.Series(np.frombuffer(self._floats) if self._mixed is None and self._has_number else self.values)


def sorted_positions(first: Sequence[str], second: Sequence[str]) -> npt.NDArray[np.intp]:
    """Return the positions of rows sorted by one column of texts, and where that is the same by another one.

    Rows that have both alike stay in their order.

    Args:
        first: The column that decides, shape (n,).
        second: The other one.
    """
    positions = np.argsort(np.array(second, dtype=object), kind="stable")
    return positions[np.argsort(np.array(first, dtype=object)[positions], kind="stable")]

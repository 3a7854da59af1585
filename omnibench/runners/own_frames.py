"""The frames that ``fit`` is given, in snapshots: by name where a class keeps them as they are, never their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

_COPIES_ON_WRITE = not pd.__version__.startswith("2.")
"""Whether what is written into a frame does not reach the copies that share its memory."""


class GivenFrames:
    """The frames that a Fit gives to a class, and whether they are still as they were.

    Args:
        frames: The frames by the names of ``fit``'s arguments.
        anew: Return each anew.
    """

    def __init__(self, frames: Mapping[str, pd.DataFrame], anew: Mapping[str, Callable[[], pd.DataFrame]]) -> None:
        self._frames = dict(frames)
        self._anew = anew
        self._columns = {name: _Columns(frame) for name, frame in frames.items()}

    def release(self) -> None:
        """Let go of what a class has changed, so that its memory is free."""
        for name in [*self._columns]:
            if not self._is_untouched(name):
                del self._columns[name]

    def shared(self) -> dict[str, Any]:
        """Return the frames and their columns that are as they were, by names that are the same in every process."""
        self.release()
        shared: dict[str, Any] = {}
        for name, columns in self._columns.items():
            shared[name] = self._frames[name]
            shared |= {f"{name}.{column}": _array(series) for column, series in columns.series.items()}
        return shared

    def _is_untouched(self, name: str) -> bool:
        frame, columns = self._frames[name], self._columns[name]
        return columns.are_those_of(frame) and (_COPIES_ON_WRITE or frame.equals(self._anew[name]()))


class _Columns:
    """The columns of a frame as they are now: pandas copies what is written into from then on.

    Args:
        frame: The frame.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.series = {str(name): frame[name] for name in frame}
        self._index = frame.index

    def are_those_of(self, frame: pd.DataFrame) -> bool:
        """Return whether a frame has these columns and no others, unchanged."""
        return (
            list(frame.columns) == list(self.series)
            and frame.index is self._index
            and all(_is_same_memory(_array(frame[name]), _array(series)) for name, series in self.series.items())
        )


def _array(column: pd.Series[Any]) -> Any:
    """Return what holds a column's values: numpy's array, or an extension's."""
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _is_same_memory(array: Any, earlier: Any) -> bool:
    if not isinstance(array, np.ndarray) or not isinstance(earlier, np.ndarray):
        return array is earlier
    return array.ctypes.data == earlier.ctypes.data and array.dtype == earlier.dtype

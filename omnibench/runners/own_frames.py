"""The frames that ``fit`` is given; in snapshots, by name where a class keeps them as they are, never their rows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from omnibench.data.features.columns import series_of
from omnibench.data.interactions import decode, frame_of
from omnibench.guest.feature_types import singular
from omnibench.guest.folds import Fold
from omnibench.guest.opened_folds import MOST_ROWS
from omnibench.guest.parts import Part

_COPIES_ON_WRITE = not pd.__version__.startswith("2.")
"""Whether what is written into a frame does not reach the copies that share its memory."""


_frames: WeakKeyDictionary[Fold, dict[str, pd.DataFrame]] = WeakKeyDictionary()
"""Frames of the parts of small folds that are kept; see ``opened_folds``."""


def part_frame(fold: Fold, name: str, user_ids: Sequence[Hashable], item_ids: Sequence[Hashable]) -> pd.DataFrame:
    """Return a part of a fold with the user's own ids, as ``frame_of`` does, in a frame of the caller's own.

    Args:
        fold: The fold.
        name: ``train`` or ``validation``.
        user_ids: The users' ids, by code.
        item_ids: The items' ids.
    """
    part: Part = getattr(fold, name)
    if len(part) > MOST_ROWS:
        return frame_of(part, user_ids, item_ids)
    frames = _frames.setdefault(fold, {})
    if name not in frames:
        frames[name] = frame_of(part, user_ids, item_ids)
    return frames[
        name
    ].copy()  # its memory as well: pandas guards neither ``column.array[0] = 1`` nor numpy's own flags


def subject_frame(fold: Fold, subject: str, own_ids: Sequence[Hashable]) -> pd.DataFrame:
    """Return all users or items of a dataset: their ids as ``user`` or ``item``, and a column for each of their features.

    Args:
        fold: A fold of the dataset.
        subject: ``items`` or ``users``.
        own_ids: Their ids, by code.
    """
    features = fold.features(subject)
    types = {} if features is None else features.types
    columns = {name: series_of(types[name], features.column(name)) for name in types if features is not None}
    return pd.DataFrame({singular(subject): decode(np.arange(len(own_ids), dtype=np.int32), own_ids), **columns})


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
        is_safe = _COPIES_ON_WRITE and not columns.hold_lists
        return columns.are_those_of(frame) and (is_safe or frame.equals(self._anew[name]()))


class _Columns:
    """The columns of a frame as they are now: pandas copies what is written into from then on.

    Args:
        frame: The frame.

    Attributes:
        hold_lists: Whether one has lists.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.series = {str(name): frame[name] for name in frame}
        self._index = frame.index
        self.hold_lists = any(_holds_lists(series) for series in self.series.values())

    def are_those_of(self, frame: pd.DataFrame) -> bool:
        """Return whether a frame has these columns and no others, unchanged."""
        return (
            list(frame.columns) == list(self.series)
            and frame.index is self._index
            and all(_is_same_memory(_array(frame[name]), _array(series)) for name, series in self.series.items())
        )


def _holds_lists(series: pd.Series[Any]) -> bool:
    """Return whether a column has lists, which can be changed without pandas' knowing."""
    return series.dtype == object and any(type(value) is list for value in series)


def _array(column: pd.Series[Any]) -> Any:
    """Return what holds a column's values: numpy's array, or an extension's."""
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _is_same_memory(array: Any, earlier: Any) -> bool:
    if not isinstance(array, np.ndarray) or not isinstance(earlier, np.ndarray):
        return array is earlier
    return array.ctypes.data == earlier.ctypes.data and array.dtype == earlier.dtype

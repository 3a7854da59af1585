"""Files of predictions: lists, ratings, or lists and behind them ratings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .headers import read_array

_SMALL_BYTES = 1 << 19
"""Of a file of so many bytes, reading takes less than mapping."""


class Predictions(NamedTuple):
    """The content of a file of predictions.

    Attributes:
        lists: The recommendations, a row per user; None where there are none.
        ratings: The predicted ratings, a row per test pair; likewise.
    """

    lists: npt.NDArray[np.void] | None
    ratings: npt.NDArray[np.void] | None


def read_predictions(path: str | Path) -> Predictions:
    """Return the lists, the ratings, or both, that a file of predictions holds; of a large file the first is memory-mapped."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > _SMALL_BYTES:
            first = np.load(path, allow_pickle=False, mmap_mode="r")
            file.seek(getattr(first, "offset", 0) + first.nbytes)
        else:
            first = read_array(file)
        if "rating" in (first.dtype.names or ()):
            return Predictions(None, first)
        if file.tell() >= size:
            return Predictions(first, None)
        return Predictions(first, read_array(file))

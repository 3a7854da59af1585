"""Files of predictions: lists, ratings, or lists and behind them ratings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Predictions(NamedTuple):
    """The content of a file of predictions.

    Attributes:
        lists: The recommendations, a row per user; None where there are none.
        ratings: The predicted ratings, a row per test pair; likewise.
    """

    lists: npt.NDArray[np.void] | None
    ratings: npt.NDArray[np.void] | None


def read_predictions(path: str | Path) -> Predictions:
    """Return the lists, the ratings, or both, that a file of predictions holds; the first of them memory-mapped."""
    first = np.load(path, allow_pickle=False, mmap_mode="r")
    if "rating" in (first.dtype.names or ()):
        return Predictions(None, first)
    end = getattr(first, "offset", 0) + first.nbytes
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) <= end:
            return Predictions(first, None)
        file.seek(end)
        return Predictions(first, np.lib.format.read_array(file, allow_pickle=False))

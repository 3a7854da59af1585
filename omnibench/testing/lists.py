"""How long the lists of a prediction are, and how long they could be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.data.stored_ids import read_ids
from omnibench.guest.folds import NO_ITEM, Fold

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np


def short_lists(dataset: Path, fold: int, rows: npt.NDArray[np.void], length: int) -> tuple[int, str]:
    """Return how many users get fewer items than they could, and an example in words.

    Args:
        dataset: The prepared dataset.
        fold: The fold's number.
        rows: The predictions, a row per user.
        length: Recommendations per user.
    """
    parts = Fold(dataset, fold)
    n_short, example = 0, ""
    for row in rows:
        user = int(row["user"])
        allowed = parts.rankable.copy()
        allowed[parts.seen(user)] = False
        possible, actual = min(length, int(allowed.sum())), int((row["item"] != NO_ITEM).sum())
        if actual < possible:
            n_short += 1
            example = example or f"user {read_ids(dataset, 'users')[user]!r} gets {actual} of {possible}"
    return n_short, example

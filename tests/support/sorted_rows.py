"""Lists by sorting whole rows of scores, one after the other: what faster ways must give to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[Any]


def sorted_top_k(scores: Table, k: int) -> tuple[npt.NDArray[np.int32], Table]:
    """Return the codes and the scores of the k best items of each row: by score, ties by item code, -1 for no item."""
    width = min(k, scores.shape[1])
    items = np.full((len(scores), k), -1, dtype=np.int32)
    best = np.zeros((len(scores), k), dtype=scores.dtype)
    for row, row_scores in enumerate(scores):
        usable = np.where(np.isnan(row_scores), -np.inf, row_scores)
        order = np.argsort(-usable, kind="stable")
        ranked = order[usable[order] > -np.inf][:width]
        items[row, : len(ranked)] = ranked
        best[row, : len(ranked)] = usable[ranked]
    return items, best


def varied_scores(seed: int) -> Iterator[Table]:
    """Yield scores of all shapes: with and without ties, sparse, infinite, all alike, the best ones side by side."""
    rng = np.random.default_rng(seed)
    for n_items in (1, 7, 63, 64, 700, 2600, 5131):
        normal = rng.standard_normal((5, n_items))
        sparse = np.where(rng.random(normal.shape) < 0.02, normal, np.nan)
        sparse[1] = np.nan
        infinite = np.where(rng.random(normal.shape) < 0.3, -np.inf, normal)
        infinite[rng.random(normal.shape) < 0.01] = np.inf
        zeros = np.where(rng.random(normal.shape) < 0.5, 0.0, -0.0)
        few = np.where(np.isnan(sparse), 0.0, np.round(sparse, 1))
        for scores in (normal, np.floor(normal * 2), sparse, infinite, zeros, few, np.sort(normal)[:, ::-1]):
            yield from (scores, scores.astype(np.float32))

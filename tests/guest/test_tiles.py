"""The best items of tiles: what is kept of them does not grow with the items."""

from __future__ import annotations

import numpy as np
import pytest

from omnibench.guest import tiles
from omnibench.guest.tiles import BestOfTiles


def test_maxima_do_not_grow_with_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two changes of bounds there may be hundreds of tiles; the lists are those of sorting all scores."""
    limit = 2**14
    monkeypatch.setattr(tiles, "_UNRAISED_BYTES", limit)
    n_users, k, width, n_tiles = 16, 5, 64, 300
    scores = np.random.default_rng(1).normal(size=(n_users, n_tiles * width))
    best = BestOfTiles(n_users, k, width, scores.dtype)
    kept_bytes = []
    for start in range(0, scores.shape[1], width):
        codes = np.arange(start, start + width, dtype=np.int32)
        best.tile.table(width)[:] = scores[:, codes]
        best.add(codes)
        kept_bytes.append(sum(maxima.nbytes for maxima in best._maxima))
    assert max(kept_bytes) <= limit + n_users * k * scores.itemsize
    items, scores_of_best = best.result()
    expected = np.argsort(-scores, axis=1)[:, :k]
    np.testing.assert_array_equal(items, expected)
    np.testing.assert_array_equal(scores_of_best, np.take_along_axis(scores, expected, 1))

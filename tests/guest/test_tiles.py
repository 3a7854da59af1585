"""The best items of tiles: what is kept of them does not grow with the items."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from omnibench.guest import tiles, top_items
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


@pytest.mark.parametrize("seed", range(5))
def test_the_many_entries_of_one_user_make_no_table_wide(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a user of whom a thousand items are taken, those stay that are among the best: by score, ties by item code."""
    rng = np.random.default_rng(seed)
    n_users, k = 50, 3
    best = BestOfTiles(n_users, k, 8, np.dtype(np.float32))
    widths: list[int] = []
    reached = top_items.reached_by_row

    def noted(*arguments: Any) -> Any:
        tables = reached(*arguments)
        widths.append(tables[0].shape[1])
        return tables

    monkeypatch.setattr(tiles, "reached_by_row", noted)
    taken: dict[int, list[tuple[float, int]]] = {user: [] for user in range(n_users)}
    for first in range(0, 3000, 1000):
        for user in range(n_users):
            items = first + rng.permutation(1000)[: 1000 if user == 7 else 4]
            scores = rng.integers(-9, -1, len(items)).astype(np.float32)  # most of them tie
            best.take(np.full(len(items), user), items.astype(np.int32), scores)
            taken[user] += zip((-scores).tolist(), items.tolist(), strict=True)
    best_items, _ = best.result()
    expected = [[item for _, item in sorted(taken[user])[:k]] for user in range(n_users)]
    assert best_items.tolist() == expected
    assert max(widths) <= 3 * tiles.SPARE * k

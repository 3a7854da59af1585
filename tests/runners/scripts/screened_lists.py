"""Compare lists by way of bfloat16 with those of full products, with the framework's torch, on any processor.

python screened_lists.py GUEST_DIRECTORY MODULE FOLD_DIRECTORY
"""

from __future__ import annotations

import importlib
import itertools
import sys
from typing import Any

import numpy as np
from guest_package import open_session


def watched(kind: Any, taken: list[str]) -> Any:
    """The same class, whose name is noted whenever it tells what may be among the best."""

    class Watched(kind):
        def remaining(self) -> Any:
            taken.append(kind.__name__)
            return super().remaining()

    return Watched


def main(guest: str, module: str, directory: str) -> None:
    """Fail with the case in which a score is more wrong than is said, or a list has an item that is not as good."""
    open_session(guest, module)
    factors, folds, ranking, screening = (
        importlib.import_module(f"guest.{name}") for name in ("factors", "folds", "ranking", "screening")
    )
    screening.has_bfloat16 = lambda: True  # others multiply it as well, only not faster
    fold = folds.Fold(directory, 0)
    taken: list[str] = []
    for kind in ("ScreenedTiles", "CoarseTiles"):
        setattr(factors, kind, watched(getattr(factors, kind), taken))
    for mean, spread, has_bias, tile in itertools.product(
        (0.0, 2.0, -2.0), (1e-6, 0.1, 1.0), (False, True), (70, 1536)
    ):
        factors._TILE = tile
        random = np.random.default_rng(1)
        user = (random.standard_normal((len(fold.users), 48)) + abs(mean)).astype(np.float32)
        item = (random.standard_normal((fold.n_items, 48)) * spread + mean).astype(np.float32)
        bias = random.standard_normal(fold.n_items).astype(np.float32) if has_bias else None
        exact = user.astype(np.float64) @ item.T.astype(np.float64) + (0 if bias is None else bias)
        rough = screening.RoughFactors.of(item, bias)
        room = screening.ScreenedTiles if rough.gives_float32 else factors.CoarseTiles
        scores = room(len(user), 1, fold.n_items, np.zeros(len(user))).table(fold.n_items)
        rough.multiply(rough.rounded(user), slice(0, fold.n_items), scores)
        scores = scores if rough.gives_float32 else scores.float().numpy()
        error = rough.error_for(user)
        assert (np.abs(scores - exact) <= error[:, None]).all(), (mean, spread, has_bias)
        items = factors.ItemFactors.of(item, np.arange(fold.n_items), fold, bias)
        assert items.rough is not None
        plain = factors.ItemFactors(items.factor, items.code, items.bias)
        is_scored = np.ones(len(user), dtype=bool)
        for k in (1, 20, 200):
            screened, full = (
                ranking.recommend(fold, [(fold.users, factors.FactorScores(user, some, is_scored))], k)
                for some in (items, plain)
            )
            assert np.array_equal(screened["item"] >= 0, full["item"] >= 0), (mean, spread, has_bias, k)
            best, expected = (np.take_along_axis(exact, rows["item"].astype(np.int64), 1) for rows in (screened, full))
            tolerance = 1e-5 * (np.linalg.norm(user, axis=1) * np.linalg.norm(item, axis=1).max())[:, None]
            assert (np.abs(best - expected) <= tolerance)[full["item"] >= 0].all(), (mean, spread, has_bias, k)

    assert {"ScreenedTiles", "CoarseTiles"} <= set(taken), set(taken)


if __name__ == "__main__":
    main(*sys.argv[1:])

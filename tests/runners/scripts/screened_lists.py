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


def told(screening: Any, taken: list[tuple[str, bool]]) -> None:
    """Note the kind of the tile whenever a screen tells what may be among the best, and whether that is little."""
    reaching = screening.Screen.reaching

    def noted(self: Any, *arguments: Any) -> Any:
        row, place = reaching(self, *arguments)
        taken.append((type(self._tile).__name__, len(row) <= 8 * len(self._user)))
        return row, place

    screening.Screen.reaching = noted


def reaches_all(screening: Any, user: Any, item: Any, bias: Any, width: int) -> bool:
    """Whether items whose own scores are the bounds are among what may reach them, in sums without a rounding."""
    exact = user.astype(np.float64) @ item.T.astype(np.float64) + (0 if bias is None else bias)
    screen = screening.Screen.of(screening.RoughFactors.of(item, bias, width), user, width)
    none = np.zeros(0, dtype=np.int64)
    for tile, start in enumerate(range(0, len(item), width)):
        columns = slice(start, min(start + width, len(item)))
        scores = exact[:, columns]
        for place in (0, scores.shape[1] // 2, scores.shape[1] - 1):
            row, column = screen.reaching(tile, columns, (none, none), scores[:, place], None)
            is_found = np.zeros(scores.shape, dtype=bool)
            is_found[row, column] = True
            if not is_found[scores >= scores[:, place, None]].all():
                return False
    return True


def halfway(downwards: bool) -> tuple[Any, Any]:
    """A user and an item whose roundings, and that of the score, all lie halfway and go the same way."""
    number = 1 + 2.0**-8 + (-(2.0**-20) if downwards else 2.0**-20)
    user, item = np.full((1, 48), number, dtype=np.float32), np.full((1, 48), number, dtype=np.float32)
    target = (
        48 * (1 + 2.0**-6) if downwards else 48 * (1 + 2.0**-5)
    )  # of the rounded numbers; moved to between two of 8 bits
    user[0, -1] = 1.0
    rest = 47 * (1.0 if downwards else (1 + 2.0**-7) ** 2)
    step = 2.0**-2  # between two numbers from 32 to 64
    item[0, -1] = np.floor(target / step) * step + step / 2 + (-(2.0**-6) if downwards else 2.0**-6) - rest
    return user, item


def main(guest: str, module: str, directory: str) -> None:
    """Fail with the case in which an item is lost, or a list has an item that is not as good."""
    open_session(guest, module)
    factors, folds, ranking, screening = (
        importlib.import_module(f"guest.{name}") for name in ("factors", "folds", "ranking", "screening")
    )
    screening.has_bfloat16 = lambda: True  # others multiply it as well, only not faster
    fold = folds.Fold(directory, 0)
    taken: list[tuple[str, bool]] = []
    told(screening, taken)
    for downwards in (True, False):
        assert reaches_all(screening, *halfway(downwards), None, 70), f"halfway, {downwards=}"
    for mean, spread, has_bias, tile in itertools.product(
        (0.0, 2.0, -2.0), (1e-6, 0.1, 1.0), (False, True), (70, 1536)
    ):
        factors._TILE = tile
        random = np.random.default_rng(1)
        user = (random.standard_normal((len(fold.users), 48)) + abs(mean)).astype(np.float32)
        item = (random.standard_normal((fold.n_items, 48)) * spread + mean).astype(np.float32)
        bias = random.standard_normal(fold.n_items).astype(np.float32) if has_bias else None
        exact = user.astype(np.float64) @ item.T.astype(np.float64) + (0 if bias is None else bias)
        assert reaches_all(screening, user, item, bias, tile), (mean, spread, has_bias)
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

    assert {("CoarseTile", True), ("CoarseTile", False)} <= set(taken), set(taken)


if __name__ == "__main__":
    main(*sys.argv[1:])

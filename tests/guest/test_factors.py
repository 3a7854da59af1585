"""Factors: the lists of the dense scores that their products are."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.cases import ranking_case

from omnibench.guest import factors, tiles
from omnibench.guest.candidates import CandidateSets, candidate_sets
from omnibench.guest.factors import FactorScores, ItemFactors
from omnibench.guest.folds import Fold
from omnibench.guest.ranking import recommend


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset with unknown items, and users with few candidates."""
    return ranking_case(tmp_path_factory.mktemp("factors"), full=False).fold.directory


@pytest.fixture(params=["unseen", "repeats", "sampled"])
def fold_and_sets(request: Any, directory: Path) -> tuple[Fold, Any]:
    """The fold with each rule of what may be recommended."""
    policy = {"policy": "sampled", "negatives": 9, "seed": 1} if request.param == "sampled" else {"policy": "unseen"}
    fold = Fold(directory, 0, repeats=request.param == "repeats")
    return fold, candidate_sets(fold, policy)


def small_numbers(shape: tuple[int, ...], dtype: str, seed: int) -> npt.NDArray[Any]:
    """Whole numbers, whose products are exact and often tie."""
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(dtype)


def at_most_two(scores: npt.NDArray[Any]) -> None:
    """A function that never falls, and makes ties."""
    np.minimum(scores, 2, out=scores)


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
@pytest.mark.parametrize(("tile", "block", "users"), [(1536, 32, 512), (24, 4, 7), (5, 2, 3)])
@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("zero_is_none", [False, True])
@pytest.mark.parametrize("has_link", [False, True])
def test_factors_rank_as_their_products(
    fold_and_sets: tuple[Fold, Any],
    dtype: str,
    tile: int,
    block: int,
    users: int,
    has_bias: bool,
    zero_is_none: bool,
    has_link: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To the last bit where products are exact: ties by item code over tiles and merges, and lists that are not full."""
    fold, sets = fold_and_sets
    monkeypatch.setattr(factors, "_TILE", tile)
    monkeypatch.setattr(tiles, "BLOCK", block)
    monkeypatch.setattr(factors, "_USERS", users)
    n_users = len(fold.users)
    code = np.random.default_rng(4).permutation(fold.n_items)[:-3]
    user, item = small_numbers((n_users, 3), dtype, 1), small_numbers((len(code), 3), dtype, 2)
    item[5:20] = item[4]  # the same scores for everybody
    item_bias = small_numbers((len(code),), dtype, 3) if has_bias else None
    user_bias = small_numbers((n_users,), dtype, 5) if has_bias else None
    is_scored = np.arange(n_users) % 6 != 0
    products = user @ item.T
    if item_bias is not None and user_bias is not None:
        products = products + item_bias + user_bias[:, None]
    if has_link:
        at_most_two(products)
    dense = np.full((n_users, fold.n_items), np.nan, dtype=dtype)
    dense[:, code] = np.where(products == 0, np.nan, products) if zero_is_none else products
    dense[~is_scored] = np.nan
    link = at_most_two if has_link else None
    items = ItemFactors.of(item, code, fold, item_bias, zero_is_none=zero_is_none, link=link)
    for k in (1, 5, 40, fold.n_items):
        expected = recommend(fold, [(fold.users, dense)], k, sets)
        batches = [
            (
                fold.users[rows],
                FactorScores(user[rows], items, is_scored[rows], None if user_bias is None else user_bias[rows]),
            )
            for rows in (slice(0, 11), slice(11, n_users))
        ]
        rows = recommend(fold, batches, k, sets)
        assert rows.dtype == expected.dtype
        assert rows.tobytes() == expected.tobytes()


def test_numbers_that_are_none_are_in_no_list(directory: Path) -> None:
    """A user whose factors are NaN gets nothing, nor does anybody get an item with such factors; the rest as ever."""
    fold = Fold(directory, 0)
    user, item = small_numbers((len(fold.users), 3), "<f4", 1), small_numbers((fold.n_items, 3), "<f4", 2)
    user[3] = item[7] = np.nan
    dense = user @ item.T
    items = ItemFactors.of(item, np.arange(fold.n_items), fold)
    scores = FactorScores(user, items, np.ones(len(user), dtype=bool))
    expected, rows = (recommend(fold, [(fold.users, batch)], 10) for batch in (dense, scores))
    assert rows.tobytes() == expected.tobytes()
    assert (rows["item"][3] == -1).all()


def test_factors_of_many_candidates_are_gathered_little_by_little(directory: Path) -> None:
    """Where all items are candidates, the memory is that of their scores, not of factors for each user and item."""
    fold = Fold(directory, 0)
    n_users, n_factors = len(fold.users), 1024
    items = ItemFactors.of(small_numbers((fold.n_items, n_factors), "<f4", 1), np.arange(fold.n_items), fold)
    scores = FactorScores(small_numbers((n_users, n_factors), "<f4", 2), items, np.ones(n_users, dtype=bool))
    first = np.arange(fold.n_users + 1, dtype=np.int64) * fold.n_items
    sets = CandidateSets(first, np.tile(np.arange(fold.n_items, dtype=np.int32), fold.n_users), fold.n_items)
    expected = recommend(fold, [(fold.users, scores)], 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factors, "_PAIRS", 64)
        tracemalloc.start()
        try:
            rows = recommend(fold, [(fold.users, scores)], 10, sets)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert rows.tobytes() == expected.tobytes()
    assert peak < n_users * fold.n_items * n_factors

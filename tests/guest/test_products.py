"""Products of sparse matrices, and of sparse and dense ones: to the last bit the lists of SciPy's products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from support.cases import ranking_case

from omnibench.guest import dense_products, products
from omnibench.guest.candidates import candidate_sets
from omnibench.guest.dense_products import DenseProducts, ItemWeights
from omnibench.guest.folds import Fold
from omnibench.guest.products import ProductScores
from omnibench.guest.ranking import recommend
from omnibench.guest.score_forms import OtherItems


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset with unknown items, and users with few candidates."""
    return ranking_case(tmp_path_factory.mktemp("products"), full=False).fold.directory


@pytest.fixture(params=["unseen", "repeats", "unknown", "sampled"])
def fold_and_sets(request: Any, directory: Path) -> tuple[Fold, Any]:
    """The fold with each rule of what may be recommended."""
    fold = Fold(directory, 0, repeats=request.param == "repeats", unknown=request.param == "unknown")
    policy = {"policy": "sampled", "negatives": 9, "seed": 1} if request.param == "sampled" else {"policy": "unseen"}
    return fold, candidate_sets(fold, policy)


def matrices(n_users: int, n_items: int, dtype: str, *, is_weighted: bool, left_dtype: str = "") -> tuple[Any, Any]:
    """What some users have of 60 things, nothing some of them; and what these add, which now and then cancels out."""
    rng = np.random.default_rng(3)
    has = (rng.random((n_users, 60)) < 0.2) & (np.arange(n_users) % 9 != 0)[:, None]
    adds = rng.random((60, n_items)) < 0.1
    left = has * (rng.integers(1, 3, has.shape) if is_weighted else 1)
    right = adds * rng.choice([-1, 0.5, 1, 1 / 3, 0.1], adds.shape)
    return sparse.csr_matrix(left.astype(left_dtype or dtype)), sparse.csr_matrix(right.astype(dtype))


@pytest.mark.parametrize(("left_dtype", "dtype"), [("<f4", "<f4"), ("<f8", "<f8"), ("<f8", "<f4"), ("<f4", "<f8")])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("has_others", [False, True])
@pytest.mark.parametrize(("dense", "most"), [(10**9, 1 << 20), (10**9, 40), (0, 1 << 20)])
def test_products_rank_as_those_of_scipy(
    fold_and_sets: tuple[Fold, Any],
    left_dtype: str,
    dtype: str,
    is_weighted: bool,
    has_others: bool,
    dense: int,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By rows of all items and by lists of those that are reached; sums of zero are a score where others have it."""
    monkeypatch.setattr(products, "_DENSE", dense)
    monkeypatch.setattr(products, "_SCORES", most)
    fold, sets = fold_and_sets
    left, right = matrices(len(fold.users), fold.n_items, dtype, is_weighted=is_weighted, left_dtype=left_dtype)
    scores = (left @ right).toarray()
    others = None
    if has_others:
        is_known = np.arange(fold.n_items) % 7 != 0
        has_scores = np.arange(len(fold.users)) % 5 != 0
        others = OtherItems(is_known, np.where(has_scores, 0, np.nan))
        scores[~has_scores] = scores[:, ~is_known] = np.nan
    else:
        scores[scores == 0] = np.nan
    for k in (1, 5, 40, fold.n_items):
        expected = recommend(fold, [(fold.users, scores)], k, sets)
        some = slice(0, 11), slice(11, len(fold.users))
        batches = [
            (
                fold.users[rows],
                ProductScores(left[rows], right, others and OtherItems(others.is_scored, others.score[rows])),
            )
            for rows in some
        ]
        rows = recommend(fold, batches, k, sets)
        assert rows.dtype == expected.dtype
        assert rows.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
@pytest.mark.parametrize("zero_is_none", [False, True])
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_products_with_dense_weights_rank_as_those_of_scipy(
    fold_and_sets: tuple[Fold, Any], dtype: str, zero_is_none: bool, is_shuffled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With columns in the order of item codes or in a framework's, one of which is no item's; some users have no scores."""
    fold, sets = fold_and_sets
    monkeypatch.setattr(dense_products, "_SCORES", 4 * fold.n_items)
    left, right = matrices(len(fold.users), fold.n_items, dtype, is_weighted=True)
    scores = (left @ right).toarray()
    has_scores = np.arange(len(fold.users)) % 5 != 0
    scores[~has_scores] = scores[:, ~fold.candidates] = np.nan
    if zero_is_none:
        scores[scores == 0] = np.nan
    code = np.arange(fold.n_items)
    matrix = right.toarray()
    if is_shuffled:
        code = np.append(np.random.default_rng(2).permutation(fold.n_items), -1)
        matrix = np.hstack([matrix, np.ones((len(matrix), 1), dtype=dtype)])[:, code]
    weights = ItemWeights.of(matrix, code, fold, zero_is_none=zero_is_none)
    for k in (1, 5, 40, fold.n_items):
        expected = recommend(fold, [(fold.users, scores)], k, sets)
        some = slice(0, 11), slice(11, len(fold.users))
        batches = [(fold.users[rows], DenseProducts(left[rows], weights, has_scores[rows])) for rows in some]
        rows = recommend(fold, batches, k, sets)
        assert rows.dtype == expected.dtype
        assert rows.tobytes() == expected.tobytes()

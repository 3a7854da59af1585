"""RecPack's ItemPNN, which draws an item's neighbours: its Fit, and what it needs of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from recpack.algorithms import ItemPNN
from scipy.sparse import csr_matrix

from . import folds
from .products import by_codes

BY_SIMILARITY = "empirical"
"""The distribution by which an item that is similar to nothing can draw nothing."""


def fit_by_draws(algorithm: ItemPNN, matrix: csr_matrix, fold: folds.Fold) -> None:
    """Fit ItemPNN; where it draws by similarities, on the items of training alone: others are similar to nothing.

    Args:
        algorithm: The algorithm, which gets similarities of all items.
        matrix: The training part, shape (n_users, n_items).
        fold: The fold.

    Raises:
        ValueError: There are too few items, or too few similar ones, to draw as many neighbours as it wants.
    """
    codes = np.flatnonzero(fold.candidates) if algorithm.pdf == BY_SIMILARITY else np.arange(fold.n_items)
    within = matrix[:, codes]
    _check_neighbours(algorithm, within)
    algorithm.fit(within)
    del algorithm.pdf_  # a dense matrix of all pairs, which predictions do not need
    similarity = by_codes(algorithm.similarity_matrix_, codes, fold.n_items)
    rows = np.zeros(fold.n_items + 1, dtype=similarity.indptr.dtype)
    rows[codes + 1] = np.diff(similarity.indptr)
    algorithm.similarity_matrix_ = csr_matrix(
        (similarity.data, similarity.indices, np.cumsum(rows)), shape=(fold.n_items, fold.n_items)
    )


def _check_neighbours(algorithm: ItemPNN, within: csr_matrix) -> None:
    n_items = within.shape[1]
    wanted = algorithm.K + 1  # one is to spare, in the place of the item itself
    if wanted > n_items:
        raise ValueError(
            f"ItemPNN draws K + 1 = {wanted} different items for each, and there are {n_items}. Take K={n_items - 1} or less."
        )
    if algorithm.pdf != BY_SIMILARITY:
        return
    similar: Any = np.diff((within.T @ within).tocsr().indptr) - 1
    fewest = int(similar.min())
    if fewest < wanted:
        has = "none" if fewest == 0 else str(fewest)
        smaller = f"K={fewest - 1} or less, " if fewest > 1 else ""
        raise ValueError(
            f"ItemPNN draws K + 1 = {wanted} different items for each among those that share a user with it, and "
            f"{int((similar < wanted).sum())} of {n_items} items have fewer; an item has {has}. Take {smaller}"
            "pdf='softmax_empirical' or 'uniform', which draw among all items, or prune rare items with CorePruning."
        )

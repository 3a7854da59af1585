"""Scores of RecBole's models in fewer numbers than one for each user and item: factors, or sparse matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from . import folds, parts, score_forms
from .factors import FactorScores, ItemFactors
from .recbole_training import Model

BATCH = 4096
"""Users whose factors are held in memory together, and of models with sparse scores a quarter as many."""

Numbers = npt.NDArray[np.int64]


def _of_embeddings(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return network.user_embedding(users), network.item_embedding.weight


def _of_graph(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    if network.restore_user_e is None or network.restore_item_e is None:
        graph = (network.train_graph,) if type(network).__name__ == "SGL" else ()
        network.restore_user_e, network.restore_item_e = network.forward(*graph)
    return network.restore_user_e[users], network.restore_item_e


def _of_matrices(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return network.user_embeddings[users], network.item_embeddings.T


FACTORS: dict[str, Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]] = {
    "BPR": _of_embeddings,
    "LINE": _of_embeddings,
    "LightGCN": _of_graph,
    "NGCF": _of_graph,
    "SGL": _of_graph,
    "SpectralCF": _of_graph,
    "DGCF": _of_graph,
    "NCEPLRec": _of_matrices,
}
"""Models whose ``full_sort_predict`` is the product of what users and items have here; number 0 pads."""

SPARSE_ROWS: dict[str, Callable[[Any, Numbers], Any]] = {
    "ItemKNN": lambda network, users: network.pred_mat[users],
    "SLIMElastic": lambda network, users: network.interaction_matrix[users] @ network.item_similarity,
}
"""Models whose ``full_sort_predict`` is a sparse matrix made dense: what has no entry scores zero."""


def compact_scores(
    model: Model, algorithm: str, fold: folds.Fold, number: Numbers
) -> Iterator[tuple[parts.Ints, folds.Scores | FactorScores | score_forms.SparseScores]] | None:
    """Return the scores of all items for batches of users; None of a model that makes dense ones, or that is on a GPU.

    Args:
        model: The model.
        algorithm: Its name.
        fold: The fold.
        number: RecBole's number of each user, 0 for who is unknown; shape (n_users,).
    """
    if algorithm in FACTORS and torch.device(model.network.device).type == "cpu":
        return _factor_scores(model, FACTORS[algorithm], fold, number)
    if algorithm in SPARSE_ROWS:
        return _sparse_scores(model, SPARSE_ROWS[algorithm], fold, number)
    return None


@torch.no_grad()  # type: ignore[untyped-decorator]
def _factors(
    model: Model, of: Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]], numbers: Numbers
) -> tuple[torch.Tensor, torch.Tensor]:
    users, items = of(model.network, torch.from_numpy(numbers))
    return users.detach().contiguous(), items.detach()


def _factor_scores(
    model: Model,
    of: Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    fold: folds.Fold,
    number: Numbers,
) -> Iterator[tuple[parts.Ints, FactorScores]]:
    items: ItemFactors | None = None
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        user_factor, item_factor = _factors(model, of, number[users])
        if items is None:  # what is in validation alone has a number that nothing has trained
            items = ItemFactors.of(item_factor[1:].contiguous(), model.items, fold)
        yield users, FactorScores(user_factor, items, number[users] > 0)


def _sparse_scores(
    model: Model, of: Callable[[Any, Numbers], Any], fold: folds.Fold, number: Numbers
) -> Iterator[tuple[parts.Ints, folds.Scores | score_forms.SparseScores]]:
    is_known = np.zeros(fold.n_items, dtype=bool)
    is_known[model.items] = True
    is_known &= fold.candidates
    step = BATCH // 4
    for start in range(0, len(fold.users), step):
        users = fold.users[start : start + step]
        scored = number[users] > 0
        entries = sparse.coo_matrix(of(model.network, number[users]))
        is_entry = (entries.col > 0) & scored[entries.row]
        row, item = entries.row[is_entry], model.items[entries.col[is_entry] - 1]
        shape = (len(users), fold.n_items)
        matrix = sparse.csr_matrix((entries.data[is_entry], (row, item)), shape=shape)
        if matrix.nnz > score_forms.SPARSE * np.prod(shape, dtype=np.float64):
            dense = np.where(is_known & scored[:, None], matrix.toarray(), np.nan)
            yield users, dense
            continue
        scores = np.where(is_known[matrix.indices], matrix.data, np.nan)
        others = score_forms.OtherItems(is_known, np.where(scored, 0, np.nan).astype(scores.dtype))
        starts, items = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
        yield users, score_forms.SparseScores(starts, items, scores, others)

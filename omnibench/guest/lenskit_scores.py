"""Scores of LensKit's scorers in blocks of users: LensKit is asked for factors and weights, not for each user's scores.

Its scorers rank for one user at a time, and most of such a call goes into looking up the items. What comes out here
differs from what they would answer by no more than the rounding of a sum in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lenskit.als import BiasedMFScorer, ImplicitMFScorer
from lenskit.data import Dataset, ItemList, RecQuery
from lenskit.flexmf import FlexMFExplicitScorer, FlexMFImplicitScorer
from lenskit.knn import EASEScorer, ItemKNNScorer, SLIMScorer
from scipy import sparse

from . import folds, parts, score_forms
from .factors import FactorScores, ItemFactors

BATCH = 4096
"""Users whose factors are held in memory together."""

DENSE_BATCH = 256
"""Users whose scores are held in memory together."""

ENTRIES = 1 << 22
"""Scores of neighbours from which on no more users come into a batch: with most items reached, a user has as many as items."""

_Batches = Iterator[tuple[parts.Ints, folds.Scores | FactorScores | score_forms.SparseScores]]


def block_scores(scorer: Any, histories: Dataset, fold: folds.Fold) -> _Batches | None:
    """Return the scores of all training items for batches of users; None of a scorer that has to be asked for each user.

    Args:
        scorer: The fitted scorer.
        histories: The histories of the users to recommend for.
        fold: The fold.
    """
    if isinstance(scorer, ImplicitMFScorer | BiasedMFScorer):
        return _least_squares(scorer, histories, fold)
    if isinstance(scorer, FlexMFImplicitScorer | FlexMFExplicitScorer):
        return _flexible(scorer, fold)
    if isinstance(scorer, EASEScorer | SLIMScorer):
        return _weights(scorer, histories, fold)
    if isinstance(scorer, ItemKNNScorer):
        return _neighbours(scorer, histories, fold)
    return None


def _least_squares(scorer: Any, histories: Dataset, fold: folds.Fold) -> _Batches:
    """Ask for the factors that each user's history gives, as a pipeline does, or for those of training."""
    is_biased = isinstance(scorer, BiasedMFScorer)
    item_bias = scorer.bias.compute_for_items(ItemList.from_vocabulary(scorer.items), bias=0.0) if is_biased else None
    items = ItemFactors.of(scorer.item_embeddings, np.asarray(scorer.items.ids()), fold, item_bias)
    prefers_trained = scorer.config.user_embeddings == "prefer"
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        factor = np.zeros((len(users), scorer.item_embeddings.shape[1]), dtype=scorer.item_embeddings.dtype)
        bias = np.zeros(len(users), dtype=factor.dtype) if is_biased else None
        is_scored = np.zeros(len(users), dtype=bool)
        for row, user in enumerate(users.tolist()):
            number = None if scorer.users is None else scorer.users.number(user, missing=None)
            history = histories.user_row(user)
            if history is not None and len(history) and not prefers_trained:
                factor[row], user_bias = scorer.new_user_embedding(number, history)
            elif number is not None and scorer.user_embeddings is not None:
                factor[row], user_bias = scorer.user_embeddings[number], None
            else:
                continue
            is_scored[row] = True
            if bias is None:
                continue
            if user_bias is None and number is not None and scorer.bias.user_biases is not None:
                user_bias = scorer.bias.user_biases[number]
            bias[row] = 0.0 if user_bias is None else user_bias
        yield users, FactorScores(factor, items, is_scored, bias)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def _flexible_factors(scorer: Any) -> tuple[Any, ...]:
    """Return the factors and biases of users and items that FlexMF's network multiplies and adds."""
    network = scorer.model
    factors = []
    for layers, embedding in ((network.u_layers, network.u_embed), (network.i_layers, network.i_embed)):
        factor = embedding.weight if layers is None else layers.sum(0) * network._layer_scale
        factors.append(factor.detach().numpy(force=True))
    biases = [
        None if bias is None else bias.weight.detach().numpy(force=True)[:, 0]
        for bias in (network.u_bias, network.i_bias)
    ]
    return (*factors, *biases)


def _flexible(scorer: Any, fold: folds.Fold) -> _Batches:
    user_factor, item_factor, user_bias, item_bias = _flexible_factors(scorer)
    if isinstance(scorer, FlexMFExplicitScorer):
        if item_bias is None:
            item_bias = np.zeros(len(item_factor), dtype=item_factor.dtype)
        item_bias = item_bias + np.float32(scorer.global_bias)
    items = ItemFactors.of(item_factor, np.asarray(scorer.items.ids()), fold, item_bias)
    numbers = scorer.users.numbers(fold.users, missing="negative")
    for start in range(0, len(fold.users), BATCH):
        number = np.asarray(numbers[start : start + BATCH])
        bias = None if user_bias is None else user_bias[number]
        yield fold.users[start : start + BATCH], FactorScores(user_factor[number], items, number >= 0, bias)


def _history_matrix(scorer: Any, histories: Dataset, users: parts.Ints) -> sparse.csr_array:
    """Return which of the scorer's items some users have, shape (b, items of the scorer)."""
    rows = [_history_numbers(scorer, histories, user) for user in users.tolist()]
    ends = np.cumsum([0, *map(len, rows)])
    columns = np.concatenate([np.zeros(0, dtype=np.int32), *rows])
    ones = np.ones(len(columns), dtype=np.float32)
    return sparse.csr_array((ones, columns, ends), shape=(len(users), len(scorer.items)))


def _history_numbers(scorer: Any, histories: Dataset, user: int) -> npt.NDArray[np.int32]:
    history = histories.user_row(user)
    if history is None:
        return np.zeros(0, dtype=np.int32)
    numbers = np.asarray(history.numbers(vocabulary=scorer.items, missing="negative"))
    return numbers[numbers >= 0].astype(np.int32)


def _weights(scorer: Any, histories: Dataset, fold: folds.Fold) -> _Batches:
    """Multiply histories with the weights of items, which are dense (EASE) or sparse (SLIM)."""
    codes = np.asarray(scorer.items.ids())
    is_known = np.zeros(fold.n_items, dtype=bool)
    is_known[codes] = True
    for start in range(0, len(fold.users), DENSE_BATCH):
        users = fold.users[start : start + DENSE_BATCH]
        history = _history_matrix(scorer, histories, users)
        has_history = np.diff(history.indptr) > 0
        product = history @ scorer.weights
        if not sparse.issparse(product):
            scores = np.full((len(users), fold.n_items), np.nan, dtype=np.float32)
            scores[:, codes] = product
            scores[~has_history] = np.nan
            yield users, scores
            continue
        yield users, _sparse_scores(product, codes, is_known, has_history)


def _sparse_scores(
    product: Any, codes: npt.NDArray[np.integer[Any]], is_known: npt.NDArray[np.bool_], has_history: Any
) -> score_forms.SparseScores:
    """Return a product of the scorer's items as scores, which are zero where it has no entries."""
    entries = product.tocoo()
    shape = (len(has_history), len(is_known))
    matrix = sparse.csr_array((entries.data, (entries.row, codes[entries.col])), shape=shape)
    others = score_forms.OtherItems(is_known, np.where(has_history, 0, np.nan).astype(np.float32))
    starts, items = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
    return score_forms.SparseScores(starts, items, matrix.data.astype(np.float32), others)


def _neighbours(scorer: Any, histories: Dataset, fold: folds.Fold) -> _Batches:
    """Ask for the items only that have a neighbour in a user's history; LensKit has no score for the others."""
    codes = np.asarray(scorer.items.ids())
    similar = scorer.sim_matrix
    starts = similar.offsets.to_numpy().astype(np.int64)
    neighbour = np.asarray(similar.indices)
    is_reached = np.zeros(len(codes), dtype=bool)
    start = 0
    while start < len(fold.users):
        items: list[Any] = [np.zeros(0, dtype=np.int32)]
        scores: list[Any] = [np.zeros(0, dtype=np.float32)]
        n_entries = 0
        for user in fold.users[start : start + BATCH].tolist():
            history = histories.user_row(user)
            _, number = parts.entries_of(_history_numbers(scorer, histories, user), starts)
            is_reached[neighbour[number]] = True
            reached = np.flatnonzero(is_reached).astype(np.int32)
            is_reached[reached] = False
            asked = ItemList(item_nums=reached, vocabulary=scorer.items)
            answer = scorer(query=RecQuery(user_id=user, history_items=history), items=asked)
            items.append(codes[reached])
            scores.append(np.asarray(answer.scores(), dtype=np.float32))
            n_entries += len(reached)
            if n_entries >= ENTRIES:
                break
        users = fold.users[start : start + len(items) - 1]
        start += len(users)
        ends = np.cumsum([len(some) for some in items])
        yield users, score_forms.SparseScores(ends, np.concatenate(items).astype(np.int32), np.concatenate(scores))

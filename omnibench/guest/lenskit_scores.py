"""Scores of LensKit's scorers in blocks of users: LensKit is asked for factors and weights, not for each user's scores.

Its scorers rank for one user at a time, and most of such a call goes into looking up the items. What comes out here
differs from what they would answer by no more than the rounding of a sum in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from lenskit.als import BiasedMFScorer, ImplicitMFScorer
from lenskit.data import Dataset, ItemList, RecQuery
from lenskit.flexmf import FlexMFExplicitScorer, FlexMFImplicitScorer
from lenskit.knn import EASEScorer, ItemKNNScorer, SLIMScorer
from scipy import sparse

from . import folds, lenskit_neighbours, parts, score_forms
from .counted_sums import Counted
from .dense_products import DenseProducts, ItemWeights
from .factors import FactorScores, ItemFactors
from .lenskit_bridges import CurrentFactors
from .lenskit_neighbours import MOST_ADDED, LimitedAverages, LimitedSums
from .lenskit_scorers import LIGHT_GCN, OF_IMPLICIT
from .products import ProductScores, by_codes
from .sum_bounds import SumBounds

BATCH = 4096
"""Users whose factors are held in memory together."""

ENTRIES = 1 << 22
"""Scores of neighbours from which on no more users come into a batch: with most items reached, a user has as many as items."""

_Batches = Iterator[tuple[parts.Ints, FactorScores | ProductScores | DenseProducts | score_forms.SparseScores]]


def block_scores(scorer: Any, histories: Dataset, fold: folds.Fold) -> _Batches | None:
    """Return the scores of all training items for batches of users; None of a scorer that has to be asked for each user.

    UserKNN has to be: an item takes the highest few similarities of those who have it, and most items have more of them.

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
    name = type(scorer).__name__  # of classes that are not imported for others
    if name == LIGHT_GCN:
        return _convolved(scorer, fold)
    if isinstance(scorer, CurrentFactors) or name in {*OF_IMPLICIT, "NMFScorer"}:
        return _factors(scorer, fold)
    return None


def _least_squares(scorer: Any, histories: Dataset, fold: folds.Fold) -> _Batches:
    """Ask for the factors that each user's history gives, as a pipeline does, or for those of training."""
    is_biased = isinstance(scorer, BiasedMFScorer)
    item_bias = scorer.bias.compute_for_items(ItemList.from_vocabulary(scorer.items), bias=0.0) if is_biased else None
    items = ItemFactors.of(scorer.item_embeddings, np.asarray(scorer.items.ids()), fold, item_bias)
    if scorer.config.user_embeddings == "prefer":
        yield from _trained(scorer, items, fold)
        return
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        factor = np.zeros((len(users), scorer.item_embeddings.shape[1]), dtype=scorer.item_embeddings.dtype)
        bias = np.zeros(len(users), dtype=factor.dtype) if is_biased else None
        is_scored = np.zeros(len(users), dtype=bool)
        for row, user in enumerate(users.tolist()):
            number = None if scorer.users is None else scorer.users.number(user, missing=None)
            history = histories.user_row(user)
            if history is not None and len(history):
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


def _trained(scorer: Any, items: ItemFactors, fold: folds.Fold) -> _Batches:
    """Look up the factors of users that training has given, and their biases where the scorer has these."""
    if scorer.users is None or scorer.user_embeddings is None:
        numbers = np.full(len(fold.users), -1)
    else:
        numbers = np.asarray(scorer.users.numbers(fold.users, missing="negative"))
    for start in range(0, len(fold.users), BATCH):
        number = numbers[start : start + BATCH]
        known = number >= 0
        factor = np.zeros((len(number), scorer.item_embeddings.shape[1]), dtype=scorer.item_embeddings.dtype)
        factor[known] = scorer.user_embeddings[number[known]]
        bias = None if items.bias is None else np.zeros(len(number), dtype=factor.dtype)
        if bias is not None and scorer.bias.user_biases is not None:
            bias[known] = scorer.bias.user_biases[number[known]]
        yield fold.users[start : start + BATCH], FactorScores(factor, items, known, bias)


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


@torch.no_grad()  # type: ignore[untyped-decorator]
def _convolved(scorer: Any, fold: folds.Fold) -> _Batches:
    """Convolve the embeddings of LightGCN's graph once, where LensKit does for each user; items are its first nodes."""
    nodes = scorer.model.get_embedding(scorer._edges).numpy(force=True)
    user_factor, item_factor = nodes[scorer._user_base :], nodes[: scorer._user_base]
    items = ItemFactors.of(item_factor, np.asarray(scorer.items.ids()), fold)
    numbers = np.asarray(scorer.users.numbers(fold.users, missing="negative"))
    for start in range(0, len(fold.users), BATCH):
        number = numbers[start : start + BATCH]
        yield fold.users[start : start + BATCH], FactorScores(user_factor[number], items, number >= 0)


def _factors(scorer: Any, fold: folds.Fold) -> _Batches:
    """Multiply the factors that scikit-learn or implicit has learned; users unknown in training have none."""
    is_nonnegative = hasattr(scorer, "user_components")  # what LensKit calls the factors of scikit-learn
    user_factor = scorer.user_components if is_nonnegative else scorer.user_embeddings
    item_factor = scorer.item_components if is_nonnegative else scorer.item_embeddings
    items = ItemFactors.of(item_factor, np.asarray(scorer.items.ids()), fold)
    numbers = np.asarray(scorer.users.numbers(fold.users, missing="negative"))
    for start in range(0, len(fold.users), BATCH):
        number = numbers[start : start + BATCH]
        yield fold.users[start : start + BATCH], FactorScores(user_factor[number], items, number >= 0)


def _history_matrix(
    scorer: Any, histories: Dataset, users: parts.Ints, ratings: parts.Floats | None = None
) -> sparse.csr_array:
    """Return which of the scorer's items some users have, by number in each row; shape (b, items of the scorer).

    Args:
        scorer: The scorer.
        histories: The histories.
        users: The users, shape (b,).
        ratings: A number for each interaction of the histories, which stands there instead of 1.
    """
    rows = histories.interactions().matrix().csr_structure()
    number_of_item = np.asarray(scorer.items.numbers(histories.items.ids(), missing="negative"))
    number = np.asarray(histories.users.numbers(users, missing="negative"))
    row, entry = parts.entries_of(
        number, np.append(rows.rowptrs, rows.rowptrs[-1])
    )  # the last one, which -1 is, is empty
    columns = number_of_item[rows.colinds[entry]]
    is_scored = columns >= 0
    if not is_scored.all():
        row, columns, entry = row[is_scored], columns[is_scored], entry[is_scored]
    # With ends in int64, as an array keeps them, SciPy would copy all similarities' indices to int64 in each product.
    ends = np.searchsorted(row, np.arange(len(users) + 1)).astype(np.int32)
    numbers = np.ones(len(columns), dtype=np.float32) if ratings is None else ratings[entry]
    return sparse.csr_array(
        (numbers, columns.astype(np.int32, copy=False), ends), shape=(len(users), len(scorer.items))
    )


def _weights(scorer: Any, histories: Dataset, fold: folds.Fold) -> _Batches:
    """Multiply histories with the weights of items, which are dense (EASE) or sparse (SLIM)."""
    codes = np.asarray(scorer.items.ids())
    is_known = np.zeros(fold.n_items, dtype=bool)
    is_known[codes] = True
    is_sparse = sparse.issparse(scorer.weights)
    weights = (
        by_codes(scorer.weights, codes, fold.n_items) if is_sparse else ItemWeights.of(scorer.weights, codes, fold)
    )
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        history = _history_matrix(scorer, histories, users)
        has_history = np.diff(history.indptr) > 0
        if isinstance(weights, ItemWeights):
            yield users, DenseProducts(history, weights, has_history)
        else:
            others = score_forms.OtherItems(is_known, np.where(has_history, 0, np.nan).astype(np.float32))
            yield users, ProductScores(history, weights, others)


def _neighbours(scorer: Any, histories: Dataset, fold: folds.Fold) -> _Batches:
    """Add up similarities, or ratings by similarities; ask LensKit where there are too many for each item."""
    codes = np.asarray(scorer.items.ids())
    similar = scorer.sim_matrix.to_scipy()
    is_sum = lenskit_neighbours.is_sum(scorer)
    similarity = by_codes(similar, codes, fold.n_items) if is_sum else None
    limits, ratings = _limits_and_ratings(scorer, histories, codes, fold, similarity)
    n_similar = np.diff(similar.indptr)
    is_known = bool(fold.candidates[codes].all())
    start = 0
    while start < len(fold.users):
        users = fold.users[start : start + BATCH]
        history = _history_matrix(scorer, histories, users, ratings)
        n_added = n_similar[history.indices].sum()
        if similarity is not None and n_added <= MOST_ADDED * len(users) * fold.n_items:
            yield users, ProductScores(history, similarity, limits=limits, of_candidates=is_known)
        else:
            users, scores = _asked(scorer, histories, users, history, similar, codes)
            yield users, scores
        start += len(users)


def _limits_and_ratings(
    scorer: Any, histories: Dataset, codes: Any, fold: folds.Fold, similarity: Any
) -> tuple[LimitedSums | LimitedAverages | None, parts.Floats | None]:
    """Return what a score is beside a sum, and the ratings of the histories less the means of their items, if these count."""
    most, least = scorer.config.max_nbrs, scorer.config.min_nbrs
    number = np.asarray(scorer.items.numbers(histories.items.ids(), missing="negative"))
    if not scorer.config.explicit:
        if similarity is None:
            return None, None
        rows = histories.interactions().matrix().csr_structure()
        lengths = np.diff(np.append(rows.rowptrs, rows.rowptrs[-1]))
        is_scored = number >= 0
        counts = np.zeros(len(codes), dtype=np.int64)
        counts[number[is_scored]] = np.bincount(rows.colinds, minlength=len(number))[is_scored]
        frequency = counts / max(1, (lengths > 0).sum())
        make_bounds = partial(SumBounds.of, similarity, frequency, int(lengths.max(initial=0)), most)
        return LimitedSums(most, least, Counted(similarity), make_bounds), None
    rated = histories.interactions().matrix().scipy("rating", layout="csr")
    ratings = rated.data.astype(np.float32) - scorer.item_means[number[rated.indices]]  # of unknown items not looked at
    item_mean = np.zeros(fold.n_items, dtype=np.float32)
    item_mean[codes] = scorer.item_means
    return LimitedAverages(most, least, item_mean), ratings


def _asked(
    scorer: Any, histories: Dataset, users: parts.Ints, history: Any, similar: Any, codes: Any
) -> tuple[parts.Ints, score_forms.SparseScores]:
    """Ask for the items only that have a neighbour in a user's history; LensKit has no score for the others.

    Returns:
        The first users, as many as fit into memory, and their scores.
    """
    is_reached = np.zeros(len(codes), dtype=bool)
    items: list[Any] = [np.zeros(0, dtype=np.int32)]
    scores: list[Any] = [np.zeros(0, dtype=np.float32)]
    n_entries = 0
    for row, user in enumerate(users.tolist()):
        numbers = history.indices[history.indptr[row] : history.indptr[row + 1]]
        _, entry = parts.entries_of(numbers, similar.indptr)
        is_reached[similar.indices[entry]] = True
        reached = np.flatnonzero(is_reached).astype(np.int32)
        is_reached[reached] = False
        asked = ItemList(item_nums=reached, vocabulary=scorer.items)
        answer = scorer(query=RecQuery(user_id=user, history_items=histories.user_row(user)), items=asked)
        items.append(codes[reached])
        scores.append(np.asarray(answer.scores(), dtype=np.float32))
        n_entries += len(reached)
        if n_entries >= ENTRIES:
            break
    ends = np.cumsum([len(some) for some in items])
    sparse_scores = score_forms.SparseScores(ends, np.concatenate(items).astype(np.int32), np.concatenate(scores))
    return users[: len(items) - 1], sparse_scores

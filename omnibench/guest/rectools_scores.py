"""What RecTools' models rank by, but for those that read sequences: the numbers that its rankers multiply, by item codes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from rectools.dataset import Dataset
from scipy import sparse
from threadpoolctl import threadpool_limits

from . import folds, parts, ranking, top_items
from .factors import FactorScores, ItemFactors
from .matrices import binary_histories
from .products import scores_of_neighbours
from .ranked_lists import RankedList
from .rectools_models import FACTORS, NEIGHBOURS, POPULARITY, RUNNABLE, SIMILARITIES
from .score_forms import SharedScores

BATCH = 4096
"""Users whose factors or histories are held in memory together."""

LISTED = 64
"""Users whose lists are made together."""

DENSE_SCORES = 1 << 24
"""Scores that are held in memory together where they are calculated for all items."""


@dataclass(frozen=True)
class KnownFeatures:
    """What a model asks of a dataset when it makes its factors, named as RecTools' dataset has it.

    Attributes:
        user_features: Those of users, by RecTools' number.
        item_features: Those of items.
        n_hot_users: The number of users in training.
        n_hot_items: That of items.
    """

    user_features: Any = None
    item_features: Any = None
    n_hot_users: int = 0
    n_hot_items: int = 0

    @classmethod
    def of(cls, dataset: Dataset) -> KnownFeatures:
        """Take them from a dataset, without its interactions."""
        return cls(dataset.user_features, dataset.item_features, dataset.n_hot_users, dataset.n_hot_items)


WITHOUT_FEATURES = KnownFeatures()


@dataclass
class Model:
    """A fitted model.

    Attributes:
        recommender: RecTools' model.
        users: int32 user codes by RecTools' number.
        items: int32 item codes by RecTools' number.
        features: The features of users and items that its factors are made of.
    """

    recommender: Any
    users: parts.Ints
    items: parts.Ints
    features: KnownFeatures = WITHOUT_FEATURES

    @property
    def has_features(self) -> bool:
        """Whether it has learned from features: then it has so many factors that their sums depend on the threads of BLAS."""
        return self.features.n_hot_items > 0


@dataclass
class _Seen:
    """What models that give lists ask of a dataset.

    Attributes:
        matrix: Whether users have seen items, a CSR matrix by position and by RecTools' number.
    """

    matrix: sparse.csr_matrix

    def get_user_item_matrix(self, include_weights: bool) -> sparse.csr_matrix:
        """Return it; all weights are 1."""
        return self.matrix


def scores(
    model: Model, algorithm: str, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
    """Yield the scores of all items for batches of users.

    Args:
        model: The model.
        algorithm: Its name.
        fold: The fold.
    """
    match RUNNABLE[algorithm].ranks_by:
        case ranks_by if ranks_by == FACTORS:
            with threadpool_limits(1, "blas") if model.has_features else nullcontext():
                yield from _by_factors(model, fold)
        case ranks_by if ranks_by == NEIGHBOURS:
            yield from scores_of_neighbours(_by_codes(model, fold), fold, BATCH)
        case ranks_by if ranks_by == SIMILARITIES:
            yield from _by_similarities(model, fold)
        case ranks_by if ranks_by == POPULARITY:
            yield from _by_popularity(model, fold)


def _by_factors(model: Model, fold: folds.Fold) -> Iterator[tuple[parts.Ints, FactorScores]]:
    user_factors, item_factors = model.recommender._get_u2i_vectors(model.features)
    number = np.full(fold.n_users, -1, dtype=np.int64)
    number[model.users] = np.arange(len(model.users))
    user_factors = user_factors.astype(item_factors.dtype, copy=False)
    items = ItemFactors.of(item_factors, model.items, fold)
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        yield users, FactorScores(user_factors[number[users]], items, number[users] >= 0)


def _by_codes(model: Model, fold: folds.Fold) -> sparse.csr_matrix:
    """Return the similarities of items by their codes."""
    similarity = model.recommender.model.similarity.tocoo()
    coordinates = model.items[similarity.row], model.items[similarity.col]
    return sparse.csr_matrix((similarity.data, coordinates), shape=(fold.n_items, fold.n_items))


def _by_similarities(model: Model, fold: folds.Fold) -> Iterator[tuple[parts.Ints, folds.Scores]]:
    """Yield the scores of EASE, for which RecTools' ranker multiplies the rows of the weights, where the paper has columns."""
    weight = model.recommender.weight.T
    batch = max(1, min(BATCH, DENSE_SCORES // max(1, fold.n_items)))
    for start in range(0, len(fold.users), batch):
        users = fold.users[start : start + batch]
        histories = binary_histories(fold, users)[:, model.items].astype(weight.dtype)
        scored = np.full((len(users), fold.n_items), np.nan, dtype=top_items.ranking_type(weight.dtype))
        scored[:, model.items] = histories @ weight
        yield users, scored


def _by_popularity(model: Model, fold: folds.Fold) -> Iterator[tuple[parts.Ints, SharedScores]]:
    numbers, counts = model.recommender.popularity_list
    scored = np.full(fold.n_items, np.nan)
    scored[model.items[numbers]] = -counts if model.recommender.inverse else counts
    yield fold.users, SharedScores.of(scored, np.ones(len(fold.users), dtype=bool))


def lists(model: Model, fold: folds.Fold, k: int) -> Iterator[tuple[parts.Ints, list[RankedList]]]:
    """Yield the lists of a model that has no scores by which they could be cut, without what users have seen.

    Args:
        model: The model.
        fold: The fold.
        k: The length of the lists.
    """
    recommender = copy.deepcopy(model.recommender)  # what it draws is then the same each time
    number = np.full(fold.n_items, -1, dtype=np.int64)
    number[model.items] = np.arange(len(model.items))
    for start in range(0, len(fold.users), LISTED):
        users = fold.users[start : start + LISTED]
        row, item = fold.masked_pairs(users)
        row, item = row[number[item] >= 0], number[item[number[item] >= 0]]
        shape = len(users), len(model.items)
        seen = sparse.csr_matrix((np.ones(len(row), dtype=np.float32), (row, item)), shape=shape)
        seen.sum_duplicates()
        positions, recommended, _ = recommender._recommend_u2i(np.arange(len(users)), _Seen(seen), k, True, None)
        codes = model.items[np.asarray(recommended, dtype=np.int64)]
        ends = np.cumsum(np.bincount(np.asarray(positions, dtype=np.int64), minlength=len(users)))
        ranked = np.split(codes, ends[:-1])
        yield users, [(of_user, 0.0 - np.arange(len(of_user), dtype=np.float64)) for of_user in ranked]

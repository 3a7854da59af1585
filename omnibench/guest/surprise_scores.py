"""Surprise's predicted ratings of all items for many users: what its ``predict`` says of each pair, without asking for each.

They differ from it by no more than the rounding of a sum in another order, and are cut to the scale of the ratings as there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from surprise import (
    NMF,
    SVD,
    BaselineOnly,
    CoClustering,
    KNNBaseline,
    KNNBasic,
    KNNWithMeans,
    KNNWithZScore,
    NormalPredictor,
    SlopeOne,
    SVDpp,
)

from . import folds, parts, ranking
from .factors import FactorScores, ItemFactors
from .surprise_data import Training

BATCH = 256
"""Users whose scores are held in memory together."""

_Numbers = npt.NDArray[np.float64]
_OfUser = Callable[[int], _Numbers]
"""Returns the estimates of all items for a user, by Surprise's numbers."""


def scores_of(
    model: Any, data: Training, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
    """Yield the predicted ratings of all items of training for batches of users.

    Args:
        model: The fitted algorithm.
        data: Its training set.
        fold: The fold.
    """
    low, high = data.trainset.rating_scale
    if isinstance(model, SVD | SVDpp | NMF | BaselineOnly):
        yield fold.users, _products(model, data, fold)
        return
    of_user = _estimates(model, data)
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        scores = np.full((len(users), fold.n_items), np.nan)
        for row, number in enumerate(data.number_of_user[users].tolist()):
            scores[row, data.item] = np.clip(of_user(number), low, high)
        yield users, scores


def _products(model: Any, data: Training, fold: folds.Fold) -> FactorScores:
    """Return what factors and biases make, of all users to recommend for."""
    trainset, number = data.trainset, data.number_of_user[fold.users]
    low, high = trainset.rating_scale
    is_biased = getattr(model, "biased", True)
    item_bias, user_bias = None, None
    if is_biased:
        item_bias, user_bias = model.bi, trainset.global_mean + model.bu[number]
    if isinstance(model, BaselineOnly):
        user_factor, item_factor = np.zeros((len(number), 1)), np.zeros((trainset.n_items, 1))
    else:
        user_factor, item_factor = model.pu[number], model.qi
    if isinstance(model, SVDpp):
        user_factor = user_factor + [_feedback(model, trainset.ur[user]) for user in number.tolist()]

    def cut(sums: folds.Scores) -> None:
        np.clip(sums, low, high, out=sums)

    items = ItemFactors.of(item_factor, data.item, fold, item_bias, link=cut)
    return FactorScores(user_factor, items, np.ones(len(number), dtype=bool), user_bias)


def _feedback(model: SVDpp, ratings: list[tuple[int, float]]) -> _Numbers:
    """Return what the items that a user has rated add to the user's factors."""
    rated = [item for item, _ in ratings]
    feedback: _Numbers = model.yj[rated].sum(axis=0) / np.sqrt(len(rated))
    return feedback


def _estimates(model: Any, data: Training) -> _OfUser:
    """Return what estimates the ratings of a user, before they are cut to the scale."""
    trainset = data.trainset
    if isinstance(model, SlopeOne):
        return lambda user: _slope_one(model, user, [item for item, _ in trainset.ur[user]])
    if isinstance(model, CoClustering):
        return lambda user: _co_clustering(model, user)
    if isinstance(model, NormalPredictor):
        return lambda _: np.random.normal(trainset.global_mean, model.sigma, trainset.n_items)
    neighbours = _UserNeighbours(model) if model.sim_options["user_based"] else _ItemNeighbours(model)
    return neighbours.estimates


def _slope_one(model: SlopeOne, user: int, rated: list[int]) -> _Numbers:
    """Return the user's mean and the mean deviation of each item from those rated, of which somebody has rated both."""
    is_relevant = model.freq[:, rated] > 0
    counts = is_relevant.sum(axis=1)
    deviations = np.where(is_relevant, model.dev[:, rated], 0.0).sum(axis=1)
    means: _Numbers = model.user_mean[user] + deviations / np.maximum(counts, 1)
    return means


def _co_clustering(model: CoClustering, user: int) -> _Numbers:
    """Return the mean of the co-clusters, moved by how user and items differ from their clusters."""
    of_user, of_items = model.cltr_u[user], model.cltr_i
    moved: _Numbers = (
        model.avg_cocltr[of_user, of_items]
        + model.user_mean[user]
        - model.avg_cltr_u[of_user]
        + model.item_mean
        - model.avg_cltr_i[of_items]
    )
    return moved


class _Neighbours:
    """The neighbours of Surprise's KNN algorithms: for each pair the most similar that have rated, or were rated.

    In Surprise's words *x* is what is similar (users, or items), *y* the other.

    Args:
        model: The fitted algorithm.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.n_items = model.trainset.n_items

    def _combined(self, x: Any, y: Any, pair: Any, similarity: _Numbers, neighbour: Any, rating: _Numbers) -> _Numbers:
        """Return the estimates of pairs.

        Args:
            x: The *x* of each pair, or that of all.
            y: The *y* of each pair, or that of all.
            pair: For each neighbour the number of the pair, the most similar of a pair first.
            similarity: The neighbours' similarity, which is positive.
            neighbour: The neighbours.
            rating: What they have rated the pair's item with, or the rating of them by the pair's user.
        """
        model = self.model
        if isinstance(model, KNNWithMeans):
            rating = rating - model.means[neighbour]
        elif isinstance(model, KNNWithZScore):
            rating = (rating - model.means[neighbour]) / model.sigmas[neighbour]
        elif isinstance(model, KNNBaseline):
            of_y = model.by[y[pair]] if isinstance(y, np.ndarray) else model.by[y]
            rating = rating - (model.trainset.global_mean + model.bx[neighbour] + of_y)
        sums, weights = (np.bincount(pair, column, self.n_items) for column in (similarity * rating, similarity))
        counts = np.bincount(pair, minlength=self.n_items)
        has_enough = (counts >= model.min_k) & (weights > 0)
        mean = np.divide(sums, weights, out=np.zeros(self.n_items), where=has_enough)
        if isinstance(model, KNNBasic):
            return np.where(has_enough, mean, model.trainset.global_mean)
        if isinstance(model, KNNBaseline):
            return model.trainset.global_mean + model.bx[x] + model.by[y] + mean
        if isinstance(model, KNNWithZScore):
            mean = mean * model.sigmas[x]
        expected: _Numbers = model.means[x] + mean
        return expected


class _UserNeighbours(_Neighbours):
    """The users most similar to one, among those who have rated an item."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        ratings = [(item, *entry) for item in range(self.n_items) for entry in model.yr[item]]
        item, user, rating = zip(*ratings, strict=True)
        self._item, self._user, self._rating = np.array(item), np.array(user), np.array(rating)
        self._first = np.searchsorted(self._item, np.arange(self.n_items))

    def estimates(self, user: int) -> _Numbers:
        """Return the estimates of all items for a user."""
        similarity = self.model.sim[user, self._user]
        order = np.lexsort((-similarity, self._item))  # stable, as Surprise's choice of the largest
        rank = np.arange(len(order)) - self._first[self._item]
        order = order[(rank < self.model.k) & (similarity[order] > 0)]
        neighbours = similarity[order], self._user[order], self._rating[order]
        return self._combined(user, np.arange(self.n_items), self._item[order], *neighbours)


class _ItemNeighbours(_Neighbours):
    """The items most similar to one, among those that a user has rated."""

    def estimates(self, user: int) -> _Numbers:
        """Return the estimates of all items for a user."""
        rated, ratings = (np.array(column) for column in zip(*self.model.yr[user], strict=True))
        similarity = self.model.sim[:, rated]
        order = np.argsort(-similarity, axis=1, kind="stable")[:, : self.model.k]
        item, rank = np.nonzero(np.take_along_axis(similarity, order, 1) > 0)
        column = order[item, rank]
        neighbours = similarity[item, column], rated[column], ratings[column]
        return self._combined(np.arange(self.n_items), user, item, *neighbours)

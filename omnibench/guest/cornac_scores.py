"""What Cornac's models score: as products of factors where they are that, else user by user, as Cornac ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cornac import models
from scipy.special import expit

from . import folds, parts, ranking, score_forms, top_items
from .cornac_data import Numbers
from .factors import FactorScores, ItemFactors

BATCH = 256
"""Users whose scores are held in memory together."""

_Batches = Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]


class _Factors(NamedTuple):
    """The factors of users and items whose products a model's scores are, in its own numbers of both.

    Attributes:
        user: Shape (users, d).
        item: Shape (items, d).
        user_bias: What is added to a user's scores, shape (users,); None for nothing.
        item_bias: What is added to an item's scores, shape (items,); None for nothing.
        is_probability: Whether the sums go through the logistic function.
    """

    user: npt.NDArray[Any]
    item: npt.NDArray[Any]
    user_bias: npt.NDArray[Any] | None = None
    item_bias: npt.NDArray[Any] | None = None
    is_probability: bool = False


def batches(recommender: Any, users: Numbers, items: Numbers, fold: folds.Fold) -> _Batches:
    """Yield the scores of all training items for batches of users.

    Args:
        recommender: The fitted model.
        users: Cornac's numbers of the users.
        items: Cornac's numbers of the items.
        fold: The fold, whose users are recommended for.
    """
    if isinstance(recommender, models.MostPop):
        popularity = np.full(fold.n_items, np.nan)
        popularity[items.code] = recommender.item_pop
        yield fold.users, score_forms.SharedScores.of(popularity, users.of_code[fold.users] >= 0)
        return
    factors = _factors(recommender)
    if factors is not None:
        yield fold.users, _products(factors, users.of_code[fold.users], items, fold)
        return
    for start in range(0, len(fold.users), BATCH):
        batch = fold.users[start : start + BATCH]
        number = users.of_code[batch]
        scored = _scores(recommender, number[number >= 0])
        scores = np.full((len(batch), fold.n_items), np.nan, dtype=top_items.ranking_type(scored.dtype))
        scores[np.ix_(number >= 0, items.code)] = scored
        yield batch, scores


def _factors(recommender: Any) -> _Factors | None:
    """Return the factors whose products a model's scores are; None where they are none."""
    if isinstance(recommender, models.BPR):  # WBPR and MMMF as well
        return _Factors(recommender.u_factors, recommender.i_factors, None, recommender.i_biases)
    if isinstance(recommender, models.MF | models.NMF):  # SVD as well
        user_bias = recommender.u_biases + recommender.u_biases.dtype.type(recommender.global_mean)
        return _Factors(recommender.u_factors, recommender.i_factors, user_bias, recommender.i_biases)
    if isinstance(recommender, models.BaselineOnly):
        user_bias = recommender.u_biases + recommender.global_mean
        nothing = (np.zeros((len(bias), 0)) for bias in (recommender.u_biases, recommender.i_biases))
        return _Factors(*nothing, user_bias, np.asarray(recommender.i_biases))
    if isinstance(recommender, models.GlobalAvg):
        n_users, n_items = recommender.num_users, recommender.num_items
        return _Factors(np.zeros((n_users, 0)), np.zeros((n_items, 0)), np.full(n_users, recommender.global_mean))
    if isinstance(recommender, models.PMF | models.WMF | models.IBPR | models.CTR):
        return _Factors(recommender.U, recommender.V)
    if isinstance(recommender, models.HPF):
        return _Factors(recommender.Theta, recommender.Beta)
    if isinstance(recommender, models.SKMeans):
        similarity = recommender.user_center_sim.toarray()
        weight = similarity / (similarity.sum(axis=1, keepdims=True) + 1e-20)
        return _Factors(weight, recommender.centroids.toarray().T)
    if isinstance(recommender, models.BiVAECF):
        user, item = (factor.detach().numpy() for factor in (recommender.bivae.mu_theta, recommender.bivae.mu_beta))
        return _Factors(user, item, is_probability=True)
    return _factors_of_features(recommender)


def _factors_of_features(recommender: Any) -> _Factors | None:
    """Return those of a model that has learned from features as well; None where there are none."""
    if isinstance(recommender, models.HFT):
        user_bias = recommender.beta_u + recommender.alpha
        return _Factors(recommender.gamma_u, recommender.gamma_i, user_bias, recommender.beta_i)
    if isinstance(recommender, models.VBPR):
        user = np.hstack([recommender.gamma_user, recommender.theta_user])
        item = np.hstack([recommender.gamma_item, recommender.theta_item])
        return _Factors(user, item, None, recommender.beta_item + recommender.visual_bias)
    if isinstance(recommender, models.AMR):
        return _Factors(recommender.gamma_user, recommender.gamma_item + recommender.theta_item)
    return None


def _products(factors: _Factors, number: npt.NDArray[np.int64], items: Numbers, fold: folds.Fold) -> FactorScores:
    link = _to_probabilities if factors.is_probability else None
    user = np.ascontiguousarray(factors.user)[number]  # of users who are unknown anybody's: they have no scores
    bias = None if factors.user_bias is None else factors.user_bias[number]
    item = ItemFactors.of(np.ascontiguousarray(factors.item), items.code, fold, factors.item_bias, link=link)
    return FactorScores(user, item, number >= 0, bias)


def _to_probabilities(scores: folds.Scores) -> None:
    expit(scores, out=scores)


def _scores(recommender: Any, users: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return the scores of users for all items, by Cornac's numbers of both; shape (b, items)."""
    if isinstance(recommender, models.EASE):
        return np.asarray(recommender.U[users] @ recommender.B)
    if isinstance(recommender, models.VAECF):
        return _decoded(recommender, users)
    rows = [np.ravel(recommender.score(user)) for user in users.tolist()]
    return np.array(rows) if rows else np.zeros((0, recommender.num_items))


def _decoded(recommender: Any, users: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return what an autoencoder makes of the users' rows."""
    import torch

    rows = recommender.r_mat[users].toarray() != 0
    with torch.inference_mode():
        mean, _ = recommender.vae.encode(torch.tensor(rows, dtype=torch.float32))
        decoded: npt.NDArray[Any] = recommender.vae.decode(mean).numpy()
    return decoded

"""Ranking metrics with binary relevance: each one a function of the same hit matrix.

Conventions: every user with a test item counts, one without recommendations as zero; Precision divides by
k however short the list; NDCG's ideal and MAP's denominator have min(k, relevant) terms. These are the
conventions of trec_eval (``ndcg_cut``, ``P``, ``recall``), RecBole and RecPack; LensKit and OmniRec differ
in places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from omnibench.errors import EvaluationError
from omnibench.metrics.base import Metric, Values


@dataclass(frozen=True)
class Hits:
    """What every ranking metric is computed from.

    Attributes:
        users: int32 codes of the users with test items, ascending; shape (n,).
        matrix: Whether the item at each rank is relevant; bool, shape (n, length of the lists).
        relevant: Number of test items of each user, at least 1; shape (n,).
    """

    users: npt.NDArray[np.int32]
    matrix: npt.NDArray[np.bool_]
    relevant: npt.NDArray[np.int64]


def mark_hits(
    test_user: npt.NDArray[np.int32],
    test_item: npt.NDArray[np.int32],
    list_user: npt.NDArray[np.int32],
    list_item: npt.NDArray[np.int32],
    n_items: int,
) -> Hits:
    """Find the recommended items that are in the test part.

    Args:
        test_user: User codes of the test pairs, shape (m,).
        test_item: Item codes of the test pairs, shape (m,).
        list_user: The users with recommendations, shape (r,).
        list_item: Their lists, best first, padded with -1; shape (r, length).
        n_items: Number of items, for building pair codes.
    """
    users, relevant = np.unique(test_user, return_counts=True)
    matrix = np.zeros((len(users), list_item.shape[1]), dtype=bool)
    row = np.searchsorted(users, list_user)
    known = (row < len(users)) & (users[np.minimum(row, len(users) - 1)] == list_user)
    pairs = np.sort(test_user.astype(np.int64) * n_items + test_item)
    wanted = list_user[known, None].astype(np.int64) * n_items + list_item[known]
    place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    matrix[row[known]] = (pairs[place] == wanted) & (list_item[known] >= 0)
    return Hits(users.astype(np.int32), matrix, relevant)


class RankingMetric(Metric):
    """A metric of the first k items.

    Args:
        k: One or several list lengths, each at least 1.

    Raises:
        EvaluationError: A k is no positive integer.
    """

    kind = "ranking"

    def __init__(self, k: int | Iterable[int] = 10) -> None:
        given: list[Any] = list(k) if isinstance(k, Iterable) else [k]
        if not given:
            raise EvaluationError(f"{self.name} has no k; give one or several, e.g. {self.name}([10, 20]).")
        for one in given:
            if isinstance(one, bool) or not isinstance(one, int | np.integer) or one < 1:
                raise EvaluationError(f"{self.name}: k is {one!r}; give integers of at least 1.")
        self.k = tuple(dict.fromkeys(int(one) for one in given))

    @property
    def labels(self) -> list[str]:
        return [f"{self.name}@{k}" for k in self.k]

    def per_user(self, hits: Hits, k: int) -> Values:
        """Return the metric of each user, shape (n,)."""
        raise NotImplementedError


def _discounts(k: int) -> Values:
    discounts: Values = 1.0 / np.log2(np.arange(2, k + 2))
    return discounts


def _count(hits: Hits, k: int) -> Values:
    """Relevant items among the first k."""
    found: Values = hits.matrix[:, :k].sum(axis=1, dtype=np.float64)
    return found


class NDCG(RankingMetric):
    """Normalised discounted cumulative gain: gains of 1, discounts of log2(rank + 1).

    Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 20(4), 2002, with the
    discount of Burges et al., ICML 2005, as in trec_eval's ``ndcg_cut``.
    """

    def per_user(self, hits: Hits, k: int) -> Values:
        weights = _discounts(k)
        width = min(k, hits.matrix.shape[1])
        ideal = np.cumsum(weights)[np.minimum(hits.relevant, k) - 1]
        gain: Values = hits.matrix[:, :width] @ weights[:width]
        relative: Values = gain / ideal
        return relative


class HR(RankingMetric):
    """Hit rate: 1 when any of the first k items is relevant, else 0 (trec_eval's ``success``)."""

    def per_user(self, hits: Hits, k: int) -> Values:
        return np.minimum(_count(hits, k), 1.0)


class Recall(RankingMetric):
    """Relevant items among the first k, divided by all relevant items (trec_eval's ``recall``)."""

    def per_user(self, hits: Hits, k: int) -> Values:
        return _count(hits, k) / hits.relevant


class RecallCapped(RankingMetric):
    """Relevant items among the first k, divided by min(k, relevant): what OmniRec and LensKit call Recall."""

    def per_user(self, hits: Hits, k: int) -> Values:
        return _count(hits, k) / np.minimum(hits.relevant, k)


class Precision(RankingMetric):
    """Relevant items among the first k, divided by k however short the list (trec_eval's ``P``)."""

    def per_user(self, hits: Hits, k: int) -> Values:
        return _count(hits, k) / k


class MRR(RankingMetric):
    """Reciprocal rank of the first relevant item among the first k, 0 when there is none."""

    def per_user(self, hits: Hits, k: int) -> Values:
        top = hits.matrix[:, :k]
        return np.where(top.any(axis=1), 1.0 / (np.argmax(top, axis=1) + 1), 0.0)


class MAP(RankingMetric):
    """Average precision: precision at the rank of each hit, summed, divided by min(k, relevant).

    The convention of RecBole and of the Netflix and Kaggle ``MAP@k``; trec_eval divides by all relevant items.
    """

    def per_user(self, hits: Hits, k: int) -> Values:
        top = hits.matrix[:, :k]
        precision = np.cumsum(top, axis=1) / np.arange(1, top.shape[1] + 1)
        total: Values = np.where(top, precision, 0.0).sum(axis=1)
        return total / np.minimum(hits.relevant, k)

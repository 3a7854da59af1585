"""Ranking metrics with binary relevance, all computed from the same hits.

Conventions: every user with a test item counts, one without recommendations as zero; Precision divides by
k however short the list; NDCG's ideal and MAP's denominator have min(k, relevant) terms. These are the
conventions of trec_eval (``ndcg_cut``, ``P``, ``recall``), RecBole and RecPack; LensKit and OmniRec differ
in places. ``docs/conventions.md`` has them all side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral
from typing import TYPE_CHECKING, Any

from omnibench.errors import EvaluationError
from omnibench.metrics.base import Metric, Values
from omnibench.metrics.hits import Hits

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

EVERY_PEER = frozenset({"omnirec", "recbole", "lenskit", "trec"})
_DROPS_EMPTY_LISTS = frozenset({"omnirec", "lenskit"})
"""Packages that average over the users who have a list; the others do not count."""


def lengths_of(k: int | Iterable[int], name: str) -> tuple[int, ...]:
    """Check one or several list lengths; return each once.

    Raises:
        EvaluationError: There is none, or one is no positive integer.
    """
    lengths: list[Any] = list(k) if isinstance(k, Iterable) else [k]
    if not lengths:
        raise EvaluationError(f"{name} has no k; give one or several, e.g. {name}([10, 20]).")
    for length in lengths:
        if isinstance(length, bool) or not isinstance(length, Integral) or length < 1:
            raise EvaluationError(f"{name}: k is {length!r}; give integers of at least 1.")
    return tuple(dict.fromkeys(int(length) for length in lengths))


class RankingMetric(Metric):
    """A metric of the first k items.

    Args:
        k: One or several list lengths, each at least 1.

    Raises:
        EvaluationError: A k is no positive integer.
    """

    kind = "ranking"

    def __init__(self, k: int | Iterable[int] = 10) -> None:
        self.k = lengths_of(k, type(self).__name__)

    @property
    def labels(self) -> list[str]:
        return [f"{self.name}@{k}" for k in self.k]

    def per_user(self, hits: Hits, k: int) -> Values | None:
        """Return the metric of each user, shape (n,); NaN for users who do not count.

        None for a metric of all lists together, which no single user has.
        """
        raise NotImplementedError

    def value(self, hits: Hits, k: int, per_user: Values) -> float:
        """Return the metric: the mean over the users who count, NaN when there is none.

        Args:
            hits: The lists of all users and what is relevant in them.
            k: The length of the lists.
            per_user: The value that ``per_user`` returned for each of them, or NaN; shape (n,).
        """
        mean = float(per_user.mean())
        if not math.isnan(mean):
            return mean
        defined = per_user[~np.isnan(per_user)]
        return float(defined.mean()) if len(defined) else mean


class AccuracyMetric(RankingMetric):
    """A metric of the hits alone; conventions differ in who counts."""

    def per_user(self, hits: Hits, k: int) -> Values:
        values = self.of_lists(hits, k)
        if self.convention in _DROPS_EMPTY_LISTS:
            return np.where(hits.lengths > 0, values, np.nan)
        return values

    def of_lists(self, hits: Hits, k: int) -> Values:
        """Return the metric of each user's list, an empty one being one without hits; shape (n,)."""
        raise NotImplementedError


def log2_discounts(length: int) -> Values:
    """Return 1 / log2(rank + 1) for the ranks 1 to length (Burges et al., ICML 2005)."""
    discounts: Values = 1.0 / np.log2(np.arange(2, length + 2))
    return discounts


def clipped_discounts(length: int) -> Values:
    """Return 1 / max(log2(rank), 1) for the ranks 1 to length (Järvelin & Kekäläinen, TOIS 2002; LensKit)."""
    discounts: Values = 1.0 / np.log2(np.maximum(np.arange(1, length + 1), 2))
    return discounts


class NDCG(AccuracyMetric):
    """Normalised discounted cumulative gain: gains of 1, discounts of log2(rank + 1).

    Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 20(4), 2002, with the
    discount of Burges et al., ICML 2005, as in trec_eval's ``ndcg_cut``.
    """

    peers = EVERY_PEER

    def of_lists(self, hits: Hits, k: int) -> Values:
        discounts = clipped_discounts if self.convention == "lenskit" else log2_discounts
        ideal = np.cumsum(discounts(k))[np.minimum(hits.relevant, k) - 1]
        gain = hits.total(discounts.__name__, k, lambda: discounts(hits.matrix.shape[1])[hits.rank])
        relative: Values = gain / ideal
        return relative


class HR(AccuracyMetric):
    """Hit rate: 1 when any of the first k items is relevant, else 0 (trec_eval's ``success``)."""

    peers = EVERY_PEER

    def of_lists(self, hits: Hits, k: int) -> Values:
        return np.minimum(hits.count(k), 1.0)


class Recall(AccuracyMetric):
    """Relevant items among the first k, divided by all relevant items (trec_eval's ``recall``)."""

    peers = EVERY_PEER

    def of_lists(self, hits: Hits, k: int) -> Values:
        capped = self.convention in ("omnirec", "lenskit")
        return hits.count(k) / (np.minimum(hits.relevant, k) if capped else hits.relevant)


class RecallCapped(AccuracyMetric):
    """Relevant items among the first k, divided by min(k, relevant): what OmniRec and LensKit call Recall."""

    def of_lists(self, hits: Hits, k: int) -> Values:
        return hits.count(k) / np.minimum(hits.relevant, k)


class Precision(AccuracyMetric):
    """Relevant items among the first k, divided by k however short the list (trec_eval's ``P``)."""

    peers = EVERY_PEER

    def of_lists(self, hits: Hits, k: int) -> Values:
        if self.convention == "lenskit":
            return hits.count(k) / np.clip(hits.lengths, 1, k)
        return hits.count(k) / k


class F1(AccuracyMetric):
    """Harmonic mean of a user's Precision and Recall: 2 hits / (k + relevant).

    Van Rijsbergen, "Information Retrieval", 1979 (his F with equal weights), at a cut-off of k.
    """

    def of_lists(self, hits: Hits, k: int) -> Values:
        return 2 * hits.count(k) / (k + hits.relevant)


class MRR(AccuracyMetric):
    """Reciprocal rank of the first relevant item among the first k, 0 when there is none.

    Kantor & Voorhees, "The TREC-5 confusion track", Information Retrieval 2, 2000 (trec_eval's ``recip_rank`` of the
    first k).
    """

    peers = EVERY_PEER - {"omnirec"}

    def of_lists(self, hits: Hits, k: int) -> Values:
        return np.where(hits.first < min(k, hits.matrix.shape[1]), hits.reciprocal_rank, 0.0)


class MAP(AccuracyMetric):
    """Average precision: precision at the rank of each hit, summed, divided by min(k, relevant).

    The convention of RecBole and of the Netflix and Kaggle ``MAP@k``; trec_eval divides by all relevant items, LensKit
    by min(relevant, length of the list).
    """

    peers = EVERY_PEER - {"omnirec"}

    def of_lists(self, hits: Hits, k: int) -> Values:
        total = hits.total("precision", k, lambda: hits.ordinal / (hits.rank + 1))
        if self.convention == "trec":
            return total / hits.relevant
        if self.convention == "lenskit":
            return total / np.minimum(hits.relevant, np.clip(hits.lengths, 1, k))
        return total / np.minimum(hits.relevant, k)


class RPrecision(AccuracyMetric):
    """Relevant items among the first R of the first k, divided by R, the user's number of relevant items.

    trec_eval's ``Rprec`` of the first k. Where a user has more than k relevant items this is Recall.
    """

    peers = frozenset({"trec"})

    def of_lists(self, hits: Hits, k: int) -> Values:
        within = hits.total("within", k, lambda: (hits.rank < hits.relevant[hits.row]).astype(np.float64))
        return within / hits.relevant


class AUC(AccuracyMetric):
    """Probability that a relevant candidate stands above another candidate, ties counting one half.

    The candidates below rank k are one tie, so a user without a list has one half. With k not smaller than the number
    of candidates this is the area under the ROC curve of the whole ranking (Hanley & McNeil, Radiology 143, 1982); with
    less it says how much of it the first k decide. Candidates are the items known in training that the user has not
    seen, and the user's relevant items. A user whose candidates are all relevant has no AUC and does not count.
    """

    def of_lists(self, hits: Hits, k: int) -> Values:
        negatives = hits.n_candidates - hits.relevant
        hit_counts, list_lengths = hits.count(k), np.minimum(hits.lengths, k)
        negatives_above = hits.total("negatives above", k, lambda: (hits.rank + 1 - hits.ordinal).astype(np.float64))
        pairs_ahead = hit_counts * negatives - negatives_above  # a listed relevant item, and a candidate below it
        pairs_tied = (hits.relevant - hit_counts) * (negatives - (list_lengths - hit_counts)) / 2
        defined = negatives > 0
        return np.where(defined, (pairs_ahead + pairs_tied) / (hits.relevant * np.where(defined, negatives, 1)), np.nan)

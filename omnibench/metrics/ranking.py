"""Ranking metrics, all computed from the same hits; relevance is binary, and of NDCG graded where that is asked for.

Conventions: every user with a test item counts, one without recommendations as zero; Precision divides by
k however short the list; NDCG's ideal and MAP's denominator have min(k, relevant) terms. These are the
conventions of trec_eval (``ndcg_cut``, ``P``, ``recall``), RecBole and RecPack; LensKit and OmniRec differ
in places. ``docs/conventions.md`` has them all side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from omnibench.arguments import checked_arguments
from omnibench.errors import EvaluationError
from omnibench.metrics.base import PEERS, Values
from omnibench.metrics.by import By
from omnibench.metrics.discounts import clipped_discounts, log2_discounts
from omnibench.metrics.hits import Hits
from omnibench.metrics.ranking_metric import AccuracyMetric
from omnibench.metrics.relevance import Gains, Relevance, checked_gains, gains_of

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

EVERY_PEER = frozenset({"omnirec", "recbole", "lenskit", "trec"})
_GAINS_OF_PEERS: dict[Gains, frozenset[str]] = {"rating": frozenset({"lenskit", "trec"}), "exponential": frozenset()}
"""The packages that have NDCG with gains."""


@checked_arguments
class NDCG(AccuracyMetric):
    """Normalised discounted cumulative gain: gains of 1, or by rating, and discounts of log2(rank + 1).

    Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 20(4), 2002, with the
    discount of Burges et al., ICML 2005, as in trec_eval's ``ndcg_cut``.

    Args:
        k: One or several list lengths, each at least 1.
        gains: What a relevant item gains: by default 1, with ``rating`` its rating in the test part (0 where that is
            negative), with ``exponential`` 2**rating - 1. Users without a gain are left out of the mean.
        relevant: The lowest rating in the test part that counts as relevant; by default every interaction does. Users
            without a relevant one are left out of the mean.
        by: Groups of users or items that each have a column, e.g. ``Popularity(3)``.

    Raises:
        EvaluationError: A k is no positive integer, the threshold is no rating, or there are no such gains or groups.
    """

    peers = EVERY_PEER

    def __init__(
        self,
        k: int | Iterable[int] = 10,
        *,
        gains: Gains | None = None,
        relevant: float | None = None,
        by: By = None,
    ) -> None:
        super().__init__(k, relevant=relevant, by=by)
        self.gains = checked_gains(gains, type(self).__name__)

    @property
    def judged_by(self) -> dict[str, Any]:
        return {**super().judged_by, **({} if self.gains is None else {"gains": self.gains})}

    @property
    def relevance(self) -> Relevance:
        return Relevance(self.relevant, positive=self.gains is not None)

    def under(self, convention: str) -> Self:
        if self.gains is not None and convention in PEERS and convention not in _GAINS_OF_PEERS[self.gains]:
            raise EvaluationError(
                f"{PEERS[convention]} has no {self.name} with gains={self.gains!r}, so there is no convention of its own to "
                "follow; leave out the gains, or give the metric to an evaluator without a convention."
            )
        return super().under(convention)

    def of_lists(self, hits: Hits, k: int) -> Values:
        discounts = clipped_discounts if self.convention == "lenskit" else log2_discounts
        if self.gains is not None:
            return self._graded(hits, k, self.gains, discounts)
        best = np.minimum(hits.relevant, k)  # an absurdly large k needs no discounts that nobody reaches
        ideal = np.cumsum(discounts(max(best.max(initial=1), 1)))[best - 1]
        gain = hits.total(discounts.__name__, k, lambda: discounts(hits.matrix.shape[1])[hits.rank])
        relative: Values = gain / ideal
        return relative

    def _graded(self, hits: Hits, k: int, gains: Gains, discounts: Callable[[int], Values]) -> Values:
        gain = hits.total(
            f"{gains} {discounts.__name__}",
            k,
            lambda: gains_of(hits.rating, gains) * discounts(hits.matrix.shape[1])[hits.rank],
        )
        relative: Values = gain / self._ideal(hits, k, gains, discounts)
        return relative

    def _ideal(self, hits: Hits, k: int, gains: Gains, discounts: Callable[[int], Values]) -> Values:
        """Return the gain of each user's best possible list, shape (n,)."""
        truth = hits.truth
        assert truth.rating is not None, "the ratings of the hits are known"
        name = f"ideal {gains}"
        descending = hits.memory.get(name)
        if descending is None:
            unsorted = gains_of(truth.rating, gains)
            descending = hits.memory[name] = unsorted[np.lexsort((-unsorted, truth.owner))]
        rank = np.arange(len(descending)) - truth.starts[truth.owner]
        discounted = np.where(rank < k, descending * discounts(int(rank.max()) + 1)[rank], 0.0)
        ideal: Values = np.add.reduceat(discounted, truth.starts[:-1])
        return ideal


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

    @property
    def needs_training(self) -> bool:
        return True

    def of_lists(self, hits: Hits, k: int) -> Values:
        negatives = hits.n_candidates - hits.relevant
        hit_counts, list_lengths = hits.count(k), np.minimum(hits.lengths, k)
        negatives_above = hits.total("negatives above", k, lambda: (hits.rank + 1 - hits.ordinal).astype(np.float64))
        pairs_ahead = hit_counts * negatives - negatives_above  # a listed relevant item, and a candidate below it
        pairs_tied = (hits.relevant - hit_counts) * (negatives - (list_lengths - hit_counts)) / 2
        defined = negatives > 0
        return np.where(defined, (pairs_ahead + pairs_tied) / (hits.relevant * np.where(defined, negatives, 1)), np.nan)

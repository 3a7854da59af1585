"""Ranking metrics, all computed from the same hits; relevance is binary, and of NDCG graded where that is asked for.

Conventions: every user with a test item counts, one without recommendations as zero; Precision divides by
k however short the list; NDCG's ideal and MAP's denominator have min(k, relevant) terms. These are the
conventions of trec_eval (``ndcg_cut``, ``P``, ``recall``), RecBole and RecPack; LensKit and OmniRec differ
in places. ``docs/conventions.md`` has them all side by side.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

from omnibench.errors import EvaluationError
from omnibench.metrics.base import PEERS, Metric, Values
from omnibench.metrics.by import By, groupings_of
from omnibench.metrics.coded import Reading, coded, table_of
from omnibench.metrics.hits import Hits
from omnibench.metrics.judged import in_order, judge
from omnibench.metrics.relevance import EVERYTHING, Gains, Relevance, checked_gains, checked_threshold, gains_of

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

EVERY_PEER = frozenset({"omnirec", "recbole", "lenskit", "trec"})
_GAINS_OF_PEERS: dict[Gains, frozenset[str]] = {"rating": frozenset({"lenskit", "trec"}), "exponential": frozenset()}
"""The packages that have NDCG with gains."""
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
        by: Groups of users that each have a column, e.g. ``Activity(4)``.

    Raises:
        EvaluationError: A k is no positive integer, or the metric cannot be divided so.
    """

    kind = "ranking"

    def __init__(self, k: int | Iterable[int] = 10, *, by: By = None) -> None:
        self.k = lengths_of(k, type(self).__name__)
        self.groupings = groupings_of(by, type(self).__name__, judges_items=self.judges_items)

    @property
    def labels(self) -> list[str]:
        return [f"{self.stem}@{k}{ending}" for ending in self.endings for k in self.k]

    @property
    def relevance(self) -> Relevance:
        """Which interactions of the test part are relevant for it."""
        return EVERYTHING

    @property
    def needs_training(self) -> bool:
        """Whether it is computed from what is known in training, such as how popular items are."""
        return False

    def calculate(self, predictions: Any, test: Any, train: Any = None, validation: Any = None) -> dict[int, float]:
        """Return the metric of anybody's lists, as a metric of your own does; ``omnibench.score`` says more of them.

        Args:
            predictions: A pandas frame: user, item, and rank (1 for the best) or score (more is better), or the rows in
                the order of the lists.
            test: A pandas frame: user, item, and rating where relevance or gains are made of it.
            train: A pandas frame of the training part, for metrics that are made of it, such as Novelty.
            validation: A pandas frame of what else users have seen.

        Returns:
            The metric by list length.

        Raises:
            EvaluationError: A frame lacks a column, or the training part is needed and not there.
            DataError: An id or a number is none.
        """
        self.require_everybody()
        if self.needs_training and train is None:
            raise EvaluationError(
                f"{self.name} is made of what is known in training, such as how popular items are; give the training part, "
                "calculate(predictions, test, train)."
            )
        length = None if self.convention == "trec" else max(self.k)
        parts = [
            None if part is None else table_of(part, name)
            for part, name in ((train, "train"), (validation, "validation"))
        ]
        material = coded(
            table_of(predictions, "predictions"),
            table_of(test, "test"),
            *parts,
            reading=Reading(length, allow_overlap=True),
        )
        assert material.lists is not None
        lists = in_order(material.lists.lists, material.training, self.convention)
        hits = judge(material.test, lists, material.training, self.relevance)
        return dict.fromkeys(self.k, math.nan) if hits is None else {k: self.of_hits(hits, k)[0] for k in self.k}

    def of_hits(self, hits: Hits, k: int) -> tuple[float, Values]:
        """Return the metric, and its values per user, shape (n,); NaN where a user has none."""
        values = np.full(len(hits.users), np.nan)
        for users, block in hits.blocks():
            of_block = self.per_user(block, k)
            if of_block is not None:
                values[users] = of_block
        return self.value(hits, k, values), values

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


class RelevanceMetric(RankingMetric):
    """A metric that asks which of the recommended items are relevant.

    Args:
        k: One or several list lengths, each at least 1.
        relevant: The lowest rating in the test part that counts as relevant; by default every interaction does. Users
            without a relevant one are left out of the mean.
        by: Groups of users or items that each have a column, e.g. ``Popularity(3)``.

    Raises:
        EvaluationError: A k is no positive integer, the threshold is no rating, or there are no such groups.
    """

    judges_items = True

    def __init__(self, k: int | Iterable[int] = 10, *, relevant: float | None = None, by: By = None) -> None:
        super().__init__(k, by=by)
        self.relevant = checked_threshold(relevant, type(self).__name__)

    @property
    def judged_by(self) -> dict[str, Any]:
        return {} if self.relevant is None else {"relevant": self.relevant}

    @property
    def relevance(self) -> Relevance:
        return Relevance(self.relevant)

    def relevant_from(self, rating: float) -> Self:
        if self.relevant is not None:
            return self
        changed = copy.copy(self)
        changed.relevant = rating
        return changed


class AccuracyMetric(RelevanceMetric):
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

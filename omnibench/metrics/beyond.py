"""Metrics beyond accuracy: coverage, popularity, novelty, serendipity.

They judge the lists of the users with test items, as the ranking metrics do, and take the popularity of items from the
training part.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_arguments
from omnibench.errors import EvaluationError
from omnibench.metrics.base import Values
from omnibench.metrics.by import By
from omnibench.metrics.hits import Hits
from omnibench.metrics.ranking_metric import RankingMetric, RelevanceMetric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


class CatalogueMetric(RankingMetric):
    """A metric of how often each item is recommended over all lists; it has no value per user."""

    @property
    def is_mean(self) -> bool:
        return False

    def per_user(self, hits: Hits, k: int) -> None:
        """Return None: a single user has no value."""

    def value(self, hits: Hits, k: int, per_user: Values) -> float:
        recommended = hits.items[:, :k]
        counts = np.bincount(recommended[recommended >= 0], minlength=hits.truth.n_items)
        if self.needs_training and self.convention != "recbole":
            # Lists that others made may hold items of no catalogue.
            counts = np.where(hits.required_training.is_candidate, counts, 0)
        return self.of_counts(counts, hits) if counts.any() else float("nan")

    def of_counts(self, counts: npt.NDArray[np.int64], hits: Hits) -> float:
        """Return the metric from how often each item is recommended, shape (n_items,), not all zero."""
        raise NotImplementedError

    def catalogue_size(self, hits: Hits) -> int:
        """Return the number of items that could be recommended: those known in training.

        RecBole counts all items of the dataset and the one that pads its arrays.
        """
        return hits.truth.n_items + 1 if self.convention == "recbole" else hits.required_training.n_candidates

    @property
    def needs_training(self) -> bool:
        return True


class ItemCoverage(CatalogueMetric):
    """Items that are in the first k of any list, divided by all items known in training.

    Herlocker et al., "Evaluating collaborative filtering recommender systems", TOIS 22(1), 2004 (catalogue coverage).
    """

    peers = frozenset({"recbole"})

    def of_counts(self, counts: npt.NDArray[np.int64], hits: Hits) -> float:
        return float(np.count_nonzero(counts) / self.catalogue_size(hits))


class Gini(CatalogueMetric):
    """Gini coefficient of how often the items known in training are recommended: 0 when all are equally frequent.

    Sum of (2 i - n - 1) x_i, divided by n times the sum of x, over the items in ascending order of x, the items that
    are never recommended included. Fleder & Hosanagar, Management Science 55(5), 2009.
    """

    higher_is_better = False
    peers = frozenset({"recbole", "lenskit"})

    def of_counts(self, counts: npt.NDArray[np.int64], hits: Hits) -> float:
        size, frequencies = self.catalogue_size(hits), np.sort(counts[counts > 0])
        rank = np.arange(size - len(frequencies) + 1, size + 1)
        return float(np.sum((2 * rank - size - 1) * frequencies) / (size * frequencies.sum()))


class ShannonEntropy(CatalogueMetric):
    """Entropy, in bits, of the distribution of recommendations over items.

    Shannon, "A mathematical theory of communication", 1948. RecBole takes natural logarithms and divides by the number
    of items that are recommended.
    """

    peers = frozenset({"recbole"})

    @property
    def needs_training(self) -> bool:
        return False

    def of_counts(self, counts: npt.NDArray[np.int64], hits: Hits) -> float:
        share = counts[counts > 0] / counts.sum()
        if self.convention == "recbole":
            return float(-np.sum(share * np.log(share)) / len(share))
        return float(-np.sum(share * np.log2(share))) + 0.0


class UserCoverage(RankingMetric):
    """Whether a user got k recommendations; with k = 1, whether any.

    Shani & Gunawardana, "Evaluating recommendation systems", Recommender Systems Handbook, 2011.
    """

    def per_user(self, hits: Hits, k: int) -> Values:
        return (hits.lengths >= k).astype(np.float64)


class ListMean(RankingMetric):
    """A mean over the recommended items; users without recommendations do not count."""

    @property
    def needs_training(self) -> bool:
        return True

    def per_user(self, hits: Hits, k: int) -> Values:
        list_lengths = np.minimum(hits.lengths, k)
        values = hits.memory.get(self.name)
        if values is None:
            # Padding is item -1, so it takes the 0 at the end.
            values = hits.memory[self.name] = np.append(self.of_items(hits), 0.0)[hits.items]
        total = values[:, :k].sum(axis=1)
        return np.where(list_lengths > 0, total / np.maximum(list_lengths, 1), np.nan)

    def of_items(self, hits: Hits) -> Values:
        """Return the value of each item, which is averaged over the items of a list; shape (n_items,)."""
        raise NotImplementedError


class Novelty(ListMean):
    """Mean self-information of the recommended items: -log2 of the share of users who have the item in training.

    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 107(10), 2010; mean
    inverse user frequency in Vargas & Castells, RecSys 2011. In bits.
    """

    def of_items(self, hits: Hits) -> Values:
        training = hits.required_training
        return -np.log2(np.maximum(training.popularity, 1) / max(training.active_users, 1))


class AveragePopularity(ListMean):
    """Mean number of training interactions of the recommended items.

    Yin et al., "Challenging the long tail recommendation", VLDB 2012.
    """

    higher_is_better = False
    peers = frozenset({"recbole"})

    def of_items(self, hits: Hits) -> Values:
        return hits.required_training.popularity.astype(np.float64)


class Serendipity(RelevanceMetric):
    """Relevant items among the first k that popularity would not have recommended, divided by k.

    The baseline recommends the k items with the most training interactions (ties by item code) that the user has
    neither in training nor in validation. Ge, Delgado-Battenfeld & Jannach, "Beyond accuracy: evaluating recommender
    systems by coverage and serendipity", RecSys 2010, with relevance as usefulness.
    """

    @property
    def needs_training(self) -> bool:
        return True

    def per_user(self, hits: Hits, k: int) -> Values:
        popular = hits.memory.get("popular")
        if popular is None:
            rank = hits.required_training.popularity_rank[hits.items[hits.row, hits.rank]]
            base = hits.users[hits.row].astype(np.int64) * hits.truth.n_items
            seen_above = np.searchsorted(hits.required_training.seen, base + rank) - np.searchsorted(
                hits.required_training.seen, base
            )
            popular = hits.memory["popular"] = rank - seen_above
        surprising = (hits.rank < k) & (popular >= k)
        return np.bincount(hits.row[surprising], minlength=len(hits.users)) / k


@checked_arguments
class PopularityStratifiedRecall(RelevanceMetric):
    """Recall in which each relevant item has the weight popularity ** -beta.

    Steck, "Item popularity and recommendation accuracy", RecSys 2011, as a mean over users. Popularity is the number
    of training interactions; an item unknown in training weighs as one with a single interaction.

    Args:
        k: One or several list lengths, each at least 1.
        beta: From 0, which is Recall, to 1, where an item's weight makes up for its popularity.
        relevant: The lowest rating in the test part that counts as relevant; by default every interaction does.
        by: Groups of users or items that each have a column, e.g. ``Activity(4)``.

    Raises:
        EvaluationError: A k is no positive integer, beta is not between 0 and 1, or there are no such groups.
    """

    def __init__(
        self, k: int | Iterable[int] = 10, beta: float = 0.5, *, relevant: float | None = None, by: By = None
    ) -> None:
        super().__init__(k, relevant=relevant, by=by)
        argument: Any = beta
        if isinstance(argument, bool) or not isinstance(argument, int | float) or not 0 <= argument <= 1:
            raise EvaluationError(f"{type(self).__name__}: beta is {beta!r}; give a number from 0 to 1.")
        self.beta = float(beta)

    @property
    def name(self) -> str:
        name = type(self).__name__
        return name if self.beta == 0.5 else f"{name}(beta={self.beta:g})"  # noqa: PLR2004 - the default

    @property
    def parameters(self) -> dict[str, Any]:
        return {"beta": self.beta}

    @property
    def needs_training(self) -> bool:
        return True

    def per_user(self, hits: Hits, k: int) -> Values:
        def weights() -> Values:
            return self._weights(hits, hits.items[hits.row, hits.rank])

        total_weights = np.add.reduceat(self._weights(hits, hits.truth.item), hits.truth.starts[:-1])
        return hits.total(self.name, k, weights) / total_weights

    def _weights(self, hits: Hits, items: npt.NDArray[np.int32]) -> Values:
        weights: Values = np.maximum(hits.required_training.popularity[items], 1).astype(np.float64) ** -self.beta
        return weights

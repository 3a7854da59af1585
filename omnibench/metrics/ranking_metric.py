"""Metrics of recommendation lists in general: their lengths, what is relevant for them, and who counts."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

from omnibench.arguments import checked_arguments
from omnibench.errors import EvaluationError
from omnibench.metrics.base import Metric, Values
from omnibench.metrics.by import By, groupings_of
from omnibench.metrics.hits import Hits
from omnibench.metrics.relevance import EVERYTHING, Relevance, checked_threshold

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

DROPS_EMPTY_LISTS = frozenset({"omnirec", "lenskit"})
"""Packages that average over the users who have a list; the others do not count."""


def lengths_of(k: int | Iterable[int], name: str) -> tuple[int, ...]:
    """Check one or several list lengths; return each once.

    Raises:
        EvaluationError: There is none, or one is no positive integer.
    """
    lengths: list[Any] = list(k) if isinstance(k, Iterable) and not isinstance(k, str | bytes) else [k]
    if not lengths:
        raise EvaluationError(f"{name} has no k; give one or several, e.g. {name}([10, 20]).")
    for length in lengths:
        if isinstance(length, bool) or not isinstance(length, Integral) or length < 1:
            raise EvaluationError(f"{name}: k is {length!r}; give integers of at least 1.")
    return tuple(dict.fromkeys(int(length) for length in lengths))


@checked_arguments
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
        from omnibench.metrics.coded import Reading, coded, table_of  # which no run needs
        from omnibench.metrics.judged import in_order, judge

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


@checked_arguments
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
        if self.convention in DROPS_EMPTY_LISTS:
            return np.where(hits.lengths > 0, values, np.nan)
        return values

    def of_lists(self, hits: Hits, k: int) -> Values:
        """Return the metric of each user's list, an empty one being one without hits; shape (n,)."""
        raise NotImplementedError

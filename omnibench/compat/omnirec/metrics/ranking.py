"""Metrics of recommendation lists as OmniRec computes them: omnibench's under the convention ``omnirec``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from omnibench.compat.omnirec.metrics.base import Metric, MetricResult
from omnibench.metrics import ranking as native
from omnibench.metrics.hits import Truth, mark_hits
from omnibench.metrics.ranking_metric import RankingMetric as NativeMetric
from omnibench.metrics.ranking_metric import lengths_of

if TYPE_CHECKING:
    import pandas as pd


class RankingMetric(Metric):
    """A metric of the first k items.

    Args:
        k: One or several list lengths.
    """

    native_class: ClassVar[type[NativeMetric] | None] = None

    def __init__(self, k: int | Iterable[int]) -> None:
        super().__init__()
        self._k_list = list(lengths_of(k, type(self).__name__))

    @property
    def max_k(self) -> int:
        """The largest list length."""
        return max(self._k_list)

    def native(self) -> NativeMetric | None:
        """Return omnibench's metric under OmniRec's convention; None for a metric of one's own."""
        is_built_in = self.native_class is not None and type(self).calculate is RankingMetric.calculate
        return self.native_class(self._k_list).under("omnirec") if is_built_in and self.native_class else None

    def make_topk_dict(self, predictions: pd.DataFrame) -> dict[Any, tuple[list[Any], list[float]]]:
        """Return each user's items and scores, best first."""
        by_user = predictions.sort_values("rank", kind="stable").groupby("user")
        return {user: (list(rows["item"]), list(rows["score"])) for user, rows in by_user}

    def make_evaluable_user_dict(
        self, predictions: pd.DataFrame, test: pd.DataFrame
    ) -> dict[Any, tuple[list[Any], Any]]:
        """Return the listed items and the relevant ones of each user who has both; the others are logged."""
        relevant = {user: rows["item"].to_numpy() for user, rows in test.groupby("user")}
        lists = self.make_topk_dict(predictions)
        self._log_skipped([user for user in lists if user not in relevant])
        return {user: (items, relevant[user]) for user, (items, _) in lists.items() if user in relevant}

    def _log_skipped(self, users: list[Any]) -> None:
        if users:
            name = type(self).__name__
            self.logger.warning("Skipped %d user(s) of %s: they have lists, but an empty test set.", len(users), name)
            self.logger.debug("They are %s.", users)

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> MetricResult:
        """Return the metric for each k: its mean over the users who have both a list and relevant items."""
        metric = self.native()
        if metric is None:
            raise NotImplementedError(f"{type(self).__name__} has no calculate(predictions, test) of its own.")
        lists = predictions.sort_values(["user", "rank"], kind="stable")
        is_tested = lists["user"].isin(test["user"])
        self._log_skipped(lists["user"][~is_tested].drop_duplicates().tolist())
        lists = lists[is_tested]
        if len(lists) == 0:
            return MetricResult(metric.name, dict.fromkeys(self._k_list, 0.0))
        hits = _hits(lists, test[test["user"].isin(lists["user"])].drop_duplicates(["user", "item"]), self.max_k)
        values = {k: float(np.asarray(metric.per_user(hits, k)).mean()) for k in self._k_list}
        return MetricResult(metric.name, values)


def _hits(lists: pd.DataFrame, test: pd.DataFrame, length: int) -> Any:
    """Return which of the first items of each list are relevant; both frames have the same users."""
    import pandas as pd

    users = pd.Index(lists["user"].unique())
    items = pd.Index(pd.concat([lists["item"], test["item"]]).unique())
    rank = lists.groupby("user").cumcount().to_numpy()
    matrix = np.full((len(users), length), -1, dtype=np.int32)
    is_first = rank < length
    matrix[users.get_indexer(lists["user"])[is_first], rank[is_first]] = items.get_indexer(lists["item"])[is_first]
    user, item = (index.get_indexer(test[name]).astype(np.int32) for index, name in ((users, "user"), (items, "item")))
    return mark_hits(Truth.of(user, item, len(items)), np.arange(len(users), dtype=np.int32), matrix)


class NDCG(RankingMetric):
    """Normalised discounted cumulative gain of the first k items, over users with a list."""

    native_class = native.NDCG


class HR(RankingMetric):
    """Hit rate of the first k items, over users with a list."""

    native_class = native.HR


class Recall(RankingMetric):
    """Relevant items among the first k divided by min(k, relevant), over users with a list."""

    native_class = native.Recall


class Precision(RankingMetric):
    """Relevant items among the first k divided by k, over users with a list."""

    native_class = native.Precision

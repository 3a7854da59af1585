"""A rehearsal of users' own metrics: each is calculated for two users of the data before anything is fitted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.engine.frames import frame_for, frame_of_test
from omnibench.engine.grouped import group_facts, training_of
from omnibench.errors import EvaluationError
from omnibench.experiment.outputs import outputs_of
from omnibench.guest.distinct import distinct
from omnibench.guest.family import own_code
from omnibench.guest.folds import NO_ITEM, RATING_DTYPE, Fold, recommendation_dtype
from omnibench.guest.predictions import Predictions
from omnibench.metrics.base import Columns, Metric
from omnibench.metrics.judged_columns import judged_columns
from omnibench.metrics.own import CalculatedMetric
from omnibench.metrics.ranking import NDCG
from omnibench.metrics.ranking_metric import RankingMetric
from omnibench.metrics.relevance import EVERYTHING, gains_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_USERS = 2


class Rehearsals:
    """The rehearsals of a process: one for each benchmark and dataset, whose outcome is that of all its items."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[int, Path], tuple[Columns, Exception | None]] = {}

    def forget(self) -> None:
        """Rehearse anew whatever is checked next."""
        self._outcomes.clear()

    def check(self, dataset: Path, fold_number: int, list_length: int, columns: Columns) -> None:
        """Rehearse the metrics unless that was done; the arguments and errors are those of ``rehearse``."""
        key = id(columns), dataset  # all items of a benchmark share their columns, which are kept here
        if key not in self._outcomes:
            try:
                rehearse(dataset, fold_number, list_length, columns)
                self._outcomes[key] = columns, None
            except Exception as error:  # the metric's, whatever it is
                self._outcomes[key] = columns, error
        trouble = self._outcomes[key][1]
        if trouble is not None:
            raise trouble


def rehearse(dataset: Path, fold_number: int, list_length: int, columns: Columns) -> None:
    """Calculate the metrics of users' own classes for two test users, with made-up predictions.

    Thresholds of relevance are looked at as well: one that no rating reaches leaves nobody to judge. So are groups.

    Args:
        dataset: The prepared dataset.
        fold_number: The fold.
        list_length: Recommendations per user.
        columns: Metrics and labels.

    Raises:
        EvaluationError: A metric does not return what it has to, nothing in the test part is relevant for it, or it cannot be
            divided into groups as it is to be.
        Exception: What the metric itself raises, with a note.
    """
    fold = Fold(dataset, fold_number)
    check_relevance(fold, [metric for metric, _ in columns])
    judged_columns(columns, lambda: group_facts(fold, training_of(dataset, fold)), fold.test.item)
    calculators = list(dict.fromkeys(metric for metric, _ in columns if isinstance(metric, CalculatedMetric)))
    if not calculators:
        return
    outputs = outputs_of("explicit" if fold.explicit else "implicit", (metric for metric, _ in columns))
    users = (fold.users if outputs.lists else distinct(fold.test.user))[:_USERS]
    if len(users) == 0:
        return
    is_theirs = np.isin(fold.test.user, users)
    content = Predictions(
        _lists(fold, users, list_length) if outputs.lists else None,
        _ratings(fold, is_theirs) if outputs.ratings else None,
    )
    for metric in calculators:
        predictions, test = frame_for(metric, dataset, content), frame_of_test(dataset, fold, is_theirs)
        try:
            with own_code():
                metric.try_on(predictions, test)
        except Exception as error:
            error.add_note(
                f"{metric.name} was tried on {len(users)} users of the data with made-up predictions, before anything "
                "is fitted."
            )
            raise


def check_relevance(fold: Fold, metrics: Iterable[Metric]) -> None:
    """Refuse metrics for which nothing in the test part is relevant, or ratings are no gains.

    Raises:
        EvaluationError: There is such a metric.
    """
    ratings = fold.test.rating
    if ratings is None or len(ratings) == 0:
        return
    for metric in metrics:
        relevance = metric.relevance if isinstance(metric, RankingMetric) else EVERYTHING
        if relevance != EVERYTHING and not relevance.of(ratings).any():
            raise EvaluationError(
                f"{metric.stem}: nothing in the test part is relevant, where ratings go from {ratings.min():g} to "
                f"{ratings.max():g}; give a lower threshold, or leave it out."
            )
        if isinstance(metric, NDCG) and metric.gains is not None:
            gains_of(ratings.max(keepdims=True), metric.gains)


def _ratings(fold: Fold, is_theirs: npt.NDArray[np.bool_]) -> npt.NDArray[np.void]:
    assert fold.test.rating is not None
    rows = np.zeros(int(is_theirs.sum()), dtype=RATING_DTYPE)
    rows["user"], rows["item"] = fold.test.user[is_theirs], fold.test.item[is_theirs]
    rows["rating"] = fold.test.rating[is_theirs].mean()
    return rows


def _lists(fold: Fold, users: Any, list_length: int) -> npt.NDArray[np.void]:
    rows = np.zeros(len(users), dtype=recommendation_dtype(list_length))
    rows["user"], rows["item"] = users, NO_ITEM
    for row, user in zip(rows, users.tolist(), strict=True):
        unseen = np.setdiff1d(np.flatnonzero(fold.candidates), fold.seen(user))[:list_length]
        row["item"][: len(unseen)], row["score"][: len(unseen)] = unseen, -np.arange(len(unseen))
    return rows

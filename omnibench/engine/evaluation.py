"""Eval of one experiment: metrics of a file of predictions against the test part of a prepared dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.prepare import read_ids
from omnibench.engine.frames import decoded_frame, frame_of_test
from omnibench.engine.items import Columns
from omnibench.guest.folds import Fold
from omnibench.metrics.base import Values
from omnibench.metrics.hits import Hits, Truth, mark_hits
from omnibench.metrics.labels import split_label
from omnibench.metrics.own import CalculatedMetric
from omnibench.metrics.ranking import RankingMetric
from omnibench.metrics.rating import RatingMetric, errors_of
from omnibench.metrics.spread import bootstrap_intervals, standard_errors
from omnibench.metrics.training import Training

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a file of predictions.

    Attributes:
        values: The metric over all test users (or pairs), by label.
        users: Codes of the users with test items, ascending; shape (n,).
        per_user: One row per label, in the order of ``values``; NaN for users who do not count, and all along the row
            of a metric that no single user has. float64, shape (labels, n).
        stderr: Standard error by label, for metrics that are means over users.
        interval: Bootstrap interval (95 %) by label, likewise.
    """

    values: dict[str, float]
    users: npt.NDArray[np.int32]
    per_user: Values
    stderr: dict[str, float] = field(default_factory=dict)
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)

    def values_per_user(self) -> dict[str, Values]:
        """Return the values per user by label, of the metrics that single users have."""
        rows = zip(self.values, self.per_user, strict=True)
        return {label: row for label, row in rows if not np.isnan(row).all()}


def evaluation_facts(evaluation: Evaluation, positions: Mapping[str, list[int]]) -> dict[str, dict[str, Any]]:
    """Return what the record of each evaluation says, by label; a value that is not defined is None.

    Args:
        evaluation: The metrics.
        positions: Where the values of each column are in the file of values per user; see ``store.per_user``.
    """
    facts = {}
    for label, value in evaluation.values.items():
        interval = evaluation.interval.get(label)
        facts[label] = {
            "value": value if np.isfinite(value) else None,
            "stderr": evaluation.stderr.get(label),
            "interval": None if interval is None else list(interval),
            "users": len(evaluation.users),
            "place": {"user": positions["user"], "value": positions[label]} if label in positions else None,
        }
    return facts


def evaluate(dataset: Path, fold_number: int, predictions: Path, columns: Columns, refit: str = "") -> Evaluation:
    """Compute metrics of predictions against the test part.

    Args:
        dataset: The prepared dataset.
        fold_number: The fold.
        predictions: A file that ``phases.predict`` wrote.
        columns: Metrics and labels, e.g. ``[(ndcg, "NDCG@10"), (ndcg, "NDCG@20")]``.
        refit: The parts that the model was fitted on, where that is not training alone: what metrics know of training
            (popularity, the catalogue) is of these.

    Raises:
        EvaluationError: A metric lacks something, e.g. features of a recommended item.
    """
    fold = Fold(dataset, fold_number, refit)
    rows = np.load(predictions, allow_pickle=False, mmap_mode="r")
    evaluation = _ratings(fold, rows, columns) if fold.explicit else _rankings(dataset, fold, rows, columns)
    evaluation.values.update(_calculated(dataset, fold, rows, columns))
    values = {label: evaluation.values[label] for _, label in columns}
    means = [number for number, (metric, label) in enumerate(columns) if metric.is_mean and np.isfinite(values[label])]
    labels = [columns[number][1] for number in means]
    per_user = evaluation.per_user if len(means) == len(columns) else evaluation.per_user[means]
    errors, intervals = standard_errors(per_user), bootstrap_intervals(per_user)
    return Evaluation(
        values,
        evaluation.users,
        evaluation.per_user,
        {label: float(error) for label, error in zip(labels, errors, strict=True) if np.isfinite(error)},
        {label: (float(low), float(high)) for label, (low, high) in zip(labels, intervals, strict=True)},
    )


def _ratings(fold: Fold, rows: npt.NDArray[np.void], columns: Columns) -> Evaluation:
    assert fold.test.rating is not None
    errors = errors_of(fold.test.user, fold.test.rating, rows["rating"])
    per_user = np.full((len(columns), len(errors.users)), np.nan)
    values = {}
    for row, (metric, label) in zip(per_user, columns, strict=True):
        if isinstance(metric, RatingMetric):
            row[:] = metric.per_user(errors)
            values[label] = metric.value(errors, row)
    return Evaluation(values, errors.users, per_user)


def _rankings(dataset: Path, fold: Fold, rows: npt.NDArray[np.void], columns: Columns) -> Evaluation:
    truth = Truth.of(fold.test.user, fold.test.item, fold.n_items)
    training = Training(fold.interactions_before, fold.n_users, fold.n_items, lambda: read_ids(dataset, "items"))
    per_user = np.full((len(columns), len(truth.users)), np.nan)
    values: dict[str, float] = {}
    for convention in dict.fromkeys(metric.convention for metric, _ in columns):
        items = _as_trec_eval_sorts(training, rows) if convention == "trec" else rows["item"]
        hits = mark_hits(truth, rows["user"], items, training)
        ranking_columns = [
            (number, metric, label)
            for number, (metric, label) in enumerate(columns)
            if isinstance(metric, RankingMetric) and metric.convention == convention
        ]
        for users, block in hits.blocks():
            for number, metric, label in ranking_columns:
                _fill(per_user[number, users], metric, label, block)
        for number, metric, label in ranking_columns:
            values[label] = metric.value(hits, _length(label), per_user[number])
    return Evaluation(values, truth.users, per_user)


def _fill(row: Values, metric: RankingMetric, label: str, hits: Hits) -> None:
    values = metric.per_user(hits, _length(label))
    if values is not None:
        row[:] = values


def _length(label: str) -> int:
    _, k = split_label(label)
    assert k is not None, "every ranking metric has a k"
    return k


def _as_trec_eval_sorts(training: Training, rows: npt.NDArray[np.void]) -> npt.NDArray[np.int32]:
    """Return the lists as trec_eval reads them: by score, ties by the item's name from the last one in the alphabet."""
    names = [str(item).encode() for item in training.item_ids]
    alphabetical = np.empty(len(names) + 1, dtype=np.int64)
    alphabetical[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    alphabetical[-1] = -1  # padding, which is item -1
    items = rows["item"]
    score = np.where(items >= 0, rows["score"], -np.inf)
    order = np.lexsort((-alphabetical[items], -score), axis=1)
    sorted_items: npt.NDArray[np.int32] = np.take_along_axis(items, order, axis=1)
    return sorted_items


def _calculated(dataset: Path, fold: Fold, rows: npt.NDArray[np.void], columns: Columns) -> dict[str, float]:
    """Return the metrics that the user's own classes calculate, each class called once."""
    calculators = list(dict.fromkeys(metric for metric, _ in columns if isinstance(metric, CalculatedMetric)))
    if not calculators:
        return {}
    values: dict[str, float] = {}
    for metric in calculators:
        values |= metric.values(decoded_frame(dataset, rows), frame_of_test(dataset, fold))
    return values

"""Eval of one experiment: metrics of a file of predictions against the test part of a prepared dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.prepare import read_ids
from omnibench.engine.epochs import EpochMetric
from omnibench.engine.frames import frame_for, frame_of_test
from omnibench.engine.items import Columns
from omnibench.experiment.outputs import Outputs
from omnibench.guest import VALIDATION
from omnibench.guest.family import own_code
from omnibench.guest.folds import Fold
from omnibench.guest.parts import Part, latest_rows
from omnibench.guest.predictions import Predictions, read_predictions
from omnibench.metrics.base import Metric, Values
from omnibench.metrics.hits import Hits, Truth, mark_hits
from omnibench.metrics.labels import split_label
from omnibench.metrics.own import CalculatedMetric, HitMetric
from omnibench.metrics.ranking import RankingMetric
from omnibench.metrics.rating import RatingMetric, errors_of
from omnibench.metrics.relevance import EVERYTHING, Relevance
from omnibench.metrics.spread import mean_intervals, standard_errors
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
        interval: 95 % interval by label, likewise; see ``metrics.spread.mean_intervals``.
        counted: How many users count, by label, for means over fewer users than there are.
    """

    values: dict[str, float]
    users: npt.NDArray[np.int32]
    per_user: Values
    stderr: dict[str, float] = field(default_factory=dict)
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)

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
            **({"counted": evaluation.counted[label]} if label in evaluation.counted else {}),
            "place": {"user": positions["user"], "value": positions[label]} if label in positions else None,
        }
    return facts


def evaluate(
    dataset: Path, fold_number: int, predictions: Path, columns: Columns, refit: str = "", *, judged: str = ""
) -> Evaluation:
    """Compute metrics of predictions against the test part.

    Args:
        dataset: The prepared dataset.
        fold_number: The fold.
        predictions: A file that ``phases.predict`` wrote.
        columns: Metrics and labels, e.g. ``[(ndcg, "NDCG@10"), (ndcg, "NDCG@20")]``.
        refit: The parts that the model was fitted on, where that is not training alone: what metrics know of training
            (popularity, the catalogue) is of these.
        judged: ``validation`` for metrics against the validation part, in the place of the test part; the predictions
            are those that ``phases.predict`` wrote for it.

    Raises:
        EvaluationError: A metric lacks something, e.g. features of a recommended item.
    """
    fold, content = Fold(dataset, fold_number, refit, judged=judged), read_predictions(predictions)
    is_own = any(isinstance(metric, CalculatedMetric | HitMetric) for metric, _ in columns)
    with own_code() if is_own else nullcontext():
        evaluation = _measured(dataset, fold, content, columns)
        evaluation.values.update(_calculated(dataset, fold, content, columns))
    values = {label: evaluation.values[label] for _, label in columns}
    means = [number for number, (metric, label) in enumerate(columns) if metric.is_mean and np.isfinite(values[label])]
    labels = [columns[number][1] for number in means]
    per_user = evaluation.per_user if len(means) == len(columns) else evaluation.per_user[means]
    errors, intervals = standard_errors(per_user), mean_intervals(per_user)
    return Evaluation(
        values,
        evaluation.users,
        evaluation.per_user,
        {label: float(error) for label, error in zip(labels, errors, strict=True) if np.isfinite(error)},
        {label: (float(low), float(high)) for label, (low, high) in zip(labels, intervals, strict=True)},
        _counted(evaluation, columns),
    )


def epoch_metric(
    dataset: Path,
    fold_number: int,
    metric: Metric,
    label: str,
    list_length: int,
    outputs: Outputs,
    epochs: Iterable[int] | None = None,
) -> EpochMetric:
    """Return how the host measures the epochs of a Fit: by a metric of what would be predicted then, on validation.

    The value of the epoch that the model has in the end is what ``evaluate`` says of its predictions.

    Args:
        dataset: The prepared dataset.
        fold_number: The fold.
        metric: The metric.
        label: Its label, such as ``NDCG@10``.
        list_length: Recommendations per user.
        outputs: What the metric is calculated from.
        epochs: The epochs that are measured; each by default.
    """

    def measure(predictions: Path) -> float:
        evaluation = evaluate(dataset, fold_number, predictions, [(metric, label)], judged=VALIDATION)
        return evaluation.values[label]

    return EpochMetric(label, list_length, outputs, measure, None if epochs is None else frozenset(epochs))


def _counted(evaluation: Evaluation, columns: Columns) -> dict[str, int]:
    rows = zip(columns, evaluation.per_user, strict=True)
    numbers = {label: int(np.count_nonzero(~np.isnan(row))) for (metric, label), row in rows if metric.is_mean}
    return {label: number for label, number in numbers.items() if number < len(evaluation.users)}


def _measured(dataset: Path, fold: Fold, content: Predictions, columns: Columns) -> Evaluation:
    """Return the metrics of lists and of ratings, each where there are some."""
    lists, ratings = content
    rated = None if ratings is None else _ratings(fold, ratings, columns)
    if lists is None:
        assert rated is not None, "there is one of them at least"
        return rated
    ranked = _rankings(dataset, fold, lists, columns)
    if rated is None:
        return ranked
    both = np.where(np.isnan(ranked.per_user), rated.per_user, ranked.per_user)  # a column is of one of them
    return Evaluation(ranked.values | rated.values, ranked.users, both)


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


_Column = tuple[int, RankingMetric, str]
"""A column's number among all, its metric and its label."""


def _rankings(dataset: Path, fold: Fold, rows: npt.NDArray[np.void], columns: Columns) -> Evaluation:
    part = fold.test
    test = Truth.of(part.user, part.item, fold.n_items, part.rating)
    if fold.keeps_repeats:
        test = _without_repeats(test)
    training = Training(
        fold.interactions_before, fold.n_users, fold.n_items, lambda: read_ids(dataset, "items"), fold.features
    )
    per_user = np.full((len(columns), len(test.users)), np.nan)
    values: dict[str, float] = {}
    # All columns that look at the same lists, and for the same items in them, share the hits.
    sharing: dict[tuple[str, Relevance], list[_Column]] = {}
    for number, (metric, label) in enumerate(columns):
        if isinstance(metric, RankingMetric):
            sharing.setdefault((metric.convention, metric.relevance), []).append((number, metric, label))
    for (convention, relevance), ranking_columns in sharing.items():
        items = _as_trec_eval_sorts(training, rows) if convention == "trec" else rows["item"]
        if relevance == EVERYTHING:
            hits = mark_hits(test, rows["user"], items, training)
            values |= _evaluate_lists(hits, ranking_columns, per_user)
            continue
        truth = _relevant(test, relevance)
        if len(truth.users) == 0:  # in this fold: nobody counts
            values |= {label: float("nan") for _, _, label in ranking_columns}
            continue
        counting = np.full((len(columns), len(truth.users)), np.nan)
        values |= _evaluate_lists(mark_hits(truth, rows["user"], items, training), ranking_columns, counting)
        numbers = np.array([number for number, _, _ in ranking_columns])
        per_user[numbers[:, None], np.searchsorted(test.users, truth.users)] = counting[numbers]
    return Evaluation(values, test.users, per_user)


def _evaluate_lists(hits: Hits, ranking_columns: list[_Column], per_user: Values) -> dict[str, float]:
    """Return the values of columns by label, and fill in those of the users; ``per_user`` has the shape (columns, n)."""
    for users, block in hits.blocks():
        for number, metric, label in ranking_columns:
            _fill(per_user[number, users], metric, label, block)
    return {label: metric.value(hits, _length(label), per_user[number]) for number, metric, label in ranking_columns}


def _relevant(test: Truth, relevance: Relevance) -> Truth:
    """Return what of the test part is relevant, of the users who have some of it."""
    assert test.rating is not None, "a plan without ratings is refused"
    is_relevant = relevance.of(test.rating)
    owner = test.users[test.owner]
    return Truth.of(owner[is_relevant], test.item[is_relevant], test.n_items, test.rating[is_relevant])


def _without_repeats(test: Truth) -> Truth:
    """Return the test part with each pair once, rated as it was last."""
    user = test.users[test.owner]
    latest = latest_rows(Part(user, test.item, None, None), test.n_items)
    return Truth.of(user[latest], test.item[latest], test.n_items, None if test.rating is None else test.rating[latest])


def _fill(row: Values, metric: RankingMetric, label: str, hits: Hits) -> None:
    values = metric.per_user(hits, _length(label))
    if values is not None:
        row[:] = values


def _length(label: str) -> int:
    _, k = split_label(label)
    assert k is not None, "every ranking metric has a k"
    return k


def _as_trec_eval_sorts(training: Training, rows: npt.NDArray[np.void]) -> npt.NDArray[np.int32]:
    """Return the lists as trec_eval reads them: by score, ties by the item's name from the last one in the alphabet.

    It keeps scores as 32-bit floats (``float sim`` in its trec_eval.h), so those that differ behind seven digits tie.
    """
    names = [str(item).encode() for item in training.item_ids]
    alphabetical = np.empty(len(names) + 1, dtype=np.int64)
    alphabetical[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    alphabetical[-1] = -1  # padding, which is item -1
    items = rows["item"]
    with np.errstate(over="ignore"):
        score = np.where(items >= 0, rows["score"].astype(np.float32), -np.inf)
    order = np.lexsort((-alphabetical[items], -score), axis=1)
    sorted_items: npt.NDArray[np.int32] = np.take_along_axis(items, order, axis=1)
    return sorted_items


def _calculated(dataset: Path, fold: Fold, content: Predictions, columns: Columns) -> dict[str, float]:
    """Return the metrics that the user's own classes calculate, each class called once."""
    calculators = list(dict.fromkeys(metric for metric, _ in columns if isinstance(metric, CalculatedMetric)))
    if not calculators:
        return {}
    values: dict[str, float] = {}
    for metric in calculators:
        values |= metric.values(frame_for(metric, dataset, content), frame_of_test(dataset, fold))
    return values

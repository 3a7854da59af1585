"""Eval of one experiment: metrics of a file of predictions against the test part of a prepared dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from omnibench.engine.epochs import EpochMetric
from omnibench.engine.frames import frame_for, frame_of_test
from omnibench.engine.grouped import group_facts, training_of
from omnibench.engine.items import Item
from omnibench.experiment.outputs import Outputs
from omnibench.guest import VALIDATION
from omnibench.guest.family import own_code
from omnibench.guest.folds import Fold
from omnibench.guest.opened_folds import opened_fold
from omnibench.guest.predictions import Predictions, read_predictions
from omnibench.metrics.base import Columns, Metric
from omnibench.metrics.evaluation import Evaluation, both, of_lists, of_ratings, with_uncertainty
from omnibench.metrics.hits import Truth
from omnibench.metrics.judged import Lists, without_repeats
from omnibench.metrics.judged_columns import JudgedColumn, judged_columns
from omnibench.metrics.own import CalculatedMetric, HitMetric
from omnibench.metrics.rating import RatedPairs
from omnibench.metrics.training import Training

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


_truths: WeakKeyDictionary[Fold, Truth] = WeakKeyDictionary()
"""The relevant items of folds, for as long as somebody keeps these: see ``guest.opened_folds``."""


@dataclass(frozen=True, slots=True)
class Evaluations:
    """The recorded values of an item's metrics, and the columns that have none.

    Attributes:
        item: The item, with a column for each recorded group in the place of those that stand for all groups.
        keys: The evaluations' keys by label.
        values: The recorded values by label, None where a value is not defined.
        missing: The columns that are not recorded.
        test: The digest of the test part.
    """

    item: Item
    keys: Mapping[str, str]
    values: Mapping[str, float | None]
    missing: Columns
    test: str


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
    fold, content = opened_fold(dataset, fold_number, refit, judged=judged), read_predictions(predictions)
    training = training_of(dataset, fold)
    judged_by_group, groups = judged_columns(columns, lambda: group_facts(fold, training), fold.test.item)
    columns = [(column.metric, column.label) for column in judged_by_group]
    is_own = any(isinstance(metric, CalculatedMetric | HitMetric) for metric, _ in columns)
    with own_code() if is_own else nullcontext():
        evaluation = _measured(fold, content, judged_by_group, training)
        evaluation.values.update(_calculated(dataset, fold, content, columns))
    return replace(with_uncertainty(evaluation, columns), groups=groups)


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


def _measured(fold: Fold, content: Predictions, columns: Sequence[JudgedColumn], training: Training) -> Evaluation:
    """Return the metrics of lists and of ratings, each where there are some."""
    lists, ratings = content
    rated = None if ratings is None else _ratings(fold, ratings, columns)
    if lists is None:
        assert rated is not None, "there is one of them at least"
        return rated
    ranked = _rankings(fold, lists, columns, training)
    if rated is None:
        return ranked
    return both(ranked, rated)


def _ratings(fold: Fold, rows: npt.NDArray[np.void], columns: Sequence[JudgedColumn]) -> Evaluation:
    test = fold.test
    assert test.rating is not None
    return of_ratings(RatedPairs(test.user, test.item, test.rating, rows["rating"]), columns)


def _rankings(
    fold: Fold, rows: npt.NDArray[np.void], columns: Sequence[JudgedColumn], training: Training
) -> Evaluation:
    test = _truths.get(fold)
    if test is None:
        part = fold.test
        test = Truth.of(part.user, part.item, fold.n_items, part.rating)
        if fold.keeps_repeats:
            test = without_repeats(test)
        _truths[fold] = test
    return of_lists(test, Lists(rows["user"], rows["item"], rows["score"]), training, columns)


def _calculated(dataset: Path, fold: Fold, content: Predictions, columns: Columns) -> dict[str, float]:
    """Return the metrics that the user's own classes calculate, each class called once."""
    calculators = list(dict.fromkeys(metric for metric, _ in columns if isinstance(metric, CalculatedMetric)))
    if not calculators:
        return {}
    values: dict[str, float] = {}
    for metric in calculators:
        values |= metric.values(frame_for(metric, dataset, content), frame_of_test(dataset, fold))
    return values

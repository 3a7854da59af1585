"""Columns of metrics, all of them together: of recommendation lists, of predicted ratings, or of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from omnibench.metrics.base import Columns, Values
from omnibench.metrics.hits import Hits, Truth
from omnibench.metrics.judged import Lists, in_order, judge
from omnibench.metrics.judged_columns import Group, GroupKey, JudgedColumn
from omnibench.metrics.labels import split_label
from omnibench.metrics.ranking_metric import RankingMetric
from omnibench.metrics.rating import Errors, RatedPairs, RatingMetric
from omnibench.metrics.relevance import Relevance
from omnibench.metrics.spread import mean_intervals, standard_errors
from omnibench.metrics.training import Training

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_Column: TypeAlias = "tuple[int, RankingMetric, str]"
"""A column's number among all, its metric and its label."""


@dataclass(frozen=True)
class Evaluation:
    """The metrics of predictions.

    Attributes:
        values: The metric over all test users (or pairs), by label.
        users: Codes of the users with test items, ascending; shape (n,).
        per_user: One row per label, in the order of ``values``; NaN for users who do not count, and all along the row
            of a metric that no single user has. float64, shape (labels, n).
        stderr: Standard error by label, for metrics that are means over users.
        interval: 95 % interval by label, likewise; see ``metrics.spread.mean_intervals``.
        counted: How many users count, by label, for means over fewer users than there are.
        columns: The metrics and labels that were measured, with those of groups in the place of what stands for all groups.
        groups: The groups, by the label that stands for all of them.
    """

    values: dict[str, float]
    users: npt.NDArray[np.int32]
    per_user: Values
    stderr: dict[str, float] = field(default_factory=dict)
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    columns: Columns = ()
    groups: Mapping[str, list[str]] = field(default_factory=dict)

    def values_per_user(self) -> dict[str, Values]:
        """Return the values per user by label, of the metrics that single users have."""
        rows = zip(self.values, self.per_user, strict=True)
        return {label: row for label, row in rows if not np.isnan(row).all()}


def with_uncertainty(evaluation: Evaluation, columns: Columns) -> Evaluation:
    """Return an evaluation with its values in the order of the columns, and with what says how sure they are.

    Args:
        evaluation: The values of all columns; those per user are in the order of the columns.
        columns: The columns.
    """
    values = {label: evaluation.values[label] for _, label in columns}
    means = [number for number, (metric, label) in enumerate(columns) if metric.is_mean and np.isfinite(values[label])]
    labels = [columns[number][1] for number in means]
    per_user = evaluation.per_user if len(means) == len(columns) else evaluation.per_user[means]
    errors, intervals = standard_errors(per_user), mean_intervals(per_user)
    return replace(
        evaluation,
        values=values,
        stderr={label: float(error) for label, error in zip(labels, errors, strict=True) if np.isfinite(error)},
        interval={  # a single user has none, and records hold numbers alone
            label: (float(low), float(high))
            for label, (low, high) in zip(labels, intervals, strict=True)
            if np.isfinite(low) and np.isfinite(high)
        },
        counted=_counted(evaluation, columns),
        columns=columns,
    )


def _counted(evaluation: Evaluation, columns: Columns) -> dict[str, int]:
    rows = zip(columns, evaluation.per_user, strict=True)
    numbers = {label: int(np.count_nonzero(~np.isnan(row))) for (metric, label), row in rows if metric.is_mean}
    return {label: number for label, number in numbers.items() if number < len(evaluation.users)}


def both(ranked: Evaluation, rated: Evaluation) -> Evaluation:
    """Return the evaluation of lists and of ratings of the same test part; a column is of one of them."""
    per_user = np.where(np.isnan(ranked.per_user), rated.per_user, ranked.per_user)
    return Evaluation(ranked.values | rated.values, ranked.users, per_user)


def of_ratings(pairs: RatedPairs, columns: Sequence[JudgedColumn]) -> Evaluation:
    """Return the metrics of predicted ratings among the columns.

    Args:
        pairs: The test pairs.
        columns: All columns.
    """
    everybody = pairs.errors()
    per_user = np.full((len(columns), len(everybody.users)), np.nan)
    values = {}
    errors_by_group: dict[GroupKey, Errors] = {None: everybody}  # all columns of a group share them
    for row, column in zip(per_user, columns, strict=True):
        metric, group = column.metric, column.group
        if not isinstance(metric, RatingMetric):
            continue
        if group is not None and group.key not in errors_by_group:
            errors_by_group[group.key] = pairs.errors(group.has(pairs.user, pairs.item))
        errors = errors_by_group[column.group_key]
        if len(errors.users) == 0:  # in this fold: nobody counts
            values[column.label] = float("nan")
            continue
        of_users = metric.per_user(errors)
        row[np.searchsorted(everybody.users, errors.users)] = of_users
        values[column.label] = metric.value(errors, of_users)
    return Evaluation(values, everybody.users, per_user)


def of_lists(test: Truth, lists: Lists, training: Training, columns: Sequence[JudgedColumn]) -> Evaluation:
    """Return the metrics of recommendation lists among the columns.

    Args:
        test: The test part, each pair once.
        lists: The lists.
        training: The training facts.
        columns: All columns.
    """
    per_user = np.full((len(columns), len(test.users)), np.nan)
    values: dict[str, float] = {}
    # All columns that look at the same lists, and for the same items in them, share the hits.
    sharing: dict[tuple[str, Relevance, GroupKey], list[_Column]] = {}
    groups: dict[GroupKey, Group | None] = {}
    for number, column in enumerate(columns):
        metric, key = column.metric, column.group_key
        if isinstance(metric, RankingMetric):
            groups[key] = column.group
            sharing.setdefault((metric.convention, metric.relevance, key), []).append((number, metric, column.label))
    ordered = {convention: in_order(lists, training, convention) for convention, _, _ in sharing}
    for (convention, relevance, key), ranking_columns in sharing.items():
        hits = judge(test, ordered[convention], training, relevance, groups[key])
        if hits is None:  # in this fold: nobody counts
            values |= {label: float("nan") for _, _, label in ranking_columns}
            continue
        if hits.users is test.users:
            values |= _evaluate_lists(hits, ranking_columns, per_user)
            continue
        counting = np.full((len(ranking_columns), len(hits.users)), np.nan)
        own_rows = [(row, metric, label) for row, (_, metric, label) in enumerate(ranking_columns)]
        values |= _evaluate_lists(hits, own_rows, counting)
        numbers = np.array([number for number, _, _ in ranking_columns])
        per_user[numbers[:, None], np.searchsorted(test.users, hits.users)] = counting
    return Evaluation(values, test.users, per_user)


def _evaluate_lists(hits: Hits, ranking_columns: list[_Column], per_user: Values) -> dict[str, float]:
    """Return the values of columns by label, and fill in those of the users; ``per_user`` has the shape (columns, n)."""
    for users, block in hits.blocks():
        for number, metric, label in ranking_columns:
            _fill(per_user[number, users], metric, label, block)
    return {label: metric.value(hits, _length(label), per_user[number]) for number, metric, label in ranking_columns}


def _fill(row: Values, metric: RankingMetric, label: str, hits: Hits) -> None:
    values = metric.per_user(hits, _length(label))
    if values is not None:
        row[:] = values


def _length(label: str) -> int:
    _, k = split_label(label)
    assert k is not None, "every ranking metric has a k"
    return k

"""Score lists and predicted ratings that somebody else made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.arguments import checked_call
from omnibench.errors import EvaluationError
from omnibench.experiment.evaluator import Calculator, Evaluator
from omnibench.guest.family import own_code
from omnibench.metrics.base import DEFAULT_CONVENTION, Columns, Metric, Values
from omnibench.metrics.coded import Coded, Reading, coded
from omnibench.metrics.coded_checks import Table
from omnibench.metrics.cost import CostMetric
from omnibench.metrics.evaluation import Evaluation, both, of_lists, of_ratings, with_uncertainty
from omnibench.metrics.groups import GroupFacts
from omnibench.metrics.judged_columns import judged_columns
from omnibench.metrics.ordered import ORDERS
from omnibench.metrics.own import CalculatedMetric, HitMetric
from omnibench.metrics.ranking import NDCG
from omnibench.metrics.ranking_metric import RankingMetric, RelevanceMetric
from omnibench.metrics.rating import RatedPairs, RatingMetric
from omnibench.scoring.features import feature_sources, feature_tables, require_features
from omnibench.scoring.frames import predicted_frame, tested_frame
from omnibench.scoring.labels import metric_of
from omnibench.scoring.notes import notes_of
from omnibench.scoring.parts import JudgingParts, judging_parts
from omnibench.scoring.scores import Scores
from omnibench.scoring.tables import predictions_table

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


@checked_call
def score(
    predictions: Any,
    test: Any,
    *metrics: Metric | Calculator | str,
    train: Any = None,
    validation: Any = None,
    users: Any = None,
    items: Any = None,
    lists: Mapping[str, str] | None = None,
    convention: str = DEFAULT_CONVENTION,
    relevant: float | None = None,
    order: str | None = None,
    repeats: bool = True,
    unknown: bool = True,
    allow_overlap: bool = False,
    columns: Mapping[str, str] | Sequence[str | None] | None = None,
    test_columns: Mapping[str, str] | None = None,
    fold: int | None = None,
    name: str = "",
) -> Scores:
    """Measure lists, or predicted ratings, that somebody else made.

    They are judged as omnibench judges what it computes itself: every user with a test item counts, one without a list
    as zero (unless a convention leaves them out), and a list's items count as they stand.

    Args:
        predictions: A frame (pandas, polars, Arrow) with the columns user, item, and rank (1 is the best) or score (more
            is better), or its rows in the order of the lists; or with user, item and rating. Or the path of a file:
            ``predictions.json`` of a store, ``.json``, ``.jsonl``, ``.csv``, ``.tsv``, ``.parquet``, or a run of trec_eval.
            Or a mapping from users to lists of items, or to mappings from items to scores; or a dataset without a split, for
            files that only ``from_file`` reads, whose ratings are the scores.
        test: What is relevant: a frame with user, item, and rating where metrics ask for it; a file that ``from_file``
            reads, or qrels; a mapping from users to items, or to mappings from items to levels of relevance. Or a
            dataset: one with a split gives train and validation, too.
        *metrics: Metrics, such as ``NDCG([10, 20])``, labels, such as ``"NDCG@10"``, or objects of your own with
            ``calculate(predictions, test)``.
        train: The training part in one of these forms; for metrics that are made of what is known in training, such as
            ItemCoverage and Novelty.
        validation: What else users have seen.
        users: What is known about users, for metrics by group, such as ``NDCG(10, by="gender")``: a frame with a column
            user and one for each feature, or a file of one.
        items: What is known about items, likewise with a column item.
        lists: What separates the members of columns of features that hold several, e.g. ``{"genres": "|"}``.
        convention: As for ``Evaluator``.
        relevant: As for ``Evaluator``.
        order: ``rank`` or ``score``: which decides where an item stands. By default the rank where there is one; in a run
            the score, as in trec_eval.
        repeats: Whether items that a user has in train or validation stay in the lists.
        unknown: Whether items that are not in train stay in them.
        allow_overlap: Whether pairs of the test part may be in train or validation, too.
        columns: What the columns of the predictions are, where their names do not say it, e.g. ``{"uid": "user"}``; for a
            text file without a header the names of all.
        test_columns: Likewise of test, train and validation.
        fold: The fold of a dataset that has several.
        name: What to call the predictions; the file's name by default.

    Raises:
        EvaluationError: A metric needs what is not there, tables do not fit, or lists contradict themselves.
        DataError: A file cannot be read, or an id or a number is none.
    """
    evaluators = _evaluators(metrics, convention, relevant)
    every_column = [column for evaluator in evaluators for column in evaluator.columns]
    if order not in (None, *ORDERS):
        raise EvaluationError(f"order is {order!r}; give 'rank' or 'score', or leave it out.")
    parts = judging_parts(test, train, validation, fold, test_columns)
    _check_metrics(every_column, parts, repeats=repeats, unknown=unknown)
    features = {**parts.features, **feature_sources(users, items, lists)}
    every_metric = list(dict.fromkeys(metric for metric, _ in every_column))
    require_features(every_metric, features)
    predicted = predictions_table(predictions, order, columns)
    outputs = _outputs(every_column, predicted.table)
    reading = Reading(_length(every_column), repeats, unknown, allow_overlap or parts.repeats)
    material = coded(
        predicted.table,
        parts.test.table,
        None if parts.train is None else parts.train.table,
        None if parts.validation is None else parts.validation.table,
        items=parts.items,
        reading=reading,
        lists=outputs.lists,
        ratings=outputs.ratings,
    )
    is_own = any(isinstance(metric, CalculatedMetric | HitMetric) for metric, _ in every_column)
    results: list[_Measured] = []
    missing: list[str] = []
    of_sessions = [parts.sessions.get(user_id, user_id) for user_id in material.user_ids]
    ids = {"users": of_sessions, "items": material.item_ids}
    with feature_tables(features, ids, missing) as tables, own_code() if is_own else nullcontext():
        material = material._replace(training=replace(material.training, features=tables))
        for evaluator in evaluators:
            evaluation = _measured(material, evaluator.columns, predicted.table)
            results += _by_label(evaluation)
    is_binary = any(isinstance(metric, NDCG) and metric.gains is None for metric in every_metric)
    notes = notes_of(
        material, every_metric, predicted, parts.test.name, reading, graded=parts.test.graded and is_binary
    )
    return Scores(
        name or predicted.name,
        parts.test.name,
        {result.label: result.value for result in results},
        {result.label: result.stderr for result in results if result.stderr is not None},
        {
            result.label: result.interval
            for result in results
            if result.interval is not None and not np.isnan(result.interval).any()
        },
        [material.user_ids[code] for code in material.test.users.tolist()],
        {result.label: result.metric.higher_is_better for result in results},
        (*predicted.notes, *parts.notes, *notes, *missing),
        {result.label: result.of_users for result in results if result.of_users is not None},
    )


class _Measured(NamedTuple):
    """A column of scores."""

    label: str
    metric: Metric
    value: float
    stderr: float | None
    interval: tuple[float, float] | None
    of_users: Values | None


def _by_label(evaluation: Evaluation) -> list[_Measured]:
    of_users = evaluation.values_per_user()
    return [
        _Measured(
            metric.qualified(label, ""),
            metric,
            evaluation.values[label],
            evaluation.stderr.get(label),
            evaluation.interval.get(label),
            of_users.get(label),
        )
        for metric, label in evaluation.columns
    ]


def _evaluators(arguments: Iterable[Any], convention: str, relevant: float | None) -> list[Evaluator]:
    """Return an evaluator for each of the conventions that the metrics follow."""
    metrics = [metric_of(metric) if isinstance(metric, str) else metric for metric in arguments]
    if not metrics:
        raise EvaluationError("no metric says what is to be measured; give some, such as NDCG([10, 20]) or 'NDCG@10'.")
    groups: dict[str, list[Any]] = {}
    for metric in metrics:
        if isinstance(metric, CostMetric):
            raise EvaluationError(
                f"{metric.name} is what a fit or a prediction costs, which no list tells; leave it out."
            )
        own = metric.convention if isinstance(metric, Metric) else DEFAULT_CONVENTION
        groups.setdefault(convention if own == DEFAULT_CONVENTION else own, []).append(metric)
    judging = {
        group for group, of_group in groups.items() if any(isinstance(metric, RelevanceMetric) for metric in of_group)
    }
    return [
        Evaluator(*of_group, convention=group, relevant=relevant if group in (judging or groups) else None)
        for group, of_group in groups.items()
    ]


def _check_metrics(columns: Columns, parts: JudgingParts, *, repeats: bool, unknown: bool) -> None:
    if parts.train is not None:
        return
    needing = dict.fromkeys(
        metric.name
        for metric, _ in columns
        if (isinstance(metric, RankingMetric) and metric.needs_training)
        or any(grouping.needs_training for grouping in metric.groupings)
    )
    if needing:
        raise EvaluationError(
            f"{', '.join(needing)} {'is' if len(needing) == 1 else 'are'} made of what is known in training, such as how popular "
            "items are; give the training part, train=... (--train FILE), or leave the metric out."
        )
    for option, value in (("repeats", repeats), ("unknown", unknown)):
        if not value:
            raise EvaluationError(f"{option}=False asks for the training part; give it, train=... (--train FILE).")


class _Outputs(NamedTuple):
    """What of the predictions is looked at."""

    lists: bool
    ratings: bool


def _outputs(columns: Columns, table: Table) -> _Outputs:
    """Return whether lists are looked at, and whether ratings; metrics of the user's own look at what there is."""
    has_order = bool({"score", "rank"} & table.columns.keys()) or "rating" not in table.columns
    ratings = any(isinstance(metric, RatingMetric) for metric, _ in columns)
    is_own = any(isinstance(metric, CalculatedMetric) for metric, _ in columns)
    return _Outputs(any(isinstance(metric, RankingMetric) for metric, _ in columns) or (is_own and has_order), ratings)


def _length(columns: Columns) -> int | None:
    """Return where lists may be cut; trec_eval sorts them first, and metrics of the user's own may look at all."""
    if any(metric.convention == "trec" or isinstance(metric, CalculatedMetric) for metric, _ in columns):
        return None
    return max((k for metric, _ in columns if isinstance(metric, RankingMetric) for k in metric.k), default=None)


def _measured(material: Coded, columns: Columns, table: Table) -> Evaluation:
    test, training = material.test, material.training
    judged, _ = judged_columns(columns, lambda: GroupFacts(training, test.users), test.item)
    columns = [(column.metric, column.label) for column in judged]
    evaluations = []
    if material.lists is not None:
        evaluations.append(of_lists(test, material.lists.lists, training, judged))
    if material.predicted is not None:
        assert test.rating is not None, "predicted ratings have some beside them"
        pairs = RatedPairs(test.users[test.owner], test.item, test.rating, material.predicted)
        evaluations.append(of_ratings(pairs, judged))
    if not evaluations:
        evaluations.append(Evaluation({}, test.users, np.full((len(columns), len(test.users)), np.nan)))
    evaluation = both(*evaluations) if len(evaluations) > 1 else evaluations[0]
    for metric in dict.fromkeys(metric for metric, _ in columns if isinstance(metric, CalculatedMetric)):
        frame = predicted_frame(
            material, table, of_lists=material.lists is not None and (bool(metric.k) or material.predicted is None)
        )
        evaluation.values.update(metric.values(frame, tested_frame(material)))
    return with_uncertainty(evaluation, columns)

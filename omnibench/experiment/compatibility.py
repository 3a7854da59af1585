"""Which datasets, metrics and algorithms go together; checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import DataError, EvaluationError, PlanError
from omnibench.experiment.configuration import Configuration
from omnibench.metrics.base import Metric


def check_dataset(dataset: RecSysDataSet, metrics: Sequence[Metric]) -> None:
    """Refuse a dataset that nothing can be tested on, or that the metrics cannot judge.

    Raises:
        DataError, EvaluationError: It is one.
    """
    if not isinstance(dataset, RecSysDataSet):
        raise DataError(f"{dataset!r} is no dataset; make one with load_dataset, from_frame or from_file.")
    if dataset.split is None:
        raise DataError(
            f"{dataset.name} is raw data without a split, so there is nothing to test on. End its recipe with a "
            "split, e.g. .pipe(UserHoldout(validation_size=0.1, test_size=0.2))."
        )
    if dataset.split.folds_in and dataset.feedback == "explicit":
        raise DataError(
            f"{dataset.name} has explicit ratings, but {type(dataset.split).__name__} judges rankings. Pipe "
            "MakeImplicit(...) before it, or choose a split such as UserHoldout."
        )
    if not metrics:
        raise EvaluationError("the evaluator has no metric; give some, e.g. Evaluator(NDCG([10, 20]), HR(10)).")
    for metric in metrics:
        if metric.kind == "ranking" and dataset.feedback == "explicit":
            raise EvaluationError(
                f"{metric.name} ranks, but {dataset.name} has explicit ratings, where rating predictions are judged. "
                "Pipe MakeImplicit(...) before the split, or use RMSE and MAE."
            )
        if metric.kind == "rating" and dataset.feedback == "implicit":
            raise EvaluationError(
                f"{metric.name} judges predicted ratings, but {dataset.name} is implicit and has none. Leave out "
                "MakeImplicit, or use ranking metrics such as NDCG."
            )


def check_configuration(dataset: RecSysDataSet, configuration: Configuration) -> None:
    """Refuse an algorithm that cannot do what a dataset asks of it.

    Raises:
        PlanError: It cannot.
    """
    _check_feedback(dataset, configuration)
    _check_history(dataset, configuration)


def _check_history(dataset: RecSysDataSet, configuration: Configuration) -> None:
    if dataset.split is None or not dataset.split.folds_in or configuration.offers_history:
        return
    reason = (
        "its recommend(users, k) takes no history"
        if configuration.own
        else "what it learns of users is bound to those in training"
    )
    advice = (
        "Let recommend take history, a frame of what is known of the users"
        if configuration.own
        else "Choose one that recommends from a history, such as LensKit.EASEScorer or RecPack.ItemKNN"
    )
    raise PlanError(
        f"{configuration.name} cannot recommend for users unknown in training ({reason}), which is what "
        f"{type(dataset.split).__name__} asks of it on {dataset.name}. {advice}, or a split such as UserHoldout."
    )


def _check_feedback(dataset: RecSysDataSet, configuration: Configuration) -> None:
    if dataset.feedback == "explicit" and not configuration.offers_ratings:
        raise PlanError(
            f"{configuration.name} predicts no ratings, but {dataset.name} has explicit ratings. Pipe "
            "MakeImplicit(...) before the split, or choose an algorithm that does, e.g. LensKit.BiasedMFScorer."
        )
    if dataset.feedback == "implicit" and not configuration.offers_ranking:
        raise PlanError(
            f"{configuration.name} only predicts ratings, but {dataset.name} is implicit. Leave out MakeImplicit, or "
            "choose an algorithm that ranks, e.g. LensKit.ImplicitMFScorer."
        )

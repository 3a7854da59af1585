"""Which datasets, metrics and algorithms go together; checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import DataError, EvaluationError, PlanError
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.feature_compatibility import check_features
from omnibench.experiment.outputs import outputs_of
from omnibench.metrics.base import Metric
from omnibench.metrics.groups import ITEMS, refusal_of_items
from omnibench.metrics.item_features import unknown_feature

_KEEP = 'MakeImplicit(..., keep="rating")'


def check_dataset(dataset: RecSysDataSet, metrics: Sequence[Metric], candidates: Candidates = UNSEEN) -> None:
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
        if metric.kind == "rating" and dataset.feedback == "implicit":
            kept = ", also with the ratings that it keeps" if dataset.has_ratings else ""
            raise EvaluationError(
                f"{metric.name} judges predicted ratings, but {dataset.name} is implicit{kept}: its interactions are ranked. Leave "
                "out MakeImplicit, or use ranking metrics such as NDCG."
            )
        if metric.judged_by and not dataset.has_ratings:
            raise EvaluationError(
                f"{metric.stem} judges by the ratings of the test part, but {dataset.name} has none. Leave out MakeImplicit, "
                f"or keep them with {_KEEP}; without ratings, leave out {' and '.join(metric.judged_by)}."
            )
        _check_features(dataset, metric)
    if dataset.keeps_repeats and not candidates.repeats and outputs_of(dataset.feedback, metrics).lists:
        raise EvaluationError(
            f"{dataset.name} keeps repeated interactions, but what a user has seen is not ranked, so what a user has again "
            "could not be found. Give the evaluator candidates=AllItems(repeats=True), or leave out KeepRepeats()."
        )


def _check_features(dataset: RecSysDataSet, metric: Metric) -> None:
    for grouping in metric.groupings:
        try:
            subject = grouping.subject_in({subject: source.names for subject, source in dataset.features.items()})
        except EvaluationError as error:
            raise EvaluationError(f"{dataset.name}: {metric.name} {error}") from error
        if subject == ITEMS and not metric.judges_items:
            raise refusal_of_items(metric.name, grouping)
    for name in metric.item_features:
        names = dataset.features["items"].names if "items" in dataset.features else ()
        if name not in names:
            raise EvaluationError(f"{dataset.name}: {unknown_feature(name, names, metric.name)}")


def check_configuration(dataset: RecSysDataSet, configuration: Configuration, metrics: Sequence[Metric] = ()) -> None:
    """Refuse an algorithm that cannot do what a dataset and the metrics ask of it.

    Raises:
        PlanError: It cannot.
    """
    _check_feedback(dataset, configuration, metrics)
    _check_ratings(dataset, configuration)
    _check_history(dataset, configuration)
    check_features(dataset, configuration)
    _check_names(configuration)
    _check_required(configuration)
    if configuration.reads_times and "timestamp" not in dataset.source.columns:
        raise PlanError(
            f"{configuration.name} counts interactions by their time, but {dataset.name} has no column 'timestamp'. Add it (seconds "
            "since 1970), or choose an algorithm without times, e.g. LensKit.PopScorer."
        )
    if configuration.reads_sequences and "timestamp" not in dataset.source.columns:
        raise PlanError(
            f"{configuration.name} learns what comes next, but {dataset.name} has no column 'timestamp'. Add it (seconds, or a "
            "number that rises within a user), or choose an algorithm without sequences, e.g. RecBole.BPR."
        )


def _check_names(configuration: Configuration) -> None:
    names = configuration.repeated_parameters
    if names:
        raise PlanError(
            f"{configuration.name} has values of {' and of '.join(names)}, which are names of the same hyperparameter. Leave out "
            f"{' and '.join(names[1:])}."
        )


def _check_required(configuration: Configuration) -> None:
    for parameter, example in configuration.missing_parameters.items():
        raise PlanError(
            f"{configuration.name} needs {parameter}, of which {configuration.runner.name} has no default. Give it a value, e.g. "
            f"{{{parameter!r}: {example!r}}}."
        )


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


def _check_feedback(dataset: RecSysDataSet, configuration: Configuration, metrics: Sequence[Metric]) -> None:
    if dataset.feedback == "explicit" and not configuration.offers_ratings:
        outputs = outputs_of(dataset.feedback, metrics)
        ranking = f"; {_KEEP} keeps the ratings for those that rank by them" if outputs.lists else ""
        raise PlanError(
            f"{configuration.name} predicts no ratings, but {dataset.name} has explicit ratings. Pipe "
            f"MakeImplicit(...) before the split{ranking}, or choose an algorithm that does, e.g. LensKit.BiasedMFScorer."
        )
    rates_here = dataset.has_ratings and configuration.offers_ratings
    if dataset.feedback == "implicit" and not configuration.offers_ranking and not rates_here:
        raise PlanError(
            f"{configuration.name} only predicts ratings, but {dataset.name} is implicit. Leave out MakeImplicit, keep "
            f"the ratings with {_KEEP}, or choose an algorithm that ranks, e.g. LensKit.ImplicitMFScorer."
        )


def _check_ratings(dataset: RecSysDataSet, configuration: Configuration) -> None:
    request = configuration.request_for_ratings
    if request and not dataset.has_ratings:
        has_had = "rating" in dataset.source.columns
        advice = f"Keep them with {_KEEP}" if has_had else "Take data with a column rating"
        raise PlanError(
            f"{configuration.name} is asked to learn from ratings ({request}), but {dataset.name} has none. {advice}, or "
            f"leave out {request}."
        )

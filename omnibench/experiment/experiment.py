"""ONE unit of work: a dataset, a configuration and a fold, with the keys that identify what it produces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import DataError, EvaluationError, PlanError
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.plan import Configuration, ExperimentPlan
from omnibench.keys import DISPLAY_DIGITS, canonical, display, sha256
from omnibench.metrics.base import Metric
from omnibench.results import Result

DEFAULT_LIST_LENGTH = 20
"""Recommendations per user, unless a metric needs more."""


@dataclass(slots=True, unsafe_hash=True)  # not frozen, which would take half of the time to make one
class Experiment:
    """One dataset x configuration x fold, which nobody changes.

    There may be 100,000 of them, so what several share is kept by what they share.

    Attributes:
        dataset: A dataset with a split.
        configuration: The algorithm and its hyperparameters.
        fold: The fold's number, 0 for a single split.
        version: The framework's version.
        seed: The seed of everything random in the framework.
        device: The device class, ``cpu`` or ``cuda``.
        salt: A text that goes into the key, to disown what was computed without it.
        candidates: What is ranked for each user.
        digits: How many digits of the keys are shown.
        configuration_key: Identifies the configuration, whatever the data.
        fit_key: Identifies the fitted model, and the experiment as a whole.
    """

    dataset: RecSysDataSet
    configuration: Configuration
    fold: int
    version: str
    seed: int
    device: str = "cpu"
    salt: str = ""
    candidates: Candidates = UNSEEN
    digits: int = DISPLAY_DIGITS
    configuration_key: str = field(init=False)
    fit_key: str = field(init=False)

    def __post_init__(self) -> None:
        keyed = self.configuration.keyed(self.version, self.seed, self.device, self.salt)
        # The canonical text of `identity`, put together from texts that are made once.
        text = f'["fit/1",{{"configuration":{keyed.text},"data":"{self.dataset.key}","fold":{self.fold}}}]'
        self.configuration_key = keyed.key
        self.fit_key = sha256(text)

    @property
    def identity(self) -> list[Any]:
        """What the fitted model depends on."""
        configuration = self.configuration.identity(self.version, self.seed, self.device, self.salt)
        return ["fit/1", {"data": self.dataset.key, "fold": self.fold, "configuration": configuration}]

    @property
    def recorded_identity(self) -> Any:
        """The identity as JSON keeps it; written without blanks and with sorted names, its sha256 is the fit key."""
        return json.loads(canonical(self.identity))

    def predict_key(self, list_length: int) -> str:
        """Identifies the predictions."""
        return sha256(
            f'["predict/1",{{"candidates":{self._ranked},"fit":"{self.fit_key}","length":{self._length(list_length)}}}]'
        )

    def predicted(self, list_length: int) -> str:
        """Return what the predictions depend on beside the model: the candidates and the lists' length."""
        return f"[{self._ranked},{self._length(list_length)}]"

    @property
    def _ranked(self) -> str:
        ranks = self.dataset.feedback == "implicit" and self.candidates is not UNSEEN
        return canonical(self.candidates.identity) if ranks else '"unseen"'

    def _length(self, list_length: int) -> str:
        return str(list_length) if self.dataset.feedback == "implicit" else "null"

    def qualified(self, metric: Metric, label: str) -> str:
        """Return what results and records call a column of this experiment; see ``Metric.qualified``."""
        return metric.qualified(label, self.candidates.note)

    @property
    def dataset_name(self) -> str:
        """The dataset's display name, e.g. ``MovieLens100K-a3f8e2c1``."""
        return display(self.dataset.name, self.dataset.key, self.digits)

    @property
    def algorithm_name(self) -> str:
        """The configuration's display name, e.g. ``LensKit.ItemKNNScorer-b7d4a9f1``."""
        return display(self.configuration.name, self.configuration_key, self.digits)

    @property
    def name(self) -> str:
        """The experiment's name: dataset, algorithm, and fold where there are several."""
        name = f"{self.dataset_name}/{self.algorithm_name}"
        return name if self.dataset.folds is None else f"{name}/fold_{self.fold}"

    def result(self, metrics: Mapping[str, float]) -> Result:
        """Return metrics of this experiment as a result."""
        return Result(
            self.dataset_name,
            self.algorithm_name,
            str(self.configuration),
            None if self.dataset.folds is None else self.fold,
            metrics,
            self.fit_key,
        )


def eval_key(fit_key: str, predictions_sha256: str, test_digest: str, metric: Metric, label: str) -> str:
    """Identifies one metric of one item: which item, what was predicted, what was true, and the metric.

    The item is part of it although the numbers do not depend on it: two items with equal predictions would
    share a record, and resetting or exporting one of them would change the other.
    """
    of_what = f'"predictions":"{predictions_sha256}","test":"{test_digest}"'
    return sha256(f'["eval/1",{{"fit":"{fit_key}","metric":{metric.canonical_identity(label)},{of_what}}}]')


def experiments(
    datasets: RecSysDataSet | Iterable[RecSysDataSet],
    plan: ExperimentPlan,
    metrics: Sequence[Metric],
    *,
    versions: Any,
    seed: int,
    device: Callable[[Configuration], str] = lambda _: "cpu",
    salt: str = "",
    candidates: Candidates = UNSEEN,
) -> list[Experiment]:
    """Return every experiment of a plan, datasets first, then algorithms, then folds; each once.

    Args:
        datasets: One or several datasets.
        plan: The algorithms.
        metrics: What is to be measured; only checked against the datasets here.
        versions: A function from a runner to its framework's version.
        seed: The seed of everything random in the frameworks.
        device: A function from a configuration to its device class.
        salt: A text that goes into every key.
        candidates: What is ranked for each user.

    Raises:
        DataError, PlanError, EvaluationError: Something does not go together; nothing has been computed.
    """
    if not isinstance(datasets, RecSysDataSet | Iterable):
        raise DataError(f"{datasets!r} is no dataset; make one with load_dataset, from_frame or from_file.")
    listed = [datasets] if isinstance(datasets, RecSysDataSet) else list(datasets)
    if not listed:
        raise DataError("there is no dataset to benchmark on; give one or several.")
    if not isinstance(plan, ExperimentPlan):
        raise PlanError(f"the plan is {plan!r}; give an ExperimentPlan.")
    configurations = plan.configurations()
    names: dict[str, str] = {}
    for dataset in listed:
        _check_dataset(dataset, metrics)
        if names.setdefault(dataset.key, dataset.name) != dataset.name:
            raise DataError(
                f"{names[dataset.key]} and {dataset.name} are the same data with the same steps under two names; "
                "leave out one of them."
            )
        for configuration in configurations:
            _check_feedback(dataset, configuration)
            _check_history(dataset, configuration)
    settled = [(one, versions(one.runner), device(one)) for one in configurations]
    found: dict[str, Experiment] = {}
    for dataset in listed:
        for configuration, version, where in settled:
            for fold in range(dataset.folds or 1):
                one = Experiment(dataset, configuration, fold, version, seed, where, salt, candidates)
                found.setdefault(one.fit_key, one)
    return _with_clear_names(list(found.values()))


def _with_clear_names(found: list[Experiment]) -> list[Experiment]:
    """Show more digits of the keys when the first eight are shared by two things of one name."""
    kinds = {(one.dataset.key, one.configuration_key): one for one in found if one.fold == 0}
    digits = DISPLAY_DIGITS
    while len({(one.dataset_name.casefold(), one.algorithm_name.casefold()) for one in kinds.values()}) < len(kinds):
        digits += 4
        kinds = {key: replace(one, digits=digits) for key, one in kinds.items()}
    if digits > DISPLAY_DIGITS:
        found = [replace(one, digits=digits) for one in found]
    return found


def _check_dataset(dataset: RecSysDataSet, metrics: Sequence[Metric]) -> None:
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


def _check_history(dataset: RecSysDataSet, configuration: Configuration) -> None:
    if dataset.split is None or not dataset.split.folds_in or configuration.offers_history:
        return
    why = (
        "its recommend(users, k) takes no history"
        if configuration.own
        else "what it learns of users is bound to those in training"
    )
    instead = (
        "Let recommend take history, a frame of what is known of the users"
        if configuration.own
        else "Choose one that recommends from a history, such as LensKit.EASEScorer or RecPack.ItemKNN"
    )
    raise PlanError(
        f"{configuration.name} cannot recommend for users unknown in training ({why}), which is what "
        f"{type(dataset.split).__name__} asks of it on {dataset.name}. {instead}, or a split such as UserHoldout."
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

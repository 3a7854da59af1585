"""Experiments: a dataset, a configuration and a fold, with the keys that identify what they produce."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import DataError, PlanError
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.compatibility import check_configuration, check_dataset
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.labels import dataset_labels
from omnibench.experiment.plan import ExperimentPlan
from omnibench.keys import DISPLAY_DIGITS, canonical, display, sha256
from omnibench.metrics.base import Metric
from omnibench.naming import node_name
from omnibench.results import Result

DEFAULT_LIST_LENGTH = 20
"""Recommendations per user, unless a metric needs more."""


@dataclass(slots=True, unsafe_hash=True)  # not frozen, which would take half of the time to make one
class Experiment:
    """One dataset x configuration x fold; immutable.

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
        dataset_label: What people call the dataset among those of its benchmark, e.g. ``MovieLens100K``.
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
    dataset_label: str = ""
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
        """All that the fitted model depends on."""
        configuration = self.configuration.identity(self.version, self.seed, self.device, self.salt)
        return ["fit/1", {"data": self.dataset.key, "fold": self.fold, "configuration": configuration}]

    @property
    def recorded_identity(self) -> Any:
        """The identity as JSON data; its sha256, written without blanks and with sorted names, is the fit key."""
        return json.loads(canonical(self.identity))

    def predict_key(self, list_length: int) -> str:
        """Return the key that identifies the predictions."""
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
        return self._with_fold(f"{self.dataset_name}/{self.algorithm_name}")

    @property
    def label(self) -> str:
        """The name for people, without keys, e.g. ``MovieLens100K/RecPack.ItemKNN(K=100)/fold_0``."""
        return self._with_fold(
            f"{self.dataset_label or self.dataset.name}/{self.configuration.label or self.configuration.name}"
        )

    @property
    def node_name(self) -> str:
        """The name in node ids: labels, and keys that do not depend on the user's code."""
        dataset = node_name(self.dataset_label, self.dataset.name, self.dataset.node_key, self.digits)
        configuration = self.configuration
        return self._with_fold(
            f"{dataset}/{node_name(configuration.label, configuration.name, self._node_key, self.digits)}"
        )

    @property
    def stable_name(self) -> str:
        """The name with the keys of node ids, but without labels, which change when a plan grows."""
        dataset = display(self.dataset.name, self.dataset.node_key, self.digits)
        return self._with_fold(f"{dataset}/{display(self.configuration.name, self._node_key, self.digits)}")

    @property
    def _node_key(self) -> str:
        return self.configuration.keyed(self.version, self.seed, self.device, self.salt).node_key

    def _with_fold(self, name: str) -> str:
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
            self.dataset_label or self.dataset.name,
            self.configuration.label,
            self.configuration.user_label,
            self.configuration.plain_parameters,
            self.seed,
            self.configuration.module,
        )


def eval_key(fit_key: str, predictions_sha256: str, test_digest: str, metric: Metric, label: str) -> str:
    """Return the key of one metric of an item, from the item, its predictions, the test part and the metric.

    The item is part of it although the numbers do not depend on it: two items with equal predictions would
    share a record, and resetting or exporting one of them would change the other.
    """
    inputs = f'"predictions":"{predictions_sha256}","test":"{test_digest}"'
    return sha256(f'["eval/1",{{"fit":"{fit_key}","metric":{metric.canonical_identity(label)},{inputs}}}]')


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
    first_recorded: Callable[[Sequence[str]], str | None] = lambda _: None,
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
        first_recorded: Returns the first of some fit keys of which the store has an item, or None.

    Raises:
        DataError, PlanError, EvaluationError: Something does not go together; nothing has been computed.
    """
    if not isinstance(datasets, RecSysDataSet | Iterable):
        raise DataError(f"{datasets!r} is no dataset; make one with load_dataset, from_frame or from_file.")
    all_datasets = [datasets] if isinstance(datasets, RecSysDataSet) else list(datasets)
    if not all_datasets:
        raise DataError("there is no dataset to benchmark on; give one or several.")
    if not isinstance(plan, ExperimentPlan):
        raise PlanError(f"the plan is {plan!r}; give an ExperimentPlan.")
    configurations = plan.configurations()
    names: dict[str, str] = {}
    for dataset in all_datasets:
        check_dataset(dataset, metrics)
        if names.setdefault(dataset.key, dataset.name) != dataset.name:
            raise DataError(
                f"{names[dataset.key]} and {dataset.name} are the same data with the same steps under two names; "
                "leave out one of them."
            )
        for configuration in configurations:
            check_configuration(dataset, configuration)
    versioned_configurations = [
        (configuration, versions(configuration.runner), device(configuration)) for configuration in configurations
    ]
    by_fit_key: dict[str, Experiment] = {}
    labels = dataset_labels(all_datasets)
    for dataset in all_datasets:
        label = labels[dataset.key]
        for configuration, version, device_class in versioned_configurations:
            for fold in range(dataset.folds or 1):
                experiment = Experiment(
                    dataset, configuration, fold, version, seed, device_class, salt, candidates, label
                )
                by_fit_key.setdefault(experiment.fit_key, experiment)
    return _with_clear_names(_as_recorded(list(by_fit_key.values()), first_recorded))


def _as_recorded(planned: list[Experiment], first_recorded: Callable[[Sequence[str]], str | None]) -> list[Experiment]:
    """Let users' classes go by the digest of earlier releases where the store has results under that."""
    by_class: dict[int, list[Experiment]] = {}
    for experiment in planned:
        own = experiment.configuration.own
        if own is not None and own.other_code:
            by_class.setdefault(id(own), []).append(experiment)
    others: dict[str, Experiment] = {}
    for experiments_of_class in by_class.values():
        # The first tells of a class whose results are all there, so that thousands of keys need not be made twice.
        for several in (experiments_of_class[:1], experiments_of_class[1:]):
            earlier = _under_other_code(several)
            keys = [key for pair in zip(several, earlier, strict=True) for key in (pair[0].fit_key, pair[1].fit_key)]
            recorded = first_recorded(keys) if keys else None
            if recorded in {experiment.fit_key for experiment in earlier}:
                others |= {
                    experiment.fit_key: other
                    for experiment, other in zip(
                        experiments_of_class, _under_other_code(experiments_of_class), strict=True
                    )
                }
            if recorded is not None:
                break
    return [others.get(experiment.fit_key, experiment) for experiment in planned]


def _under_other_code(planned: Sequence[Experiment]) -> list[Experiment]:
    """Return experiments of a user's class as they are under the other digest of its code."""
    configurations: dict[int, Configuration] = {}  # shared, because they remember their keys
    for configuration in (experiment.configuration for experiment in planned):
        if configuration.own is not None and id(configuration) not in configurations:
            configurations[id(configuration)] = replace(configuration, own=configuration.own.with_other_code())
    return [replace(experiment, configuration=configurations[id(experiment.configuration)]) for experiment in planned]


def _with_clear_names(planned: list[Experiment]) -> list[Experiment]:
    """Show more digits of the keys when the first eight are shared by two datasets or configurations of one name."""
    first_folds = [experiment for experiment in planned if experiment.fold == 0]
    by_keys = {(experiment.dataset.key, experiment.configuration_key): experiment for experiment in first_folds}
    digits = DISPLAY_DIGITS
    while any(len(names) < len(by_keys) for names in _folded_names(by_keys.values())):
        if digits > _ALL_DIGITS:
            twins = ", ".join(sorted({experiment.algorithm_name for experiment in by_keys.values()}))
            raise PlanError(
                f"two of {twins} differ in their code only, so their node ids would be equal; give one of the classes "
                "another name."
            )
        digits += 4
        by_keys = {keys: replace(experiment, digits=digits) for keys, experiment in by_keys.items()}
    if digits > DISPLAY_DIGITS:
        planned = [replace(experiment, digits=digits) for experiment in planned]
    return planned


_ALL_DIGITS = 64


def _folded_names(planned: Iterable[Experiment]) -> tuple[set[tuple[str, str]], set[str]]:
    """Return the names of directories and of node ids, as a file system or ``-k`` that ignores case would see them."""
    directories, nodes = set(), set()
    for experiment in planned:
        directories.add((experiment.dataset_name.casefold(), experiment.algorithm_name.casefold()))
        nodes.add(experiment.node_name.casefold())
    return directories, nodes

"""Experiments: a dataset, a configuration and a fold, with the keys that identify what they produce."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from omnibench.data.dataset import RecSysDataSet
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.circumstances import USUAL_THREADS, Circumstances
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.outputs import Outputs, outputs_of
from omnibench.experiment.resources import NOTHING_SAID, Resources
from omnibench.experiment.search import Search
from omnibench.keys import DISPLAY_DIGITS, canonical, digest, display, sha256
from omnibench.metrics.base import Metric
from omnibench.naming import node_name
from omnibench.results import Result
from omnibench.runners.info import RunnerInfo
from omnibench.snapshots.control import Snapshots


@dataclass(slots=True, unsafe_hash=True)  # not frozen, which would take half of the time to make one
class Experiment:
    """One dataset x configuration x fold; immutable.

    There may be 100,000 of them, so what several share is kept by what they share.

    Attributes:
        dataset: A dataset with a split.
        configuration: The algorithm and its hyperparameters.
        fold: The fold's number, 0 for a single split.
        circumstances: What it is fitted with: the framework's version, the seed, the device class.
        candidates: What is ranked for each user.
        dataset_label: What people call the dataset among those of its benchmark, e.g. ``MovieLens100K``.
        digits: How many digits of the keys are shown.
        seeds: All seeds that its benchmark asks for, where these are several; else empty.
        snapshots: When the state of its Fit is kept, by its plan or its benchmark; None where it is the run that says so.
            Never part of a key.
        resources: What its Fit is to have of a machine: of each what is said nearest to it. Never part of a key.
        configuration_key: Identifies the configuration, whatever the data.
        fit_key: Identifies the fitted model, and the experiment as a whole.
        seedless_key: Identifies what configurations that differ by the seed alone have in common.
    """

    dataset: RecSysDataSet
    configuration: Configuration
    fold: int
    circumstances: Circumstances
    candidates: Candidates = UNSEEN
    dataset_label: str = ""
    digits: int = DISPLAY_DIGITS
    seeds: tuple[int, ...] = ()
    snapshots: Snapshots | None = field(default=None, compare=False)
    resources: Resources = field(default=NOTHING_SAID, compare=False)
    configuration_key: str = field(init=False)
    fit_key: str = field(init=False)
    seedless_key: str = field(init=False)

    def __post_init__(self) -> None:
        keyed = self.configuration.keyed(self.circumstances)
        self.configuration_key, self.seedless_key = keyed.key, keyed.seedless_key
        self.fit_key = sha256(self._identity_text)

    @property
    def _identity_text(self) -> str:
        """The canonical text of ``identity``, put together from texts that are made once."""
        configuration = self.configuration.keyed(self.circumstances).text
        return f'["fit/1",{{"configuration":{configuration},"data":"{self.dataset.key}","fold":{self.fold}}}]'

    @property
    def seed(self) -> int:
        """The seed of everything random in the framework."""
        return self.circumstances.seed

    @property
    def names_seed(self) -> bool:
        """Whether its node id and its label say the seed: there are several, and it is not fitted once for all."""
        return bool(self.seeds) and not self.configuration.deterministic

    def with_seed(self, seed: int) -> Experiment:
        """Return the same experiment with another seed."""
        return replace(self, circumstances=self.circumstances._replace(seed=seed))

    @property
    def device(self) -> str:
        """The device class; see ``runners.machine``."""
        return self.circumstances.device

    @property
    def refit(self) -> str:
        """The parts that the model is fitted on, ``train+validation``; empty for the training part."""
        return self.circumstances.refit

    @property
    def search(self) -> Search | None:
        """How its hyperparameters are chosen; None where the plan gives them."""
        return self.circumstances.search

    @property
    def search_key(self) -> str:
        """The key of the trials that its choice is made among; empty where the plan gives the hyperparameters.

        Neither the budget nor what is fitted afterwards is part of it: who wants more trials goes on with these.
        """
        search = self.search
        if search is None:
            return ""
        configuration = self.configuration.identity(self._circumstances_of_trials(search))
        fold = self.fold_of_trials(search)
        return digest(
            [
                "search/1",
                {"data": self.dataset.key, "fold": fold, "configuration": configuration, "search": search.proposing},
            ]
        )

    def trial(self, parameters: Mapping[str, Any]) -> Experiment:
        """Return the experiment that a trial of its search is: of these hyperparameters, as a plan would have it.

        Args:
            parameters: The proposed ones, beside those that the plan gives.
        """
        assert self.search is not None, "it is tuned"
        return replace(
            self,
            configuration=self.configuration.chosen(parameters),
            circumstances=self._circumstances_of_trials(self.search),
            fold=self.fold_of_trials(self.search),
            seeds=(),
        )

    def chosen(self, parameters: Mapping[str, Any]) -> Experiment:
        """Return the experiment that is fitted and tested once its hyperparameters are chosen."""
        circumstances = self.circumstances._replace(search=None)
        return replace(self, configuration=self.configuration.chosen(parameters), circumstances=circumstances)

    def _circumstances_of_trials(self, search: Search) -> Circumstances:
        return self.circumstances._replace(search=None, refit="", seed=search.seed)

    def fold_of_trials(self, search: Search) -> int:
        """Return the fold whose validation part judges the trials of its search: the first one where all folds share it."""
        return self.fold if search.tuning.per_fold else 0

    @property
    def threads(self) -> int:
        """The number of threads that its framework computes with; 0 for as many as there are."""
        return self.circumstances.threads or (0 if self.configuration.depends_on_threads is False else USUAL_THREADS)

    @property
    def guest(self) -> tuple[RunnerInfo, str, int]:
        """The framework that computes it, its device class and its number of threads, as a pool of guests takes them."""
        return self.configuration.runner, self.device, self.threads or self.resources.cores or 0

    @property
    def identity(self) -> list[Any]:
        """All that the fitted model depends on."""
        configuration = self.configuration.identity(self.circumstances)
        return ["fit/1", {"data": self.dataset.key, "fold": self.fold, "configuration": configuration}]

    @property
    def recorded_identity(self) -> Any:
        """The identity as JSON data; its sha256, written without blanks and with sorted names, is the fit key."""
        return json.loads(self._identity_text)

    def predict_key(self, list_length: int, outputs: Outputs | None = None) -> str:
        """Return the key that identifies the predictions.

        Args:
            list_length: Recommendations per user.
            outputs: What the predictions are; without it, what the dataset has when no metric says otherwise.
        """
        outputs = outputs or outputs_of(self.dataset.feedback)
        ratings = ',"ratings":true' if all(outputs) else ""
        length = list_length if outputs.lists else "null"
        return sha256(
            f'["predict/1",{{"candidates":{self._ranked(outputs)},"fit":"{self.fit_key}","length":{length}{ratings}}}]'
        )

    def predicted(self, list_length: int, outputs: Outputs | None = None) -> str:
        """Return what the predictions depend on beside the model: the candidates, the lists' length, and what they are.

        The arguments are those of ``predict_key``.
        """
        outputs = outputs or outputs_of(self.dataset.feedback)
        ratings = ',"ratings"' if all(outputs) else ""
        return f"[{self._ranked(outputs)},{list_length if outputs.lists else 'null'}{ratings}]"

    def _ranked(self, outputs: Outputs) -> str:
        return canonical(self.candidates.identity) if outputs.lists and self.candidates is not UNSEEN else '"unseen"'

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
        """The experiment's name: dataset, algorithm, and fold where there are several; the hash covers the seed."""
        return self._with_fold(f"{self.dataset_name}/{self.algorithm_name}")

    @property
    def label(self) -> str:
        """The name for people, without keys, e.g. ``MovieLens100K/RecPack.ItemKNN(K=100)/fold_0``."""
        return self._with_seed(
            f"{self.dataset_label or self.dataset.name}/{self.configuration.label or self.configuration.name}"
        )

    @property
    def node_name(self) -> str:
        """The name in node ids: labels, and keys that do not depend on the user's code."""
        dataset = node_name(self.dataset_label, self.dataset.name, self.dataset.node_key, self.digits)
        configuration = self.configuration
        return self._with_seed(
            f"{dataset}/{node_name(configuration.label, configuration.name, self._node_key, self.digits)}"
        )

    @property
    def stable_name(self) -> str:
        """The name with the keys of node ids, but without labels, which change when a plan grows."""
        dataset = display(self.dataset.name, self.dataset.node_key, self.digits)
        return self._with_fold(f"{dataset}/{display(self.configuration.name, self._node_key, self.digits)}")

    @property
    def _node_key(self) -> str:
        return self.configuration.keyed(self.circumstances).node_key

    def _with_fold(self, name: str) -> str:
        return name if self.dataset.folds is None else f"{name}/fold_{self.fold}"

    def _with_seed(self, name: str) -> str:
        folded = self._with_fold(name)
        return f"{folded}/seed_{self.seed}" if self.names_seed else folded

    def result(self, metrics: Mapping[str, float], as_seed: int | None = None) -> Result:
        """Return metrics of this experiment as a result, with another seed where that has made equal predictions."""
        configuration, circumstances = self.configuration, self.circumstances
        return Result(
            self.dataset_name,
            self.algorithm_name,
            str(configuration),
            None if self.dataset.folds is None else self.fold,
            metrics,
            self.fit_key,
            self.dataset_label or self.dataset.name,
            configuration.label,
            configuration.user_label,
            configuration.plain_parameters,
            circumstances.seed,
            configuration.module,
            configuration.deterministic,
            self.seedless_key,
            seeds=len(self.seeds) or 1,
            as_seed=as_seed,
            refit=circumstances.refit,
            tuned=configuration.search is not None,
            search="" if configuration.search is None else configuration.search.short_hash,
        )


def eval_key(fit_key: str, predictions_sha256: str, test_digest: str, metric: Metric, label: str) -> str:
    """Return the key of one metric of an item, from the item, its predictions, the test part and the metric.

    The item is part of it although the numbers do not depend on it: two items with equal predictions would
    share a record, and resetting or exporting one of them would change the other.
    """
    inputs = f'"predictions":"{predictions_sha256}","test":"{test_digest}"'
    return sha256(f'["eval/1",{{"fit":"{fit_key}","metric":{metric.canonical_identity(label)},{inputs}}}]')

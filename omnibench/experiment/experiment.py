"""Experiments: a dataset, a configuration and a fold, with the keys that identify what they produce."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibench.data.dataset import RecSysDataSet
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.circumstances import USUAL_THREADS, Circumstances
from omnibench.experiment.configuration import Configuration
from omnibench.keys import DISPLAY_DIGITS, canonical, display, sha256
from omnibench.metrics.base import Metric
from omnibench.naming import node_name
from omnibench.results import Result
from omnibench.runners.registry import RunnerInfo

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
        circumstances: What it is fitted with: the framework's version, the seed, the device class.
        candidates: What is ranked for each user.
        dataset_label: What people call the dataset among those of its benchmark, e.g. ``MovieLens100K``.
        digits: How many digits of the keys are shown.
        configuration_key: Identifies the configuration, whatever the data.
        fit_key: Identifies the fitted model, and the experiment as a whole.
    """

    dataset: RecSysDataSet
    configuration: Configuration
    fold: int
    circumstances: Circumstances
    candidates: Candidates = UNSEEN
    dataset_label: str = ""
    digits: int = DISPLAY_DIGITS
    configuration_key: str = field(init=False)
    fit_key: str = field(init=False)

    def __post_init__(self) -> None:
        keyed = self.configuration.keyed(self.circumstances)
        # The canonical text of `identity`, put together from texts that are made once.
        text = f'["fit/1",{{"configuration":{keyed.text},"data":"{self.dataset.key}","fold":{self.fold}}}]'
        self.configuration_key = keyed.key
        self.fit_key = sha256(text)

    @property
    def seed(self) -> int:
        """The seed of everything random in the framework."""
        return self.circumstances.seed

    @property
    def device(self) -> str:
        """The device class, ``cpu`` or ``cuda``."""
        return self.circumstances.device

    @property
    def threads(self) -> int:
        """The number of threads that its framework computes with; 0 for as many as there are."""
        return self.circumstances.threads or (0 if self.configuration.depends_on_threads is False else USUAL_THREADS)

    @property
    def guest(self) -> tuple[RunnerInfo, str, int]:
        """The framework that computes it, its device class and its number of threads, as a pool of guests takes them."""
        return self.configuration.runner, self.device, self.threads

    @property
    def identity(self) -> list[Any]:
        """All that the fitted model depends on."""
        configuration = self.configuration.identity(self.circumstances)
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
        return self.configuration.keyed(self.circumstances).node_key

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

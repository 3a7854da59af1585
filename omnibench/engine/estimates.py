"""Estimates of how long items take and how much memory their frameworks need, from the records of earlier ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

from omnibench.experiment.experiment import Experiment
from omnibench.runners.pool import GUEST_MEGABYTES
from omnibench.store.reader import Reader

_UNKNOWN_SECONDS = {
    "LensKit": 3.0,
    "RecPack": 5.0,
    "RecBole": 30.0,
    "Implicit": 3.0,
    "Cornac": 5.0,
    "Surprise": 10.0,
    "RecTools": 30.0,
    "Own": 5.0,
}
"""Seconds of an item when nothing like it was ever run; only good for putting longer ones first."""

_START_SECONDS = {
    "LensKit": 6.5,
    "RecPack": 3.4,
    "RecBole": 4.7,
    "Implicit": 0.6,
    "Cornac": 2.0,
    "Surprise": 0.5,
    "RecTools": 9.4,
    "Own": 0.2,
}
"""Seconds until a framework's process has imported everything, as ``benchmarks/frameworks`` measured."""

_TRIALS_IN_SECONDS = 20
"""Trials of a search that is limited by seconds alone, for the order of items."""

_SAME_KIND = 2
"""So many of the closest similarities are those of items of the same kind."""


@dataclass
class Estimates:
    """How long earlier items took, and how much memory their frameworks needed.

    Attributes:
        seconds: Fit and Predict together, by what items share; see ``expected``.
        peak: The largest resident memory of each framework's process so far, in bytes.
    """

    seconds: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)

    def learn(self, dataset: str, algorithm: str, seconds: float) -> None:
        """Add the time that an item took, or the mean time of several items.

        Args:
            dataset: The dataset's display name.
            algorithm: The configuration's display name.
            seconds: Fit and Predict together.
        """
        name, framework = _algorithm_and_framework(algorithm)
        for similarity in _similarities(dataset, algorithm, name, framework):
            self.seconds.setdefault(similarity, []).append(seconds)

    def expected(self, item: Experiment) -> float:
        """Return how many seconds an item's Fit and Predict are expected to take.

        That is the mean of the most similar items that were ever run: other folds of the configuration; the algorithm
        with other hyperparameters; on another dataset; another algorithm of the framework.
        """
        return self._expected_of_one_fit(item) * _fits_of(item)

    def _expected_of_one_fit(self, item: Experiment) -> float:
        name, framework = item.configuration.name, item.configuration.runner.name
        for similarity in _similarities(item.dataset_name, item.algorithm_name, name, framework):
            if similarity in self.seconds:
                return fmean(self.seconds[similarity])
        return _UNKNOWN_SECONDS.get(framework, max(_UNKNOWN_SECONDS.values()))

    def knows(self, item: Experiment) -> bool:
        """Whether anything like an item was ever run, so that its expected seconds are no guess."""
        name, framework = item.configuration.name, item.configuration.runner.name
        similarities = _similarities(item.dataset_name, item.algorithm_name, name, framework)
        return any(similarity in self.seconds for similarity in similarities)

    def start(self, item: Experiment) -> float:
        """Return how many seconds the process that computes an item is expected to take to start."""
        return _START_SECONDS.get(item.configuration.runner.name, max(_START_SECONDS.values()))

    def usual(self, item: Experiment) -> float | None:
        """Return the mean seconds of items of the same kind, or None when none has ended.

        Of the same kind are the other folds of the configuration, else the algorithm with other hyperparameters on the
        same data: what took another time on other data tells nobody when a run ends.
        """
        name, framework = item.configuration.name, item.configuration.runner.name
        for similarity in _similarities(item.dataset_name, item.algorithm_name, name, framework)[:_SAME_KIND]:
            if similarity in self.seconds:
                return fmean(self.seconds[similarity]) * _fits_of(item)
        return None

    def megabytes(self, frameworks: Iterable[str]) -> float:
        """Return the memory in MB that several frameworks need together, with one process each."""
        return sum(
            self.peak[name] / 2**20 if name in self.peak else GUEST_MEGABYTES.get(name, max(GUEST_MEGABYTES.values()))
            for name in frameworks
        )


def _fits_of(item: Experiment) -> int:
    """Return how many models an item fits: a tuned one that of each trial."""
    return 1 if item.search is None else item.search.tuning.trials or _TRIALS_IN_SECONDS


def _algorithm_and_framework(algorithm: str) -> tuple[str, str]:
    """Split a configuration's display name into the names of its algorithm and its framework."""
    name = algorithm.rpartition("-")[0]
    return name, name.partition(".")[0] if "." in name else "Own"


def _similarities(dataset: str, algorithm: str, name: str, framework: str) -> tuple[tuple[str, ...], ...]:
    """Return the keys under which an item is similar to others, from the closest similarity to the loosest."""
    return (dataset, algorithm), (dataset, name), (name,), (dataset, framework), (framework,)


def estimates_from(reader: Reader) -> Estimates:
    """Return estimates from records; none when these cannot be read, because no result depends on them."""
    estimates = Estimates()
    phases: dict[tuple[str, str], dict[str, float]] = {}
    try:
        for dataset, algorithm, phase, seconds, peak in reader.costs():
            if seconds is None:
                continue
            phases.setdefault((dataset, algorithm), {})[phase] = seconds
            if peak:  # or nobody has measured it
                _, framework = _algorithm_and_framework(algorithm)
                estimates.peak[framework] = max(estimates.peak.get(framework, 0), peak)
    except sqlite3.Error:
        return Estimates()
    for (dataset, algorithm), parts in phases.items():
        estimates.learn(dataset, algorithm, sum(parts.values()))
    return estimates

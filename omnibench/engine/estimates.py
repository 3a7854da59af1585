"""How long items will take and how much memory their frameworks need, from what the records of others say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

from omnibench.experiment.experiment import Experiment
from omnibench.runners.pool import GUEST_MEGABYTES
from omnibench.store.reading import Reader

_UNKNOWN_SECONDS = {"LensKit": 3.0, "RecPack": 5.0, "RecBole": 30.0, "Own": 5.0}
"""What an item takes of which nothing like it was ever run: only good for putting the longer ones first."""


@dataclass
class Estimates:
    """What is known of earlier items.

    Attributes:
        seconds: Fit and Predict together, by what the items have in common; see ``expected``.
        peak: The largest resident memory of each framework's process so far, in bytes.
    """

    seconds: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)

    def learn(self, dataset: str, algorithm: str, seconds: float) -> None:
        """Take in how long an item took, or the mean of several.

        Args:
            dataset: The dataset's display name.
            algorithm: The configuration's display name.
            seconds: Fit and Predict together.
        """
        name, framework = _of_whom(algorithm)
        for common in _in_common(dataset, algorithm, name, framework):
            self.seconds.setdefault(common, []).append(seconds)

    def expected(self, item: Experiment) -> float:
        """Return how many seconds an item's Fit and Predict are expected to take.

        From the most alike that was ever run: another fold of the configuration; the algorithm with other
        hyperparameters; on another dataset; another algorithm of the framework.
        """
        name, framework = item.configuration.name, item.configuration.runner.name
        for common in _in_common(item.dataset_name, item.algorithm_name, name, framework):
            if common in self.seconds:
                return fmean(self.seconds[common])
        return _UNKNOWN_SECONDS.get(framework, max(_UNKNOWN_SECONDS.values()))

    def megabytes(self, frameworks: Iterable[str]) -> float:
        """Return what a process of each of some frameworks needs together."""
        return sum(
            self.peak[name] / 2**20 if name in self.peak else GUEST_MEGABYTES.get(name, max(GUEST_MEGABYTES.values()))
            for name in frameworks
        )


def _of_whom(algorithm: str) -> tuple[str, str]:
    """Return the algorithm's name and its framework's, of a configuration's display name."""
    name = algorithm.rpartition("-")[0]
    return name, name.partition(".")[0] if "." in name else "Own"


def _in_common(dataset: str, algorithm: str, name: str, framework: str) -> tuple[tuple[str, ...], ...]:
    """Return what items may have in common, the most alike first."""
    return (dataset, algorithm), (dataset, name), (name,), (dataset, framework), (framework,)


def estimates_from(reader: Reader) -> Estimates:
    """Read what the records know; nothing when they cannot say, because no result depends on it."""
    found = Estimates()
    phases: dict[tuple[str, str], dict[str, float]] = {}
    try:
        for dataset, algorithm, phase, seconds, peak in reader.costs():
            if dataset is None or algorithm is None or seconds is None:
                continue
            phases.setdefault((dataset, algorithm), {})[phase] = seconds
            if peak:  # or nobody has measured it
                _, framework = _of_whom(algorithm)
                found.peak[framework] = max(found.peak.get(framework, 0), peak)
    except sqlite3.Error:
        return Estimates()
    for (dataset, algorithm), parts in phases.items():
        found.learn(dataset, algorithm, sum(parts.values()))
    return found

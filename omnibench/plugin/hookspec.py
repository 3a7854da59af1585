"""Hooks for others: implement them in a ``conftest.py`` or in a plugin of your own, as pytest's own hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # every pytest session imports this module
    from omnibench.experiment.configuration import Configuration
    from omnibench.metrics.base import Metric
    from omnibench.results import Result


@dataclass(frozen=True)
class Finished:
    """An item that has ended.

    Attributes:
        nodeid: pytest's id of it.
        status: ``done`` (something was computed), ``cached``, ``failed`` or ``skipped``.
        result: Dataset, algorithm, hyperparameters, fold, and the metrics (none when it failed).
        seconds: Wall time of each phase that ran, e.g. ``{"Fit": 1.2, "Predict": 0.3, "Eval": 0.01}``, as it is
            recorded; and as ``Start`` the time that the item waited for its framework's process to start, if it did.
        fit_key: The item's key: what ``omnibench show`` and ``open_store(...)`` know it by.
    """

    nodeid: str
    status: str
    result: Result
    seconds: Mapping[str, float]
    fit_key: str


def pytest_omnibench_item_finished(config: pytest.Config, finished: Finished) -> None:
    """Called for every item that has ended, in the process that oversees the run, as soon as it knows.

    Args:
        config: pytest's configuration.
        finished: The item.

    Example:
        A line for every failure, for whoever follows the file::

            def pytest_omnibench_item_finished(config, finished):
                if finished.status == "failed":
                    with open(config.rootpath / "failures.log", "a") as log:
                        print(f"{finished.result.algorithm} failed on {finished.result.dataset}", file=log)
    """


def pytest_omnibench_columns(config: pytest.Config, result: Result) -> Mapping[str, float] | None:
    """Add columns to the table at the end. They are only shown: nothing records them.

    Args:
        config: pytest's configuration.
        result: One item's result: ``result["NDCG@10"]``, ``result.algorithm``, ``result.fold``, ...

    Returns:
        Values by column name, or None.

    Example:
        How much a longer list gains::

            def pytest_omnibench_columns(config, result):
                return {"gain": result["NDCG@20"] - result["NDCG@10"]}
    """


def pytest_omnibench_metrics(config: pytest.Config) -> Sequence[Metric] | None:
    """Add metrics that every benchmark measures, beside those that it declares itself.

    Only metrics that go with the dataset are added: ranking metrics to implicit data, rating metrics to explicit data.

    Args:
        config: pytest's configuration.

    Returns:
        Metrics, or None.

    Example:
        A house rule::

            import omnibench

            def pytest_omnibench_metrics(config):
                return [omnibench.Recall(50)]
    """


@pytest.hookspec(firstresult=True)
def pytest_omnibench_device(config: pytest.Config, configuration: Configuration) -> str | None:
    """Choose the device class of a configuration; the first answer that is not None counts. It is part of the key.

    Args:
        config: pytest's configuration.
        configuration: The algorithm and its hyperparameters; ``configuration.uses_gpu`` says whether it can use a GPU.

    Returns:
        ``cpu``, ``cuda``, ``cuda-deterministic``, or None to leave it to ``--omnirec-device``.

    Example:
        Small models are faster on the CPU::

            def pytest_omnibench_device(config, configuration):
                if configuration.parameters.get("embedding_size", 64) <= 64:
                    return "cpu"
    """

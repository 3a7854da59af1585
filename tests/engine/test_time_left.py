"""The time that a run has left: nobody knows it of a kind of which no item has ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.engine.estimates import Estimates
from omnibench.engine.time_left import time_left


def item(algorithm: str, dataset: str = "Small-1") -> Any:
    """What an experiment says of itself."""
    name = algorithm.rpartition("-")[0]
    configuration = SimpleNamespace(name=name, runner=SimpleNamespace(name=name.partition(".")[0]))
    return SimpleNamespace(configuration=configuration, dataset_name=dataset, algorithm_name=algorithm, search=None)


def test_unknown_until_one_of_the_kind_has_ended() -> None:
    """Neither other data nor another algorithm of the framework tells when a run ends; other hyperparameters do."""
    estimates = Estimates()
    waiting = [(item("LensKit.ALS-a"), 4)]
    assert str(time_left(estimates, waiting, [], 1)) == "time left unknown"
    estimates.learn("Large-2", "LensKit.ALS-a", 900.0)
    estimates.learn("Small-1", "LensKit.KNN-c", 1.0)
    assert str(time_left(estimates, waiting, [], 1)) == "time left unknown"
    estimates.learn("Small-1", "LensKit.ALS-b", 30.0)
    assert str(time_left(estimates, waiting, [], 1)) == "about 2:00 left"
    estimates.learn("Small-1", "LensKit.ALS-a", 10.0)
    assert str(time_left(estimates, waiting, [], 1)) == "about 40s left"


def test_what_is_known_is_told_beside_what_is_not() -> None:
    """The known part is a time, the other part a number of items."""
    estimates = Estimates()
    estimates.learn("Small-1", "LensKit.ALS-a", 30.0)
    waiting = [(item("LensKit.ALS-a"), 2), (item("LensKit.KNN-c"), 1)]
    assert str(time_left(estimates, waiting, [], 1)) == "about 1:00 left, 1 item unknown"
    assert (
        str(time_left(estimates, [*waiting, (item("RecPack.EASE-d"), 2)], [], 1)) == "about 1:00 left, 3 items unknown"
    )


@pytest.mark.parametrize(
    ("elapsed", "text"), [(0, "about 10s left"), (4, "about 6s left"), (12, "about 1s left"), (26, "time left unknown")]
)
def test_what_runs_counts(elapsed: float, text: str) -> None:
    """An item that runs has its rest left, never nothing; beyond twice its usual time nobody knows."""
    estimates = Estimates()
    estimates.learn("Small-1", "LensKit.ALS-a", 10.0)
    assert str(time_left(estimates, [], [(item("LensKit.ALS-a"), elapsed)], 1)) == text


@given(st.lists(st.floats(0.1, 1e5), min_size=1, max_size=9), st.integers(1, 12), st.integers(0, 9))
def test_no_plan_is_faster_than_this(durations: list[float], workers: int, running: int) -> None:
    """A run takes as long as its longest item, and as its share of all; a process more than items helps nobody."""
    estimates = Estimates()
    experiments = [item(f"LensKit.A{number}-x") for number in range(len(durations))]
    for experiment, seconds in zip(experiments, durations, strict=True):
        estimates.learn("Small-1", experiment.algorithm_name, seconds)
    begun, waiting = experiments[:running], experiments[running:]
    left = time_left(
        estimates, [(experiment, 1) for experiment in waiting], [(experiment, 0.0) for experiment in begun], workers
    )
    assert (left.estimated, left.unknown) == (len(durations), 0)
    assert left.seconds == pytest.approx(max(*durations, sum(durations) / min(workers, len(durations))))

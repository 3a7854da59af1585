"""Estimates: how long items will take, and how much memory their frameworks need, from what is recorded of others."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import Tuning
from omnibench.engine.estimates import Estimates, estimates_from
from omnibench.runners.pool import GUEST_MEGABYTES
from omnibench.store import CheckpointStore
from omnibench.store.reading import read

DATASETS = ("Small-1", "Large-2")
ALGORITHMS = ("LensKit.ALS-a", "LensKit.ALS-b", "LensKit.KNN-c", "RecBole.BPR-d", "Mine-e", "My-Own.Kind-f")


def item(dataset: str, algorithm: str) -> Any:
    """What an experiment says of itself."""
    name = algorithm.rpartition("-")[0]
    runner = SimpleNamespace(name=name.partition(".")[0] if "." in name else "Own")
    configuration = SimpleNamespace(name=name, runner=runner)
    return SimpleNamespace(configuration=configuration, dataset_name=dataset, algorithm_name=algorithm, search=None)


def test_a_tuned_item_takes_as_long_as_its_trials() -> None:
    """What a Fit of the algorithm takes, times the trials; the scheduler begins with the longest."""
    estimates = Estimates()
    estimates.learn("Small-1", "LensKit.ALS-a", 2.0)
    plain = item("Small-1", "LensKit.ALS-b")
    tuned = SimpleNamespace(**{**vars(plain), "search": SimpleNamespace(tuning=Tuning("NDCG@10", trials=15))})
    assert estimates.expected(plain) == 2.0
    assert estimates.expected(tuned) == estimates.usual(tuned) == 30.0  # type: ignore[arg-type]


def test_the_most_alike_counts() -> None:
    """Another fold before other hyperparameters, before another dataset, before another algorithm of the framework."""
    found = Estimates()
    wanted = item("Small-1", "LensKit.ALS-a")
    unknown = found.expected(wanted)
    assert unknown > 0
    for dataset, algorithm, seconds in (
        ("Large-2", "LensKit.KNN-c", 16.0),
        ("Small-1", "LensKit.KNN-c", 8.0),
        ("Large-2", "LensKit.ALS-b", 4.0),
        ("Small-1", "LensKit.ALS-b", 2.0),
        ("Small-1", "LensKit.ALS-a", 1.0),
    ):
        found.learn("Small-1", "RecBole.BPR-d", 100.0)
        found.learn(dataset, algorithm, seconds)
        assert found.expected(wanted) == seconds


@given(
    st.lists(st.tuples(st.sampled_from(DATASETS), st.sampled_from(ALGORITHMS), st.floats(0.01, 1e4)), max_size=12),
    st.sampled_from(DATASETS),
    st.sampled_from(ALGORITHMS),
)
def test_what_was_run_is_expected_again(runs: list[tuple[str, str, float]], dataset: str, algorithm: str) -> None:
    """The mean of what was measured of the same configuration on the same data; else within what was ever measured."""
    found = Estimates()
    for run in runs:
        found.learn(*run)
    expected = found.expected(item(dataset, algorithm))
    same = [seconds for *what, seconds in runs if what == [dataset, algorithm]]
    framework = item(dataset, algorithm).configuration.runner.name
    alike = [seconds for _, one, seconds in runs if item(dataset, one).configuration.runner.name == framework]
    if same:
        assert expected == pytest.approx(fmean(same))
    elif alike:
        assert min(alike) - 1e-9 <= expected <= max(alike) + 1e-9
    else:
        assert expected == Estimates().expected(item(dataset, algorithm))


def test_memory_is_what_was_measured() -> None:
    """The largest process so far; of frameworks that never ran what is known of them; of others the most careful."""
    found = Estimates(peak={"LensKit": 900 * 2**20})
    assert found.megabytes(["LensKit"]) == 900
    assert found.megabytes(["LensKit", "RecPack"]) == 900 + GUEST_MEGABYTES["RecPack"]
    assert found.megabytes(["Foreign"]) == max(GUEST_MEGABYTES.values())
    assert found.megabytes([]) == 0


def record(algorithm: str, dataset: str = "Small-1", **facts: Any) -> dict[str, Any]:
    """A record of a phase, as far as estimates look at it."""
    return {"dataset": dataset, "algorithm": algorithm, **facts}


def test_records_tell(tmp_path: Path) -> None:
    """Fit and Predict of all folds, also of what was reset: the sum of their means, and the largest memory; no Eval."""
    store = CheckpointStore(tmp_path / "store")
    with store.lease("a") as lease:
        store.commit(
            lease,
            {
                "fit/a0": record("LensKit.ALS-a", phase="Fit", seconds=10.0, peak_rss=300 * 2**20),
                "old/0/fit/a1": record("LensKit.ALS-a", phase="Fit", seconds=20.0, peak_rss=700 * 2**20),
                "predict/a0": record("LensKit.ALS-a", phase="Predict", seconds=1.0, peak_rss=100),
                "eval/a0": record("LensKit.ALS-a", phase="Eval", seconds=500.0, peak_rss=2**40),
                "fit/b0": record("Mine-e", phase="Fit", seconds=3.0, peak_rss=None),
                "fit/c0": {"seconds": 7.0},
                "item/a0": record("LensKit.ALS-a", phase="Done", seconds=900.0),
                "fitness/x": record("LensKit.ALS-a", phase="Fit", seconds=900.0),
            },
        )
    found = read(tmp_path / "store" / "store", estimates_from)
    assert found.expected(item("Small-1", "LensKit.ALS-a")) == 16.0
    assert found.expected(item("Small-1", "Mine-e")) == 3.0
    assert found.megabytes(["LensKit"]) == 700
    assert found.megabytes(["Own"]) == GUEST_MEGABYTES["Own"], "nothing was measured"
    store.close()


def test_records_that_cannot_tell_do_no_harm(tmp_path: Path) -> None:
    """No store, or one whose table looks otherwise: no estimates, and no error."""
    assert read(tmp_path / "none", estimates_from) == Estimates()

    def refuse() -> Any:
        raise sqlite3.OperationalError("no such function: json_extract")

    broken: Any = SimpleNamespace(costs=refuse)
    assert estimates_from(broken) == Estimates()

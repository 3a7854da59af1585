"""RecPack's algorithms that read order or times, under the protocol of next items, and two that learn from a matrix."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.agreeing_lists import disagreement
from support.guest_scripts import GUEST, run

from omnibench import (
    ExperimentPlan,
    LeaveLastOut,
    RecSysDataSet,
    StrongGeneralization,
    UserHoldout,
    from_frame,
)
from omnibench.data.prepare import prepare
from omnibench.errors import PlanError
from omnibench.experiment.compatibility import check_configuration
from omnibench.guest.folds import NO_ITEM, Fold
from omnibench.runners.registry import get_runner

SEED = 42
SETTINGS: dict[str, dict[str, Any]] = {
    "GRU4RecNegSampling": {"max_epochs": 3, "batch_size": 16, "num_negatives": 5, "hidden_size": 12, "seed": SEED},
    "GRU4RecCrossEntropy": {
        "max_epochs": 3,
        "batch_size": 16,
        "bptt": 3,
        "num_layers": 2,
        "dropout": 0.2,
        "seed": SEED,
    },
    "SequentialRules": {"K": 12},
    "STAN": {"K": 15, "interaction_decay": 0.1, "session_decay": 1e-5},
    "TARSItemKNN": {"K": 12, "decay_function": "linear", "fit_decay": 0.5, "predict_decay": 0.7},
    "TARSItemKNNCoocDistance": {"K": 12},
    "TARSItemKNNDing": {"K": 12},
    "TARSItemKNNHermann": {"K": 12},
    "TARSItemKNNLee": {"K": 12, "w": 3},
    "TARSItemKNNLiu": {"K": 12},
    "TARSItemKNNLiu2012": {"K": 12},
    "TARSItemKNNVaz": {"K": 12},
    "TARSItemKNNXia": {"K": 12},
    "Prod2VecClustered": {"max_epochs": 2, "num_clusters": 3, "K": 12, "batch_size": 64, "seed": SEED},
}
SEQUENTIAL = [
    name for name, info in get_runner("RecPack").catalogue["algorithms"].items() if info.get("sequential", False)
]


def walks(users: int = 60, items: int = 40, each: int = 14) -> pd.DataFrame:
    """Return users who walk around a circle of items, at a distance of a few hours, never twice at one moment."""
    rng = np.random.default_rng(5)
    user = np.repeat(np.arange(users), each)
    step = np.tile(np.arange(each), users)
    item = (user * 7 + 2 * step + rng.integers(0, 2, len(user))) % items
    time = 881_250_949 + rng.integers(0, 40, users)[user] * 5000 + step * 7200
    return pd.DataFrame({"user": user, "item": item, "timestamp": time}).drop_duplicates(["user", "item"])


def lists_of(dataset: RecSysDataSet, names: Iterable[str], python: Path, root: Path) -> Path:
    """Write the lists of all items of some algorithms by the adapter, and return their directory."""
    data, work = root / "data", root / "work"
    for directory in (data, work):
        directory.mkdir(parents=True)
    prepare(dataset, data)
    words = [word for name in names for word in (name, json.dumps(SETTINGS[name]), work / f"{name}.npy")]
    run(python, "adapter_run.py", GUEST, "recpack", data, 0, SEED, Fold(data, 0).n_items, *words, cwd=work)
    return work


@pytest.mark.guests
@pytest.mark.parametrize(
    "split",
    [
        LeaveLastOut(validation_size=1),
        pytest.param(StrongGeneralization(0.1, 0.2, 0.3, which="last"), marks=pytest.mark.slow),
    ],
)
def test_lists_are_those_of_recpacks_own_script(
    split: Any, environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """All fourteen, with the same scores: they learn from training, and read validation or what is given as well."""
    python = environment_python("RecPack")
    work = lists_of(from_frame(walks(), "walks").pipe(split), SEQUENTIAL, python, tmp_path)
    jobs = [
        {"algorithm": name, "settings": SETTINGS[name], "changes": [], "output": str(work / f"{name}-own.npy")}
        for name in SEQUENTIAL
    ]
    (work / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    run(python, "recpack_sequences_own.py", tmp_path / "data", 0, SEED, work / "jobs.json", cwd=work)
    flaws = {name: disagreement(work / f"{name}.npy", work / f"{name}-own.npy") for name in SEQUENTIAL}
    assert not {name: flaw for name, flaw in flaws.items() if flaw}
    for name in SEQUENTIAL:
        assert (np.load(work / f"{name}.npy")["item"][:, 0] >= 0).any(), "else nothing is compared"


def test_every_algorithm_of_recpack_runs() -> None:
    """All thirty of its page, of which fourteen read order or times."""
    assert set(SEQUENTIAL) == set(SETTINGS)
    assert len(get_runner("RecPack").catalogue["algorithms"]) == 30


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_data_without_times_is_refused_before_anything_runs(name: str) -> None:
    """By name, with what to do."""
    dataset = from_frame(walks().drop(columns="timestamp"), "timeless").pipe(UserHoldout(0.1, 0.2))
    plan = ExperimentPlan()
    plan.add_algorithm(f"RecPack.{name}")
    with pytest.raises(
        PlanError, match=f"RecPack.{name} learns what comes next, but timeless has no column 'timestamp'"
    ):
        check_configuration(dataset, plan.configurations()[0])


@pytest.mark.slow
@pytest.mark.guests
def test_interactions_of_one_moment_are_in_the_order_of_the_rows(
    environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """The lists of data with several interactions at a moment are those of the same data with a moment for each."""
    apart = walks(each=30)
    step = apart.groupby("user").cumcount()
    apart["timestamp"] = 881_250_949 + step
    together = apart.assign(timestamp=881_250_949 + step // 20 * 20)
    names = ["GRU4RecCrossEntropy", "SequentialRules", "Prod2VecClustered"]
    python = environment_python("RecPack")
    split = LeaveLastOut(validation_size=1)
    of_each, of_few = (
        lists_of(from_frame(frame, "walks").pipe(split), names, python, tmp_path / called)
        for called, frame in (("apart", apart), ("together", together))
    )
    for name in names:
        lists = np.load(of_each / f"{name}.npy")
        assert (lists["item"] != NO_ITEM).any()
        assert (lists == np.load(of_few / f"{name}.npy")).all(), name


@pytest.mark.slow
@pytest.mark.guests
def test_times_may_begin_at_zero(environment_python: Callable[[str], Path], tmp_path: Path) -> None:
    """RecPack takes a time of 0 for no interaction: data whose times begin there give the lists of the same data later."""
    frame = walks()
    frame["timestamp"] -= frame["timestamp"].min()
    names = ["TARSItemKNNHermann", "TARSItemKNNCoocDistance", "TARSItemKNNLee", "STAN"]
    python, split = environment_python("RecPack"), LeaveLastOut(validation_size=1)
    at_zero, at_one = (
        lists_of(from_frame(changed, "walks").pipe(split), names, python, tmp_path / called)
        for called, changed in (("zero", frame), ("one", frame.assign(timestamp=frame["timestamp"] + 1)))
    )
    for name in names:
        assert (np.load(at_zero / f"{name}.npy") == np.load(at_one / f"{name}.npy")).all(), name


TOO_MANY = {
    80: "ItemPNN draws K + 1 = 81 different items for each, and there are 80. Take K=79 or less.",
    40: "ItemPNN draws K + 1 = 41 different items for each among those that share a user with it, and 80 of 80 items have fewer",
}
"""What is said where there are not as many neighbours, by K."""


@pytest.mark.guests
@pytest.mark.parametrize("neighbours", [80, pytest.param(40, marks=pytest.mark.slow)])
def test_itempnn_says_which_neighbours_it_lacks(
    neighbours: int, environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """In the place of numpy's error about probabilities: no user has items of both halves."""
    data = tmp_path / "data"
    data.mkdir()
    halves = walks()
    halves["item"] += halves["user"] % 2 * 40
    prepare(from_frame(halves, "halves").pipe(LeaveLastOut(validation_size=1)), data)
    words = ["ItemPNN", json.dumps({"K": neighbours}), tmp_path / "lists.npy"]
    with pytest.raises(AssertionError) as failure:
        run(environment_python("RecPack"), "adapter_run.py", GUEST, "recpack", data, 0, SEED, 10, *words, cwd=tmp_path)
    assert TOO_MANY[neighbours] in str(failure.value)

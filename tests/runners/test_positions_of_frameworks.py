"""SessionSplit(positions="each") by frameworks: the list of a position is that of a session which is given as much."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench import (
    HR,
    AllItems,
    ExperimentPlan,
    KeepRepeats,
    LensKit,
    RecBole,
    RecPack,
    RecSysDataSet,
    RecTools,
    SessionSplit,
    from_frame,
)
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.engine import phases
from omnibench.experiment.planning import experiments
from omnibench.guest.predictions import read_predictions
from omnibench.runners.gateway import Guest

LENGTH, FIRST = 8, 1_700_000_000
ALGORITHMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "RecBole": (RecBole.GRU4Rec, {"epochs": 1, "train_batch_size": 256, "hidden_size": 8, "embedding_size": 8}),
    "RecPack": (RecPack.SequentialRules, {}),
    "LensKit": (LensKit.ItemKNNScorer, {}),
    "RecTools": (RecTools.SASRecModel, {"epochs": 1, "n_factors": 8, "n_heads": 1, "session_max_len": 8}),
}


def clicks(cut: int = 0) -> pd.DataFrame:
    """Return sessions of six events, some of them again; the last twenty come later, where their last ``cut`` events are left out."""
    rng = np.random.default_rng(11)
    rows = []
    for session in range(100):
        items = (int(rng.integers(25)) + np.cumsum(rng.integers(0, 3, 6))) % 25
        kept = items[: len(items) - cut] if session >= 80 else items
        rows += [(session, f"i{item}", FIRST + 10_000 * session + at) for at, item in enumerate(kept.tolist())]
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"])


def lists_of(guest: Guest, dataset: RecSysDataSet, algorithm: str, root: Path) -> dict[str, list[str]]:
    """Return the list of each tested user, by the engine's own phases."""
    name, parameters = ALGORITHMS[algorithm]
    plan = ExperimentPlan()
    plan.add_algorithm(name, parameters)
    repeats = AllItems(repeats=True)
    (single,) = experiments(dataset, plan, [HR(5)], versions=lambda _: "", seeds=[7], candidates=repeats)
    data, model = root / "data", root / "model"
    for folder in (data, model):
        folder.mkdir(parents=True)
    prepare(dataset, data)
    phases.predict(
        guest, single, data, model / phases.fit(guest, single, data, model)["file"], LENGTH, root / "lists.npy"
    )
    rows = read_predictions(root / "lists.npy").lists
    assert rows is not None
    users, items = (read_ids(data, subject) for subject in ("users", "items"))
    return {
        str(users[user]): [items[item] for item in row if item >= 0]
        for user, row in zip(rows["user"].tolist(), rows["item"].tolist(), strict=True)
    }


@pytest.mark.guests
@pytest.mark.parametrize(
    "framework",
    ["RecPack", *(pytest.param(name, marks=pytest.mark.catalogue) for name in ALGORITHMS if name != "RecPack")],
)
def test_the_list_of_a_position_is_that_of_a_session_given_as_much(
    framework: str, guests: Callable[[str], Guest], tmp_path: Path
) -> None:
    """Of the same training: a session that was cut after an event, asked once, has the list of its position there."""
    split = {"each": SessionSplit(20, positions="each"), "last": SessionSplit(20)}
    each = lists_of(
        guests(framework), from_frame(clicks(), "clicks").pipe(KeepRepeats(), split["each"]), framework, tmp_path / "e"
    )
    assert len(each) == 20 * 5
    for cut in (0, 3):
        dataset = from_frame(clicks(cut), "clicks").pipe(KeepRepeats(), split["last"])
        last = lists_of(guests(framework), dataset, framework, tmp_path / str(cut))
        assert len(last) == 20
        assert last == {session: each[f"{session}@{5 - cut}"] for session in last}
    assert any(each[f"{session}@1"] != each[f"{session}@5"] for session in range(80, 100))

"""Folds that share the rows of their dataset: every framework learns and recommends what it did from copies of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.earlier_folds import as_before

from omnibench import NDCG, ExperimentPlan, UserCrossValidation, from_frame
from omnibench.data.prepare import prepare
from omnibench.engine import phases
from omnibench.engine.evaluation import evaluate
from omnibench.experiment.planning import experiments
from omnibench.runners.gateway import Guest

CLASS = """
class Latest:
    def fit(self, train, validation):
        weight = train.assign(weight=train["timestamp"].rank()).groupby("item")["weight"].sum()
        self.items = weight.sort_values(ascending=False, kind="stable").index.tolist()
        self.n_validated = len(validation)
    def recommend(self, users, k, history):
        assert set(history["user"]) == set(users)
        return [self.items[:k] for _ in users]
"""
ALGORITHMS: dict[str, dict[str, Any]] = {
    "own": {},
    "LensKit.ItemKNNScorer": {},
    "RecPack.BPRMF": {"max_epochs": 2},
    "RecPack.Prod2Vec": {"max_epochs": 1},
    "RecBole.BPR": {"epochs": 2},
}


@pytest.fixture
def own_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A class of a user's own, which looks at rows of every part and their moments."""
    (tmp_path / "latest_items.py").write_text(CLASS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    from latest_items import Latest  # type: ignore[import-not-found]

    return Latest


@pytest.mark.parametrize(
    "name", [name if name == "own" else pytest.param(name, marks=pytest.mark.slow) for name in ALGORITHMS]
)
def test_predictions_are_those_from_copies_of_the_rows(
    name: str, guests: Callable[[str], Guest], own_class: Any, tmp_path: Path
) -> None:
    """Byte for byte, and so are the metrics; the data is the same in both forms."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"user": rng.integers(0, 60, 1500), "item": rng.integers(0, 50, 1500)})
    frame = frame.drop_duplicates().assign(timestamp=lambda rows: rng.integers(0, 500, len(rows)))
    dataset = from_frame(frame, "shop").pipe(UserCrossValidation(2, 0.2))
    plan = ExperimentPlan("shared")
    plan.add_algorithm(own_class if name == "own" else name, ALGORITHMS[name])
    single = experiments(dataset, plan, [NDCG(10)], versions=lambda _: "", seeds=[7])[1]
    guest = guests("Own" if name == "own" else name.partition(".")[0])
    predictions, values = [], []
    for form in ("shared", "copies"):
        root, output = tmp_path / form, tmp_path / f"{form}.npy"
        root.mkdir()
        prepare(dataset, root)
        if form == "copies":
            as_before(root, dataset, numbers=False)
        (tmp_path / f"model of {form}").mkdir()
        model = tmp_path / f"model of {form}"
        phases.predict(guest, single, root, model / phases.fit(guest, single, root, model)["file"], 10, output)
        predictions.append(output.read_bytes())
        values.append(evaluate(root, single.fold or 0, output, [(NDCG(10), "NDCG@10")]).values)
    assert predictions[0] == predictions[1]
    assert values[0] == values[1]

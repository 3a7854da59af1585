"""Surprise beyond what all frameworks are asked: its lists, similarities of items, and data without ratings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.agreeing_lists import disagreement
from support.guest_scripts import GUEST, run

from omnibench import NDCG, Evaluator, ExperimentPlan, MakeImplicit, Surprise, UserHoldout, from_frame, run_omnirec
from omnibench.data.prepare import prepare
from omnibench.errors import OmnibenchError
from omnibench.guest.folds import Fold
from omnibench.runners.registry import get_runner

SEED = 42

OF_ITEMS: dict[str, dict[str, Any]] = {
    name: {"k": 10, "min_k": 3, "sim_options": {"name": similarity, "user_based": False}}
    for name, similarity in (
        ("KNNBasic", "cosine"),
        ("KNNWithMeans", "pearson"),
        ("KNNWithZScore", "msd"),
        ("KNNBaseline", "pearson_baseline"),
    )
}
"""Neighbours that are items, and some pairs with too few."""

CASES = [
    *((name, {}) for name in get_runner("Surprise").catalogue["algorithms"]),
    *OF_ITEMS.items(),
    ("NMF", {"biased": True, "n_epochs": 5}),
    ("SVD", {"biased": False, "n_epochs": 5}),
    ("BaselineOnly", {"bsl_options": {"method": "sgd", "n_epochs": 5}}),
]


@pytest.fixture(scope="module")
def liking() -> pd.DataFrame:
    """The ratings from 1 to 5 that 60 users with tastes give some of 50 items."""
    rng = np.random.default_rng(11)
    taste, kinds = rng.normal(size=(60, 4)), rng.normal(size=(50, 4))
    user, item = np.nonzero(rng.random((60, 50)) < 0.3)
    rating = np.clip(np.round(3 + (taste @ kinds.T + rng.normal(size=(60, 50)))[user, item]), 1, 5)
    return pd.DataFrame({"user": user, "item": item, "rating": rating})


@pytest.mark.guests
def test_lists_are_those_of_predict_for_every_item(
    liking: pd.DataFrame, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """All items by the rating that Surprise's ``predict`` says, cut to the scale: the same scores, the same lists up to ties."""
    data, python = tmp_path / "data", environment_python("Surprise")
    data.mkdir()
    prepare(from_frame(liking).pipe(MakeImplicit(1, keep="rating"), UserHoldout(0.1, 0.2)), data)
    jobs, words = list[dict[str, Any]](), list[object]()
    for number, (name, settings) in enumerate(CASES):
        own, ours = tmp_path / f"{number}-own.npy", tmp_path / f"{number}.npy"
        jobs.append({"algorithm": name, "settings": settings, "changes": ["ranked"], "output": str(own)})
        words += [name, json.dumps(settings), ours]
    (tmp_path / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    run(python, "surprise_own.py", data, 0, SEED, tmp_path / "jobs.json", cwd=tmp_path)
    run(python, "adapter_run.py", GUEST, "surprise", data, 0, SEED, Fold(data, 0).n_items, *words, cwd=tmp_path)
    flaws = {
        f"{name}{settings}": disagreement(tmp_path / f"{number}.npy", tmp_path / f"{number}-own.npy")
        for number, (name, settings) in enumerate(CASES)
    }
    assert not {case: flaw for case, flaw in flaws.items() if flaw}


def test_data_without_ratings_is_refused_before_anything_runs(liking: pd.DataFrame, tmp_path: Path) -> None:
    """The algorithm is named, and nothing is fitted."""
    plan = ExperimentPlan("ratings")
    plan.add_algorithm(Surprise.SVD)
    data = from_frame(liking[["user", "item"]]).pipe(UserHoldout(0.0, 0.2))
    with pytest.raises(OmnibenchError, match=r"Surprise\.SVD"):
        run_omnirec(data, plan, Evaluator(NDCG(10)), tmp_path / "checkpoints")
    assert not list((tmp_path / "checkpoints").glob("*/*/fold_*"))

"""Models that are fitted on training and validation together, by the real frameworks on the real MovieLens-100K."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.guest_scripts import run

from omnibench import (
    NDCG,
    CorePruning,
    Evaluator,
    ExperimentPlan,
    ItemCoverage,
    LensKit,
    MakeImplicit,
    RecBole,
    RecPack,
    UserHoldout,
    load_dataset,
    run_omnirec,
)
from omnibench.data.stored_ids import read_ids

pytestmark = pytest.mark.guests

BOTH = "train+validation"
DATA = load_dataset("MovieLens100K").pipe(MakeImplicit(3), CorePruning(5), UserHoldout(0.1, 0.2))
ALGORITHMS: dict[str, dict[str, Any]] = {"EASE": {"l2": 300.0}, "ItemKNN": {"K": 50}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A finished run: its checkpoint directory and its results."""
    plan = ExperimentPlan("both")
    for name, parameters in ALGORITHMS.items():
        plan.add_algorithm(f"RecPack.{name}", parameters, refit=BOTH)
    plan.add_algorithm(RecPack.EASE, {"l2": 300.0})
    plan.add_algorithm(LensKit.EASEScorer, {"regularization": 300.0}, refit=BOTH)
    plan.add_algorithm(RecBole.EASE, {"reg_weight": 300.0}, refit=BOTH)
    root = tmp_path_factory.mktemp("both") / "checkpoints"
    return root, run_omnirec(DATA, plan, Evaluator(NDCG(10), ItemCoverage(10)), root, quiet=True).to_frame()


def lists_of(root: Path, directory: str) -> pd.DataFrame:
    (path,) = root.glob(f"MovieLens100K-*/{directory}/predictions.json")
    return pd.DataFrame(json.loads(path.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_refit_is_recpacks_published_way(
    algorithm: str,
    finished: tuple[Path, pd.DataFrame],
    tmp_path: Path,
    environment_python: Callable[[str], Path],
) -> None:
    """Its own pipeline's NDCG@10, and lists with the best scores that RecPack gives when it is fitted so."""
    root, results = finished
    (dataset,) = root.glob("datasets/MovieLens100K-*")
    experiment = (algorithm, json.dumps(ALGORITHMS[algorithm]))
    run(environment_python("RecPack"), "recpack_published.py", dataset, 0, "own.npz", *experiment, cwd=tmp_path)
    own = np.load(tmp_path / "own.npz")
    users, items = ({value: code for code, value in enumerate(read_ids(dataset, of))} for of in ("users", "items"))
    row_of = {user: row for row, user in enumerate(own["users"].tolist())}
    names = results["algorithm"][results["algorithm"].str.startswith(f"RecPack.{algorithm}")].unique()
    frames = [lists_of(root, name) for name in names]
    equal = [
        all(
            np.allclose(
                own[algorithm][row_of[users[user]], [items[item] for item in rows["item"]]],
                np.sort(np.nan_to_num(own[algorithm][row_of[users[user]]], nan=-np.inf))[::-1][: len(rows)],
                atol=1e-5,
            )
            for user, rows in frame.groupby("user")
        )
        for frame in frames
    ]
    assert len(frames[0].groupby("user")) == len(row_of)
    (published,) = own[f"{algorithm} NDCG@10"].ravel().tolist()
    (name,) = (name for name, is_equal in zip(names, equal, strict=True) if is_equal)
    ndcg = results[(results["algorithm"] == name) & (results["metric"] == "NDCG")]["value"]
    assert ndcg.tolist() == pytest.approx([published], abs=1e-6)
    assert sum(equal) == 1  # of EASE there is the other one as well, which is fitted on training alone
    assert len(frames) == (2 if algorithm == "EASE" else 1)


@pytest.mark.slow
def test_frameworks_agree_when_they_are_refitted(finished: tuple[Path, pd.DataFrame]) -> None:
    """EASE of three frameworks gives the same NDCG, higher than that of training alone, and no coverage above 1."""
    results = finished[1]
    ndcg = results[results["metric"] == "NDCG"]
    values = {name: rows["value"].tolist() for name, rows in ndcg.groupby(ndcg["algorithm"].str.split("-").str[0])}
    refitted = max(values["RecPack.EASE"])
    assert [values["LensKit.EASEScorer"][0], values["RecBole.EASE"][0]] == pytest.approx([refitted] * 2, abs=1e-3)
    assert refitted > min(values["RecPack.EASE"])
    assert (results[results["metric"] == "ItemCoverage"]["value"] <= 1).all()

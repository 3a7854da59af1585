"""The real frameworks on the real MovieLens-100K, judged by code that omnibench did not write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnibench import (
    HR,
    MAE,
    MAP,
    MRR,
    NDCG,
    RMSE,
    CorePruning,
    Evaluator,
    ExperimentPlan,
    LensKit,
    MakeImplicit,
    Precision,
    Recall,
    RecBole,
    RecPack,
    SplitData,
    UserHoldout,
    load_dataset,
    run_omnirec,
)

pytestmark = pytest.mark.guests

IMPLICIT = load_dataset("MovieLens100K").pipe(MakeImplicit(3), CorePruning(5), UserHoldout(0.1, 0.2))
EXPLICIT = load_dataset("MovieLens100K").pipe(UserHoldout(0.0, 0.2))
METRICS = (NDCG([5, 10, 20]), HR(10), Recall([10, 20]), Precision(10), MRR(10), MAP(20))


def plan() -> ExperimentPlan:
    """One quick algorithm of each framework."""
    made = ExperimentPlan("real")
    made.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": 20})
    made.add_algorithm(RecPack.EASE, {"l2": 300.0})
    made.add_algorithm(RecBole.EASE, {"reg_weight": 300.0})
    return made


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A finished run: its checkpoint directory and its results."""
    root = tmp_path_factory.mktemp("real") / "checkpoints"
    return root, run_omnirec(IMPLICIT, plan(), Evaluator(*METRICS), root).to_frame()


def predictions(root: Path, algorithm: str) -> pd.DataFrame:
    """The exported predictions of an algorithm."""
    (path,) = root.glob(f"MovieLens100K-*/{algorithm}-*/predictions.json")
    return pd.DataFrame(json.loads(path.read_text()))


@pytest.mark.parametrize("algorithm", ["LensKit.ItemKNNScorer", "RecPack.EASE", "RecBole.EASE"])
def test_metrics_agree_with_trec_eval_on_real_predictions(finished: tuple[Path, pd.DataFrame], algorithm: str) -> None:
    """Every metric of every framework's predictions equals trec_eval's to 1e-9 (MAP: an independent loop)."""
    import pytrec_eval

    root, results = finished
    split = IMPLICIT.data
    assert isinstance(split, SplitData)
    lists = predictions(root, algorithm)
    truth = {str(user): dict.fromkeys(map(str, rows["item"]), 1) for user, rows in split.test.groupby("user")}
    run = {
        str(user): {str(item): float(-rank) for item, rank in zip(rows["item"], rows["rank"], strict=True)}
        for user, rows in lists.groupby("user")
    }
    measures = {"ndcg_cut.5,10,20", "success.10", "recall.10,20", "P.10"}
    values = pytrec_eval.RelevanceEvaluator(truth, measures).evaluate(run)

    def mean(measure: str) -> float:
        return float(np.mean([values[user][measure] if user in values else 0.0 for user in truth]))

    expected = {
        **{("NDCG", k): mean(f"ndcg_cut_{k}") for k in (5, 10, 20)},
        ("HR", 10): mean("success_10"),
        ("Recall", 10): mean("recall_10"),
        ("Recall", 20): mean("recall_20"),
        ("Precision", 10): mean("P_10"),
        ("MRR", 10): float(np.mean([_reciprocal_rank(truth[user], run.get(user, {}), 10) for user in truth])),
        ("MAP", 20): float(np.mean([_average_precision(truth[user], run.get(user, {}), 20) for user in truth])),
    }
    mine = results[results["algorithm"].str.startswith(algorithm)]
    measured = {(row.metric, row.k): row.value for row in mine.itertuples()}
    assert measured == pytest.approx(expected, abs=1e-9)


def _ranked(scores: dict[str, float], k: int) -> list[str]:
    return sorted(scores, key=lambda item: -scores[item])[:k]


def _reciprocal_rank(relevant: dict[str, int], scores: dict[str, float], k: int) -> float:
    return next((1 / rank for rank, item in enumerate(_ranked(scores, k), 1) if item in relevant), 0.0)


def _average_precision(relevant: dict[str, int], scores: dict[str, float], k: int) -> float:
    found, total = 0, 0.0
    for rank, item in enumerate(_ranked(scores, k), 1):
        if item in relevant:
            found += 1
            total += found / rank
    return total / min(k, len(relevant))


@pytest.mark.parametrize("algorithm", ["LensKit.ItemKNNScorer", "RecPack.EASE", "RecBole.EASE"])
def test_every_framework_is_masked_alike(finished: tuple[Path, pd.DataFrame], algorithm: str) -> None:
    """No list has an item that its user has in training or validation; test users known in training all get 20."""
    split = IMPLICIT.data
    assert isinstance(split, SplitData)
    lists = predictions(finished[0], algorithm)
    seen = pd.concat([split.train, split.validation])[["user", "item"]]
    assert len(lists.merge(seen, on=["user", "item"])) == 0
    assert set(lists["user"]) == set(split.test["user"]) & set(split.train["user"])
    assert set(lists["item"]) <= set(split.train["item"])
    assert (lists.groupby("user").size() == 20).all()


def test_finished_run_starts_no_process(finished: tuple[Path, pd.DataFrame], monkeypatch: pytest.MonkeyPatch) -> None:
    """Running again computes nothing: no process is started, and the results are the same."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    again = run_omnirec(IMPLICIT, plan(), Evaluator(*METRICS), finished[0]).to_frame()
    pd.testing.assert_frame_equal(again, finished[1])


def test_rating_metrics_agree_with_scikit_learn(tmp_path: Path) -> None:
    """RMSE and MAE of real rating predictions equal scikit-learn's to 1e-9."""
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    ratings = ExperimentPlan("ratings")
    ratings.add_algorithm(LensKit.BiasScorer)
    ratings.add_algorithm(LensKit.BiasedMFScorer, {"embedding_size": 16, "epochs": 5})
    results = run_omnirec(EXPLICIT, ratings, Evaluator(RMSE(), MAE()), tmp_path / "checkpoints").to_frame()
    split = EXPLICIT.data
    assert isinstance(split, SplitData)
    for algorithm in ("LensKit.BiasScorer", "LensKit.BiasedMFScorer"):
        both = predictions(tmp_path / "checkpoints", algorithm).merge(
            split.test, on=["user", "item"], suffixes=("_predicted", "")
        )
        assert len(both) == len(split.test)
        mine = results[results["algorithm"].str.startswith(algorithm)].set_index("metric")["value"]
        assert mine["RMSE"] == pytest.approx(
            root_mean_squared_error(both["rating"], both["rating_predicted"]), abs=1e-9
        )
        assert mine["MAE"] == pytest.approx(mean_absolute_error(both["rating"], both["rating_predicted"]), abs=1e-9)
        assert 0.85 < mine["RMSE"] < 1.0


SCRIPT = """
import sys
from omnibench import *
data = load_dataset("MovieLens100K").pipe(MakeImplicit(3), CorePruning(20), Subsample(150, of="users"), UserHoldout(0.1, 0.2))
plan = ExperimentPlan("killed")
plan.add_algorithm(LensKit.PopScorer)
plan.add_algorithm(RecBole.BPR, {"epochs": 20})
print(run_omnirec(data, plan, Evaluator(NDCG(10), HR(10)), sys.argv[1]).to_frame().to_json())
"""


@pytest.mark.slow
def test_kill_9_during_a_real_fit_changes_nothing_but_time(
    tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """A run killed in the middle of RecBole's training and started again ends with an uninterrupted run's numbers."""
    for framework in ("LensKit", "RecBole"):
        environment_python(framework)  # building them is not what the clock below is for
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(directory: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, str(script), str(tmp_path / directory)], capture_output=True, text=True, check=True
        )
        return {"told": done.stderr, "results": json.loads(done.stdout.splitlines()[-1])}

    killed = subprocess.Popen([sys.executable, str(script), str(tmp_path / "killed")], stderr=subprocess.DEVNULL)
    log = tmp_path / "killed" / "out.log"
    deadline = time.monotonic() + 120
    while not (log.exists() and "epoch 1 training" in log.read_text()):
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    resumed, whole = run("killed"), run("whole")
    assert "2 items: 1 done, 0 failed, 1 pending" in resumed["told"]
    assert resumed["results"] == whole["results"]

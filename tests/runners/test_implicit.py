"""implicit beyond what all frameworks are asked: users that it folds in, threads, and what its iterations say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.agreeing_lists import disagreement
from support.guest_scripts import GUEST, run

from omnibench import StrongGeneralization, UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.guest.folds import Fold
from omnibench.runners.gateway import Guest
from omnibench.runners.registry import get_runner
from omnibench.runners.thread_variables import thread_variables

pytestmark = pytest.mark.guests

SEED = 42
FOLDING_IN = ("AlternatingLeastSquares", "CosineRecommender", "BM25Recommender")


@pytest.fixture(scope="module")
def tastes() -> pd.DataFrame:
    """The purchases of 120 users, each of one of four kinds."""
    rng = np.random.default_rng(3)
    pairs = [(user, int(item)) for user in range(120) for item in user % 4 * 20 + rng.choice(20, 12, replace=False)]
    return pd.DataFrame(pairs, columns=["user", "item"])


def test_strangers_are_ranked_as_implicit_ranks_them(
    tastes: pd.DataFrame, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """Who is unknown in training gets the lists of implicit's ``recommend`` with what is given of them."""
    data, python = tmp_path / "data", environment_python("Implicit")
    data.mkdir()
    prepare(from_frame(tastes).pipe(StrongGeneralization(0.1, 0.2, 0.3)), data)
    jobs = [
        {"algorithm": name, "settings": {}, "changes": [], "output": str(tmp_path / f"{name}-own.npy")}
        for name in FOLDING_IN
    ]
    (tmp_path / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    run(python, "implicit_own.py", data, 0, SEED, tmp_path / "jobs.json", cwd=tmp_path)
    words = [word for name in FOLDING_IN for word in (name, "{}", tmp_path / f"{name}.npy")]
    run(python, "adapter_run.py", GUEST, "implicit", data, 0, SEED, Fold(data, 0).n_items, *words, cwd=tmp_path)
    for name in FOLDING_IN:
        assert len(np.load(tmp_path / f"{name}.npy")) == 24
        assert not disagreement(tmp_path / f"{name}.npy", tmp_path / f"{name}-own.npy"), name


@pytest.fixture
def fitted(
    tastes: pd.DataFrame, tmp_path: Path, environment_python: Callable[[str], Path]
) -> Iterator[Callable[..., tuple[bytes, list[Mapping[str, Any]]]]]:
    """Fit an algorithm in a process with three threads; return its model file and what it has reported."""
    (tmp_path / "data").mkdir()
    prepare(from_frame(tastes).pipe(UserHoldout(0.0, 0.2)), tmp_path / "data")
    runner, python = get_runner("Implicit"), environment_python("Implicit")
    with Guest(runner, python, tmp_path, tmp_path, 3, thread_variables(3), lambda *_: None) as guest:

        def fit(algorithm: str, threads: int = 1, **parameters: Any) -> tuple[bytes, list[Mapping[str, Any]]]:
            reports: list[Mapping[str, Any]] = []
            output = tmp_path / f"{algorithm}-{threads}"
            output.mkdir(exist_ok=True)
            request = {
                "op": "fit",
                "algorithm": algorithm,
                "parameters": parameters,
                "seed": SEED,
                "device": "cpu",
                "threads": threads,
                "dataset": str(tmp_path / "data"),
                "fold": 0,
                "output": str(output),
                "fit_key": algorithm,
            }
            answer = guest.ask(request, on_progress=reports.append)
            with np.load(output / answer["file"]) as model:
                return b"".join(model[name].tobytes() for name in ("user_factors", "item_factors")), reports

        yield fit


def test_the_same_seed_and_threads_make_the_same_factors(fitted: Callable[..., Any]) -> None:
    """To the last bit; of BPR and least squares whatever the threads, of logistic factorization with as many."""
    for name in ("AlternatingLeastSquares", "BayesianPersonalizedRanking"):
        assert len({fitted(name, threads, iterations=5)[0] for threads in (1, 1, 3, 3)}) == 1, name
    logistic = {threads: fitted("LogisticMatrixFactorization", threads, iterations=5)[0] for threads in (1, 3)}
    assert logistic[1] != logistic[3], "else the catalogue says too much"
    assert all(
        fitted("LogisticMatrixFactorization", threads, iterations=5)[0] == logistic[threads] for threads in logistic
    )


def test_each_iteration_is_reported_with_what_implicit_measures_of_it(fitted: Callable[..., Any]) -> None:
    """The loss of least squares falls where it is calculated, and BPR puts more and more pairs in order."""
    _, silent = fitted("AlternatingLeastSquares", iterations=3)
    assert silent == [{"epoch": number, "epochs": 3} for number in (1, 2, 3)]
    _, reports = fitted("AlternatingLeastSquares", iterations=3, calculate_training_loss=True)
    losses = [report["loss"] for report in reports]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]
    _, reports = fitted("BayesianPersonalizedRanking", iterations=30, learning_rate=0.1)
    shares = [report["train_auc"] for report in reports]
    assert all(0 <= share <= 1 for share in shares)
    assert shares[-1] > shares[0]

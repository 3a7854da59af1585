"""Recommending from a history: frameworks and users' classes fold strangers in by what these are given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.guest_scripts import GUEST, run

from omnibench import StrongGeneralization, from_frame
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.experiment.own import OwnAlgorithm
from omnibench.guest.base import Task
from omnibench.guest.folds import Fold
from omnibench.guest.ranking import cut_lists
from omnibench.runners import own_guest as own


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Fold:
    """Strangers among 120 users who like items of one of four kinds."""
    root = tmp_path_factory.mktemp("strangers")
    rng = np.random.default_rng(3)
    rows = [
        (f"u{user}", int(item)) for user in range(120) for item in user % 4 * 20 + rng.choice(20, 12, replace=False)
    ]
    prepare(from_frame(pd.DataFrame(rows, columns=["user", "item"])).pipe(StrongGeneralization(0.1, 0.2, 0.3)), root)
    return Fold(root, 0)


def closed_form(fold: Fold, penalty: float) -> Any:
    """EASE by its paper (Steck 2019, equation 8), fitted on training, asked with what is given."""
    train, given = np.zeros((2, fold.n_users, fold.n_items))
    train[fold.train.user, fold.train.item] = 1
    given[fold.history.user, fold.history.item] = 1
    inverse = np.linalg.inv(train.T @ train + penalty * np.eye(fold.n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores = given @ weights
    scores[given > 0] = -np.inf
    return scores


@pytest.mark.guests
@pytest.mark.parametrize(
    ("framework", "algorithm", "parameter"),
    [pytest.param("LensKit", "EASEScorer", "regularization", marks=pytest.mark.slow), ("RecPack", "EASE", "l2")],
)
def test_frameworks_rank_strangers_by_their_given_history(
    framework: str,
    algorithm: str,
    parameter: str,
    fold: Fold,
    tmp_path: Path,
    environment_python: Callable[[str], Path],
) -> None:
    """The lists of a real framework are those of the closed form in the paper."""
    output = tmp_path / "lists.npy"
    experiment = (42, 10, algorithm, json.dumps({parameter: 50.0}), output)
    python, module = environment_python(framework), framework.lower()
    run(python, "adapter_run.py", GUEST, module, fold.directory, 0, *experiment, cwd=tmp_path)
    rows = np.load(output)
    expected = closed_form(fold, 50.0)
    assert rows["user"].tolist() == fold.users.tolist()
    for row in rows:
        assert (row["item"] >= 0).all()
        best = np.sort(expected[row["user"]])[::-1][:10]
        assert np.allclose(expected[row["user"]][row["item"]], best, atol=1e-5)


class Neighbours:
    """Recommends what the users with the most items in common have."""

    def fit(self, train: pd.DataFrame) -> None:
        self.sets = train.groupby("user")["item"].agg(set).tolist()

    def recommend(self, users: list[Any], k: int, history: pd.DataFrame) -> list[list[Any]]:
        assert set(history["user"]) == set(users)
        lists = []
        for user in users:
            known = set(history.loc[history["user"] == user, "item"])
            counts: dict[Any, int] = {}
            for other in self.sets:
                for item in other:
                    counts[item] = counts.get(item, 0) + len(known & other)
            lists.append(sorted(counts, key=lambda item: (-counts[item], item))[:k])
        return lists


def test_a_users_class_is_given_the_history(fold: Fold) -> None:
    """With the user's own ids: all that it recommends to a stranger is of the kind that the given items are."""
    described = OwnAlgorithm.of(Neighbours)
    assert described.folds_in
    task = Task(json.dumps(described.locator), {}, 42, k=5)
    model, _ = own.fit(task, fold)
    rows = cut_lists(fold, own.lists(model, task, fold), 5)
    items = np.array(read_ids(fold.directory, "items"))
    users = [int(str(one)[1:]) for one in read_ids(fold.directory, "users")]
    assert len(rows) == len(fold.users) == 24
    for row in rows:
        assert (items[row["item"]] // 20 == users[row["user"]] % 4).all()

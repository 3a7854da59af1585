"""Users who have seen everything, and items that everybody has: no algorithm fails on them, or tries for ever."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.guest_scripts import GUEST, run
from support.written_folds import write_fold

from omnibench.guest.folds import NO_ITEM, Fold
from omnibench.guest.negatives import samplable
from omnibench.runners.registry import get_runner

USERS, ITEMS = 30, 12
FULL, FULL_WITH_VALIDATION = 0, 1
"""The user with all items in training, and the one with all items in training and validation together."""
SHARED = 0
"""The item that everybody has in training."""
UNKNOWN = ITEMS
"""An item of the test part alone, without which the two users would have nothing to test."""

SHORT: dict[str, Any] = {
    "epochs": 1,
    "max_epochs": 1,
    "iterations": 1,
    "max_iter": 1,
    "n_epochs": 1,
    "num_epochs": 1,
    "num_components": 4,
}
"""Settings of those that have them, for data so small."""


def _parts() -> dict[str, list[tuple[int, int]]]:
    rng = np.random.default_rng(5)
    parts: dict[str, list[tuple[int, int]]] = {"train": [], "validation": [], "test": []}
    for user in range(USERS):
        others = rng.permutation(np.arange(1, ITEMS)).tolist()
        if user == FULL:
            parts["train"] += [(user, item) for item in range(ITEMS)]
        elif user == FULL_WITH_VALIDATION:
            parts["train"] += [(user, item) for item in (SHARED, *others[:8])]
            parts["validation"] += [(user, item) for item in others[8:]]
        else:
            parts["train"] += [(user, item) for item in (SHARED, *others[:5])]
            parts["validation"].append((user, others[5]))
            parts["test"] += [(user, item) for item in others[6:8]]
    parts["test"] += [(FULL, UNKNOWN), (FULL_WITH_VALIDATION, UNKNOWN)]
    return parts


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Fold:
    """A fold with the two users and the item."""
    root = tmp_path_factory.mktemp("saturated")
    write_fold(root, USERS, ITEMS + 1, _parts())
    return Fold(root, 0)


def test_who_has_everything_is_left_out_of_negative_sampling(fold: Fold) -> None:
    """The user with every item in training goes, with all rows; the one who has the rest in validation stays."""
    remaining = samplable(fold)
    assert remaining.users.tolist() == [FULL]
    assert remaining.items.tolist() == []
    assert set(remaining.train.user.tolist()) == set(range(1, USERS))
    assert len(remaining.train) == len(fold.train) - ITEMS
    assert len(remaining.validation) == len(fold.validation)


def test_an_item_that_everybody_has_is_left_out_where_users_are_drawn(fold: Fold) -> None:
    """With users drawn against items, the item goes; then nobody has less than everything for its sake."""
    remaining = samplable(fold, against_items=True)
    assert remaining.users.tolist() == [FULL]
    assert remaining.items.tolist() == [SHARED]
    assert SHARED not in remaining.train.item


def test_leaving_out_goes_on_until_everybody_can_be_drawn_for(tmp_path: Path) -> None:
    """Without the first user an item is gone, and the second has all that are left."""
    parts = {"train": [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)], "validation": [(1, 2)], "test": [(2, 1)]}
    write_fold(tmp_path, 3, 3, parts)
    assert samplable(Fold(tmp_path, 0)).users.tolist() == [0]
    (tmp_path / "second").mkdir()
    write_fold(tmp_path / "second", 3, 3, parts | {"validation": []})
    assert samplable(Fold(tmp_path / "second", 0)).users.tolist() == [0, 1, 2]


def test_what_a_framework_does_not_get_cannot_be_drawn(tmp_path: Path) -> None:
    """An item of validation alone is a negative sample where validation is handed over, and nothing where it is not."""
    parts = {"train": [(0, 0), (0, 1), (1, 0), (2, 1)], "validation": [(1, 2)], "test": [(1, 1), (2, 0)]}
    write_fold(tmp_path, 3, 3, parts)
    fold = Fold(tmp_path, 0)
    assert samplable(fold).users.tolist() == []
    remaining = samplable(fold, with_validation=False)
    assert remaining.users.tolist() == [0]
    assert remaining.train.user.tolist() == [1, 2]


@pytest.mark.slow
@pytest.mark.guests
def test_popularity_ends_where_no_negative_can_be_drawn(
    tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """RecBole.Pop gets no validation part: RecBole would look for an item of training that the user lacks for ever."""
    parts = {"train": [(0, 0), (0, 1), (1, 0), (2, 1)], "validation": [(1, 2)], "test": [(1, 1), (2, 0)]}
    data = tmp_path / "data"
    data.mkdir()
    write_fold(data, 3, 3, parts)
    words = (GUEST, "recbole", data, 0, 42, 5, "Pop", "{}", tmp_path / "Pop.npy")
    run(environment_python("RecBole"), "adapter_run.py", *words, cwd=tmp_path)
    assert np.load(tmp_path / "Pop.npy")["item"][:, :2].tolist() == [[1, NO_ITEM], [0, NO_ITEM]]


@pytest.mark.slow
@pytest.mark.guests
def test_more_clusters_than_there_is_to_group_are_refused(
    fold: Fold, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """RecBole.NCL says how many it can make, before it trains; one less is made."""
    most = ITEMS + 1  # that are known in training, and what pads; there are more users
    for count in (most, most + 1):
        words = (GUEST, "recbole", fold.directory, 0, 42, 5, "NCL", json.dumps({"epochs": 1, "num_clusters": count}))
        refused = pytest.raises(AssertionError, match=rf"num_clusters={count} .* Set num_clusters to {most} or less")
        with refused if count > most else contextlib.nullcontext():
            run(environment_python("RecBole"), "adapter_run.py", *words, tmp_path / "NCL.npy", cwd=tmp_path)


def test_nobody_is_left_out_of_ordinary_data(tmp_path: Path) -> None:
    """The very parts of the fold come back."""
    write_fold(tmp_path, 2, 3, {"train": [(0, 0), (1, 1)], "validation": [(0, 1)], "test": [(0, 2)]})
    fold = Fold(tmp_path, 0)
    remaining = samplable(fold, against_items=True)
    assert remaining.train is fold.train
    assert remaining.validation is fold.validation


FEW = {"LensKit": ["FlexMFImplicitScorer"], "RecPack": ["BPRMF"], "RecBole": ["Pop", "EASE", "BPR", "LINE", "MultiVAE"]}
NEEDED: dict[str, dict[str, Any]] = {
    "LensKit.TimeBoundedPopScore": {"cutoff": "1970-01-01"},
    "RecPack.ItemPNN": {"K": 5, "pdf": "uniform"},
    "RecBole.RaCT": {
        "pretrain_epochs": 2,
        "metrics_k": 3,
        "critic_pretrain": {"pretrain_epochs": 2, "learning_rate": 0.0001},
    },
    "RecBole.NCL": {"num_clusters": 3},
}
"""What learns from so few items by other hyperparameters than its defaults."""

UNFILLED = ("Prod2Vec", "NMF", "SLIM", "ItemPNN", "SequentialRules", "STAN", "TARSItemKNN")
"""How the names of those begin that may have no score for some of so few items."""

DRAWING = {"Cornac": ("IBPR", "GMF", "MLP", "NeuMF")}
"""What draws negative items until one is none of the user's, beside what RecBole says of its own."""

FEW["Cornac"] = ["MostPop", "BPR", "EASE", "ItemKNN", "IBPR"]
FEW["RecTools"] = ["SASRecModel", "EASEModel", "ImplicitALSWrapperModel", "LightFMWrapperModel", "PopularModel"]
FEW["Implicit"] = ["AlternatingLeastSquares", "BayesianPersonalizedRanking", "CosineRecommender"]


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("which", ["few", pytest.param("all", marks=pytest.mark.catalogue)])
@pytest.mark.parametrize("framework", ["LensKit", "RecPack", "RecBole", "Implicit", "Cornac", "RecTools"])
def test_every_algorithm_runs_and_the_sated_get_empty_lists(
    framework: str, which: str, fold: Fold, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """Who has everything gets an empty list, the others full ones; only what draws negative samples notes it."""
    offered = get_runner(framework).catalogue["algorithms"]
    ranking = [
        name
        for name in offered
        if offered[name]["ranking"]
        and not (
            offered[name].get("item_feature") or offered[name].get("needs_features")
        )  # nothing is known of these items
        and (which == "all" or name in FEW[framework])
    ]
    words: list[object] = []
    for name in ranking:
        parameters = {
            parameter: value
            for parameter, value in SHORT.items()
            if parameter in offered[name]["parameters"] and parameter not in offered[name].get("aliases", {})
        }
        parameters.update(NEEDED.get(f"{framework}.{name}", {}))
        words += [name, json.dumps(parameters), tmp_path / f"{name}.npy"]
    run(
        environment_python(framework),
        "adapter_run.py",
        *(GUEST, framework.lower(), fold.directory, 0, 42, 5, *words),
        cwd=tmp_path,
    )
    for name in ranking:
        rows = np.load(tmp_path / f"{name}.npy")
        assert rows["user"].tolist() == list(range(USERS)), name
        assert (rows["item"][:2] == NO_ITEM).all(), name
        if not name.startswith(UNFILLED):
            assert (rows["item"][2:] != NO_ITEM).all(), name
        noted = json.loads((tmp_path / f"{name}.npy.notes").read_text(encoding="utf-8"))
        # For a position of a sequence RecBole draws any item but the one that comes next, so somebody who has all is no trouble.
        draws = name in DRAWING.get(framework, ()) or (
            offered[name]["parameters"].get("train_neg_sample_args") is not None and not offered[name].get("sequential")
        )
        assert [note["users"] for note in noted if note["users"]] == ([[FULL]] if draws else []), name
        assert [note["items"] for note in noted if note["items"]] == ([[SHARED]] if name == "LINE" else []), name

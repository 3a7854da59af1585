"""What each algorithm does with validation data: the catalogues' word, and what the real frameworks do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.guest_scripts import GUEST, run

from omnibench.runners.info import NO_USE, use_of_validation
from omnibench.runners.registry import get_runner

pytestmark = pytest.mark.guests

KINDS, ITEMS_OF_KIND, USERS, ITEMS = 4, 15, 81, 61
"""Users and items are of kinds; the last user and the last item occur in a validation part alone."""

TESTED = 40
"""Users who are tested. Others are validated, so that no list is masked by a validation part."""

PARAMETERS: dict[str, dict[str, Any]] = {
    "LensKit.TimeBoundedPopScore": {"cutoff": "1970-01-01"},
    "LensKit.NMFScorer": {"embedding_size": 5},
    "RecPack.SVD": {"num_components": 10},
    "RecPack.SVDItemToItem": {"num_components": 10},
    "RecPack.BPRMF": {"max_epochs": 20, "learning_rate": 0.1},
    "RecPack.RecVAE": {"max_epochs": 6},
    "RecPack.MultVAE": {"max_epochs": 6},
    "RecPack.ItemPNN": {"K": 10, "pdf": "uniform"},
    "RecPack.WeightedMatrixFactorization": {"num_components": 10, "iterations": 3},
    "RecPack.GRU4RecCrossEntropy": {"max_epochs": 12, "batch_size": 16},
    "RecPack.GRU4RecNegSampling": {"max_epochs": 12, "batch_size": 16},
    "RecBole.RaCT": {
        "pretrain_epochs": 2,
        "metrics_k": 5,
        "critic_pretrain": {"pretrain_epochs": 2, "learning_rate": 0.0001},
    },
    "RecBole.NCL": {"num_clusters": 5, "warm_up_step": 1},
    "RecBole.DGCF": {"train_batch_size": 128},  # with one batch it samples as many items as there are users
}
"""What makes algorithms fit small data, and quickly."""

SAMPLE = {
    "LensKit": ("EASEScorer", "ItemKNNScorer"),
    "RecPack": ("EASE", "ItemKNN", "Prod2Vec", "BPRMF"),
    "RecBole": ("EASE", "SLIMElastic", "NCEPLRec", "BPR"),
}
"""The algorithms that the everyday suite looks at."""


def write(root: Path, validated: str, *, rated: bool) -> Path:
    """Write a dataset whose training and test parts are always the same.

    Args:
        root: An empty directory.
        validated: ``alike`` where the validated users' items are of their own kind, as in training, and ``unlike``
            where they are of another kind, and of a user and an item that are unknown in training.
        rated: Whether there are ratings.
    """
    rng = np.random.default_rng(11)
    part = np.full((USERS, ITEMS), -1)
    for user in range(USERS - 1):
        own, other, far = ((user + step) % KINDS * ITEMS_OF_KIND + rng.permutation(ITEMS_OF_KIND) for step in range(3))
        part[user, own[:8]] = part[user, other[0]] = 0
        if user < TESTED:
            part[user, own[8:10]] = 2
        else:
            part[user, own[8:11] if validated == "alike" else far[:3]] = 1
    if validated == "unlike":
        part[60, ITEMS - 1] = part[USERS - 1, 3] = part[USERS - 1, ITEMS - 1] = 1
    users, items = np.nonzero(part >= 0)
    columns: dict[str, Any] = {
        "user": users.astype(np.int32),
        "item": items.astype(np.int32),
        "timestamp": users * ITEMS + items + 1,  # the same whatever lies in validation
    }
    if rated:
        columns["rating"] = rng.integers(1, 6, size=(USERS, ITEMS))[users, items].astype(np.float32)
    (root / "fold_0").mkdir(parents=True)
    for name, column in columns.items():
        np.save(root / f"{name}.npy", column)
    for number, name in enumerate(("train", "validation", "test")):
        np.save(root / "fold_0" / f"{name}.npy", np.flatnonzero(part[users, items] == number))
    feedback = "explicit" if rated else "implicit"
    manifest = {"users": USERS, "items": ITEMS, "feedback": feedback, "columns": list(columns)}
    (root / "manifest.json").write_text(json.dumps(manifest))
    return root


def parameters_of(framework: str, algorithm: str, described: dict[str, Any]) -> dict[str, Any]:
    """Return hyperparameters with which an algorithm fits small data."""
    chosen = PARAMETERS.get(f"{framework}.{algorithm}", {})
    if framework == "RecBole" and use_of_validation(described) != NO_USE:
        return {"epochs": 15, "stopping_step": 3, **chosen}
    if not chosen and "max_epochs" in described["parameters"]:
        return {"max_epochs": 5}
    return {"epochs": 5} if not chosen and "epochs" in described["parameters"] else chosen


def answers(
    framework: str, algorithms: tuple[str, ...], directory: Path, python: Path
) -> dict[str, tuple[np.ndarray[Any, Any], ...]]:
    """Return what each algorithm answers with the one validation part, and with the other."""
    catalogue = get_runner(framework).catalogue["algorithms"]
    found: dict[str, list[np.ndarray[Any, Any]]] = {name: [] for name in algorithms}
    for rated in (False, True):
        names = [name for name in algorithms if catalogue[name]["ranking"] is not rated]
        for validated in ("alike", "unlike") if names else ():
            dataset = write(directory / f"{validated}-{rated}", validated, rated=rated)
            outputs = {name: directory / f"{name}-{validated}.npy" for name in names}
            experiments = [
                text
                for name in names
                for text in (name, json.dumps(parameters_of(framework, name, catalogue[name])), outputs[name])
            ]
            request = (GUEST, framework.lower(), dataset, 0, 42, 10, *experiments)
            run(python, "adapter_run.py", *request, cwd=directory)
            for name, output in outputs.items():
                rows = np.load(output)
                found[name].append(rows["rating"] if rated else rows["item"])
    return {name: tuple(arrays) for name, arrays in found.items()}


def check(framework: str, algorithms: tuple[str, ...], directory: Path, python: Path) -> None:
    """Compare the catalogue's word with what the lists (or ratings) do when the validation part is another one."""
    catalogue = get_runner(framework).catalogue["algorithms"]
    changed = {
        name: not np.array_equal(first, second)
        for name, (first, second) in answers(framework, algorithms, directory, python).items()
    }
    assert changed == {name: use_of_validation(catalogue[name]) != NO_USE for name in algorithms}


@pytest.mark.slow
@pytest.mark.parametrize("framework", SAMPLE)
def test_lists_depend_on_validation_only_where_the_catalogue_says_so(
    framework: str, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """A sample: with another validation part, what does nothing with it gives equal lists, and what uses it others."""
    check(framework, SAMPLE[framework], tmp_path, environment_python(framework))


@pytest.mark.catalogue
@pytest.mark.parametrize("framework", SAMPLE)
def test_so_it_is_with_every_algorithm(
    framework: str, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """All of the catalogue, rankers by their lists and the others by their ratings."""
    offered = get_runner(framework).catalogue["algorithms"]
    algorithms = tuple(
        name for name in offered if not (offered[name].get("needs_features") or offered[name].get("item_feature"))
    )
    check(framework, algorithms, tmp_path, environment_python(framework))

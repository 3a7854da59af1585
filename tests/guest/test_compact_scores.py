"""Sparse and shared scores: to the last bit the lists of the dense scores that they stand for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.cases import ranking_case
from support.guest_scripts import GUEST, run
from support.written_folds import write_fold

from omnibench.guest.candidates import candidate_sets
from omnibench.guest.folds import Fold
from omnibench.guest.ranking import recommend
from omnibench.guest.score_forms import SharedScores, SparseScores
from omnibench.guest.top_items import ranking_type

TYPES = ["<f4", "<f8", "<f2", "<i8"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset with unknown items, and users with few candidates."""
    return ranking_case(tmp_path_factory.mktemp("forms"), full=False).fold.directory


@pytest.fixture(params=["unseen", "repeats", "unknown", "sampled"])
def fold_and_sets(request: Any, directory: Path) -> tuple[Fold, Any]:
    """The fold with each rule of what may be recommended."""
    fold = Fold(directory, 0, repeats=request.param == "repeats", unknown=request.param == "unknown")
    policy = {"policy": "sampled", "negatives": 9, "seed": 1} if request.param == "sampled" else {"policy": "unseen"}
    sets = candidate_sets(fold, policy)
    return fold, sets


def numbers(shape: tuple[int, ...], dtype: str, seed: int) -> npt.NDArray[Any]:
    """Numbers with ties, infinities, and zeros of both signs."""
    drawn = np.round(np.random.default_rng(seed).standard_normal(shape) * 3)
    if np.dtype(dtype).kind == "f":
        drawn = np.where(drawn == 3, np.inf, np.where(drawn == -3, -np.inf, drawn / 7))
    return drawn.astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("density", [0.0, 0.02, 0.4, 1.0])
def test_sparse_scores_rank_as_dense_ones(fold_and_sets: tuple[Fold, Any], dtype: str, density: float) -> None:
    """What has no entry has no score; an entry of zero is one. Also where batches are small, and dense ones between."""
    fold, candidates_of = fold_and_sets
    scores = numbers((len(fold.users), fold.n_items), dtype, 5)
    has_entry = np.random.default_rng(6).random(scores.shape) < density
    precision = ranking_type(scores.dtype)
    dense = np.where(has_entry, scores.astype(precision), np.nan).astype(precision)

    def sparse(begin: int, end: int) -> SparseScores:
        row, item = np.nonzero(has_entry[begin:end])
        starts = np.searchsorted(row, np.arange(end - begin + 1))
        return SparseScores(starts, item.astype(np.int32), scores[begin:end][row, item])

    for k in (1, 10, 500):
        expected = recommend(fold, [(fold.users, dense)], k, candidates_of)
        cut, n_users = 7, len(fold.users)
        batches: Any = [(fold.users[:cut], sparse(0, cut)), (fold.users[cut:], sparse(cut, n_users))]
        mixed: Any = [(fold.users[:cut], dense[:cut]), batches[1]]
        for given in (batches, mixed):
            rows = recommend(fold, given, k, candidates_of)
            assert rows.dtype == expected.dtype
            assert rows.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", TYPES)
def test_shared_scores_rank_as_dense_ones(fold_and_sets: tuple[Fold, Any], dtype: str) -> None:
    """A row that stands for many users; items without a score are in nobody's list, and who has no scores has none."""
    fold, candidates_of = fold_and_sets
    for n_scored in (0, 3, fold.n_items):
        scores = numbers((fold.n_items,), dtype, 8)
        if np.dtype(dtype).kind == "f":
            scores[np.random.default_rng(9).permutation(fold.n_items)[n_scored:]] = np.nan
        dense = np.tile(scores.astype(np.float64), (len(fold.users), 1))
        is_scored = np.arange(len(fold.users)) % 5 != n_scored
        dense[~is_scored] = np.nan
        for k in (1, 10, 500):
            expected = recommend(fold, [(fold.users, dense)], k, candidates_of)
            rows = recommend(fold, [(fold.users, SharedScores.of(scores, is_scored))], k, candidates_of)
            assert rows.dtype == expected.dtype
            assert rows.tobytes() == expected.tobytes()


def test_scores_for_other_users_or_items_are_refused(directory: Path) -> None:
    """Of whatever form; numpy would take one column for all items."""
    fold = Fold(directory, 0)
    row = np.zeros(fold.n_items)
    for scores in (
        np.zeros((len(fold.users), 1)),
        np.zeros((3, fold.n_items)),
        SharedScores.of(row, np.ones(3, dtype=bool)),
    ):
        with pytest.raises(ValueError, match=rf"scores have the shape .*; yield scores of {len(fold.users)} users x"):
            recommend(fold, [(fold.users, scores)], 5)


COMPACT: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "LensKit": [
        ("PopScorer", {}, "equal"),
        ("PopScorer", {"score": "rank"}, "equal"),
        ("ItemKNNScorer", {"max_nbrs": 3}, "equal"),
        ("ItemKNNScorer", {"max_nbrs": 2, "save_nbrs": 30, "min_nbrs": 2}, "equal"),
        ("ItemKNNScorer", {"max_nbrs": 20, "save_nbrs": 10, "min_nbrs": 2}, "equal"),
        ("SLIMScorer", {}, "equal"),
        # The last of ItemKNN: from here on, bounds decide as in large data.
        ("ItemKNNScorer", {"max_nbrs": 1, "bounded": True}, "equal"),
        ("ItemKNNScorer", {"max_nbrs": 2, "save_nbrs": 30, "bounded": True}, "equal"),
        ("ItemKNNScorer", {"max_nbrs": 3, "bounded": True}, "equal"),
        ("EASEScorer", {}, "close"),
        ("ImplicitMFScorer", {"embedding_size": 12, "epochs": 2}, "close"),
        ("ImplicitMFScorer", {"embedding_size": 12, "epochs": 2, "user_embeddings": "prefer"}, "close"),
        ("ImplicitMFScorer", {"embedding_size": 12, "epochs": 2, "user_embeddings": False}, "close"),
        ("FlexMFImplicitScorer", {"embedding_size": 12, "epochs": 2}, "close"),
        ("FlexMFImplicitScorer", {"embedding_size": 12, "epochs": 2, "convolution_layers": 2}, "close"),
        ("FlexMFImplicitScorer", {"embedding_size": 12, "epochs": 2, "item_bias": False}, "close"),
    ],
    "RecPack": [
        ("Popularity", {}, "equal"),
        ("Popularity", {"K": 30}, "equal"),
        ("ItemKNN", {"K": 5}, "equal"),
        ("KUNN", {"Ku": 3, "Ki": 3}, "equal"),
        ("EASE", {"l2": 20.0}, "equal"),
        ("EASE", {"l2": 20.0, "density": 0.05}, "equal"),
        ("SVD", {"num_components": 9}, "close"),
        ("NMF", {"num_components": 9}, "close"),
        ("BPRMF", {"num_components": 9, "max_epochs": 2}, "close"),
    ],
    "RecBole": [
        ("Pop", {}, "equal"),
        ("ItemKNN", {"k": 5}, "equal"),
        ("ItemKNN", {"k": 5, "knn_method": "user"}, "equal"),
        ("SLIMElastic", {"alpha": 0.5, "l1_ratio": 0.3}, "equal"),
        ("EASE", {}, "equal"),
        ("NCEPLRec", {}, "close"),
        ("NCL", {"epochs": 1, "num_clusters": 10, "warm_up_step": 0}, "close"),
        ("SimpleX", {"epochs": 1, "aggregator": "self_attention"}, "close"),
        ("CDAE", {"epochs": 1, "out_activation": "relu", "loss_type": "MSE"}, "close"),
        ("MultiVAE", {"epochs": 1, "mlp_hidden_size": []}, "close"),
        ("RaCT", {"epochs": 1, "pretrain_epochs": 1, "critic_pretrain": {"pretrain_epochs": 1}}, "close"),
        ("LDiffRec", {"epochs": 1, "out_dims": [20], "in_dims": [30, 20]}, "close"),
        ("LDiffRec", {"epochs": 1, "noise_scale": 0.0}, "close"),
        *(
            (name, {"epochs": 1}, "close")
            for name in (
                "SimpleX",
                "ENMF",
                "FISM",
                "DMF",
                "BPR",
                "LINE",
                "LightGCN",
                "NGCF",
                "SGL",
                "SpectralCF",
                "DGCF",
                "CDAE",
                "LDiffRec",
                "MultiDAE",
                "MultiVAE",
                "RecVAE",
            )
        ),
    ],
}
"""Algorithms that make no dense scores, or none for each user, and how their lists compare with those by dense ones."""


RATED = [
    ("ItemKNNScorer", {"max_nbrs": 3, "feedback": "explicit"}, "equal"),
    ("ItemKNNScorer", {"max_nbrs": 2, "save_nbrs": 30, "min_nbrs": 2, "feedback": "explicit"}, "equal"),
    ("ItemKNNScorer", {"max_nbrs": 20, "save_nbrs": 10, "min_nbrs": 2, "feedback": "explicit"}, "equal"),
    ("ItemKNNScorer", {"max_nbrs": 2, "min_nbrs": 3, "feedback": "explicit"}, "equal"),
]
"""The same of algorithms of LensKit that learn from ratings."""


def write_skewed_fold(directory: Path, *, is_rated: bool) -> None:
    """Write users with many and few items, one with nearly all of them, and items that are in validation or test alone."""
    rng, n_users, n_items = np.random.default_rng(3), 90, 120
    weights = 1 / np.arange(1, n_items + 1)
    parts: dict[str, list[tuple[int, int]]] = {
        "train": [(0, item) for item in range(n_items)],
        "validation": [],
        "test": [],
    }
    for user in range(1, n_users):
        items = rng.choice(n_items, int(rng.integers(5, 15)), replace=False, p=weights / weights.sum()).tolist()
        for name, some in (("train", items[4:]), ("validation", items[:2]), ("test", items[2:4])):
            parts[name] += [(user, item) for item in some]
    parts["validation"].append((1, n_items))
    parts["test"] += [(0, n_items + 1), (2, n_items + 1)]
    directory.mkdir()
    write_fold(directory, n_users, n_items + 2, parts, is_rated=is_rated)


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize(("framework", "algorithms"), [*COMPACT.items(), ("LensKit", RATED)])
def test_a_framework_ranks_as_by_its_dense_scores(
    framework: str,
    algorithms: list[tuple[str, dict[str, Any], str]],
    tmp_path: Path,
    environment_python: Callable[[str], Path],
) -> None:
    """Whatever an adapter makes of a model's factors, matrices and similarities, lists are those of the framework's scores."""
    data = tmp_path / "data"
    write_skewed_fold(data, is_rated=algorithms is RATED)
    words = [word for name, parameters, same in algorithms for word in (name, json.dumps(parameters), same)]
    run(environment_python(framework), "dense_scores.py", GUEST, framework.lower(), data, *words, cwd=tmp_path)

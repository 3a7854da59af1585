"""implicit: factorizations and item-item models on the matrix of the training part; they rank, none predicts ratings.

Every pair has the confidence 1, also one that is repeated or has a rating; ``alpha`` weighs them all.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import implicit.als
import implicit.bpr
import implicit.cpu.als
import implicit.cpu.bpr
import implicit.cpu.lmf
import implicit.lmf
import implicit.nearest_neighbours
import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender
from threadpoolctl import threadpool_limits

from . import folds, parts, ranking
from .base import Task
from .factors import FactorScores, ItemFactors
from .implicit_training import fit_by_iterations
from .kept import kept
from .matrices import binary_histories, binary_matrix
from .products import scores_of_neighbours

BATCH = 4096
"""Users whose histories are held in memory together."""

FACTORIZATIONS: dict[str, tuple[Any, type]] = {
    "AlternatingLeastSquares": (implicit.als.AlternatingLeastSquares, implicit.cpu.als.AlternatingLeastSquares),
    "BayesianPersonalizedRanking": (
        implicit.bpr.BayesianPersonalizedRanking,
        implicit.cpu.bpr.BayesianPersonalizedRanking,
    ),
    "LogisticMatrixFactorization": (
        implicit.lmf.LogisticMatrixFactorization,
        implicit.cpu.lmf.LogisticMatrixFactorization,
    ),
}
"""What makes each factorization, and the class of what it makes on the CPU."""

NEIGHBOURS: dict[str, type[ItemItemRecommender]] = {
    name: getattr(implicit.nearest_neighbours, name)
    for name in ("ItemItemRecommender", "CosineRecommender", "TFIDFRecommender", "BM25Recommender")
}

OF_THE_TASK = ("random_state", "num_threads", "use_gpu")
"""Parameters of constructors that are no hyperparameters: they follow from seed, threads and device."""

NOT_RESUMABLE = dict.fromkeys(
    ("BayesianPersonalizedRanking", "LogisticMatrixFactorization"),
    "what it draws from is inside of implicit's compiled code, and cannot be stored",
)
"""Algorithms that train in epochs and cannot go on from a snapshot, with the reason."""

_APPROXIMATE = (
    "it is AlternatingLeastSquares with lists that are searched for approximately, by {package}, which implicit does not "
    "install; Implicit.AlternatingLeastSquares ranks all items"
)
_INDEX = "it is an index over another model for searching it approximately, not a model"
REFUSED = {
    **dict.fromkeys(("AnnoyModel", "NMSLibModel", "FaissModel"), _INDEX),
    "AnnoyAlternatingLeastSquares": _APPROXIMATE.format(package="annoy"),
    "NMSLibAlternatingLeastSquares": _APPROXIMATE.format(package="nmslib"),
    "FaissAlternatingLeastSquares": _APPROXIMATE.format(package="faiss on a GPU"),
}
"""Algorithms of implicit that do not run here, with the reason."""


def version() -> str:
    """Return implicit's version."""
    return metadata.version("implicit")


def catalogue() -> dict[str, dict[str, Any]]:
    """Describe every algorithm by the signature of its constructor."""
    return {
        name: {
            "parameters": _defaults(name),
            "ratings": False,
            "ranking": True,
            "validation": "nothing",
            "refit": True,
            "gpu": False,
            "history": name in NEIGHBOURS or name == "AlternatingLeastSquares",
            **({"epochs": "iterations"} if name in FACTORIZATIONS else {}),
            **({"not_resumable": NOT_RESUMABLE[name]} if name in NOT_RESUMABLE else {}),
        }
        for name in (*FACTORIZATIONS, *NEIGHBOURS)
    }


def refused() -> dict[str, str]:
    """Return the algorithms that do not run, each with the reason."""
    return REFUSED


def _defaults(name: str) -> dict[str, Any]:
    """Return the hyperparameters of an algorithm with their defaults, as plain values."""
    make = FACTORIZATIONS[name][0] if name in FACTORIZATIONS else NEIGHBOURS[name]
    return {
        parameter.name: np.dtype(parameter.default).name if parameter.name == "dtype" else parameter.default
        for parameter in inspect.signature(make).parameters.values()
        if parameter.name not in OF_THE_TASK
    }


def fit(task: Task, fold: folds.Fold) -> tuple[Any, dict[str, Any]]:
    """Fit an algorithm on the training part.

    What BPR's threads write at the same time differs from run to run, so it has one, whatever the task says.
    """
    if fold.explicit:
        raise ValueError("implicit learns from implicit data and predicts no ratings. Add MakeImplicit to the dataset.")
    parameters = {**_defaults(task.algorithm), **task.parameters}
    matrix = kept(fold, "binary matrix", lambda: binary_matrix(fold, fold.train))
    if task.algorithm in NEIGHBOURS:
        task.snapshots.nothing(f"{task.algorithm} is computed in one call, without points in between")
        model = NEIGHBOURS[task.algorithm](**parameters, num_threads=task.threads)
        model.fit(matrix, show_progress=False)
        return model, parameters
    own = {"random_state": task.seed % 2**32, "num_threads": _threads(task), "use_gpu": False}
    with threadpool_limits(1, "blas"):  # as implicit asks for: its own threads call BLAS, each by itself
        model = FACTORIZATIONS[task.algorithm][0](**parameters, **own)
        fit_by_iterations(model, matrix, task, NOT_RESUMABLE.get(task.algorithm, ""))
    return model, parameters


def _threads(task: Task) -> int:
    return 1 if task.algorithm == "BayesianPersonalizedRanking" else task.threads


def save(model: Any, directory: Path) -> Path:
    """Store the model implicit's own way, as ``model.npz``."""
    path = directory / "model.npz"
    model.save(str(path))
    return path


def load(path: Path, task: Task, fold: folds.Fold) -> Any:
    """Read a model that implicit has stored."""
    model_class = NEIGHBOURS.get(task.algorithm) or FACTORIZATIONS[task.algorithm][1]
    model = model_class.load(str(path))
    model.num_threads = _threads(task)
    return model


def score(
    model: Any, task: Task, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
    """Yield what implicit's ``recommend`` ranks by: products of factors, or of histories and similarities."""
    if isinstance(model, ItemItemRecommender):
        yield from scores_of_neighbours(model.similarity, fold, BATCH)
        return
    items = ItemFactors.of(model.item_factors, np.arange(fold.n_items), fold)
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        yield users, FactorScores(_factors(model, fold, users), items, np.ones(len(users), dtype=bool))


def _factors(model: Any, fold: folds.Fold, users: parts.Ints) -> Any:
    """Return the factors of users: those of training, or where users are folded in, those that follow from their histories."""
    if not fold.folds_in:
        return model.user_factors[users]
    model._YtY = None  # that of an earlier epoch, where the model is still being trained
    with threadpool_limits(1, "blas"):
        return model.recalculate_user(users, binary_histories(fold, users))


def rate(model: Any, task: Task, fold: folds.Fold) -> parts.Floats:
    """Raise ValueError: implicit predicts no ratings."""
    raise ValueError(f"{task.algorithm} ranks items but predicts no ratings. Add MakeImplicit to the dataset.")

"""RecPack: algorithms on the sparse matrix of the training part; they rank, none predicts ratings."""

from __future__ import annotations

import os

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # RecPack reloads its best epoch as a whole object
os.environ.setdefault("TQDM_DISABLE", "1")  # bars are no use in a log

import inspect
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import recpack.algorithms
import torch
from recpack.algorithms import ItemPNN, WeightedMatrixFactorization
from recpack.algorithms.base import FactorizationAlgorithm, ItemSimilarityMatrixAlgorithm, TorchMLAlgorithm
from recpack.matrix import InteractionMatrix
from scipy.sparse import csr_matrix, issparse

from . import folds, parts, ranking, recpack_alternations, recpack_sequences, score_forms, top_items
from .base import Task
from .dense_products import FULL, DenseProducts, ItemWeights
from .factors import FactorScores, ItemFactors
from .matrices import binary_histories, binary_matrix
from .products import ProductScores, scores_of_neighbours
from .recpack_iterations import fit_by_steps
from .recpack_neighbours import fit_by_draws
from .recpack_sequences import SEQUENTIAL
from .recpack_training import Epochs

BATCH = 1000
"""Users whose scores are held in memory together, a multiple of most algorithms' own batch size."""

ALGORITHMS = (
    "Popularity",
    "Random",
    "ItemKNN",
    "EASE",
    "SVD",
    "NMF",
    "SVDItemToItem",
    "NMFItemToItem",
    "SLIM",
    "KUNN",
    "MultVAE",
    "RecVAE",
    "BPRMF",
    "Prod2Vec",
    "ItemPNN",
    "WeightedMatrixFactorization",
    *SEQUENTIAL,
)

RANKED_IN_FLOAT64 = ("Random", "EASE", "SVDItemToItem", "NMFItemToItem", "KUNN")
"""Algorithms whose lists of MovieLens-100K had other items or another order while their scores were ranked as float32."""
BEST_EPOCH = ("MultVAE", "RecVAE", "BPRMF", "GRU4RecCrossEntropy", "GRU4RecNegSampling")
"""Algorithms that keep the epoch which is best on validation. Prod2Vec keeps its network, too, but RecPack 0.3.6 predicts
from the similarities of the last epoch; so validation changes nothing unless ``stop_early`` is set."""

ON_TORCH = (TorchMLAlgorithm, WeightedMatrixFactorization)
"""The classes of algorithms that may compute on a GPU."""

FACTORS_OF_USERS = ("SVD", "NMF", "BPRMF")
"""Algorithms with factors only for the users in training; the others predict from any history."""


REFUSED = {
    "GRU4Rec": "it is what RecPack.GRU4RecCrossEntropy and RecPack.GRU4RecNegSampling, which do run, have in common",
    "EASE_XY": "it learns to predict a second matrix of interactions, and a fold has one; RecPack.EASE does run",
    "DAMIBCover": "it splits the lists of another model among people who share an account, and that model is an object, not a "
    "hyperparameter",
}
"""What RecPack has beside these, with the reason why it does not run here."""


def version() -> str:
    """Return RecPack's version."""
    return metadata.version("recpack")


def catalogue() -> dict[str, dict[str, Any]]:
    """Describe every algorithm by the signature of its constructor."""
    return {
        name: {
            "parameters": _defaults(getattr(recpack.algorithms, name)),
            "ratings": False,
            "ranking": True,
            "validation": "best epoch" if name in BEST_EPOCH else "nothing",
            "refit": name not in BEST_EPOCH,
            "gpu": issubclass(getattr(recpack.algorithms, name), ON_TORCH),
            "history": name not in FACTORS_OF_USERS,
            **({"sequential": True} if name in SEQUENTIAL else {}),
            **({"epochs": _epochs_parameter(name)} if _epochs_parameter(name) else {}),
            **({"revision": 1} if name in RANKED_IN_FLOAT64 else {}),
        }
        for name in ALGORITHMS
    }


def refused() -> dict[str, str]:
    """Return why each of RecPack's other algorithms does not run here."""
    return REFUSED


def _epochs_parameter(name: str) -> str:
    """Return the hyperparameter that is the number of an algorithm's epochs; empty where it has none."""
    if name == "WeightedMatrixFactorization":
        return "iterations"
    return "max_epochs" if issubclass(getattr(recpack.algorithms, name), TorchMLAlgorithm) else ""


def _defaults(algorithm: type) -> dict[str, Any]:
    """Return the constructor's parameters with their defaults."""
    return {parameter.name: parameter.default for parameter in inspect.signature(algorithm).parameters.values()}


def fit(task: Task, fold: folds.Fold) -> tuple[Any, dict[str, Any]]:
    """Fit an algorithm on the training part.

    The algorithms trained with torch judge each epoch on the validation part and keep the best. Where the
    validation part is empty they train for ``max_epochs`` and keep the last epoch (RecPack's ``keep_last``).
    """
    if fold.explicit:
        raise ValueError("RecPack learns from implicit data and predicts no ratings. Add MakeImplicit to the dataset.")
    torch.set_num_threads(task.threads)
    _seed(task.seed)
    algorithm_class = getattr(recpack.algorithms, task.algorithm)
    parameters = dict(task.parameters)
    if "seed" in _defaults(algorithm_class):
        parameters.setdefault("seed", task.seed % 2**32)
    if not issubclass(algorithm_class, TorchMLAlgorithm):
        algorithm = algorithm_class(**parameters)
        _fit_without_validation(algorithm, task, fold)
    else:
        if len(fold.validation) == 0:
            if fold.refit and parameters.get("stop_early"):  # by now it is settled how many epochs there are
                parameters["stop_early"] = False
            if parameters.get("stop_early"):
                raise ValueError(
                    f"{task.algorithm} cannot stop early: the split has no validation part. Give the split a "
                    f"validation_size, or leave out stop_early."
                )
            parameters["keep_last"] = True
        algorithm = algorithm_class(**parameters)
        algorithm.device = torch.device(task.device)  # RecPack would take any GPU that it sees
        _fit_by_epochs(algorithm, task, fold)
    return algorithm, {**_defaults(algorithm_class), **parameters}


def _fit_without_validation(algorithm: Any, task: Task, fold: folds.Fold) -> None:
    """Fit an algorithm that is not trained with torch's optimizers."""
    if task.algorithm in SEQUENTIAL:
        fit_by_steps(algorithm, recpack_sequences.interactions(task.algorithm, fold, fold.train), task)
        return
    matrix = binary_matrix(fold, fold.train)
    if isinstance(algorithm, ItemPNN):
        task.snapshots.nothing(f"{task.algorithm} is computed in one call, without points in between")
        fit_by_draws(algorithm, matrix, fold)
    elif isinstance(algorithm, WeightedMatrixFactorization):
        algorithm.device = torch.device(task.device)  # RecPack would take any GPU that it sees
        with recpack_alternations.Alternations(algorithm, task).hooked():
            algorithm.fit(matrix)
    else:
        fit_by_steps(algorithm, matrix, task)


def _seed(seed: int) -> None:
    """Seed the generators that RecPack draws from: numpy's global one (SLIM, the samplers) and torch's."""
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _with_order(fold: folds.Fold) -> InteractionMatrix:
    """Return the training part with its timestamps (the row number without any), for sequence algorithms."""
    train = fold.train
    timestamp = np.arange(len(train)) if train.timestamp is None else train.timestamp
    frame = pd.DataFrame({"item": train.item, "user": train.user, "timestamp": timestamp})
    return InteractionMatrix(frame, "item", "user", "timestamp", shape=(fold.n_users, fold.n_items))


def _learned_and_judged(algorithm: Any, task: Task, fold: folds.Fold) -> tuple[Any, tuple[Any, Any]]:
    """Return what a torch algorithm learns from, and the two parts that it is judged by: input, and what is to be found."""
    users = np.intersect1d(fold.validation.user, fold.history.user).astype(np.int32)
    if task.algorithm in SEQUENTIAL:
        learned = recpack_sequences.interactions(task.algorithm, fold, fold.train)
        read = recpack_sequences.interactions(task.algorithm, fold, fold.history, users, fold.candidates)
        return learned, (read, recpack_sequences.interactions(task.algorithm, fold, fold.validation, users))
    judged = binary_matrix(fold, fold.history, users), binary_matrix(fold, fold.validation, users)
    ordered = isinstance(algorithm, recpack.algorithms.Prod2Vec)
    return _with_order(fold) if ordered else binary_matrix(fold, fold.train), judged


def _fit_by_epochs(algorithm: Any, task: Task, fold: folds.Fold) -> None:
    """Fit a torch algorithm, and report each epoch."""
    epochs = Epochs(algorithm, task, has_validation=len(fold.validation) > 0)
    try:
        algorithm.fit(*_learned_and_judged(algorithm, task, fold))
    finally:
        epochs.release()
    task.keep(epochs.trained)


def save(model: Any, directory: Path) -> Path:
    """Store the algorithm object as ``model.pt``."""
    path = directory / "model.pt"
    torch.save(model, path)
    return path


def load(path: Path, task: Task, fold: folds.Fold) -> Any:
    """Read an algorithm object onto the task's device."""
    torch.set_num_threads(task.threads)
    model = torch.load(path, map_location=task.device, weights_only=False)
    if isinstance(model, ON_TORCH):
        model.device = torch.device(task.device)
    return model


def score(
    model: Any, task: Task, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
    """Yield RecPack's predictions from the users' histories; no score where a sparse prediction has no entry."""
    _seed(task.seed)
    if isinstance(model, recpack.algorithms.Random):
        model.rand_gen = np.random.default_rng(model.seed)  # else a second ranking would differ from the first
    if isinstance(model, recpack.algorithms.Popularity):  # its prediction is this row for all users
        popularity = np.where((model.sorted_scores_ != 0) & fold.candidates, model.sorted_scores_, np.nan)
        yield fold.users, score_forms.SharedScores.of(popularity, np.ones(len(fold.users), dtype=bool))
        return
    if task.algorithm in SEQUENTIAL:
        yield from recpack_sequences.scores(model, task.algorithm, fold)
        return
    if isinstance(model, WeightedMatrixFactorization):
        items = ItemFactors.of(model.item_factors_.cpu(), np.arange(fold.n_items), fold, zero_is_none=True)
        for start in range(0, len(fold.users), BATCH):
            users = fold.users[start : start + BATCH]
            user_factor = recpack_alternations.factors_of(model, binary_histories(fold, users))
            yield users, FactorScores(user_factor, items, np.ones(len(users), dtype=bool))
        return
    factors = _factors(model)
    if factors is not None:
        user_factor, item_factor = factors
        items = ItemFactors.of(item_factor, np.arange(fold.n_items), fold, zero_is_none=True)
        yield fold.users, FactorScores(user_factor[fold.users], items, np.ones(len(fold.users), dtype=bool))
        return
    if isinstance(model, ItemSimilarityMatrixAlgorithm) and issparse(model.similarity_matrix_):
        yield from _scores_of_similarities(model.similarity_matrix_, fold)
        return
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        predicted = _predicted(model, fold, users)
        predicted.eliminate_zeros()  # RecPack, too, takes a stored zero for no score
        if predicted.nnz < score_forms.SPARSE * np.prod(predicted.shape, dtype=np.float64):
            numbers = np.where(fold.candidates[predicted.indices], predicted.data, np.nan)
            starts, items = predicted.indptr.astype(np.int64), predicted.indices.astype(np.int32)
            yield users, score_forms.SparseScores(starts, items, numbers)
            continue
        scores = np.full(predicted.shape, np.nan, dtype=top_items.ranking_type(predicted.dtype))
        rows = np.repeat(np.arange(len(users)), np.diff(predicted.indptr))
        scores[rows, predicted.indices] = predicted.data
        scores[:, ~fold.candidates] = np.nan  # networks have a number for these, too, but nothing has trained it
        yield users, scores


def _scores_of_similarities(
    matrix: Any, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, ProductScores | DenseProducts]]:
    """Multiply histories with a sparse matrix of shape (n_items, n_items), which EASE fills nearly whole.

    Of EASE it is copied as a dense one, which is multiplied 3.5 times as fast: 8 bytes for each pair of items, beside 12 of the sparse
    one and 86 that a Fit needed. The sparse one stays, because the model is RecPack's and may be saved or asked again.
    """
    if matrix.nnz < FULL * np.prod(matrix.shape, dtype=np.float64):
        yield from scores_of_neighbours(matrix, fold, BATCH)
        return
    weights = ItemWeights.of(matrix.toarray(), np.arange(fold.n_items), fold, zero_is_none=True)
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        yield users, DenseProducts(binary_histories(fold, users), weights, np.ones(len(users), dtype=bool))


def _predicted(model: Any, fold: folds.Fold, users: parts.Ints) -> csr_matrix:
    """Return RecPack's prediction for some users, one row for each, no entry twice."""
    predicted = csr_matrix(model.predict(binary_matrix(fold, fold.history, users))[users])
    predicted.sum_duplicates()
    return predicted


def _factors(model: Any) -> tuple[Any, Any] | None:
    """Return the factors of users and items whose products a model's predictions are; None where they are not."""
    if isinstance(model, FactorizationAlgorithm):
        return model.user_embedding_, model.item_embedding_.T
    if isinstance(model, recpack.algorithms.BPRMF) and model.predict_topK is None and model.device.type == "cpu":
        network = model.model_
        return network.user_embedding_.weight.detach(), network.item_embedding_.weight.detach()
    return None


def rate(model: Any, task: Task, fold: folds.Fold) -> parts.Floats:
    """Raise ValueError: RecPack predicts no ratings."""
    raise ValueError(f"{task.algorithm} ranks items but predicts no ratings. Add MakeImplicit to the dataset.")

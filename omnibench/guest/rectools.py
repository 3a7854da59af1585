"""RecTools: its models on RecTools' own dataset of the training part; they rank, none predicts ratings.

All interactions weigh the same, also those with a rating.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rectools.dataset import Dataset
from threadpoolctl import threadpool_limits

from . import folds, parts, ranking, rectools_dssm, rectools_models, rectools_scores, rectools_transformers, states
from .base import Task
from .feature_types import CATEGORIES
from .implicit_training import fit_by_iterations
from .ranked_lists import RankedList
from .rectools_data import dataset_of
from .rectools_models import CATEGORY, DISTANCES, LISTS, NOT_RESUMABLE, POPULARITY, RUNNABLE, SEQUENCES
from .rectools_scores import KnownFeatures, Model
from .rectools_transformers import SequenceModel
from .selected_features import selected

# In a job of several tasks Lightning refuses the trainers that RecTools' models make of themselves.
os.environ.pop("SLURM_NTASKS", None)

_Model = Model | SequenceModel | rectools_dssm.Vectors


def version() -> str:
    """Return RecTools' version."""
    return metadata.version("rectools")


def catalogue() -> dict[str, dict[str, Any]]:
    """Describe every model that runs by RecTools' configuration of it."""
    return {
        name: {
            "parameters": rectools_models.defaults(name),
            "ratings": False,
            "ranking": True,
            "validation": "nothing",
            "refit": True,
            "gpu": runnable.ranks_by in (SEQUENCES, DISTANCES),
            "history": runnable.history,
            **({"sequential": True} if runnable.ranks_by == SEQUENCES else {}),
            **({"item_feature": CATEGORY, "feature_types": [*CATEGORIES]} if name == "PopularInCategoryModel" else {}),
            **({"features": dict(runnable.features)} if runnable.features else {}),
            **({"feature_types": [*CATEGORIES]} if runnable.features and not runnable.reads_numbers else {}),
            **({"usual_feature_types": [*CATEGORIES]} if runnable.features and runnable.reads_numbers else {}),
            **({"needs_features": True} if name == rectools_dssm.NAME else {}),
            **({"epochs": runnable.epochs} if runnable.epochs else {}),
            **({"not_resumable": NOT_RESUMABLE[name]} if name in NOT_RESUMABLE else {}),
        }
        for name, runnable in RUNNABLE.items()
    }


def refused() -> dict[str, str]:
    """Return why models of RecTools do not run."""
    return rectools_models.REFUSED


def fit(task: Task, fold: folds.Fold) -> tuple[_Model, dict[str, Any]]:
    """Fit a model on the training part, as its own ``fit`` does."""
    if fold.explicit:
        raise ValueError("RecTools' models rank and predict no ratings. Add MakeImplicit to the dataset.")
    seed = task.seed % 2**32
    runnable = RUNNABLE[task.algorithm]
    effective = {**rectools_models.defaults(task.algorithm), **task.parameters}
    torch.set_num_threads(task.threads)
    rectools_transformers.seed_everything_of(seed)
    names = rectools_models.selected_features(task.algorithm, effective, fold)
    effective |= names
    dataset = _dataset(task, fold, {runnable.features[parameter]: names[parameter] for parameter in names})
    if runnable.ranks_by == DISTANCES:
        own = {name: value for name, value in task.parameters.items() if name not in names}
        return rectools_dssm.train(dataset, own, task), effective
    recommender = rectools_models.create(task.algorithm, task.parameters, seed, task.threads)
    if runnable.ranks_by == SEQUENCES:
        network = rectools_transformers.train(recommender, dataset, task)
        task.keep(recommender.epochs)
        return network, effective
    model = Model(recommender, *(np.asarray(ids.external_ids) for ids in (dataset.user_id_map, dataset.item_id_map)))
    if any(names.values()):
        model.features = KnownFeatures.of(dataset)
    if runnable.epochs:
        _fit_by_epochs(model, dataset, task, int(effective[runnable.epochs]))
    else:
        task.snapshots.nothing(f"{task.algorithm} is computed in one call, without points in between")
        recommender.fit(dataset)
    if task.algorithm == "PopularInCategoryModel":
        recommender.category_interactions = {}  # the training data
    return model, effective


def _dataset(task: Task, fold: folds.Fold, features: Mapping[str, Sequence[str]]) -> Dataset:
    if task.algorithm == "PopularInCategoryModel":
        listed = [str(task.parameters.get(CATEGORY))]
        category = selected(fold, {CATEGORY: "items"}, {CATEGORY: listed}, readable=CATEGORIES)
        return dataset_of(fold, repeated=True, features={"items": category[CATEGORY]})
    repeated = RUNNABLE[task.algorithm].ranks_by in (POPULARITY, SEQUENCES)
    return dataset_of(fold, repeated=repeated, features=features)


def _fit_by_epochs(model: Model, dataset: Dataset, task: Task, epochs: int) -> None:
    """Train a model of implicit or LightFM inside of RecTools' model, and report each epoch."""
    recommender = model.recommender
    if task.algorithm == "LightFMWrapperModel":
        _fit_in_parts(model, dataset, task, epochs)
    elif model.has_features:
        with threadpool_limits(1, "blas"):
            _fit_in_parts(model, dataset, task, epochs)
        recommender.model.iterations = epochs
    else:
        recommender.model = recommender._model
        matrix = dataset.get_user_item_matrix(include_weights=True).astype(np.float32)
        with threadpool_limits(1, "blas"):  # as implicit asks for: its own threads call BLAS, each by itself
            fit_by_iterations(recommender.model, matrix, task, NOT_RESUMABLE.get(task.algorithm, ""), model)
    recommender.is_fitted = True


def _fit_in_parts(model: Model, dataset: Dataset, task: Task, epochs: int) -> None:
    """Train epoch by epoch, as RecTools' ``fit_partial`` does, which sees to features."""
    recommender, done = model.recommender, 0
    recommender.model, recommender.is_fitted = (
        recommender._model,
        True,
    )  # what fit_partial goes on with, and a snapshot has
    with task.snapshots.restoring() as directory:
        if directory is not None:
            state = states.load(directory)
            done = state["done"]
            recommender._model = recommender.model = state["model"]  # one object, as where nobody has killed the Fit

    def save(directory: Path) -> None:
        states.save(directory, {"done": done, "model": recommender.model})

    if directory is None:
        task.snapshots.point(save, iteration=0, iterations=epochs)
    while done < epochs:
        recommender.fit_partial(dataset, epochs=1)
        done += 1
        if task.measure is None:
            task.report(epoch=done, epochs=epochs)
        else:
            task.measure(model, epoch=done, epochs=epochs)
        task.snapshots.point(save, iteration=done, iterations=epochs)
    task.keep(epochs)


def save(model: _Model, directory: Path) -> Path:
    """Store the model object, a transformer without what it was trained on, as ``model.pt`` or ``model.pkl``."""
    if isinstance(model, SequenceModel):
        path = directory / "model.pt"
        torch.save(vars(model), path)
        return path
    path = directory / "model.pkl"
    with path.open("wb") as file:
        pickle.dump(model, file, protocol=5)
    return path


def load(path: Path, task: Task, fold: folds.Fold) -> _Model:
    """Read a model that ``save`` wrote."""
    torch.set_num_threads(task.threads)
    if RUNNABLE[task.algorithm].ranks_by == SEQUENCES:
        return SequenceModel(**torch.load(path, map_location="cpu", weights_only=False))
    with path.open("rb") as file:
        model: _Model = pickle.load(file)
    return model


def lists(model: Any, task: Task, fold: folds.Fold) -> Iterator[tuple[parts.Ints, list[RankedList]]] | None:
    """Return batches of lists of what ranks without scores; None of other models."""
    if RUNNABLE[task.algorithm].ranks_by != LISTS:
        return None
    return rectools_scores.lists(model, fold, task.k)


def score(
    model: Any, task: Task, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
    """Yield what RecTools ranks by, for batches of users."""
    if isinstance(model, SequenceModel):
        yield from rectools_transformers.scores(model, fold, task.device)
    elif isinstance(model, rectools_dssm.Vectors):
        yield from rectools_dssm.scores(model, fold)
    else:
        yield from rectools_scores.scores(model, task.algorithm, fold)


def rate(model: Any, task: Task, fold: folds.Fold) -> parts.Floats:
    """Raise ValueError: RecTools predicts no ratings."""
    raise ValueError(f"{task.algorithm} ranks items but predicts no ratings. Add MakeImplicit to the dataset.")

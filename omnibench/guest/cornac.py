"""Cornac: its models that run on a CPU, from interactions and some from features of items; those that predict ratings learn from them."""

from __future__ import annotations

import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_NUM_INTEROP_THREADS="1", KERAS_BACKEND="tensorflow")

import pickle
import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from cornac import models

from . import cornac_models, folds, parts, ranking
from .base import Task
from .cornac_course import Course
from .cornac_data import Numbers, dataset_of, numbered
from .cornac_features import WORDS, add_features
from .cornac_models import ITEM_FEATURES, RUNNABLE, TENSORFLOW, TORCH
from .cornac_scores import batches
from .cornac_training import reporting, short_lists
from .feature_types import CATEGORIES
from .negatives import samplable

LARGEST_SEED = 2**31
"""The seeds of what Cornac has compiled are C integers."""


@dataclass
class Model:
    """A fitted model of Cornac's.

    Attributes:
        recommender: The model.
        users: Cornac's numbers of the users that it knows.
        items: Cornac's numbers of the items.
    """

    recommender: Any
    users: Numbers
    items: Numbers


def version() -> str:
    """Return Cornac's version."""
    return metadata.version("cornac")


def catalogue() -> dict[str, dict[str, Any]]:
    """Describe every model that runs by the signature of its constructor."""
    return {
        name: {
            "parameters": cornac_models.parameters_of(name),
            "ratings": runnable.rates,
            "ranking": runnable.ranks,
            "validation": "nothing",
            "refit": True,
            "gpu": False,
            "history": False,
            **({"features": {ITEM_FEATURES: "items"}, "needs_features": True} if runnable.reads else {}),
            **({"feature_types": [*WORDS]} if runnable.reads_texts else {}),
            **({"usual_feature_types": [*CATEGORIES]} if runnable.reads and not runnable.reads_texts else {}),
            **({"epochs": runnable.epochs} if runnable.epochs else {}),
            **({"not_resumable": runnable.not_resumable} if runnable.not_resumable else {}),
        }
        for name, runnable in RUNNABLE.items()
    }


def refused() -> dict[str, str]:
    """Return why each of Cornac's other models does not run here."""
    return dict(cornac_models.REFUSED)


def fit(task: Task, fold: folds.Fold) -> tuple[Model, dict[str, Any]]:
    """Fit a model on the training part.

    Cornac's own loops compute with one thread, as they do with any seed; torch, TensorFlow and BLAS with the task's.
    """
    runnable = RUNNABLE[task.algorithm]
    is_rated = runnable.rates and (fold.explicit or not runnable.ranks)
    if is_rated and fold.train.rating is None:
        raise ValueError(
            f"{task.algorithm} predicts ratings, but the dataset is implicit and has none. Leave out MakeImplicit, keep "
            f'them with MakeImplicit(..., keep="rating"), or take a model that ranks, such as BPR.'
        )
    if fold.explicit and not runnable.rates:
        raise ValueError(f"{task.algorithm} ranks items but predicts no ratings. Add MakeImplicit to the dataset.")
    _prepare(task)
    train = _drawable(task, fold) if runnable.draws else fold.train
    users, items = numbered(train, fold.n_users, fold.n_items)
    seed = task.seed % LARGEST_SEED
    data = dataset_of(train, users, items, seed, rated=is_rated)
    effective = {**cornac_models.parameters_of(task.algorithm), **task.parameters}
    if runnable.reads:
        effective[ITEM_FEATURES] = add_features(data, runnable, effective, fold, items)
    model = Model(cornac_models.create(task.algorithm, dict(task.parameters), seed), users, items)
    is_current = runnable.is_current and effective.get("backend") != "pytorch"
    total = int(effective.get(runnable.epochs, 0))
    not_resumable = cornac_models.not_resumable(task.algorithm, effective)
    course = Course(task, runnable, model, data, total, not_resumable, is_current=is_current)
    with reporting(runnable, course, effective), short_lists():
        course.fit()
    for name in ("train_set", "val_set"):
        setattr(model.recommender, name, None)
    return model, effective


def _prepare(task: Task) -> None:
    """Seed the generators that models draw from beside those that they have a seed for, and set torch's threads."""
    random.seed(task.seed)
    np.random.seed(task.seed % 2**32)
    if RUNNABLE[task.algorithm].library == TORCH or task.parameters.get("backend") == "pytorch":
        import torch

        torch.set_num_threads(task.threads)
        torch.manual_seed(task.seed % LARGEST_SEED)


def _drawable(task: Task, fold: folds.Fold) -> parts.Part:
    """Return the rows of training of users against whom a negative item can be drawn."""
    remaining = samplable(fold, with_validation=False)
    if len(remaining.train) == 0:
        raise ValueError(f"{task.algorithm} draws items that a user has not, but every user has all in training.")
    if len(remaining.users):
        task.note(
            "left out of training, because no negative sample can be drawn: {users}, with every item", remaining.users
        )
    return remaining.train


def save(model: Model, directory: Path) -> Path:
    """Pickle the model as ``model.pkl``; of a network of TensorFlow's its weights."""
    path = directory / "model.pkl"
    network = _network(model.recommender)
    if network is not None:
        model.recommender.model = network.get_weights()
    with path.open("wb") as file:
        pickle.dump(model, file, protocol=5)
    if network is not None:
        model.recommender.model = network
    return path


def load(path: Path, task: Task, fold: folds.Fold) -> Model:
    """Read a model that ``save`` wrote."""
    _prepare(task)
    with path.open("rb") as file:
        model: Model = pickle.load(file)
    weights = getattr(model.recommender, "model", None)
    if isinstance(weights, list):
        model.recommender.model = model.recommender._build_model_tf()
        model.recommender.model.set_weights(weights)
    return model


def _network(recommender: Any) -> Any | None:
    """Return the network of TensorFlow's that a model has; None where it has none."""
    is_neural = isinstance(recommender, models.GMF | models.MLP | models.NeuMF)
    return recommender.model if is_neural and recommender.backend == TENSORFLOW else None


def score(
    model: Model, task: Task, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
    """Yield the scores of all training items for batches of users."""
    _prepare(task)  # RecVAE draws while it scores
    yield from batches(model.recommender, model.users, model.items, fold)


def rate(model: Model, task: Task, fold: folds.Fold) -> parts.Floats:
    """Rate the test pairs as Cornac does: within the scale of the ratings, and by what it says of who is unknown to it."""
    if not RUNNABLE[task.algorithm].rates:
        raise ValueError(f"{task.algorithm} ranks items but predicts no ratings. Add MakeImplicit to the dataset.")
    recommender, test = model.recommender, fold.test
    user, item = (
        np.where(numbers.of_code[codes] < 0, len(numbers.code), numbers.of_code[codes])
        for numbers, codes in ((model.users, test.user), (model.items, test.item))
    )
    if isinstance(recommender, models.BaselineOnly):  # it looks up the biases of users who have none
        recommender.u_biases = np.append(recommender.u_biases[: recommender.num_users], 0.0)
    ratings = [recommender.rate(*pair) for pair in zip(user.tolist(), item.tolist(), strict=True)]
    return np.array(ratings, dtype=np.float32).reshape(len(test))

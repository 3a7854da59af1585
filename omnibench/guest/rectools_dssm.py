"""RecTools' DSSM: two networks, of users with their features and interactions, and of items with theirs, which meet in one space."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from rectools.dataset import Dataset
from rectools.models import DSSMModel

from . import folds, parts
from .base import Task
from .factors import FactorScores, ItemFactors
from .rectools_course import Course

NAME = DSSMModel.__name__
EPOCHS = "max_epochs"
FEATURES = {"item_features": "items", "user_features": "users"}
"""The hyperparameters that name features, and whose they are; None for all categories that the dataset has."""

BATCH = 4096
"""Users whose vectors are held in memory together."""

_HYPERPARAMETERS = ("n_factors", EPOCHS, "batch_size", "deterministic")


def defaults() -> dict[str, Any]:
    """Return its hyperparameters with their defaults."""
    signature = inspect.signature(DSSMModel.__init__).parameters
    return {**{name: signature[name].default for name in _HYPERPARAMETERS}, **dict.fromkeys(FEATURES)}


@dataclass
class Vectors:
    """What a trained model ranks by: the nearer an item is to a user, the better.

    Attributes:
        users: int32 user codes by RecTools' number.
        items: int32 item codes likewise.
        user: The users' vectors, float32, shape (users, n_factors).
        item: The items' vectors, shape (items, n_factors).
    """

    users: parts.Ints
    items: parts.Ints
    user: np.ndarray
    item: np.ndarray

    @classmethod
    def of(cls, recommender: Any, dataset: Dataset) -> Self:
        """Read them from a model for all users and items of a dataset."""
        user, item = recommender.get_vectors(dataset)
        users, items = (np.asarray(ids.external_ids) for ids in (dataset.user_id_map, dataset.item_id_map))
        return cls(users, items, user, item)


class _Trainer:
    """Stands for the trainer that RecTools copies for each Fit, and gives what it is to train to the course of this one.

    Args:
        course: The course.
        trainer: Its trainer.
    """

    def __init__(self, course: Course, trainer: Any) -> None:
        self._course, self._trainer = course, trainer

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return itself."""
        return self

    def fit(self, model: Any, train_dataloaders: Any, val_dataloaders: None) -> None:
        """Train as Lightning's trainer does."""
        self._course.run(self._trainer, model, train_dataloaders)


def train(dataset: Dataset, parameters: dict[str, Any], task: Task) -> Vectors:
    """Train the networks, as RecTools' ``fit`` does.

    Args:
        dataset: The training part with features of users and of items.
        parameters: The hyperparameters, without those that name features.
        task: The Fit.
    """
    recommender = DSSMModel(**parameters, loggers=False, trainer_accelerator="cpu")

    def current() -> Vectors:
        recommender.is_fitted = True
        return Vectors.of(recommender, dataset)

    course = Course(task, recommender.max_epochs, "loss", current)
    deterministic = parameters.get("deterministic", False)
    recommender._trainer = _Trainer(course, course.trainer(task.device, deterministic=deterministic))
    recommender.fit(dataset)
    task.keep(recommender.max_epochs)
    recommender.model.to("cpu")
    return Vectors.of(recommender, dataset)


def scores(model: Vectors, fold: folds.Fold) -> Iterator[tuple[parts.Ints, FactorScores]]:
    """Yield how far all items are from users, negated, for batches of users."""
    number = np.full(fold.n_users, -1, dtype=np.int64)
    number[model.users] = np.arange(len(model.users))
    items = ItemFactors.of(model.item, model.items, fold, -(model.item**2).sum(axis=1), link=_to_distances)
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        user = model.user[number[users]]
        yield users, FactorScores(2 * user, items, number[users] >= 0, -(user**2).sum(axis=1))


def _to_distances(scores: folds.Scores) -> None:
    """Turn negated squares of distances into negated distances; rounding may make them positive."""
    np.minimum(scores, 0, out=scores)
    np.negative(scores, out=scores)
    np.sqrt(scores, out=scores)
    np.negative(scores, out=scores)

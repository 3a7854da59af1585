"""RecTools' DSSM: two networks, of users with their features and interactions, and of items with theirs, which meet in one space."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.plugins.environments import LightningEnvironment
from rectools.dataset import Dataset
from rectools.models import DSSMModel

from . import folds, parts
from .base import Task
from .factors import FactorScores, ItemFactors

NAME = DSSMModel.__name__
EPOCHS = "max_epochs"
FEATURES = {"item_features": "items", "user_features": "users"}
"""The hyperparameters that name features, and whose they are; None for all categories that the dataset has."""

NOT_RESUMABLE = (
    "its batches are drawn by numpy's and by torch's generators inside of RecTools' loader, of which no state is kept"
)
"""Why it does not go on from a snapshot."""

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


class _Report(Callback):  # type: ignore[misc]
    """Reports each epoch, and lets the host measure the model as it is."""

    def __init__(self, task: Task, recommender: Any, dataset: Dataset, epochs: int) -> None:
        self._task, self._recommender, self._dataset, self._epochs = task, recommender, dataset, epochs

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return itself: RecTools copies its trainer for each Fit."""
        return self

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Report the epoch with the loss of its last batch."""
        loss = float(trainer.callback_metrics["loss"])
        values = {"epoch": trainer.current_epoch + 1, "epochs": self._epochs, "loss": loss}
        if self._task.measure is None:
            self._task.report(**values)
            return
        self._recommender.is_fitted = True
        self._task.measure(Vectors.of(self._recommender, self._dataset), **values)
        pl_module.train()


def train(dataset: Dataset, parameters: dict[str, Any], task: Task) -> Vectors:
    """Train the networks, as RecTools' ``fit`` does.

    Args:
        dataset: The training part with features of users and of items.
        parameters: The hyperparameters, without those that name features.
        task: The Fit.
    """
    task.snapshots.nothing(f"{NAME}: {NOT_RESUMABLE}")
    recommender = DSSMModel(**parameters, loggers=False, trainer_accelerator="cpu")
    recommender._trainer = Trainer(
        max_epochs=recommender.max_epochs,
        num_sanity_val_steps=0,
        deterministic=parameters.get("deterministic", False),
        accelerator="cpu" if task.device == "cpu" else "gpu",
        devices=1,
        callbacks=[_Report(task, recommender, dataset, recommender.max_epochs)],
        plugins=[LightningEnvironment()],  # in a job of SLURM it would take the job's tasks for its own
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
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

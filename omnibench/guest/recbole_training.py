"""RecBole's own trainers: each epoch is reported, and the best one is kept."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from recbole.utils import get_trainer

from . import parts
from .base import Task

ALIKE = ("ndcg", "recall", "precision", "mrr")
"""RecBole's metrics that are defined as omnibench's of the same name."""


@dataclass
class Model:
    """A trained model with the codes of its rows.

    Attributes:
        network: RecBole's model object, with the matrices that some models keep as plain attributes.
        users: int32 user codes by RecBole's user number less one (number 0 pads).
        items: int32 item codes by RecBole's item number less one.
        user_field: RecBole's name for the user column.
        item_field: RecBole's name for the item column.
    """

    network: Any
    users: parts.Ints
    items: parts.Ints
    user_field: str
    item_field: str


def train_model(model: Model, config: Any, train: Any, valid: Any, task: Task) -> int:
    """Train in place with the model's trainer, report each epoch, and load the state of the best one.

    Args:
        model: The model, which is trained.
        config: RecBole's configuration.
        train: RecBole's loader of the training part.
        valid: That of the validation part, or None.
        task: The Fit.

    Returns:
        For how many epochs the model has been trained that is kept.
    """
    network = model.network
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, network)
    train_epoch, epoch_loss, metric = trainer._train_epoch, float("nan"), str(config["valid_metric"])

    def reported(*arguments: Any, **options: Any) -> Any:
        nonlocal epoch_loss
        losses = train_epoch(*arguments, **options)
        epoch_loss = float(sum(losses) if isinstance(losses, tuple) else losses)
        task.report(epoch=arguments[1] + 1, epochs=trainer.epochs, loss=epoch_loss)
        return losses

    def judged(number: int, value: float) -> None:
        stops = trainer.cur_step > trainer.stopping_step
        values = {"epoch": number + 1, "epochs": number + 1 if stops else trainer.epochs, "loss": epoch_loss}
        if task.measure is None or _is_same(metric, task.metric):
            task.report(**values, validation=float(value), metric=metric)
        else:
            task.measure(model, **values)

    trainer._train_epoch = reported
    try:
        trainer.fit(train, valid, saved=valid is not None, show_progress=False, callback_fn=judged)
    finally:
        trainer.tensorboard.close()
    for module in network.modules():
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value.__name__ == "<lambda>":  # GCMC's "no activation"
                setattr(module, name, torch.nn.Identity())  # a lambda cannot be stored
    epochs = trainer.epochs
    if trainer.best_valid_result is not None:
        best = torch.load(trainer.saved_model_file, map_location=config["device"], weights_only=False)
        network.load_state_dict(best["state_dict"])
        network.load_other_parameter(best["other_parameter"])
        epochs = best["epoch"] + 1
    return int(epochs)


def _is_same(metric: str, requested: str) -> bool:
    """Whether RecBole's own value of an epoch is the one that is requested; the metrics are those defined alike."""
    name = metric.lower()
    return name == requested.lower() and name.partition("@")[0] in ALIKE

"""RecBole's own trainers: each epoch is reported, the best one is kept, and a Fit goes on from a snapshot of another."""

from __future__ import annotations

import contextlib
import inspect
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from recbole.config import Config
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from recbole.data.dataset import Dataset
from recbole.evaluator import Collector, Evaluator
from recbole.sampler.sampler import AbstractSampler
from recbole.utils import get_trainer

from . import parts
from .base import Task
from .recbole_course import Course
from .recbole_stages import Stage
from .training_state import TrainingState

ALIKE = ("ndcg", "recall", "precision", "mrr")
"""RecBole's metrics that are defined as omnibench's of the same name."""

OPAQUE = (Config, Dataset, AbstractDataLoader, AbstractSampler, Collector, Evaluator)
"""What has no state that training changes, or is the training data."""

OF_THE_PROCESS = (
    "_train_epoch",
    "_save_checkpoint",
    "start_epoch",
    "saved_model_file",
    "checkpoint_dir",
    "tensorboard",
    "wandblogger",
    "logger",
    "item_tensor",  # all items, for validation: it is made when it is needed
)
"""A trainer's attributes that every process has its own of."""

REMADE = {"SGL": ("sub_graph1", "sub_graph2")}
"""A network's attributes that are drawn from the training data at the beginning of each epoch."""

CONSTANT = {"LINE": ("used_ids",)}
"""A network's attributes with a Python object for each interaction, which the network only reads: LINE draws with them."""

BEST = "best.pt"
"""The file of a snapshot with the parameters of the best epoch so far, where these are not the present ones."""


@dataclass
class Model:
    """A trained model with the codes of its rows.

    Attributes:
        network: RecBole's model object, with the matrices that some models keep as plain attributes.
        users: int32 user codes by RecBole's user number less one (number 0 pads).
        items: int32 item codes by RecBole's item number less one.
        user_field: RecBole's name for the user column.
        item_field: RecBole's name for the item column.
        features: What the network reads of users and of items, by field and RecBole's number; nothing where it reads none.
    """

    network: Any
    users: parts.Ints
    items: parts.Ints
    user_field: str
    item_field: str
    features: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]] = ({}, {})


def train_model(
    model: Model, config: Any, train: Any, valid: Any, task: Task, stage: Stage, nothing: str = ""
) -> tuple[int, int]:
    """Train in place with the model's trainer, report each epoch, and load the state of the best one.

    Args:
        model: The model, which is trained.
        config: RecBole's configuration.
        train: RecBole's loader of the training part.
        valid: That of the validation part, or None.
        task: The Fit.
        stage: Which of its runs this is. Epochs are those of the last one; the others report iterations, each with its own
            name of the loss.
        nothing: Why there is nothing to take a snapshot of; empty where there is.

    Returns:
        For how many epochs the model has been trained that is kept, and how many epochs there were.
    """
    network = model.network
    _name_activations(network)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, network)
    epoch_loss, metric = float("nan"), str(config["valid_metric"])
    best = _BestEpoch(trainer)
    train_epoch = trainer._train_epoch
    running = None
    if nothing:
        task.snapshots.nothing(nothing)
    elif not task.snapshots.are_off:
        running = _RunningFit(trainer, train, config, task, best, stage)
        train_epoch = running.train_epoch

    def reported(*arguments: Any, **options: Any) -> Any:
        nonlocal epoch_loss
        losses = train_epoch(*arguments, **options)
        epoch_loss = float(sum(losses) if isinstance(losses, tuple) else losses)
        number, epochs = arguments[1] + 1, _epochs(trainer, stage)
        task.report(**stage.progress(number, epochs, epoch_loss))
        return losses

    def judged(number: int, value: float) -> None:
        if not stage.is_last:
            return
        stops = trainer.cur_step > trainer.stopping_step
        values = {"epoch": number + 1, "epochs": number + 1 if stops else trainer.epochs, "loss": epoch_loss}
        if task.measure is None or _is_same(metric, task.metric):
            task.report(**values, validation=float(value), metric=metric)
        else:
            task.measure(model, **values)

    def fit() -> None:
        trainer._train_epoch = reported
        trainer.fit(train, valid, saved=valid is not None, show_progress=False, callback_fn=judged)

    try:
        if running is None:
            fit()
        else:
            running.run(fit)
    finally:
        trainer.tensorboard.close()
    epochs = _epochs(trainer, stage)
    if trainer.best_valid_result is None:
        return epochs, epochs
    return best.load(config["device"]), len(trainer.train_loss_dict)


def _epochs(trainer: Any, stage: Stage) -> int:
    """Return for how many epochs a trainer is going to train, as far as that is known."""
    return int(trainer.pretrain_epochs if stage.pretrains else trainer.epochs)


class _RunningFit:
    """A Fit that marks its points, and that may go on from the snapshot of another process.

    Args:
        trainer: RecBole's trainer, before it has trained.
        train: The loader of the training part.
        config: RecBole's configuration.
        task: The Fit.
        best: The best epoch so far.
        stage: Which of its runs this is.
    """

    def __init__(self, trainer: Any, train: Any, config: Any, task: Task, best: _BestEpoch, stage: Stage) -> None:
        self._trainer, self._snapshots, self._best, self._stage = trainer, task.snapshots, best, stage
        self._train_epoch = trainer._train_epoch
        self._course = Course(trainer, train, self._point_within)
        self._state = TrainingState(
            trainer,
            trainer.model,
            {"configuration": config, "data": train.dataset, "loader": train},
            opaque=OPAQUE,
            ignored=(*OF_THE_PROCESS, *self._course.losses),
            generators=self._course.generators,
            remade=REMADE.get(type(trainer.model).__name__, ()),
            constant=CONSTANT.get(type(trainer.model).__name__, ()),
        )
        self._epoch, self._is_finished = 0, False
        self._arrive: Callable[[], None] | None = None

    def run(self, fit: Callable[[], None]) -> None:
        """Train, from the beginning or from a snapshot.

        Args:
            fit: Runs the trainer.
        """
        with contextlib.ExitStack() as restoring:  # until everything is back: what fails before is the snapshot's fault
            directory = restoring.enter_context(self._snapshots.restoring()) if self._stage.resumes else None
            if directory is None:
                restoring.close()
            else:
                self._begin_at(directory, restoring.close)
            if not self._is_finished:
                fit()
        self._is_finished = True
        self._point(end=self._epoch)

    def train_epoch(self, loader: Any, epoch: int, *arguments: Any, **options: Any) -> Any:
        """Run an epoch of the trainer's; there is a point before it, and one after each of its batches.

        Args:
            loader: The loader of the training part.
            epoch: The epoch's number, from 0.
            arguments: The trainer's other arguments.
            options: Those with names.
        """
        self._epoch = epoch
        if self._arrive is not None:
            self._arrive()
        elif not self._course.is_replaying:
            self._point()
        losses = self._course.run(self._train_epoch, loader, epoch, *arguments, **options)
        self._epoch = epoch + 1
        return losses

    def _point(self, *, end: int | None = None, within: bool = False) -> None:
        """Mark a point; the epochs of all runs are counted together.

        Args:
            end: The number of the run's epochs, where it has ended.
            within: Whether it is between two batches.
        """
        stage, epochs = self._stage, _epochs(self._trainer, self._stage) if end is None else end
        total = stage.before + epochs + stage.after
        self._snapshots.point(self._save, iteration=stage.before + self._epoch, iterations=total, within=within)

    def _point_within(self) -> None:
        self._point(within=True)

    def _save(self, directory: Path) -> None:
        position = self._course.position
        is_best = position is None and self._best.epoch == self._epoch - 1  # nothing has been learned since
        more = {
            "epoch": self._epoch,
            "position": position,
            "is_finished": self._is_finished,
            "best_epoch": self._best.epoch,
            "is_best": is_best,
        }
        self._state.save(directory, more, is_remade=position is not None)
        self._stage.mark(directory)
        if self._best.path is not None and not is_best:
            shutil.copyfile(self._best.path, directory / BEST)  # no link: what damages one snapshot leaves the others

    def _begin_at(self, directory: Path, is_restored: Callable[[], None]) -> None:
        """Prepare to go on from a snapshot; one that was taken after the last epoch is restored at once."""
        state, more = self._state.read(directory)
        self._epoch = self._trainer.start_epoch = more["epoch"]

        def arrive() -> None:
            self._arrive = None
            self._state.restore(state)
            state.clear()
            if more["is_best"]:
                self._best.keep(more["best_epoch"], verbose=False)
            elif more["best_epoch"] is not None:
                self._best.take(more["best_epoch"], directory / BEST)
            is_restored()

        self._is_finished = more["is_finished"]
        if self._is_finished:
            arrive()
        elif more["position"] is not None:
            self._course.go_to(more["position"], arrive)
        else:
            self._arrive = arrive


class _BestEpoch:
    """The parameters of the epoch that validation has found best so far, in a file that never changes.

    RecBole's own file has the optimizer and the configuration, too, and is overwritten.

    Args:
        trainer: RecBole's trainer, which keeps them here from now on.

    Attributes:
        epoch: Its number, from 0; None while there is none.
        path: The file; None while there is none.
    """

    def __init__(self, trainer: Any) -> None:
        self.epoch: int | None = None
        self.path: Path | None = None
        self._trainer = trainer
        trainer._save_checkpoint = self.keep

    def keep(self, epoch: int, verbose: bool = True, **_: Any) -> None:
        """Write the present parameters, as RecBole's method of this name does.

        Args:
            epoch: The epoch's number, from 0.
            verbose: Whether the log says so.
        """
        network = self._trainer.model
        path = self._path(epoch)
        state = {"epoch": epoch, "state_dict": network.state_dict(), "other_parameter": network.other_parameter()}
        torch.save(state, path, pickle_protocol=4)
        self._use(epoch, path)
        if verbose:
            self._trainer.logger.info("Saving current: %s", path)

    def take(self, epoch: int, source: Path) -> None:
        """Take over the file of another process.

        Args:
            epoch: The epoch's number, from 0.
            source: The file.
        """
        path = self._path(epoch)
        shutil.copyfile(source, path)
        self._use(epoch, path)

    def load(self, device: Any) -> int:
        """Load the parameters into the network; return after how many epochs the network had them.

        Args:
            device: The network's device.
        """
        best = torch.load(self._trainer.saved_model_file, map_location=device, weights_only=False)
        self._trainer.model.load_state_dict(best["state_dict"])
        self._trainer.model.load_other_parameter(best["other_parameter"])
        return int(best["epoch"]) + 1

    def _path(self, epoch: int) -> Path:
        return Path(self._trainer.checkpoint_dir, f"{type(self._trainer.model).__name__}-{epoch}.pth")

    def _use(self, epoch: int, path: Path) -> None:
        if self.path is not None and self.path != path:
            self.path.unlink(missing_ok=True)
        self.epoch, self.path, self._trainer.saved_model_file = epoch, path, str(path)


def _name_activations(network: Any) -> None:
    """Replace what cannot be stored: a lambda that returns its argument, GCMC's "no activation"."""
    for module in network.modules():
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value.__name__ == "<lambda>":
                setattr(module, name, torch.nn.Identity())


def _is_same(metric: str, requested: str) -> bool:
    """Whether RecBole's own value of an epoch is the one that is requested; the metrics are those defined alike."""
    name = metric.lower()
    return name == requested.lower() and name.partition("@")[0] in ALIKE

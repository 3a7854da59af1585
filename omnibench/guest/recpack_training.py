"""RecPack's training by epochs: each is reported, and a snapshot between two of them, or between two batches, goes on exactly.

RecPack's ``fit`` is one loop over epochs. A Fit that goes on enters it as from the beginning, lets it pass over the
epochs that a snapshot has, and puts its state where that of the first epoch would be.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recpack.algorithms import GRU4Rec, Prod2Vec
from recpack.algorithms.stopping_criterion import EarlyStoppingException

from . import random_states, states
from .base import Task
from .epochs import epoch_line
from .recpack_batches import Batches
from .recpack_judged import predict_by_batches, predicts_by_batches
from .recpack_sequences import predict_following

BEST_MODEL = "best_model.pt"
"""The file of a snapshot with the best network so far, as RecPack has stored it."""


class Epochs:
    """Reports each epoch of a torch algorithm: the mean of its batch losses, and what validation says of it.

    Args:
        algorithm: The algorithm, which is made to report; ``release`` makes it what it was.
        task: The Fit.
        has_validation: Whether there is anything to judge by.

    Attributes:
        trained: The epoch that the algorithm predicts with, counted from 1.
    """

    HOOKS = ("_init_model", "_train_epoch", "_evaluate", "_save_best")
    IN_TRAINING = ("best_model", "optimizer", "enc_optimizer", "dec_optimizer")
    """What is of use in training only: some of it cannot be stored."""

    def __init__(self, algorithm: Any, task: Task, *, has_validation: bool) -> None:
        self.trained = 0
        self._algorithm, self._task, self._has_validation = algorithm, task, has_validation
        self._epoch, self._loss, self._value = 0, float("nan"), float("nan")
        self._done, self._is_stopped = 0, False
        self._criterion = algorithm.stopping_criterion
        self._loss_function = self._criterion.loss_function
        self._init, self._train, self._evaluate, self._save = (getattr(algorithm, name) for name in self.HOOKS)
        algorithm._init_model, algorithm._train_epoch = self.begin, self.train
        algorithm._evaluate, algorithm._save_best = self.evaluate, self.save
        self._criterion.loss_function = self.calculate
        if isinstance(algorithm, GRU4Rec):
            algorithm._predict = functools.partial(predict_following, algorithm)
        elif predicts_by_batches(algorithm):
            algorithm._predict = functools.partial(predict_by_batches, algorithm)
        self._batches = Batches(algorithm, self._mark_within)
        self._at_first: dict[str, Any] = {}
        self._resumed: dict[str, Any] = {}

    def release(self) -> None:
        """Leave nothing of this in the algorithm, nor of what is of use in training only."""
        self._criterion.loss_function = self._loss_function
        self._batches.release()
        best = vars(self._algorithm).get("best_model")
        if best is not None:
            best.close()  # a file
        for name in (*self.HOOKS, "_predict", *self.IN_TRAINING):
            vars(self._algorithm).pop(name, None)

    def begin(self, train: Any) -> None:
        """Make the network, as it is at the beginning or as a snapshot has it."""
        self._init(train)
        self._batches.hook()
        self._at_first = dict(vars(self._algorithm))
        with self._task.snapshots.restoring() as directory:
            if directory is not None:
                self._restore(directory)
        if directory is None:
            self._mark()

    def train(self, train: Any) -> Any:
        """Train an epoch, and report it."""
        self._epoch += 1
        if self._epoch <= self._done:
            return [self._loss]
        losses = self._batches.train(lambda: self._train(train))
        if self._algorithm.keep_last or isinstance(self._algorithm, Prod2Vec):
            self.trained = self._epoch
        self._loss = float(np.mean(losses))
        self._task.report(epoch=self._epoch, epochs=self._algorithm.max_epochs, loss=self._loss)
        return losses

    def save(self) -> None:
        """Keep the epoch as the best one so far."""
        self._save()
        if not isinstance(self._algorithm, Prod2Vec):  # it predicts with the last one all the same
            self.trained = self._epoch

    def calculate(self, *matrices: Any, **arguments: Any) -> Any:
        """Calculate the stopping criterion, and note its value."""
        value = self._loss_function(*matrices, **arguments)
        self._value = float(value)
        return value

    def _metric(self) -> str:
        """Return what the stopping criterion is called, as ``ndcg@50``; RecPack forgets its name."""
        functions = {criterion["loss_function"]: name for name, criterion in self._criterion.FUNCTIONS.items()}
        name, k = functions.get(self._loss_function, "criterion"), self._criterion.kwargs.get("k")
        return name if k is None else f"{name}@{k}"

    def evaluate(self, *matrices: Any) -> None:
        """Have RecPack judge the epoch, and report that."""
        if self._epoch <= self._done:
            if self._is_stopped and self._epoch == self._done:
                raise EarlyStoppingException("as the snapshot says")
            return
        stopped: EarlyStoppingException | None = None
        if self._has_validation:
            try:
                self._evaluate(*matrices)
            except EarlyStoppingException as error:
                stopped, self._is_stopped = error, True
            self._report_validation()
        self._mark()
        if stopped is not None:
            raise stopped

    def _report_validation(self) -> None:
        values = {"epoch": self._epoch, "epochs": self._epochs(), "loss": self._loss}
        if self._task.measure is not None:
            self._task.measure(self._algorithm, **values)
        else:
            metric = self._metric()
            print(epoch_line(metric, values, self._value))  # noqa: T201 - into the log
            self._task.report(**values, validation=self._value, metric=metric)

    def _epochs(self) -> int:
        """Return how many epochs there are, as far as that is known."""
        return self._epoch if self._is_stopped else int(self._algorithm.max_epochs)

    def _mark(self) -> None:
        self._task.snapshots.point(self._write, iteration=self._epoch, iterations=self._epochs())

    def _mark_within(self) -> None:
        done = self._epoch - 1
        self._task.snapshots.point(self._write, iteration=done, iterations=self._epochs(), within=True)

    def _write(self, directory: Path) -> None:
        """Write what the algorithm is at this moment, and the best network beside it."""
        is_within = self._batches.done > 0
        state = {
            "epoch": self._epoch - is_within,
            "trained": self.trained,
            "loss": self._loss,
            "is_stopped": self._is_stopped,
            "criterion": {name: getattr(self._criterion, name) for name in ("best_value", "n_iter_no_change")},
            "network": self._algorithm.model_.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self._optimizers().items()},
            "attributes": self._changed(),
            "batches": self._batches.state() if is_within else None,
            "random": random_states.capture(),
        }
        states.save(directory, state)
        best = self._algorithm.best_model
        best.flush()
        shutil.copyfile(best.name, directory / BEST_MODEL)

    def _optimizers(self) -> dict[str, Any]:
        attributes = vars(self._algorithm).items()
        return {name: value for name, value in attributes if isinstance(value, torch.optim.Optimizer)}

    def _changed(self) -> dict[str, Any]:
        """Return the attributes that training has set: counters, and the similarities of Prod2Vec."""
        excluded = {*self.IN_TRAINING, "model_"}
        return {
            name: value
            for name, value in vars(self._algorithm).items()
            if name not in excluded and self._at_first.get(name, self) is not value
        }

    def _restore(self, directory: Path) -> None:
        """Make the algorithm what a snapshot has of it."""
        state = states.load(directory)
        self._done, self._is_stopped = state["epoch"], state["is_stopped"]
        self.trained, self._loss = state["trained"], state["loss"]
        for name, value in state["criterion"].items():
            setattr(self._criterion, name, value)
        if (directory / BEST_MODEL).stat().st_size:
            best = tempfile.NamedTemporaryFile()  # noqa: SIM115 - RecPack closes it
            with (directory / BEST_MODEL).open("rb") as file:
                shutil.copyfileobj(file, best)
            self._algorithm.best_model.close()
            self._algorithm.best_model = best
        self._overlay(state)
        if state["batches"] is not None:
            self._batches.resume(state["batches"], lambda: self._overlay(state))

    def _overlay(self, state: dict[str, Any]) -> None:
        self._algorithm.model_.load_state_dict(state["network"])
        for name, optimizer in self._optimizers().items():
            optimizer.load_state_dict(state["optimizers"][name])
        vars(self._algorithm).update(state["attributes"])
        random_states.restore(state["random"])

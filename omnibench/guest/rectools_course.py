"""The epochs of RecTools' networks, which Lightning trains: each is reported, and a snapshot is taken where the next one begins.

That is before the order of its batches is drawn. Lightning's own checkpoints are not for there: what goes on from one takes the
epoch that has not begun for done.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.warnings import PossibleUserWarning

from . import random_states, states
from .base import Task

logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
warnings.filterwarnings(
    "ignore", category=PossibleUserWarning
)  # of workers and of short epochs, which are ours to choose


class Course(Callback):  # type: ignore[misc]
    """The epochs of a Fit: each is reported, and before each there is a point where a snapshot may be taken.

    Args:
        task: The Fit.
        epochs: The number of epochs.
        loss: What Lightning calls the loss of an epoch.
        current: Returns the model as it is, for the host to measure, which may leave the network on another device.
    """

    def __init__(self, task: Task, epochs: int, loss: str, current: Callable[[], Any]) -> None:
        self._task, self._epochs, self._loss, self._current = task, epochs, loss, current
        self._state: dict[str, Any] | None = None
        self._is_restored: Callable[[], None] = lambda: None

    def trainer(self, device: str, **options: Any) -> Trainer:
        """Return a trainer for all epochs, which neither prints nor writes anything.

        Args:
            device: Where it computes: ``cpu`` or ``cuda``.
            options: Further options of Lightning's.
        """
        return Trainer(
            max_epochs=self._epochs,
            accelerator="cpu" if device == "cpu" else "gpu",
            devices=1,
            callbacks=[self],
            plugins=[LightningEnvironment()],  # in a job of SLURM it would take the job's tasks for its own
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **options,
        )

    def run(self, trainer: Trainer, module: Any, loader: Any) -> None:
        """Train, from the beginning or from a snapshot.

        Args:
            trainer: What ``trainer`` has returned.
            module: Lightning's module.
            loader: The batches.
        """
        done = 0
        with contextlib.ExitStack() as restoring:  # until everything is back: what fails before is the snapshot's fault
            directory = restoring.enter_context(self._task.snapshots.restoring())
            if directory is None:
                restoring.close()
            else:
                self._state, self._is_restored = states.load(directory), restoring.close
                done = self._state["done"]
                module.load_state_dict(self._state["module"])
                module.is_fitted = True  # else it would begin with new parameters
                progress = trainer.fit_loop.epoch_progress
                for counts in (progress.current, progress.total):
                    counts.ready = counts.started = counts.processed = counts.completed = done
            if done < self._epochs:
                trainer.fit(module, loader)
        if done < self._epochs:  # else it has been there before
            self._point(trainer, self._epochs)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Put back the optimizer and the random generators where the Fit goes on; else mark a point."""
        if self._state is None:
            self._point(trainer, trainer.current_epoch)
            return
        for owners, saved in zip(_stateful(trainer), self._state["stateful"], strict=True):
            for owner, state in zip(owners, saved, strict=True):
                owner.load_state_dict(state)
        random_states.restore(self._state["random"])
        self._state = None
        self._is_restored()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Report the epoch, and let the host measure the model as it is."""
        loss = float(trainer.callback_metrics[self._loss])
        values = {"epoch": trainer.current_epoch + 1, "epochs": self._epochs, "loss": loss}
        if self._task.measure is None:
            self._task.report(**values)
            return
        device = pl_module.device
        self._task.measure(self._current(), **values)
        pl_module.to(device)
        pl_module.train()

    def _point(self, trainer: Trainer, done: int) -> None:
        def save(directory: Path) -> None:
            state = {
                "done": done,
                "module": trainer.lightning_module.state_dict(),
                "stateful": [[owner.state_dict() for owner in owners] for owners in _stateful(trainer)],
                "random": random_states.capture(),
            }
            states.save(directory, state)

        self._task.snapshots.point(save, iteration=done, iterations=self._epochs)


def _stateful(trainer: Trainer) -> tuple[list[Any], list[Any]]:
    """Return a trainer's optimizers and its schedulers of learning rates."""
    return trainer.optimizers, [config.scheduler for config in trainer.lr_scheduler_configs]

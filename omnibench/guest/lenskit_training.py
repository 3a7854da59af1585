"""LensKit's training by epochs: each is reported, and a snapshot between two of them, or between two batches, goes on exactly.

A snapshot holds parameters, the state of the optimizer and of the generators. What a trainer makes of the training
part is made again when a Fit goes on; so are the order of an epoch's batches, and FunkSVD's estimates.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import lenskit.funksvd
import torch
from lenskit.als import BiasedMFScorer, ImplicitMFScorer
from lenskit.flexmf import FlexMFExplicitScorer, FlexMFImplicitScorer
from lenskit.training import TrainingOptions

from . import random_states, states
from .base import Task


class Progress(Protocol):
    """What a snapshot holds of a trainer, and how a trainer that has just been made goes on from it."""

    def state(self) -> dict[str, Any]:
        """Return the state, without a copy of its arrays and tensors."""

    def restore(self, state: dict[str, Any]) -> None:
        """Put a state into the trainer."""


class Factors:
    """The progress of alternating least squares: the factors, of which everything else follows.

    Args:
        trainer: The trainer, which writes into the factors of its scorer.
    """

    NAMES = ("user_embeddings", "item_embeddings")

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def state(self) -> dict[str, Any]:
        """Return the factors of users and items."""
        return {name: getattr(self._trainer.scorer, name) for name in self.NAMES}

    def restore(self, state: dict[str, Any]) -> None:
        """Write the factors into the scorer's own arrays, which the trainer has its views of."""
        for name in self.NAMES:
            getattr(self._trainer.scorer, name)[...] = state[name]
        if isinstance(self._trainer.scorer, ImplicitMFScorer):
            self._trainer._save_user_otor()  # which folds users in


class Network:
    """The progress of FlexMF: network, optimizer, generators, and how far an epoch has come.

    The order of an epoch's batches is as long as the training part, so the state has that of the generator from which
    it was drawn. The trainer sums the losses of an epoch in a variable of its own; the first batch after a snapshot
    brings in the sum until then.

    Args:
        trainer: The trainer, which is made to count its batches.
        task: The Fit.
    """

    LAYERS = ("u_layers", "i_layers")
    """What convolutions have made of the factors: plain attributes, which are in no ``state_dict``."""

    def __init__(self, trainer: Any, task: Task) -> None:
        self._trainer, self._task = trainer, task
        self._epoch_data, self._train_batch = trainer.epoch_data, trainer.train_batch
        trainer.epoch_data, trainer.train_batch = self.epoch_data, self.train_batch
        self._before_epoch: Any = None
        self._batches = 0
        self._total = torch.tensor(0.0)
        self._carried: Any = None
        self._resumed: dict[str, Any] | None = None

    def state(self) -> dict[str, Any]:
        """Return all that training changes."""
        trainer, network = self._trainer, self._trainer.model
        return {
            "network": network.state_dict(),
            "layers": {name: getattr(network, name).detach() for name in self.LAYERS if name in vars(network)},
            "optimizer": trainer.opt.state_dict(),
            "generator": trainer.rng.bit_generator.state,
            "torch_generator": trainer.torch_rng.get_state(),
            "epochs": trainer.epochs_trained,
            "batches": self._batches,
            "before_epoch": self._before_epoch,
            "total": self._total,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put a state into network, optimizer and generators; the next epoch begins where it was left."""
        trainer, network = self._trainer, self._trainer.model
        network.load_state_dict(state["network"])
        for name, layers in state["layers"].items():
            setattr(network, name, layers.to(trainer.device))
        trainer.opt.load_state_dict(state["optimizer"])
        trainer.rng.bit_generator.state = state["generator"]
        trainer.torch_rng.set_state(state["torch_generator"])
        trainer.epochs_trained = state["epochs"]
        if state["batches"]:
            names = ("generator", "batches", "before_epoch", "total")
            self._resumed = {name: state[name] for name in names}

    def epoch_data(self) -> Any:
        """Return the batches of an epoch, in the order that the generator gives them, and count them."""
        resumed, self._resumed = self._resumed, None
        generator = self._trainer.rng.bit_generator
        if resumed is not None:
            generator.state = resumed["before_epoch"]
        self._before_epoch = generator.state
        epoch = self._epoch_data()
        passed, self._total = 0, torch.tensor(0.0, device=self._trainer.device)
        if resumed is not None:
            generator.state = resumed["generator"]
            passed, self._carried = resumed["batches"], resumed["total"].to(self._trainer.device)
            self._total += self._carried
        batches = epoch.batches
        epoch.batches = lambda: self._counted(batches(), passed)
        return epoch

    def _counted(self, batches: Iterator[Any], passed: int) -> Iterator[Any]:
        """Yield the batches after those that a snapshot has, and mark a point between two."""
        self._batches = passed
        for number, batch in enumerate(batches):
            if number < passed:
                continue
            if number > passed:
                self._mark()
            yield batch
            self._batches += 1
        self._batches = 0

    def _mark(self) -> None:
        done, epochs = self._trainer.epochs_trained, self._trainer.component.expected_training_epochs
        self._task.snapshots.point(self._save, iteration=done, iterations=epochs, within=True)

    def train_batch(self, batch: Any) -> Any:
        """Train a batch, and add its loss to those before it, as the trainer does."""
        loss = self._train_batch(batch)
        self._total += loss.detach()
        if self._carried is not None:
            loss, self._carried = self._carried + loss, None
        return loss

    def _save(self, directory: Path) -> None:
        save_progress(directory, self, self._trainer.component)


class Graph:
    """The progress of LightGCN: network, optimizer, generator, and the gradients, which LensKit adds up over all batches.

    Args:
        trainer: The trainer.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def state(self) -> dict[str, Any]:
        """Return all that training changes."""
        trainer = self._trainer
        return {
            "network": trainer.model.state_dict(),
            "gradients": {name: parameter.grad for name, parameter in trainer.model.named_parameters()},
            "optimizer": trainer.optimizer.state_dict(),
            "generator": trainer.rng.bit_generator.state,
            "epochs": trainer.epochs_trained,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put a state into network, optimizer and generator."""
        trainer = self._trainer
        trainer.model.load_state_dict(state["network"])
        for name, parameter in trainer.model.named_parameters():
            gradient = state["gradients"][name]
            parameter.grad = None if gradient is None else gradient.to(parameter.device)
        trainer.optimizer.load_state_dict(state["optimizer"])
        trainer.rng.bit_generator.state = state["generator"]
        trainer.epochs_trained = state["epochs"]


def _progress_of(trainer: Any, scorer: Any, task: Task) -> Progress:
    if isinstance(scorer, ImplicitMFScorer | BiasedMFScorer):
        return Factors(trainer)
    return Network(trainer, task) if isinstance(scorer, FlexMFImplicitScorer | FlexMFExplicitScorer) else Graph(trainer)


def save_progress(directory: Path, progress: Progress, scorer: Any) -> None:
    """Write what a snapshot holds into a directory, the global random generators with it.

    Args:
        directory: An empty directory.
        progress: The trainer's.
        scorer: The scorer, which counts its epochs.
    """
    state = {"trainer": progress.state(), "epochs": scorer.trained_epochs, "random": random_states.capture()}
    states.save(directory, state)


def restore_progress(directory: Path, progress: Progress, scorer: Any) -> None:
    """Read what ``save_progress`` has written, in the same or another process.

    Args:
        directory: The directory.
        progress: That of a trainer that has been made as when the Fit began.
        scorer: The scorer.
    """
    state = states.load(directory)
    progress.restore(state["trainer"])
    if state["epochs"]:
        scorer.trained_epochs = state["epochs"]
    random_states.restore(state["random"])


def train_by_epochs(model: Any, options: TrainingOptions, task: Task) -> None:
    """Train like ``UsesTrainer.train``, and report each epoch; LensKit itself looks at no validation part.

    Args:
        model: The model, whose scorer is trained.
        options: LensKit's options.
        task: The Fit.
    """
    scorer = model.scorer
    trainer = scorer.create_trainer(model.train, options)
    epochs = scorer.expected_training_epochs
    progress = _progress_of(trainer, scorer, task)

    def save(directory: Path) -> None:
        save_progress(directory, progress, scorer)

    with task.snapshots.restoring() as directory:
        if directory is not None:
            restore_progress(directory, progress, scorer)
    if directory is None:
        task.snapshots.point(save, iteration=0, iterations=epochs)
    for epoch in range(scorer.trained_epochs + 1, epochs + 1):
        losses = {name: float(value) for name, value in (trainer.train_epoch() or {}).items()}
        scorer.trained_epochs = epoch
        if task.measure is None:
            task.report(epoch=epoch, epochs=epochs, **losses)
        else:
            task.measure(model, epoch=epoch, epochs=epochs, **losses)
        task.snapshots.point(save, iteration=epoch, iterations=epochs)
    trainer.finalize()
    task.keep(epochs)


class FeatureEpochs:
    """The progress of FunkSVD, which trains its features one after another, each by its own epochs, in a single loop.

    When a Fit goes on, the loop passes over the epochs that have been done; what it makes of a feature that is complete
    follows from the factors.

    Args:
        scorer: The scorer, which counts no epochs.
        task: The Fit.
    """

    def __init__(self, scorer: Any, task: Task) -> None:
        self._task = task
        self._features, self._epochs = scorer.config.embedding_size, scorer.config.epochs
        self._trainer: Any = None
        self._factors: tuple[Any, Any] | None = None
        self._done, self._passed, self._error = 0, 0, 0.0

    @contextlib.contextmanager
    def hooked(self) -> Iterator[None]:
        """Have FunkSVD's loop train by way of this object."""
        trainer = lenskit.funksvd.FunkSVDTrainer

        def make(config: Any, data: Any, users: Any, items: Any) -> FeatureEpochs:
            self._trainer, self._factors = trainer(config, data, users, items), (users, items)
            self._begin()
            return self

        lenskit.funksvd.FunkSVDTrainer = make
        try:
            yield
        finally:
            lenskit.funksvd.FunkSVDTrainer = trainer

    def _begin(self) -> None:
        with self._task.snapshots.restoring() as directory:
            if directory is not None:
                self._restore(states.load(directory))
        if directory is None:
            self._mark()

    def feature_epoch(self, feature: int, estimates: Any, trail: float) -> float:
        """Train a feature for an epoch, unless a snapshot has it, and return the error."""
        if self._passed < self._done:
            self._passed += 1
            return self._error
        self._error = float(self._trainer.feature_epoch(feature, estimates, trail))
        self._passed = self._done = self._done + 1
        self._mark()
        return self._error

    def _mark(self) -> None:
        self._task.snapshots.point(self._save, iteration=self._done, iterations=self._features * self._epochs)

    def _save(self, directory: Path) -> None:
        names = {"done": self._done, "error": self._error, "factors": self._factors}
        states.save(directory, {**names, "random": random_states.capture()})

    def _restore(self, state: dict[str, Any]) -> None:
        assert self._factors is not None, "the loop has made them"
        for factors, saved in zip(self._factors, state["factors"], strict=True):
            factors[...] = saved
        self._done, self._error = state["done"], state["error"]
        random_states.restore(state["random"])


def train_by_features(model: Any, options: TrainingOptions, task: Task) -> None:
    """Train a FunkSVD scorer.

    Args:
        model: The model, whose scorer is trained.
        options: LensKit's options.
        task: The Fit.
    """
    with FeatureEpochs(model.scorer, task).hooked():
        model.scorer.train(model.train, options)

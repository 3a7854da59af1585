"""RecTools' transformers: trained by its own Lightning module, and asked for what comes after the users' sequences.

A snapshot is taken where an epoch begins, before the order of its batches is drawn. Lightning's own checkpoints are not for
there: what goes on from one takes the epoch that has not begun for done.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.warnings import PossibleUserWarning
from rectools.dataset import Dataset
from rectools.models.rank import Distance

from . import folds, parts, random_states, states
from .base import Task
from .factors import FactorScores, ItemFactors
from .sequences import Sequences, timed_sequences_of

BATCH = 256
"""Users whose sequences are read together."""

SMALLEST_NORM = 1e-8
"""What RecTools divides by at least, where it ranks by cosines."""

logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
warnings.filterwarnings(
    "ignore", category=PossibleUserWarning
)  # of workers and of short epochs, which are ours to choose


@dataclass
class SequenceModel:
    """A trained transformer.

    Attributes:
        network: RecTools' module.
        preparator: What makes its input of sequences, without the training data.
        items: int32 item codes by RecTools' number, less those of the tokens that are no items.
    """

    network: Any
    preparator: Any
    items: parts.Ints


def seed_everything_of(seed: int) -> None:
    """Seed the generators that RecTools draws from, as its tutorials do."""
    seed_everything(seed, verbose=False)


def train(recommender: Any, dataset: Dataset, task: Task) -> SequenceModel:
    """Train a transformer for all its epochs, as its ``fit`` does, and report each.

    Args:
        recommender: RecTools' model, which has not learned yet.
        dataset: The training part.
        task: The Fit.
    """
    recommender._build_model_from_dataset(dataset)
    module, preparator = recommender.lightning_model, recommender.data_preparator
    tokens = preparator.n_item_extra_tokens
    items = np.asarray(preparator.item_id_map.external_ids[tokens:], dtype=np.int32)
    loader = preparator.get_dataloader_train()
    preparator.train_dataset = None
    model = SequenceModel(recommender.torch_model, preparator, items)
    course = _Course(task, model, recommender.epochs)
    trainer = Trainer(
        max_epochs=recommender.epochs,
        min_epochs=recommender.epochs,
        deterministic=recommender.deterministic,
        accelerator="cpu" if task.device == "cpu" else "gpu",
        devices=1,
        callbacks=[course],
        plugins=[LightningEnvironment()],  # in a job of SLURM it would take the job's tasks for its own
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    course.run(trainer, module, loader)
    model.network.to("cpu")
    return model


class _Course(Callback):  # type: ignore[misc]
    """The epochs of a Fit: each is reported, and before each there is a point where a snapshot may be taken.

    Args:
        task: The Fit.
        model: What is trained.
        epochs: The number of epochs.
    """

    def __init__(self, task: Task, model: SequenceModel, epochs: int) -> None:
        self._task, self._model, self._epochs = task, model, epochs
        self._state: dict[str, Any] | None = None
        self._is_restored: Callable[[], None] = lambda: None

    def run(self, trainer: Trainer, module: Any, loader: Any) -> None:
        """Train, from the beginning or from a snapshot."""
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
        loss = float(trainer.callback_metrics[pl_module.train_loss_name])
        values = {"epoch": trainer.current_epoch + 1, "epochs": self._epochs, "loss": loss}
        if self._task.measure is None:
            self._task.report(**values)
            return
        self._task.measure(self._model, **values)
        self._model.network.to(pl_module.device)
        self._model.network.train()

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


@torch.no_grad()  # type: ignore[untyped-decorator]
def scores(model: SequenceModel, fold: folds.Fold, device: str) -> Iterator[tuple[parts.Ints, FactorScores]]:
    """Yield the scores of what comes next for batches of users, by their sequences; who has none has no scores.

    Args:
        model: The model.
        fold: The fold.
        device: Where sequences are read: ``cpu`` or ``cuda``.
    """
    network = model.network.to(device).eval()
    number = np.zeros(fold.n_items, dtype=np.int64)
    number[model.items] = np.arange(len(model.items)) + model.preparator.n_item_extra_tokens
    sequences, seconds = timed_sequences_of(fold.inputs, fold.n_users, fold.candidates & (number > 0))
    has_input = np.diff(sequences.first) > 0
    similarity = network.similarity_module
    embeddings = network.item_model.get_all_embeddings()
    tower = _ranked_by(similarity, similarity.item_tower_forward(embeddings))[model.preparator.n_item_extra_tokens :]
    items = ItemFactors.of(tower.cpu(), model.items, fold)
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        is_scored = has_input[users]
        factors = torch.zeros((len(users), tower.shape[1]), dtype=tower.dtype)
        if is_scored.any():
            batch = model.preparator._collate_fn_recommend(
                list(_sessions(users[is_scored], sequences, number, seconds, model.preparator))
            )
            batch = {name: values.to(device) for name, values in batch.items()}
            read = similarity.session_tower_forward(network.encode_sessions(batch, embeddings)[:, -1, :])
            factors[torch.from_numpy(is_scored)] = _ranked_by(similarity, read).cpu()
        yield users, FactorScores(factors, items, is_scored)


def _ranked_by(similarity: Any, embeddings: torch.Tensor) -> torch.Tensor:
    """Return embeddings whose products are what RecTools ranks by."""
    if similarity.distance != Distance.COSINE:
        return embeddings.contiguous()
    return embeddings / embeddings.norm(dim=1, keepdim=True).clamp(min=SMALLEST_NORM)


def _sessions(
    users: parts.Ints, sequences: Sequences, number: Any, seconds: Any, preparator: Any
) -> Iterator[tuple[list[int], list[float], dict[str, list[int]]]]:
    """Yield what RecTools reads of users: the last items, their weights and, where time counts, when they were.

    RecTools wants to know when it recommends, too, as a last item that it drops: that is the moment of the last real one,
    since a model must not know when the item to be predicted was.
    """
    for user in users.tolist():
        first, end = sequences.first[user], sequences.first[user + 1]
        rows = slice(max(first, end - preparator.session_max_len), end)
        items = number[sequences.item[rows]].tolist()
        if not preparator.add_unix_ts:
            yield items, [1.0] * len(items), {}
            continue
        moments = seconds[rows].tolist()
        yield [*items, 0], [1.0] * (len(items) + 1), {"unix_ts": [*moments, moments[-1]]}

"""RecTools' transformers: trained by its own Lightning module, and asked for what comes after the users' sequences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pytorch_lightning import seed_everything
from rectools.dataset import Dataset
from rectools.models.rank import Distance

from . import folds, parts
from .base import Task
from .factors import FactorScores, ItemFactors
from .rectools_course import Course
from .sequences import Sequences, timed_sequences_of

BATCH = 256
"""Users whose sequences are read together."""

SMALLEST_NORM = 1e-8
"""What RecTools divides by at least, where it ranks by cosines."""


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
    course = Course(task, recommender.epochs, module.train_loss_name, lambda: model)
    trainer = course.trainer(task.device, min_epochs=recommender.epochs, deterministic=recommender.deterministic)
    course.run(trainer, module, loader)
    model.network.to("cpu")
    return model


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

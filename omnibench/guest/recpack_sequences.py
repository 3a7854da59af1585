"""RecPack's algorithms that read the order or the times of interactions: its own interaction matrix, and what they score.

They learn from the training part, and recommend by the input that "Next items" in docs/conventions.md says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from recpack.algorithms import GRU4Rec
from recpack.algorithms.time_aware_item_knn import TARSItemKNN
from recpack.matrix import InteractionMatrix
from scipy.sparse import coo_matrix, csr_matrix, vstack
from torch.nn.utils.rnn import pack_padded_sequence

from . import folds, parts, score_forms
from .products import ProductScores, by_codes
from .sequences import Positions, Sequences, input_sequences, timed_sequences_of

BY_ORDER = ("GRU4RecCrossEntropy", "GRU4RecNegSampling", "Prod2VecClustered", "SequentialRules")
"""Algorithms that read what comes after what."""

BY_ORDER_AND_TIME = ("STAN",)

BY_TIME = (
    "TARSItemKNN",
    "TARSItemKNNCoocDistance",
    "TARSItemKNNDing",
    "TARSItemKNNHermann",
    "TARSItemKNNLee",
    "TARSItemKNNLiu",
    "TARSItemKNNLiu2012",
    "TARSItemKNNVaz",
    "TARSItemKNNXia",
)
"""Algorithms that read how long ago something was, or how much time there was between two interactions."""

SEQUENTIAL = (*BY_ORDER, *BY_ORDER_AND_TIME, *BY_TIME)

BATCH = 256
"""Users whose scores are held in memory together."""

NUMBERS = 1 << 24
"""Numbers of embedded sequences that are held in memory together."""

if not hasattr(coo_matrix, "A"):  # STAN reads it, and SciPy has it no more since 1.14
    coo_matrix.A = property(lambda matrix: matrix.toarray())


def interactions(
    algorithm: str,
    fold: folds.Fold,
    part: parts.Part,
    users: parts.Ints | None = None,
    is_known: npt.NDArray[np.bool_] | None = None,
) -> InteractionMatrix:
    """Return a part as RecPack's matrix, with the times that an algorithm reads.

    RecPack sorts a user's interactions by their times with a sort that is not stable. So what reads the order alone gets
    positions in the place of times, and what reads both gets fractions of a second for what was at one moment.

    Args:
        algorithm: The name of the algorithm.
        fold: The fold.
        part: The part.
        users: Whose interactions are wanted; by default everybody's.
        is_known: Whether an item may be in it, shape (n_items,); None for all.

    Raises:
        ValueError: The part has no timestamps.
    """
    sequences, seconds = timed_sequences_of(part, fold.n_users, is_known)
    user = np.repeat(np.arange(fold.n_users), np.diff(sequences.first))
    if algorithm in BY_ORDER:
        times: npt.NDArray[Any] = np.arange(1, len(user) + 1)
    else:
        times = _after_zero(seconds)
        if algorithm in BY_ORDER_AND_TIME:
            times = times + _fractions(user, times)
    frame = pd.DataFrame({"user": user, "item": sequences.item, "time": times})
    if users is not None:
        frame = frame[np.isin(user, users)]
    return InteractionMatrix(frame, "item", "user", "time", shape=(fold.n_users, fold.n_items))


def _after_zero(seconds: Positions) -> Positions:
    """Return times of which none is 0 or less, which RecPack takes for no interaction."""
    earliest = int(seconds.min(initial=1))
    return seconds if earliest > 0 else seconds - earliest + 1


def _fractions(user: Positions, times: Positions) -> npt.NDArray[np.float64]:
    """Return fractions of a second that rise among a user's interactions of one moment, from 0 on; rows by user and time."""
    is_first = np.concatenate([[True], (np.diff(user) != 0) | (np.diff(times) != 0)])[: len(times)]
    begins = np.flatnonzero(is_first)
    counts = np.diff(np.append(begins, len(times)))
    return (np.arange(len(times)) - np.repeat(begins, counts)) / np.repeat(counts, counts)


def scores(model: Any, algorithm: str, fold: folds.Fold) -> Iterator[tuple[parts.Ints, folds.Scores | Any]]:
    """Yield the scores of all items for batches of users; no score for an item that is unknown in training.

    Args:
        model: The algorithm object.
        algorithm: Its name.
        fold: The fold.
    """
    if isinstance(model, GRU4Rec):
        yield from _scores_of_what_follows(model, fold)
    elif algorithm in BY_ORDER_AND_TIME:
        yield from _scores_of_neighbouring_users(model, algorithm, fold)
    else:
        read = interactions(algorithm, fold, fold.inputs, fold.users, fold.candidates)
        weights = _weights(model, read) if read.num_interactions else csr_matrix(read.shape)
        codes = np.where(fold.candidates, np.arange(fold.n_items), -1)
        similarity = by_codes(model.similarity_matrix_, codes, fold.n_items)
        for start in range(0, len(fold.users), BATCH):
            users = fold.users[start : start + BATCH]
            yield users, ProductScores(weights[users], similarity)


def _weights(model: Any, read: InteractionMatrix) -> csr_matrix:
    """Return how much each item of a user's input counts, shape (n_users, n_items).

    All users come at once, as in RecPack's pipelines: how old something is depends on the latest interaction of all.
    """
    weighted = model._transform_predict_input(read)
    return csr_matrix(model._add_decay_to_predict_matrix(weighted) if isinstance(model, TARSItemKNN) else weighted)


def _scores_of_neighbouring_users(
    model: Any, algorithm: str, fold: folds.Fold
) -> Iterator[tuple[parts.Ints, score_forms.SparseScores]]:
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        read = interactions(algorithm, fold, fold.inputs, users, fold.candidates)
        predicted = csr_matrix(read.shape) if read.num_interactions == 0 else csr_matrix(model.predict(read))
        predicted = predicted[users]
        predicted.eliminate_zeros()
        starts, items = predicted.indptr.astype(np.int64), predicted.indices.astype(np.int32)
        yield users, score_forms.SparseScores(starts, items, predicted.data)


def _scores_of_what_follows(model: GRU4Rec, fold: folds.Fold) -> Iterator[tuple[parts.Ints, folds.Scores]]:
    sequences = input_sequences(fold)
    counts = np.diff(sequences.first)
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        rows = np.flatnonzero(counts[users] > 0)
        scored = np.full((len(users), fold.n_items), np.nan, dtype=np.float32)
        if len(rows):
            items, lengths = _padded(sequences, users[rows], model.pad_token)
            scored[rows] = _following(model, items, lengths)
        if model.predict_topK:
            scored[rows] = _best(model, scored[rows])
        scored[:, ~fold.candidates] = np.nan
        yield users, scored


def _padded(sequences: Sequences, users: parts.Ints, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = int((sequences.first[users + 1] - sequences.first[users]).max())
    items, lengths = sequences.latest(users, longest)
    return torch.from_numpy(np.where(items == folds.NO_ITEM, pad, items).astype(np.int64)), torch.from_numpy(lengths)


def _best(model: GRU4Rec, scored: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return scores without those that the hyperparameter ``predict_topK`` leaves out."""
    kept = model._get_top_k_recommendations(csr_matrix(scored)).tocoo()
    best = np.full_like(scored, np.nan)
    best[kept.row, kept.col] = kept.data
    return best


@torch.no_grad()  # type: ignore[untyped-decorator]
def _following(model: GRU4Rec, items: torch.Tensor, lengths: torch.Tensor) -> npt.NDArray[np.float32]:
    """Return what a network of GRU4Rec scores after the last item of each sequence.

    RecPack's own ``_predict`` scores all items after each item of a sequence, which takes gigabytes, and keeps the last.

    Args:
        model: The algorithm.
        items: Item codes, padded at the end, shape (b, length).
        lengths: The lengths of the sequences, of which none is 0, shape (b,).

    Returns:
        Scores of shape (b, n_items).
    """
    network = model.model_.eval()
    at_once = max(1, NUMBERS // (items.shape[1] * max(model.num_components, model.hidden_size)))
    scored = []
    for some, counts in zip(items.split(at_once), lengths.split(at_once), strict=True):
        embedded = network.emb(some.to(model.device))
        packed = pack_padded_sequence(embedded, counts, batch_first=True, enforce_sorted=False)
        _, hidden = network.rnn(packed, network.init_hidden(len(some)).to(model.device))
        scored.append(network.lin(hidden[-1])[:, :-1].numpy(force=True))
    return np.concatenate(scored)


def predict_following(model: GRU4Rec, read: InteractionMatrix) -> csr_matrix:
    """Return what RecPack's own ``_predict`` returns for the users of a matrix, by less memory; see ``_following``."""
    users, rows = [], []
    for numbers, items in model.predict_sampler.sample(read):
        scored = _following(model, items, (items != model.pad_token).sum(dim=1))
        users.append(numbers.numpy())
        rows.append(model._get_top_k_recommendations(csr_matrix(scored)))
    if not rows:
        return csr_matrix(read.shape)
    entries = vstack(rows).tocoo()
    return csr_matrix((entries.data, (np.concatenate(users)[entries.row], entries.col)), shape=read.shape)

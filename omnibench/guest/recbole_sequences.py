"""RecBole's form of a fold's sequences: the batches that its augmentation makes, without a copy of all sequences before it.

RecBole's own ``SequentialDataset`` has a row with all items before it for each interaction, in memory. Here a batch gathers
its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from recbole.data.dataloader.general_dataloader import FullSortEvalDataLoader
from recbole.data.interaction import Interaction
from recbole.sampler import RepeatableSampler
from recbole.utils import FeatureSource, FeatureType

from . import folds, parts, top_items
from .recbole_data import Counts, FoldDataset, in_order_of_appearance, tokens_of
from .recbole_models import LENGTH
from .recbole_rows import training_loader
from .recbole_training import Model
from .sequences import Positions, Sequences, input_sequences, sequences_of

BATCH = 256
"""Users whose scores are held in memory together."""

TRANSREC = "TransRec"
"""The model that has the vectors of all items once for each user whose items it scores."""

NUMBERS = 1 << 24
"""Numbers that are held in memory together by a model that has a vector for each user and item."""


@dataclass(frozen=True)
class Inputs:
    """Sequences to learn from or to be judged by, with their users.

    Attributes:
        user: User numbers, int64, shape (n,).
        end: The position behind the last item of each sequence, int64, shape (n,).
        count: How many items each has, int64, shape (n,).
        sequences: The items, by RecBole's number less one.
    """

    user: Positions
    end: Positions
    count: Positions
    sequences: Sequences

    def columns(self, rows: Any, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the users, the sequences padded with zeros at the end, and their lengths.

        Args:
            rows: Which of them.
            length: The largest length of a sequence.
        """
        end, count = self.end[rows], np.minimum(self.count[rows], length)
        items, count = self.sequences.before(end, count, length)
        users, numbers = self.user[rows], items.astype(np.int64) + 1
        return torch.from_numpy(users), torch.from_numpy(numbers), torch.from_numpy(count)


@dataclass(frozen=True)
class SequenceFold:
    """The training and the validation part as sequences by RecBole's numbers, which count from 1 in order of appearance.

    Attributes:
        users: int32 user codes by RecBole's number less one.
        items: int32 item codes likewise.
        inputs: What the next item of each training interaction is learned from.
        next_item: That item's number, int64, shape (n,).
        judged: What validation is recommended by, a row for each of its users.
        held_out: The row in ``judged`` of each validation interaction, and its item's number; int64.
        times: How often each item number is to be found in training and validation, int64, shape (items + 1,).
    """

    users: parts.Ints
    items: parts.Ints
    inputs: Inputs
    next_item: Positions
    judged: Inputs
    held_out: tuple[Positions, Positions]
    times: Positions

    @property
    def has_validation(self) -> bool:
        """Whether there are rows to judge a model by."""
        return len(self.judged.user) > 0


def sequence_fold(fold: folds.Fold) -> SequenceFold:
    """Return the sequences of a fold, in the order in which RecBole has them: users by the time of their second interaction.

    Args:
        fold: The fold.

    Raises:
        ValueError: It has no timestamps, or nobody has two interactions in training.
    """
    train, validation, history = fold.train, fold.validation, fold.history
    users, user_number = in_order_of_appearance(train.user, validation.user)
    items, item_number = in_order_of_appearance(train.item, validation.item)

    def by_number(sequences: Sequences) -> Sequences:
        return Sequences(sequences.first, item_number[sequences.item] - 1)

    learned = by_number(sequences_of(train, fold.n_users))
    order = _order_of_users(train, validation, fold.n_users)
    owner, position = parts.entries_of(order, learned.first)
    first = learned.first[order[owner]]
    is_next = position > first
    owner, position, first = owner[is_next], position[is_next], first[is_next]
    if len(position) == 0:
        raise ValueError("nobody has two interactions in training, so that there is no next item to learn")
    inputs = Inputs(user_number[order[owner]].astype(np.int64), position, position - first, learned)

    read = by_number(sequences_of(history, fold.n_users, fold.candidates))
    in_validation = validation.first_rows(fold.n_users)
    judged = _order_of_users(history, validation, fold.n_users)
    judged = judged[(np.diff(in_validation)[judged] > 0) & (np.diff(read.first)[judged] > 0)]
    end = read.first[judged + 1]
    row, rows = parts.entries_of(judged, in_validation)
    held_out = item_number[validation.item[rows]].astype(np.int64)
    next_item = learned.item[position].astype(np.int64) + 1
    return SequenceFold(
        users,
        items,
        inputs,
        next_item,
        Inputs(user_number[judged].astype(np.int64), end, end - read.first[judged], read),
        (row, held_out),
        np.bincount(np.concatenate([next_item, held_out]), minlength=len(items) + 1),
    )


def _order_of_users(history: parts.Part, validation: parts.Part, n_users: int) -> Positions:
    """Return user codes by the time of the user's second interaction, in RecBole's 32 bits; who has none is last."""
    assert history.timestamp is not None, "sequences have asked for them"
    assert validation.timestamp is not None, "parts have the same columns"
    first, first_held_out = (part.first_rows(n_users) for part in (history, validation))
    counts, held_out_counts = np.diff(first), np.diff(first_held_out)
    moment = np.full(n_users, np.inf, dtype=np.float32)
    has_two = counts > 1
    moment[has_two] = history.timestamp[first[:-1][has_two] + 1]
    is_continued = (counts == 1) & (held_out_counts > 0)
    moment[is_continued] = validation.timestamp[first_held_out[:-1][is_continued]]
    return np.argsort(moment, kind="stable")


class _NextItems:
    """The training rows of a dataset, as far as RecBole asks for them: by number, and by column."""

    def __init__(self, fold: SequenceFold, fields: tuple[str, str, str, str], length: int) -> None:
        self.columns = list(fields)
        self._fold, self._length = fold, length

    def __len__(self) -> int:
        return len(self._fold.next_item)

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, str):
            return self[slice(None)][rows]
        user, sequence, length = self._fold.inputs.columns(rows, self._length)
        item = torch.from_numpy(self._fold.next_item[rows])
        return Interaction(dict(zip(self.columns, (user, item, sequence, length), strict=True)))


class SequenceDataset(FoldDataset):
    """RecBole's dataset of the training part, augmented when a batch is made.

    Args:
        config: RecBole's configuration.
        fold: The fold.
    """

    def __init__(self, config: Any, fold: SequenceFold) -> None:
        self._sequences = fold
        super().__init__(config, tokens_of(fold.users, fold.items))

    def _interactions(self) -> _NextItems:
        length, sequence = self.config[LENGTH], self.iid_field + self.config["LIST_SUFFIX"]
        self.item_id_list_field, self.item_list_length_field = sequence, self.config["ITEM_LIST_LENGTH_FIELD"]
        self.set_field_property(sequence, FeatureType.TOKEN_SEQ, FeatureSource.INTERACTION, length)
        self.set_field_property(self.item_list_length_field, FeatureType.TOKEN, FeatureSource.INTERACTION, 1)
        fields = self.uid_field, self.iid_field, sequence, self.item_list_length_field
        return _NextItems(self._sequences, fields, length)


class NextItemSampler(RepeatableSampler):  # type: ignore[misc]
    """RecBole's sampler of negative items for next items, with the same draws: anything else may be drawn.

    Args:
        dataset: The dataset of training.
        fold: The fold.
        distribution: RecBole's name of the distribution.
        alpha: The power of popularity.
    """

    phase = "train"

    def __init__(self, dataset: SequenceDataset, fold: SequenceFold, distribution: str, alpha: float) -> None:
        self._fold = fold
        super().__init__(self.phase, dataset, distribution, alpha)

    def _get_candidates_list(self) -> Counts:
        return Counts(self._fold.times)

    def get_used_ids(self) -> None:
        """Return nothing: no user's items are excluded."""

    def sample_by_user_ids(self, user_ids: Any, item_ids: Any, num: int) -> torch.Tensor:
        """Draw items that are not the next one.

        Args:
            user_ids: User numbers.
            item_ids: The number of the next item of each.
            num: How many to draw for each.

        Returns:
            The items; those of all users, then the second ones of all users, and so on.
        """
        excluded = np.tile(np.asarray(item_ids), num)
        items = np.zeros(len(excluded), dtype=np.int64)
        pending = np.arange(len(excluded))
        while len(pending):
            items[pending] = self.sampling(len(pending))
            pending = pending[items[pending] == excluded[pending]]
        return torch.from_numpy(items)


def sequence_loaders(config: Any, dataset: SequenceDataset, fold: SequenceFold) -> tuple[Any, Any]:
    """Return the loader of training and that of validation, as RecBole's ``data_preparation`` makes them; None for no rows.

    Args:
        config: RecBole's configuration.
        dataset: The dataset of training.
        fold: The fold.
    """
    drawn = config["train_neg_sample_args"]
    sampler = None
    if drawn["distribution"] != "none":
        sampler = NextItemSampler(dataset, fold, drawn["distribution"], drawn["alpha"])
    train = training_loader(config, dataset, sampler)
    return train, SequenceValidationLoader(config, dataset, fold) if fold.has_validation else None


class SequenceValidationLoader(FullSortEvalDataLoader):  # type: ignore[misc]
    """RecBole's loader of what comes next in validation: it masks nothing, as RecBole does for sequential models.

    Args:
        config: RecBole's configuration.
        dataset: The dataset of training, of which it needs what users and items there are.
        fold: The fold.
    """

    def __init__(self, config: Any, dataset: SequenceDataset, fold: SequenceFold) -> None:
        self.uid_field, self.iid_field, self.is_sequential = dataset.uid_field, dataset.iid_field, True
        self._fold, self._length = fold, config[LENGTH]
        self._fields = dataset.uid_field, dataset.item_id_list_field, dataset.item_list_length_field
        row, _ = fold.held_out
        self._first = np.searchsorted(row, np.arange(len(fold.judged.user) + 1))
        self.sample_size = len(fold.judged.user)
        AbstractDataLoader.__init__(self, config, dataset, None, shuffle=False)

    def _init_batch_size_and_step(self) -> None:
        """Take ``eval_batch_size`` users at once; of TransRec fewer where it would have too many vectors."""
        super()._init_batch_size_and_step()
        if self.config["model"] == TRANSREC:
            self.step = min(self.step, _fitting_users(self._dataset.item_num, self.config["embedding_size"]))
            self.set_batch_size(self.step)

    def collate_fn(self, index: Any) -> tuple[Any, None, torch.Tensor, torch.Tensor]:
        """Return some users with their sequences, and the items that are held out, each with the user's position."""
        rows = np.array(index)
        columns = self._fold.judged.columns(rows, self._length)
        users = self.transform(self._dataset, Interaction(dict(zip(self._fields, columns, strict=True))))
        position, held_out = parts.entries_of(rows, self._first)
        return users, None, torch.from_numpy(position), torch.from_numpy(self._fold.held_out[1][held_out])


@torch.no_grad()  # type: ignore[untyped-decorator]
def sequential_scores(
    model: Model, fold: folds.Fold, number: Positions, *, is_of_users: bool
) -> Iterator[tuple[parts.Ints, folds.Scores]]:
    """Yield the scores of all items for batches of users, by their sequences; NaN for items that are unknown in training.

    Args:
        model: The model.
        fold: The fold.
        number: RecBole's number of each user, 0 for who is unknown; shape (n_users,).
        is_of_users: Whether the model knows something of each user, and nothing of others.
    """
    network = model.network
    item_number = np.zeros(fold.n_items, dtype=np.int64)
    item_number[model.items] = np.arange(1, len(model.items) + 1)
    is_known = fold.candidates & (item_number > 0)
    sequences = input_sequences(fold)
    has_input = np.diff(sequences.first) > 0
    if is_of_users:
        has_input &= number > 0
    batch = _users_at_once(network, len(model.items))
    for start in range(0, len(fold.users), batch):
        users = fold.users[start : start + batch]
        rows = np.flatnonzero(has_input[users])
        items, counts = sequences.latest(users[rows], network.max_seq_length)
        padded = np.where(items == folds.NO_ITEM, 0, item_number[items])
        columns = {
            network.USER_ID: torch.from_numpy(number[users[rows]]),
            network.ITEM_SEQ: torch.from_numpy(padded),
            network.ITEM_SEQ_LEN: torch.from_numpy(counts),
        }
        scored: npt.NDArray[Any] = np.zeros((0, len(model.items)), dtype=np.float32)
        if len(rows):
            inputs = Interaction(columns).to(network.device)
            scored = network.full_sort_predict(inputs).reshape(len(rows), -1).numpy(force=True)[:, 1:]
        scores = np.full((len(users), fold.n_items), np.nan, dtype=top_items.ranking_type(scored.dtype))
        scores[np.ix_(rows, model.items)] = scored
        scores[:, ~is_known] = np.nan
        yield users, scores


def _users_at_once(network: Any, n_items: int) -> int:
    return min(BATCH, _fitting_users(n_items, network.embedding_size)) if type(network).__name__ == TRANSREC else BATCH


def _fitting_users(n_items: int, embedding_size: int) -> int:
    """Return for how many users all vectors of items may be there once each; at least one."""
    return max(1, NUMBERS // (n_items * embedding_size))

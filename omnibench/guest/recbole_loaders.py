"""RecBole's loaders of a fold: they draw and mask as RecBole's own do, by arrays in the place of a Python set for each user."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from recbole.data.dataloader.general_dataloader import FullSortEvalDataLoader
from recbole.data.interaction import Interaction
from recbole.sampler import Sampler

from .recbole_data import Counts, NumberedFold, PairDataset, Rows
from .recbole_rows import loaders_of


def loaders(config: Any, dataset: PairDataset, fold: NumberedFold) -> tuple[Any, Any]:
    """Return the loader of training and that of validation of models without sequences; see ``recbole_rows.loaders_of``.

    Args:
        config: RecBole's configuration.
        dataset: The dataset of training.
        fold: The fold.
    """
    return loaders_of(config, dataset, fold, FoldSampler, ValidationLoader)


class FoldSampler(Sampler):  # type: ignore[misc]
    """RecBole's sampler of negative items for users, with the same draws.

    To draw by popularity, it counts the validation part, and the training part once more in the place of the test part, which
    models must not see: what RecBole does with such parts.

    Args:
        dataset: The dataset of training.
        fold: The fold.
        distribution: RecBole's name of the distribution.
        alpha: The power of popularity.
    """

    phase = "train"

    def __init__(self, dataset: PairDataset, fold: NumberedFold, distribution: str, alpha: float) -> None:
        self._fold = fold
        super().__init__(self.phase, dataset, distribution, alpha)

    def _get_candidates_list(self) -> Counts:
        return Counts(self._fold.times_of_items(train=2, validation=1))

    def get_used_ids(self) -> Rows:
        """Return the items that each user has in training."""
        return self._fold.seen

    def sample_by_key_ids(self, key_ids: Any, num: int) -> torch.Tensor:
        """Draw items that a user does not have, again and again for the pairs where the user has the item.

        Args:
            key_ids: User numbers.
            num: How many to draw for each.

        Returns:
            The items; those of all users, then the second ones of all users, and so on.
        """
        users = np.tile(np.asarray(key_ids), num)
        items = np.zeros(len(users), dtype=np.int64)
        pending = np.arange(len(users))
        while len(pending):
            items[pending] = self.sampling(len(pending))
            pending = pending[self.used_ids.have(users[pending], items[pending])]
        return torch.from_numpy(items)


class ValidationLoader(FullSortEvalDataLoader):  # type: ignore[misc]
    """RecBole's loader of the users of the validation part, with the items to mask and those to find.

    Args:
        config: RecBole's configuration.
        dataset: The dataset of training, of which it needs what users and items there are.
        fold: The fold.
    """

    def __init__(self, config: Any, dataset: PairDataset, fold: NumberedFold) -> None:
        self.uid_field, self.iid_field, self.is_sequential = dataset.uid_field, dataset.iid_field, False
        self._fold = fold
        self.uid_list = torch.from_numpy(np.flatnonzero(np.diff(fold.held_out.first)))
        self.user_df = dataset.join(Interaction({self.uid_field: self.uid_list}))
        self.sample_size = len(self.uid_list)
        AbstractDataLoader.__init__(self, config, dataset, None, shuffle=False)

    def collate_fn(self, index: Any) -> tuple[Any, tuple[torch.Tensor, torch.Tensor], torch.Tensor, torch.Tensor]:
        """Return some users, with the items of their history and those that are held out, each with the user's position."""
        users = self.user_df[np.array(index)]
        numbers = users[self.uid_field].tolist()
        history, held_out = (_pairs(rows, numbers) for rows in (self._fold.history, self._fold.held_out))
        return users, history, *held_out


def _pairs(rows: Rows, users: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of users, once for each of their items, and the items."""
    items = [rows.of(user) for user in users]
    position = np.repeat(np.arange(len(users)), [len(row) for row in items])
    return torch.from_numpy(position), torch.from_numpy(np.concatenate(items).astype(np.int64))

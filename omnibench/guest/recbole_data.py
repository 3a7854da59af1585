"""RecBole's form of a fold, made of its arrays: what RecBole itself makes of text files, by way of a Python object per interaction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from recbole.utils import FeatureSource, FeatureType

from . import parts

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """The items of each user by RecBole's numbers, ascending.

    Attributes:
        first: Where the items of each user number begin, int64, and at the end how many there are. Number 0, which pads, has
            none.
        item: int32 item numbers.
    """

    first: Positions
    item: parts.Ints

    def of(self, user: int) -> parts.Ints:
        """Return the items of a user."""
        return self.item[self.first[user] : self.first[user + 1]]

    @cached_property
    def _longest_step(self) -> int:
        longest = int(np.diff(self.first).max(initial=0))
        return 1 << max(0, longest.bit_length() - 1)

    def have(self, users: npt.NDArray[np.integer[Any]], items: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
        """Return for each pair whether the user has the item; all at once by halving, without a set for each user.

        Args:
            users: User numbers.
            items: As many item numbers.
        """
        if len(self.item) == 0:
            return np.zeros(len(users), dtype=bool)
        position, end = self.first[users], self.first[users + 1]
        step = self._longest_step
        while step:
            ahead = np.minimum(position + step, end)
            is_below = (ahead - position == step) & (self.item[ahead - 1] < items)
            position = np.where(is_below, ahead, position)
            step >>= 1
        return (position < end) & (self.item[np.minimum(position, len(self.item) - 1)] == items)


@dataclass(frozen=True)
class NumberedFold:
    """The training and the validation part by RecBole's numbers, which count from 1 in order of appearance.

    Attributes:
        users: int32 user codes by RecBole's number less one.
        items: int32 item codes likewise.
        train: The items of training, in the order of its rows.
        seen: The same by user, ascending.
        history: What of it is not in validation.
        held_out: The items of validation by user.
    """

    users: parts.Ints
    items: parts.Ints
    train: parts.Ints
    seen: Rows
    history: Rows
    held_out: Rows

    @property
    def has_validation(self) -> bool:
        """Whether there are rows to judge a model by."""
        return len(self.held_out.item) > 0

    def times_of_items(self, train: int, validation: int) -> npt.NDArray[np.int64]:
        """Return how often each item occurs where the parts are repeated; shape (items + 1,), where item 0 pads."""
        width = len(self.items) + 1
        in_train, in_validation = (
            np.bincount(numbers, minlength=width) for numbers in (self.train, self.held_out.item)
        )
        return train * in_train + validation * in_validation


def numbered(train: parts.Part, validation: parts.Part) -> NumberedFold:
    """Number the users and items of the parts, as RecBole does where it reads them one after the other.

    Args:
        train: The training part, without repeated pairs.
        validation: The validation part, likewise.
    """
    users, user_number = in_order_of_appearance(train.user, validation.user)
    items, item_number = in_order_of_appearance(train.item, validation.item)
    width = len(items) + 1
    train_items = item_number[train.item]
    pairs = _ascending(user_number[train.user], train_items, width)
    held_out = _ascending(user_number[validation.user], item_number[validation.item], width)
    seen = _rows(pairs, len(users), width)
    is_held_out = np.zeros(len(pairs), dtype=bool)
    if len(pairs):
        position = np.minimum(np.searchsorted(pairs, held_out), len(pairs) - 1)
        is_held_out[position[pairs[position] == held_out]] = True  # only where a data set's own parts repeat each other
    history = _rows(pairs[~is_held_out], len(users), width) if is_held_out.any() else seen
    return NumberedFold(users, items, train_items, seen, history, _rows(held_out, len(users), width))


Tokens = tuple[npt.NDArray[np.str_], npt.NDArray[np.str_]]
"""RecBole's names of users and of items by number."""


def tokens_of(users: parts.Ints, items: parts.Ints) -> Tokens:
    """Return the names of codes: the codes as text.

    Args:
        users: User codes by RecBole's number less one.
        items: Item codes likewise.
    """
    user, item = (np.array(["[PAD]", *codes.astype(str)]) for codes in (users, items))
    return user, item


def in_order_of_appearance(*columns: parts.Ints) -> tuple[parts.Ints, parts.Ints]:
    """Return the different codes in order of appearance, and each code's number from 1; shape (largest code + 1,)."""
    codes = pd.unique(np.concatenate(columns))
    number = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.int32)
    number[codes] = np.arange(1, len(codes) + 1)
    return codes, number


def _ascending(users: parts.Ints, items: parts.Ints, width: int) -> Positions:
    pairs = users.astype(np.int64) * width + items
    pairs.sort()
    return pairs


def _rows(pairs: Positions, users: int, width: int) -> Rows:
    """Return ascending pairs as the items of each user."""
    first = np.searchsorted(pairs, np.arange(users + 2, dtype=np.int64) * width)
    return Rows(first, (pairs % width).astype(np.int32))


class Counts(dict[int, int]):
    """How often each item is among a sampler's candidates, in the place of a list that has each as often as that."""

    def __init__(self, times: npt.NDArray[np.int64]) -> None:
        super().__init__({item: count for item, count in enumerate(times.tolist()) if count})
        self._length = int(times.sum())

    def __len__(self) -> int:
        return self._length


class FoldDataset(Dataset):  # type: ignore[misc]
    """RecBole's dataset of the training part, without a file.

    Args:
        config: RecBole's configuration.
        tokens: The names of users and of items.
    """

    def __init__(self, config: Any, tokens: Tokens) -> None:
        self._tokens = tokens
        super().__init__(config)

    def _from_scratch(self) -> None:
        """Set what RecBole's method of this name reads, counts and renames."""
        self._get_preset()
        self._get_field_from_config()
        fields = self.uid_field, self.iid_field
        for field, source in zip(fields, (FeatureSource.USER_ID, FeatureSource.ITEM_ID), strict=True):
            self.set_field_property(field, FeatureType.TOKEN, source, 1)
        self.user_feat = self.item_feat = None
        self.inter_feat = self._interactions()
        self._init_alias()
        self.feat_name_list = self._build_feat_name_list()
        self.field2id_token = dict(zip(fields, self._tokens, strict=True))

    def _interactions(self) -> Any:
        """Return RecBole's interactions."""
        raise NotImplementedError


class PairDataset(FoldDataset):
    """That of models without sequences.

    Args:
        config: RecBole's configuration.
        fold: The fold.
    """

    def __init__(self, config: Any, fold: NumberedFold) -> None:
        self._fold = fold
        super().__init__(config, tokens_of(fold.users, fold.items))

    def _interactions(self) -> Any:
        first = self._fold.seen.first
        users = np.repeat(np.arange(len(first) - 1, dtype=np.int64), np.diff(first))
        return self.interactions(users, self._fold.train)  # users have the ascending numbers of their rows

    def interactions(self, users: npt.NDArray[np.integer[Any]], items: npt.NDArray[np.integer[Any]]) -> Any:
        """Return pairs of numbers as RecBole's interactions; int64 numbers are not copied."""
        columns = {self.uid_field: users, self.iid_field: items}
        return Interaction(
            {name: torch.from_numpy(numbers.astype(np.int64, copy=False)) for name, numbers in columns.items()}
        )

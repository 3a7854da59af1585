"""Surprise's training set, made of a fold's ratings, and the codes of what it numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from surprise import Dataset, Reader, Trainset

from . import folds, parts
from .kept import kept


@dataclass(frozen=True)
class Training:
    """A training set, whose numbers are in the order in which users and items first occur.

    Attributes:
        trainset: Surprise's own form.
        item: The item code of each number, shape (items,).
        number_of_user: The number of each user code, -1 for one without ratings; shape (n_users,).
    """

    trainset: Trainset
    item: parts.Ints
    number_of_user: npt.NDArray[np.int64]


def training(fold: folds.Fold) -> Training:
    """Return the training set of a fold, made once for it; predictions are kept within its lowest and highest rating."""
    return kept(fold, "training", lambda: _training(fold))


def _training(fold: folds.Fold) -> Training:
    train = fold.train
    assert train.rating is not None, "what has none was refused"
    columns = (train.user.tolist(), train.item.tolist(), train.rating.tolist())
    rows = [(user, item, rating, None) for user, item, rating in zip(*columns, strict=True)]
    scale = (float(train.rating.min()), float(train.rating.max()))
    trainset = Dataset(Reader(rating_scale=scale)).construct_trainset(rows)
    number_of_user = np.full(fold.n_users, -1, dtype=np.int64)
    number_of_user[list(trainset._raw2inner_id_users)] = np.arange(trainset.n_users)
    return Training(trainset, np.array(list(trainset._raw2inner_id_items), dtype=np.int32), number_of_user)


class CountedTrainset:
    """A training set that says how often an algorithm begins to go through its ratings, which each epoch does once.

    Args:
        trainset: The training set, of which it has everything else.
        begin: Is called with the number of times so far, from 0 on.
    """

    def __init__(self, trainset: Trainset, begin: Callable[[int], None]) -> None:
        self._trainset, self._begin, self._passes = trainset, begin, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainset, name)

    def all_ratings(self) -> Iterator[tuple[int, int, float]]:
        """Return Surprise's own iterator over the ratings."""
        self._begin(self._passes)
        self._passes += 1
        return self._trainset.all_ratings()

"""Lists of a model that predicts ratings only: each user's items, the highest predicted rating first."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from .folds import Fold
from .parts import Ints, Part
from .ranked_lists import RankedList

PAIRS = 1 << 20
"""How many ratings are predicted at once."""


def lists_by_rating(
    rate: Callable[[Fold], npt.NDArray[np.floating]], fold: Fold
) -> Iterator[tuple[Ints, list[RankedList]]]:
    """Yield (users, a list for each) in batches, over ``fold.users`` in order; ties by item code.

    Args:
        rate: Predicts a rating for every row of a fold's ``test``; NaN where there is none.
        fold: The fold to recommend for.
    """
    items = np.flatnonzero(fold.rankable).astype(np.int32)
    step = max(1, PAIRS // max(1, len(items)))
    for start in range(0, len(fold.users), step):
        users = fold.users[start : start + step]
        ratings = rate(_with_pairs(fold, np.repeat(users, len(items)), np.tile(items, len(users))))
        lists = []
        for user_ratings in np.asarray(ratings, dtype=np.float64).reshape(len(users), len(items)):
            order = np.argsort(-user_ratings, kind="stable")  # NaN comes last
            rated = order[np.isfinite(user_ratings[order])]
            lists.append((items[rated], user_ratings[rated]))
        yield users, lists


def _with_pairs(fold: Fold, user: Ints, item: Ints) -> Fold:
    """Return the fold with other pairs to rate."""
    paired = copy.copy(fold)
    vars(paired)["test"] = Part(user, item, None, None)  # in the place of the property that reads the test part
    return paired

"""Whom negative sampling has to leave out: nothing can be drawn against a user who has every item.

Frameworks refuse such data, or try for ever. Nothing can be recommended to these users either, so that leaving them out
of training costs them nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .distinct import distinct
from .folds import Fold
from .parts import Ints, Part, rows_of


@dataclass(frozen=True)
class Samplable:
    """The interactions that negative samples can be drawn against, and what was left out for that.

    Attributes:
        train: The rows of training that are left.
        validation: The rows of validation that are left.
        users: Codes of the users who have every item in training.
        items: Codes of the items that every user has in training.
    """

    train: Part
    validation: Part
    users: Ints
    items: Ints


def samplable(fold: Fold, *, against_items: bool = False, with_validation: bool = True) -> Samplable:
    """Leave out the users for whom no negative item can be drawn, until there is one for everybody.

    Args:
        fold: The fold to train on.
        against_items: Whether users are drawn against items, too: then items that every user has are left out as well.
        with_validation: Whether the framework gets the validation part: an item that is there alone can be drawn then.
    """
    parts = fold.train, fold.validation if with_validation else rows_of(fold.validation, slice(0))
    keep_user, keep_item = np.ones(fold.n_users, dtype=bool), np.ones(fold.n_items, dtype=bool)
    while True:
        train, validation = (_select(part, keep_user[part.user] & keep_item[part.item]) for part in parts)
        user, item = (
            np.concatenate([getattr(train, name), getattr(validation, name)]).astype(np.int64)
            for name in ("user", "item")
        )
        full_users = _with_all(train.user, train.item, int(np.count_nonzero(np.bincount(item))))
        n_users = int(np.count_nonzero(np.bincount(user)))
        full_items = _with_all(train.item, train.user, n_users) if against_items else full_users[:0]
        if len(full_users) + len(full_items) == 0:
            left_out = [np.flatnonzero(~keep).astype(np.int32) for keep in (keep_user, keep_item)]
            return Samplable(train, validation, *left_out)
        keep_user[full_users] = False
        keep_item[full_items] = False


def _with_all(owner: Ints, member: Ints, size: int) -> npt.NDArray[np.int64]:
    """Return the owners of as many different members as there are."""
    if len(owner) == 0:
        return np.zeros(0, dtype=np.int64)
    with_enough_rows = np.flatnonzero(np.bincount(owner) >= size)  # nearly always nobody, so that no row is sorted
    full = [code for code in with_enough_rows if len(distinct(member[owner == code])) >= size]
    return np.array(full, dtype=np.int64)


def _select(part: Part, keep: npt.NDArray[np.bool_]) -> Part:
    if keep.all():
        return part
    return rows_of(part, keep)

"""What is wrong with recommendation lists that a guest has written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnibench.guest.candidates import CandidateSets
from omnibench.guest.folds import LIST_SCORE, NO_ITEM, Fold, recommendation_dtype
from omnibench.metrics.hits import Truth, mark_hits

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from omnibench.guest.parts import Ints
else:
    from omnibench.lazy import np

_SMALL_TABLE = 1 << 18
"""Bytes of the largest table of what users have seen that is made, where pairs would be grouped anew for each item."""


def list_flaw(fold: Fold, rows: npt.NDArray[np.void], list_length: int, candidates: CandidateSets | None = None) -> str:
    """Say what is wrong with recommendation lists, or return nothing.

    Args:
        fold: The fold that they are for.
        rows: The rows of their file.
        list_length: The length that they have to have.
        candidates: What may be in them, where that is less than all unseen items.
    """
    ordered = rows.dtype == recommendation_dtype(list_length, LIST_SCORE)  # lists with an order of their own
    if not (ordered or rows.dtype == recommendation_dtype(list_length)) or not np.array_equal(rows["user"], fold.users):
        return f"they are not lists of {list_length} items for the test users with a history"
    users, items, scores = (np.ascontiguousarray(rows[name]) for name in ("user", "item", "score"))
    filled = items != NO_ITEM
    are_full = bool(filled.all())  # as a rule, which spares half of the passes below
    if not are_full and (filled[:, 1:] & ~filled[:, :-1]).any():
        return "a list has a gap"
    if ((items < NO_ITEM) | (items >= fold.n_items)).any():
        return "an item code does not exist"
    if not np.isfinite(scores if are_full else scores[filled]).all():
        return "a score is no finite number; leave out items that have no score"
    rising = scores[:, 1:] > scores[:, :-1]
    tied = (scores[:, 1:] == scores[:, :-1]) & (items[:, 1:] < items[:, :-1])
    # There is no gap, so that what stands before a filled cell is filled as well.
    if (filled[:, 1:] & (rising if ordered else rising | tied)).any():
        return f"a list is not in the order of its scores{'' if ordered else ' (ties by item code)'}"
    by_code = np.sort(items, axis=1)
    if ((by_code[:, 1:] == by_code[:, :-1]) & (by_code[:, 1:] != NO_ITEM)).any():
        return "a list has an item twice"
    if not fold.rankable[items if are_full else items[filled]].all():
        return "a list has an item that is unknown in training"
    if not fold.repeats and _has_seen(fold, users, items):
        part = "the given history" if fold.folds_in else "training"
        return f"a list has an item that the user has in {part} or validation"
    if candidates is not None and _n_listed(*candidates.pairs, fold, users, items) < np.count_nonzero(filled):
        return "a list has an item that is no candidate of its user"
    return ""


def _has_seen(fold: Fold, list_user: Ints, list_item: Ints) -> bool:
    """Whether a list has an item that its user has in history or validation."""
    if fold.n_users * fold.n_items <= _SMALL_TABLE:  # kept with the fold, which the next items are of as well
        return bool((fold.seen_table[list_user[:, None], list_item] & (list_item != NO_ITEM)).any())
    return any(_n_listed(*pairs, fold, list_user, list_item) for pairs in fold.seen_pairs())


def _n_listed(user: Ints, item: Ints, fold: Fold, list_user: Ints, list_item: Ints) -> int:
    """Return how many places of lists have an item that stands beside the list's user in pairs, ascending by user."""
    truth = Truth.of(user, item, fold.n_items)
    return int(np.count_nonzero(mark_hits(truth, list_user, list_item).matrix)) if len(truth.users) else 0

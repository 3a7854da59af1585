"""The best items of users who reach few of all items: what is done for a user grows with what the user reaches, not with all items."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .folds import NO_ITEM, Fold, Scores
from .parts import Ints, entries_of
from .reached_sums import RowsAndColumns, reached_sums
from .tiles import best_of_entries
from .top_items import ranking_type

_SEGMENTS = 4
"""Segments of a user's scores for each item that is looked for. The fewer, the lower is the bound that their maxima give, and the more
scores reach it; the more, the longer takes what is done for each maximum."""
_STEPS = 2
"""Users whose numbers of wanted items are within the same one of so many steps to twice as many have their bounds found together."""
_MOST_SORTED = 3
"""Most items that are sorted for each item of a list: it takes longer to sort more than to look for the best of them once more."""

_Numbers = npt.NDArray[np.int64]


def best_reached(fold: Fold, users: Ints, left: Any, right: Any, k: int, *, is_known: bool) -> tuple[Ints, Scores]:
    """Return the k best of the items that users reach; a sum of zero or NaN is no score.

    Args:
        fold: The fold.
        users: The codes of the users, shape (b,).
        left: What they have; a CSR matrix of shape (b, m).
        right: What that adds to the scores of items; a CSR matrix of shape (m, n_items).
        k: The length of the lists.
        is_known: Whether all of the items are known in training.

    Returns:
        Items and scores, both of shape (b, k), as ``top_k``.
    """
    starts, item, total, seen = reached_sums(left, right, fold.masked_pairs(users))
    score = total.astype(ranking_type(total.dtype), copy=False)
    if not is_known:
        score = rankable(fold, item, score)
    if k == 0 or len(item) == 0:
        return np.full((len(users), k), NO_ITEM, dtype=np.int32), np.zeros((len(users), k), dtype=score.dtype)
    _, row, entry = reaching(starts, score, np.bincount(seen[0], minlength=len(users)) + k)
    return best_unseen(fold, seen, len(users), row, item[entry], score[entry], k)


def best_unseen(
    fold: Fold, seen: RowsAndColumns, n_users: int, row: _Numbers, item: Ints, score: Scores, k: int
) -> tuple[Ints, Scores]:
    """Return the k best of the items that may be among them.

    Args:
        fold: The fold.
        seen: What must not be recommended and has a score, as pairs of a user and an item.
        n_users: The number of users.
        row: Whose item it is, ascending, shape (m,).
        item: Item codes, none twice for a user but with a score of -inf, in any order.
        score: Their scores; zero and -inf are none.
        k: The length of the lists.

    Returns:
        Items and scores, both of shape (n_users, k), as ``top_k``.
    """
    is_allowed = (score != 0) & (score > -np.inf)
    codes = np.sort(seen[0] * fold.n_items + seen[1])
    if len(codes):
        pair = row * fold.n_items + item
        is_allowed &= codes.take(np.searchsorted(codes, pair), mode="clip") != pair
    allowed = np.flatnonzero(is_allowed)  # by places: a mask without order takes numpy four times as long
    row, item, score = row.take(allowed), item.take(allowed), score.take(allowed)
    if len(row) > _MOST_SORTED * k * n_users:  # sorting all of them would cost more
        starts = np.searchsorted(row, np.arange(n_users + 1))
        _, row, entry = reaching(starts, score, np.full(n_users, k))
        item, score = item[entry], score[entry]
    return best_of_entries(n_users, row, item, score, k)


def rankable(fold: Fold, item: Ints, score: Scores) -> Scores:
    """Return scores, -inf for what may be recommended to nobody."""
    return score if fold.rankable.all() else np.where(fold.rankable[item], score, score.dtype.type(-np.inf))


def reaching(starts: _Numbers, score: Scores, n_wanted: _Numbers) -> tuple[Scores, _Numbers, _Numbers]:
    """Return a bound for each row that as many of its scores reach as are wanted, and what reaches it.

    As many segments of a row as items are wanted have a score each that reaches the lowest of their maxima.

    Args:
        starts: The first score of each row, and the end, shape (b + 1,).
        score: float32 or float64, shape (m,).
        n_wanted: How many are wanted of each row, at least 1; shape (b,).

    Returns:
        The bounds, above zero or -inf, of the type of the scores, shape (b,); the rows of the scores that reach them,
        ascending, and their places; NaN reaches none.
    """
    n_rows = len(n_wanted)
    step = np.ceil(np.log2(n_wanted) * _STEPS).astype(np.int64)
    lengths = np.diff(starts).astype(np.int64)
    size = np.maximum(1, lengths // (_SEGMENTS * n_wanted))
    n_segments = -(-lengths // size)
    row_of_segment = np.repeat(np.arange(n_rows), n_segments)
    first = np.cumsum(n_segments) - n_segments
    begin = np.arange(len(row_of_segment)) * size[row_of_segment]
    begin += (starts[:-1] - first * size)[row_of_segment]
    maxima: Any = np.maximum.reduceat(score, begin) if len(begin) else score[:0]
    maxima[np.isnan(maxima)] = -np.inf
    bounds = np.full(n_rows, -np.inf, dtype=score.dtype)
    for rows in _alike(np.where(n_segments >= n_wanted, step, -1)):
        width, last = int(n_segments[rows].max()), int(n_wanted[rows].max())
        if last > width:
            continue
        table = np.full((len(rows), width), -np.inf, dtype=score.dtype)
        row, entry = entries_of(rows, np.append(first, len(begin)))
        table[row, entry - first[rows][row]] = maxima[entry]
        bounds[rows] = np.partition(table, width - last, axis=1)[:, width - last]
    bounds[bounds <= 0] = -np.inf  # zeros, which are no scores, may be among the maxima
    high = np.flatnonzero(maxima >= bounds.take(row_of_segment))
    number, place = entries_of(high, np.append(begin, len(score)))
    row = row_of_segment.take(high).take(number)
    chosen = np.flatnonzero(score.take(place) >= bounds.take(row))
    return bounds, row.take(chosen), place.take(chosen)


def _alike(step: _Numbers) -> list[_Numbers]:
    """Return the rows of each step from 0 on."""
    order = np.argsort(step, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(step[order])) + 1)
    return [rows for rows in groups if len(rows) and step[rows[0]] >= 0]

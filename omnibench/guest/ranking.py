"""The lists of recommendations that all frameworks share: masked, ranked and cut in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .folds import LIST_SCORE, NO_ITEM, Fold, Scores, recommendation_dtype
from .parts import Ints
from .score_forms import SharedScores, SparseScores
from .top_items import ranking_type, top_k

_ROWS = 64
"""Most rows of scores that are masked and ranked together, so that a copy of them stays small."""
_FEWEST_ROWS = 8
"""Least rows of them: what is done once for all of them costs more than a larger copy."""
_SCORES = 1 << 21
"""Scores between these two that are masked and ranked together."""

CompactScores = SparseScores | SharedScores

RankedList = tuple[Ints, npt.NDArray[np.float64]]
"""Item codes, best first, and their scores, which never rise; both of shape (n,)."""


def recommend(
    fold: Fold,
    batches: Iterable[tuple[Ints, Scores | CompactScores]],
    k: int,
    candidates_of: Callable[[int], npt.NDArray[np.bool_]] | None = None,
) -> npt.NDArray[np.void]:
    """Mask, rank and cut the scores of a framework into the rows of a recommendation file.

    Scores are ranked in the precision that they come in: float32, or float64 for anything wider and for whole numbers.

    Args:
        fold: The fold whose ``users`` are recommended for.
        batches: Pairs of user codes (b,) and scores (b, n_items), NaN or -inf where the framework has no score; or
            sparse or shared scores for as many users, which give the same lists as dense ones. Together they cover
            ``fold.users`` in order.
        k: The length of the lists.
        candidates_of: From a user to whether each item may be recommended, where not all unseen items may.

    Returns:
        A structured array with one row per user of ``fold.users``; its scores are float32 where that tells them apart.
    """
    rows = np.zeros(len(fold.users), dtype=recommendation_dtype(k, LIST_SCORE))
    n_done = 0
    n_together = min(_ROWS, max(_FEWEST_ROWS, _SCORES // max(1, fold.n_items)))
    tables: dict[np.dtype[Any], npt.NDArray[Any]] = {}
    for users, batch in batches:
        is_compact = isinstance(batch, CompactScores)
        scores: Any = batch if is_compact else np.asarray(batch)
        if scores.shape != ((len(users),) if is_compact else (len(users), fold.n_items)):
            expected = f"{len(users)} users x {fold.n_items} items"
            raise ValueError(f"scores have the shape {scores.shape}; yield scores of {expected}, NaN for items without")
        precision = np.dtype(bool) if is_compact else ranking_type(scores.dtype)
        if precision not in tables:
            tables[precision] = np.empty((n_together, fold.n_items), dtype=precision)
        for start in range(0, len(users), n_together):
            block_users = users[start : start + n_together]
            table = tables[precision][: len(block_users)]
            if is_compact:
                fold.block(block_users, table)
            else:
                table[:] = scores[start : start + n_together]
                fold.mask(block_users, table)
            if candidates_of is not None:
                for row, user in enumerate(block_users.tolist()):
                    table[row, ~candidates_of(user)] = True if is_compact else -np.inf
            block = rows[n_done : n_done + len(block_users)]
            block["user"] = block_users
            block["item"], block["score"] = scores.top_k(start, table, k) if is_compact else top_k(table, k)
            n_done += len(block_users)
    if n_done != len(rows):
        raise ValueError(f"scores came for {n_done} users, but the fold has {len(rows)} to recommend for")
    with np.errstate(over="ignore"):
        single = rows.astype(recommendation_dtype(k))
    return single if np.array_equal(single["score"], rows["score"]) else rows


def cut_lists(
    fold: Fold,
    batches: Iterable[tuple[Ints, Sequence[RankedList]]],
    k: int,
    candidates_of: Callable[[int], npt.NDArray[np.bool_]] | None = None,
) -> npt.NDArray[np.void]:
    """Take out what must not be recommended and cut lists into the rows of a recommendation file, in their order.

    Args:
        fold: The fold whose ``users`` are recommended for.
        batches: Pairs of user codes (b,) and a list for each. Together they cover ``fold.users`` in order.
        k: The length of the lists.
        candidates_of: From a user to whether each item may be recommended, where not all unseen items may.

    Returns:
        A structured array with one row per user of ``fold.users``, with float64 scores.
    """
    rows = np.zeros(len(fold.users), dtype=recommendation_dtype(k, LIST_SCORE))
    rows["user"], rows["item"] = fold.users, NO_ITEM
    n_done = 0
    for users, lists in batches:
        for user, (items, scores) in zip(users.tolist(), lists, strict=True):
            allowed = fold.rankable[items] & ~np.isin(items, fold.masked(user))
            if candidates_of is not None:
                allowed &= candidates_of(user)[items]
            best = np.flatnonzero(allowed)[:k]
            rows["item"][n_done, : len(best)], rows["score"][n_done, : len(best)] = items[best], scores[best]
            n_done += 1
    if n_done != len(rows):
        raise ValueError(f"lists came for {n_done} users, but the fold has {len(rows)} to recommend for")
    return rows


def is_silent(
    fold: Fold, rows: npt.NDArray[np.void], candidates_of: Callable[[int], npt.NDArray[np.bool_]] | None = None
) -> bool:
    """Return whether all lists are empty although some user has an item that may be recommended.

    Args:
        fold: The fold.
        rows: The rows of a recommendation file.
        candidates_of: As for ``recommend``.
    """
    if len(rows) == 0 or (rows["item"] != NO_ITEM).any():
        return False
    for row, user in enumerate(fold.users.tolist()):
        allowed = np.zeros((1, fold.n_items), dtype=np.float32)
        fold.mask(fold.users[row : row + 1], allowed)
        if ((allowed[0] == 0) & (True if candidates_of is None else candidates_of(user))).any():
            return True
    return False

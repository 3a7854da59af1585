"""The best sums of the highest few numbers for users who reach few of all items, by lists of those.

How many numbers come together is counted while they are added up. Few sums are of more than count: only these are made, and of
them only those that a list may need.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .folds import NO_ITEM, Fold, Scores
from .limited_sums import EPSILON, Pairs, SumLimits
from .parts import Ints
from .reached_items import best_reached, best_unseen, rankable, reaching
from .reached_sums import reached_sums
from .top_items import reached_by_row


@dataclass(frozen=True, eq=False)
class Counted:
    """Numbers that are counted while they are added up.

    Attributes:
        numbers: A CSR matrix of shape (m, n_items), float32.
    """

    numbers: Any

    @cached_property
    def matrix(self) -> Any:
        """The numbers, with a one as the imaginary part of each: the real part of a sum is that of the numbers, to the last bit."""
        from scipy import sparse

        data = np.empty(len(self.numbers.data), dtype=np.complex64)
        data.real, data.imag = self.numbers.data, 1
        return sparse.csr_matrix((data, self.numbers.indices, self.numbers.indptr), shape=self.numbers.shape)


def best_reached_sums(
    fold: Fold, users: Ints, left: Any, k: int, *, counted: Counted, limits: SumLimits, is_known: bool
) -> tuple[Ints, Scores]:
    """Return what ``best_sums`` does for users who reach few of all items, by lists of those.

    Args:
        fold: The fold.
        users: The codes of the users, shape (b,).
        left: The histories, all ones; a CSR matrix of shape (b, m), float32.
        k: The length of the lists.
        counted: The numbers.
        limits: How many of the highest count, and what adds them up.
        is_known: Whether all items that have numbers are known in training.
    """
    items, scores = np.full((len(users), k), NO_ITEM, dtype=np.int32), np.zeros((len(users), k), dtype=np.float32)
    is_plain = (np.diff(left.indptr) <= limits.most) & (limits.least <= 1)
    rows = np.flatnonzero(is_plain)
    if len(rows):
        some = best_reached(fold, users[rows], left[rows], counted.numbers, k, is_known=is_known)
        items[rows], scores[rows] = some
    rows = np.flatnonzero(~is_plain)
    if k and len(rows):
        some = _best_counted(fold, users[rows], left[rows], counted, k, limits, is_known=is_known)
        items[rows], scores[rows] = some
    return items, scores


def _best_counted(
    fold: Fold, users: Ints, left: Any, counted: Counted, k: int, limits: SumLimits, *, is_known: bool
) -> tuple[Ints, Scores]:
    """Return the best where a limit may apply: sums of more numbers than count are made if that of all is high enough."""
    sums = reached_sums(left, counted.matrix, fold.masked_pairs(users))
    item, score, count = sums.item, np.ascontiguousarray(sums.total.real), sums.total.imag
    if limits.least > 1:
        score[(count < limits.least) | (limits.least > limits.most)] = -np.inf
    if not is_known:
        score = rankable(fold, item, score)
    limited = np.flatnonzero(count > limits.most)
    sum_of_all = score[limited]
    score[limited] = -np.inf
    bounds, row, entry = reaching(sums.starts, score, np.bincount(sums.left_to_block[0], minlength=len(users)) + k)
    row_of_limited = np.searchsorted(sums.starts, limited, side="right") - 1
    slack = 1 + (np.diff(left.indptr) + 2 * limits.most) * EPSILON
    is_high = (sum_of_all > -np.inf) & (sum_of_all >= (bounds / slack)[row_of_limited])
    chosen, row_of_chosen = limited[is_high], row_of_limited[is_high]
    if len(chosen):
        some, number = np.unique(row_of_chosen, return_inverse=True)
        codes, exact = reached_by_row(len(some), number, item[chosen], sum_of_all[is_high])
        histories = left[some]
        pairs = Pairs.of_histories(histories, counted.numbers, codes)
        pairs.put_right(exact, codes != NO_ITEM, limits)
        score[chosen] = exact[codes != NO_ITEM]
        is_other = score[entry] > -np.inf
        is_other &= count[entry] <= limits.most
        row, entry = np.concatenate([row[is_other], row_of_chosen]), np.concatenate([entry[is_other], chosen])
        order = np.argsort(row, kind="stable")
        row, entry = row[order], entry[order]
    return best_unseen(fold, sums.left_to_block, len(users), row, item[entry], score[entry], k)

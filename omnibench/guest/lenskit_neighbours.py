"""Scores of LensKit's ItemKNN for many users together: sums of similarities, of which an item takes only the highest few.

Where no more items of a history are similar to an item than it may have neighbours, its score is a sum in the order of the
history. LensKit itself is asked for the other scores, of all users at once, by the rows of similarities that they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from lenskit import _accel
from lenskit.data.matrix import SparseRowArray
from scipy import sparse

from .folds import Scores

MOST_ADDED = 8
"""Similarities for each item and user up to which adding them up costs less than asking for all items of a user."""


def is_sum(scorer: Any) -> bool:
    """Whether a scorer's answers are sums, of which those that are too long can be asked for.

    Args:
        scorer: A fitted ItemKNN scorer.
    """
    if scorer.config.explicit:  # averages of ratings, by weights
        return False
    similarity = np.asarray(scorer.sim_matrix.values)
    return bool((similarity > 0).all())  # else a sum of zero might be a score


@dataclass(frozen=True)
class NeighbourLimits:
    """Puts sums right that have more summands than an item may have neighbours, or fewer than it has to have.

    Attributes:
        most: The most neighbours of an item that count.
        least: With fewer an item has no score.
    """

    most: int
    least: int

    def __call__(self, first: Any, added: Any, table: Scores) -> None:
        """Change a table of sums in place.

        Args:
            first: For each user the first row in ``added``, and the end; shape (b + 1,).
            added: The similarities that were added up, a CSR matrix with a row for each item of a history.
            table: The sums, float32, shape (b, n_items).
        """
        if self.least == 1 and np.diff(first).max(initial=0) <= self.most:
            return
        count_type = np.int16 if np.diff(first).max() < np.iinfo(np.int16).max else np.int32
        ones = np.ones(added.nnz, dtype=count_type)
        counts = sparse.csr_matrix((ones, added.indices, added.indptr[first]), shape=table.shape).toarray()
        if self.least > 1:
            table[counts < self.least] = -np.inf
        is_limited = counts > self.most
        limited = np.flatnonzero(is_limited)
        if len(limited):
            table.reshape(-1)[limited] = self._asked(first, added, is_limited, limited)

    def _asked(self, first: Any, added: Any, is_limited: Any, limited: Any) -> Any:
        """Return LensKit's scores of pairs of users and items: it takes the pairs for items, and all histories for one."""
        n_users, n_items = is_limited.shape
        entries = np.flatnonzero(is_limited.any(axis=0)[added.indices])
        n_entries = np.diff(np.searchsorted(entries, added.indptr[first]))
        pair = np.repeat(np.arange(n_users) * n_items, n_entries) + added.indices[entries]
        is_of_pair = is_limited.reshape(-1)[pair]
        entries, pair = entries[is_of_pair], pair[is_of_pair]
        number = np.empty(is_limited.size, dtype=np.int32)
        number[limited] = np.arange(len(limited), dtype=np.int32)
        n_rows = added.shape[0]
        width = max(n_rows, len(limited))  # LensKit's matrices are square
        offsets = np.full(width + 1, len(entries), dtype=np.int64)
        offsets[: n_rows + 1] = np.searchsorted(entries, added.indptr)
        similarity = SparseRowArray.from_arrays(offsets, number[pair], added.data[entries], shape=(width, width))
        histories, pairs = (pa.array(np.arange(length, dtype=np.int32)) for length in (n_rows, len(limited)))
        scores, _ = _accel.knn.score_implicit(similarity, histories, pairs, self.most, self.least)
        return scores.to_numpy(zero_copy_only=False)

"""The lists of recommendations that all frameworks share: masked, ranked and cut in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .candidates import CandidateSets, block_others
from .dense_products import DenseProducts
from .factors import FactorScores
from .folds import LIST_SCORE, NO_ITEM, Fold, Scores, recommendation_dtype
from .memory import reuse_freed
from .parts import Ints
from .products import ProductScores
from .ranked_lists import RankedList, RankedLists
from .score_forms import SharedScores, SparseScores
from .top_items import ranking_type, top_k

_ROWS = 64
"""Most rows of scores that are masked and ranked together, so that a copy of them stays small."""
_FEWEST_ROWS = 8
"""Least rows of them: what is done once for all of them costs more than a larger copy."""
_SCORES = 1 << 21
"""Scores between these two that are masked and ranked together."""
_CELLS = 1 << 24
"""Users times items of which it is noted together what must not be recommended."""

# By what they can do, not by their classes: an adapter in an environment with omnibench may have them from another copy of
# this package than the guest runs.
CompactScores = SparseScores | SharedScores | FactorScores | ProductScores | DenseProducts


def recommend(
    fold: Fold,
    batches: Iterable[tuple[Ints, Scores | CompactScores]],
    k: int,
    candidates: CandidateSets | None = None,
) -> npt.NDArray[np.void]:
    """Mask, rank and cut the scores of a framework into the rows of a recommendation file.

    Scores are ranked in the precision that they come in: float32, or float64 for anything wider and for whole numbers.

    Args:
        fold: The fold whose ``users`` are recommended for.
        batches: Pairs of user codes (b,) and scores (b, n_items), NaN or -inf where the framework has no score; or
            sparse or shared scores, factors or products, for as many users, which give the same lists as dense ones.
            Together they cover ``fold.users`` in order.
        k: The length of the lists.
        candidates: What may be recommended, where not all unseen items may.

    Returns:
        A structured array with one row per user of ``fold.users``; its scores are float32 where that tells them apart.
    """
    reuse_freed()
    rows = np.zeros(len(fold.users), dtype=recommendation_dtype(k, LIST_SCORE))
    n_done = 0
    cut = _Cut(fold, k, candidates)
    for users, batch in batches:
        is_compact = hasattr(batch, "top_k") or hasattr(batch, "lists")
        scores: Any = batch if is_compact else np.asarray(batch)
        if scores.shape != ((len(users),) if is_compact else (len(users), fold.n_items)):
            expected = f"{len(users)} users x {fold.n_items} items"
            raise ValueError(f"scores have the shape {scores.shape}; yield scores of {expected}, NaN for items without")
        if hasattr(batch, "top_k"):  # with few candidates it costs less to look at them alone
            has_lists = candidates is None and hasattr(batch, "lists")
            lists = scores.lists(fold, users, k) if has_lists else cut.lists(users, scores)
        else:
            lists = scores.lists(fold, users, k, candidates) if is_compact else cut.lists(users, scores)
        for some, items, best in lists:
            block = rows[n_done + some.start : n_done + some.stop]
            block["user"], block["item"], block["score"] = users[some], items, best
        n_done += len(users)
    if n_done != len(rows):
        raise ValueError(
            f"scores came for {n_done} users, but the fold has {len(rows)} to recommend for; yield all of fold.users"
        )
    with np.errstate(over="ignore"):
        single = rows.astype(recommendation_dtype(k))
    return single if np.array_equal(single["score"], rows["score"]) else rows


class _Cut:
    """Masks and cuts scores by blocks of rows, in tables that are made once.

    Args:
        fold: The fold.
        k: The length of the lists.
        candidates: What may be recommended, where not all unseen items may.
    """

    def __init__(self, fold: Fold, k: int, candidates: CandidateSets | None) -> None:
        self._fold, self._k, self._candidates = fold, k, candidates
        self._n_together = min(_ROWS, max(_FEWEST_ROWS, _SCORES // max(1, fold.n_items)))
        self._tables: dict[np.dtype[Any], npt.NDArray[Any]] = {}

    def lists(
        self, users: Ints, scores: npt.NDArray[Any] | SparseScores | SharedScores
    ) -> Iterator[tuple[slice, Ints, Scores]]:
        """Yield the rows of a batch that come together, their best items and the items' scores."""
        for start in range(0, len(users), self._n_together):
            rows = slice(start, min(start + self._n_together, len(users)))
            if isinstance(scores, np.ndarray) and self._candidates is None:
                table = self._table(ranking_type(scores.dtype), rows)
                table[:] = scores[rows]
                self._fold.mask(users[rows], table)
                yield rows, *top_k(table, self._k)
                continue
            is_blocked = self._table(np.dtype(bool), rows)
            self._fold.block(users[rows], is_blocked)
            if isinstance(scores, np.ndarray):
                yield rows, *self._of_candidates(users[rows], scores[rows], is_blocked)
                continue
            if self._candidates is not None:
                block_others(self._candidates, users[rows], is_blocked)
            yield rows, *scores.top_k(start, is_blocked, self._k)

    def _of_candidates(
        self, users: Ints, scores: npt.NDArray[Any], is_blocked: npt.NDArray[np.bool_]
    ) -> tuple[Ints, Scores]:
        """Return the best candidates; the scores of other items are not looked at."""
        assert self._candidates is not None
        position, item = self._candidates.pairs_of(users)
        starts = np.searchsorted(position, np.arange(len(users) + 1))
        return SparseScores(starts, item, scores[position, item]).top_k(0, is_blocked, self._k)

    def _table(self, dtype: np.dtype[Any], rows: slice) -> npt.NDArray[Any]:
        if dtype not in self._tables:
            self._tables[dtype] = np.empty((self._n_together, self._fold.n_items), dtype=dtype)
        return self._tables[dtype][: rows.stop - rows.start]


def cut_lists(
    fold: Fold,
    batches: Iterable[tuple[Ints, Sequence[RankedList] | RankedLists]],
    k: int,
    candidates: CandidateSets | None = None,
) -> npt.NDArray[np.void]:
    """Take out what must not be recommended and cut lists into the rows of a recommendation file, in their order.

    Args:
        fold: The fold whose ``users`` are recommended for.
        batches: Pairs of user codes (b,) and a list for each. Together they cover ``fold.users`` in order.
        k: The length of the lists.
        candidates: What may be recommended, where not all unseen items may.

    Returns:
        A structured array with one row per user of ``fold.users``, with float64 scores.
    """
    rows = np.zeros(len(fold.users), dtype=recommendation_dtype(k, LIST_SCORE))
    rows["user"], rows["item"] = fold.users, NO_ITEM
    n_done = 0
    most = max(_FEWEST_ROWS, _CELLS // max(1, fold.n_items))
    is_blocked = np.empty((max(1, min(most, len(fold.users))), fold.n_items), dtype=bool)  # all of it is written here
    is_blocked[:] = ~fold.rankable
    for users, answer in batches:
        lists: Any = answer if hasattr(answer, "begin") else RankedLists.of(answer)
        if lists.shape != (len(users),):
            raise ValueError(f"{lists.shape[0]} lists came for {len(users)} users")
        for start in range(0, len(users), len(is_blocked)):
            some = users[start : start + len(is_blocked)]
            blocked = is_blocked[: len(some)]
            seen = fold.masked_pairs(some)
            blocked[seen] = True
            if candidates is not None:
                block_others(candidates, some, blocked)
            block = rows[n_done : n_done + len(some)]
            row, rank, entry = lists.first(start, blocked, k)
            if candidates is None:  # most of a large table was not touched
                blocked[seen] = ~fold.rankable[seen[1]]
            else:
                blocked[:] = ~fold.rankable
            block["item"][row, rank], block["score"][row, rank] = lists.item[entry], lists.score[entry]
            n_done += len(some)
    if n_done != len(rows):
        raise ValueError(
            f"lists came for {n_done} users, but the fold has {len(rows)} to recommend for; yield all of fold.users"
        )
    return rows


def is_silent(fold: Fold, rows: npt.NDArray[np.void], candidates: CandidateSets | None = None) -> bool:
    """Return whether all lists are empty although some user has an item that may be recommended.

    Args:
        fold: The fold.
        rows: The rows of a recommendation file.
        candidates: As for ``recommend``.
    """
    if len(rows) == 0 or (rows["item"] != NO_ITEM).any():
        return False
    for row, user in enumerate(fold.users.tolist()):
        allowed = np.zeros((1, fold.n_items), dtype=np.float32)
        fold.mask(fold.users[row : row + 1], allowed)
        if ((allowed[0] == 0) & (True if candidates is None else candidates.of(user))).any():
            return True
    return False

"""Candidate sets: the items ranked for each user where these are not all unseen items; alike in every framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import kept_draws
from .distinct import distinct
from .draws import Draws, Excluded
from .folds import Fold
from .parts import Ints, entries_of

_MOST_KEPT = 2
"""Draws that a process keeps: of a fold, and of its validation part."""


class CandidateSets:
    """The candidates of each user.

    Args:
        first: The first candidate of each user, and the end; int64, shape (n_users + 1,).
        item: The item codes of the candidates, int32, for each user ascending and none twice; shape (m,).
        n_items: How many items there are.
    """

    def __init__(self, first: npt.NDArray[np.int64], item: Ints, n_items: int) -> None:
        self._first = first
        self._item = item
        self._n_items = n_items

    @property
    def pairs(self) -> tuple[Ints, Ints]:
        """The codes of users and of their candidates, ascending by user; both of shape (m,)."""
        users = np.arange(len(self._first) - 1, dtype=np.int32)
        return np.repeat(users, np.diff(self._first)), self._item

    def items(self, user: int) -> Ints:
        """Return the codes of a user's candidates. Items that must not be recommended may be among them."""
        return self._item[self._first[user] : self._first[user + 1]]

    def pairs_of(self, users: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
        """Return the candidates of some users, as pairs of a user's position and an item's code.

        Args:
            users: User codes, shape (b,).

        Returns:
            The positions, ascending, and for each position the items, ascending and none twice.
        """
        position, number = entries_of(users, self._first)
        return position, self._item[number]

    def of(self, user: int) -> npt.NDArray[np.bool_]:
        """Return whether each item is a candidate, shape (n_items,). Items that must not be recommended may be."""
        is_candidate = np.zeros(self._n_items, dtype=bool)
        is_candidate[self.items(user)] = True
        return is_candidate


def block_others(sets: CandidateSets, users: Ints, is_blocked: npt.NDArray[np.bool_]) -> None:
    """Set that items which are no candidates must not be recommended, in place.

    Args:
        sets: The candidates.
        users: User codes, shape (b,).
        is_blocked: Whether an item must not be recommended to a user, shape (b, n_items).
    """
    position, item = sets.pairs_of(users)
    is_allowed = ~is_blocked[position, item]
    is_blocked[:] = True
    is_blocked[position[is_allowed], item[is_allowed]] = False


def candidate_sets(fold: Fold, policy: dict[str, Any], threads: int = 1) -> CandidateSets | None:
    """Return the candidate sets of a policy, or None when all unseen items are candidates.

    Sets that are given belong to the test part: it is among them. Where a fold is judged by validation, which need not
    be among them, all unseen items are candidates.

    Args:
        fold: The fold to recommend for.
        policy: ``{"policy": "unseen"}``, ``{"policy": "sampled", "negatives": n, "seed": s}``, or ``{"policy":
            "given", "file": f}`` with an ``.npy`` of user and item codes, int32, ascending, shape (m, 2).
        threads: How many threads may draw.
    """
    if policy["policy"] == "sampled":
        return _sampled(fold, policy["negatives"], policy["seed"], threads)
    if policy["policy"] == "given" and not fold.judged:
        pairs = np.load(policy["file"], allow_pickle=False)
        first = np.searchsorted(pairs[:, 0], np.arange(fold.n_users + 1, dtype=np.int32))
        return CandidateSets(first, np.ascontiguousarray(pairs[:, 1]), fold.n_items)
    return None


_drawn: dict[tuple[Any, ...], CandidateSets] = {}
"""The draws that the process keeps, the latest one last."""


def _sampled(fold: Fold, negatives: int, seed: int, threads: int) -> CandidateSets:
    """Return the relevant items and negatives of the users to recommend for; drawn once for each fold, and kept beside it."""
    manifest = (fold.directory / "manifest.json").stat()
    data = (str(fold.directory), manifest.st_ino, manifest.st_mtime_ns, fold.number, fold.refit, fold.judged)
    key = (*data, negatives, seed)
    sets = _drawn.pop(key, None)
    if sets is None:
        draw = kept_draws.kept(fold, negatives, seed)
        if draw is None:
            draw = _draw(fold, negatives, seed, threads)
            kept_draws.keep(fold, negatives, seed, draw)
        sizes = np.zeros(fold.n_users, dtype=np.int64)
        sizes[fold.users] = draw.size
        sets = CandidateSets(np.concatenate([[0], np.cumsum(sizes)]), draw.item, fold.n_items)
    _drawn[key] = sets
    while len(_drawn) > _MOST_KEPT:
        del _drawn[next(iter(_drawn))]
    return sets


def _draw(fold: Fold, negatives: int, seed: int, threads: int) -> kept_draws.Draw:
    # What is drawn is the same for everybody, whatever parts a model is fitted on.
    in_training = Fold(fold.directory, fold.number).candidates if fold.refit else fold.candidates
    first_relevant = fold.test.first_rows(fold.n_users)

    def relevant(users: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
        position, rows = entries_of(users, first_relevant)
        return position, fold.test.item[rows]

    def excluded(users: Ints) -> Excluded:
        seen, to_be_found = fold.seen_of(users), relevant(users)
        position, item = np.concatenate([seen[0], to_be_found[0]]), np.concatenate([seen[1], to_be_found[1]])
        first = np.concatenate([[0], np.cumsum(np.bincount(position, minlength=len(users)))])
        return Excluded(first, item[np.argsort(position, kind="stable")])

    def draw(users: Ints, sizes: npt.NDArray[np.int64], drawn: Ints) -> kept_draws.Draw:
        position, item = relevant(users)
        positions = np.concatenate([np.repeat(np.arange(len(users)), sizes), position])
        pairs = distinct(positions * fold.n_items + np.concatenate([drawn, item]))
        position, item = np.divmod(pairs, fold.n_items)
        size = np.bincount(position, minlength=len(users))
        return kept_draws.Draw(size.astype(np.int32), item.astype(np.int32))

    draws = Draws(in_training, negatives, seed).of(fold.users, excluded, draw, threads)
    nothing = np.zeros(0, dtype=np.int32)
    return kept_draws.Draw(
        np.concatenate([nothing, *(part.size for part in draws)]),
        np.concatenate([nothing, *(part.item for part in draws)]),
    )

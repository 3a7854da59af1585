"""Candidate sets: the items ranked for each user where these are not all unseen items; alike in every framework."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .folds import Fold
from .parts import Ints

_STEP = np.uint64(0x9E3779B97F4A7C15)


class CandidateSets(Protocol):
    """The candidates of each user."""

    def of(self, user: int) -> npt.NDArray[np.bool_]:
        """Return whether each item is a candidate, shape (n_items,). Items that must not be recommended may be."""


def candidate_sets(fold: Fold, policy: dict[str, Any]) -> CandidateSets | None:
    """Return the candidate sets of a policy, or None when all unseen items are candidates.

    Sets that are given belong to the test part: it is among them. Where a fold is judged by validation, which need not
    be among them, all unseen items are candidates.

    Args:
        fold: The fold to recommend for.
        policy: ``{"policy": "unseen"}``, ``{"policy": "sampled", "negatives": n, "seed": s}``, or ``{"policy":
            "given", "file": f}`` with an ``.npy`` of user and item codes, int32, ascending, shape (m, 2).
    """
    if policy["policy"] == "sampled":
        return _SampledCandidates(fold, policy["negatives"], policy["seed"])
    if policy["policy"] == "given" and not fold.judged:
        return _ListedCandidates(fold, np.load(policy["file"], allow_pickle=False))
    return None


class _ListedCandidates:
    def __init__(self, fold: Fold, pairs: Ints) -> None:
        self._items = pairs[:, 1]
        self._starts = np.searchsorted(pairs[:, 0], np.arange(fold.n_users + 1))
        self._n_items = fold.n_items

    def of(self, user: int) -> npt.NDArray[np.bool_]:
        is_candidate = np.zeros(self._n_items, dtype=bool)
        is_candidate[self._items[self._starts[user] : self._starts[user + 1]]] = True
        return is_candidate


class _SampledCandidates:
    def __init__(self, fold: Fold, negatives: int, seed: int) -> None:
        self._fold, self._negatives, self._seed = fold, negatives, seed
        # What is drawn is the same for everybody, whatever parts a model is fitted on.
        self._in_training = Fold(fold.directory, fold.number).candidates if fold.refit else fold.candidates
        self._starts = np.searchsorted(fold.test.user, np.arange(fold.n_users + 1))

    def of(self, user: int) -> npt.NDArray[np.bool_]:
        relevant = self._fold.test.item[self._starts[user] : self._starts[user + 1]]
        pool = self._in_training.copy()
        pool[self._fold.seen(user)] = False
        pool[relevant] = False
        items = np.flatnonzero(pool)
        if len(items) > self._negatives:
            # Not numpy's generators: the host and the guests may have different versions, which draw differently.
            stream = _mix(_mix(np.array([self._seed], dtype=np.uint64)) ^ np.uint64(user))
            keys = _mix(stream + (items.astype(np.uint64) + np.uint64(1)) * _STEP)
            items = items[np.argsort(keys, kind="stable")[: self._negatives]]
        is_candidate = np.zeros(self._fold.n_items, dtype=bool)
        is_candidate[items] = True
        is_candidate[relevant] = True
        return is_candidate


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return pseudo-random 64-bit numbers (Steele, Lea & Flood, "Fast splittable generators", OOPSLA 2014)."""
    state = state + _STEP
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))

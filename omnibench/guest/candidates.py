"""Candidate sets: the items ranked for each user where these are not all unseen items; alike in every framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .folds import Fold
from .parts import Ints

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR, _SECOND_FACTOR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_HIGH = 33
"""The bits below this one do not change the higher ones in the last step of ``_mix``."""
_DEVIATIONS = 5
"""Standard deviations by which more keys are expected below a threshold than are needed."""

_MOST_KEPT = 2
"""Draws that a process keeps: of a fold, and of its validation part."""


class CandidateSets:
    """The candidates of each user.

    Args:
        user: User codes, int32, ascending, shape (m,).
        item: The item codes of their candidates, int32, shape (m,).
        fold: The fold.
    """

    def __init__(self, user: Ints, item: Ints, fold: Fold) -> None:
        self.pairs = user, item
        self._starts = np.searchsorted(user, np.arange(fold.n_users + 1, dtype=np.int32))
        self._n_items = fold.n_items

    def items(self, user: int) -> Ints:
        """Return the codes of a user's candidates. Items that must not be recommended may be among them."""
        return self.pairs[1][self._starts[user] : self._starts[user + 1]]

    def of(self, user: int) -> npt.NDArray[np.bool_]:
        """Return whether each item is a candidate, shape (n_items,). Items that must not be recommended may be."""
        is_candidate = np.zeros(self._n_items, dtype=bool)
        is_candidate[self.items(user)] = True
        return is_candidate


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
        return _sampled(fold, policy["negatives"], policy["seed"])
    if policy["policy"] == "given" and not fold.judged:
        pairs = np.load(policy["file"], allow_pickle=False)
        return CandidateSets(np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]), fold)
    return None


_drawn: dict[tuple[Any, ...], CandidateSets] = {}
"""The draws that the process keeps, the latest one last."""


def _sampled(fold: Fold, negatives: int, seed: int) -> CandidateSets:
    """Return the relevant items and negatives of the users to recommend for; drawn once in a process for each fold."""
    manifest = (fold.directory / "manifest.json").stat()
    data = (str(fold.directory), manifest.st_ino, manifest.st_mtime_ns, fold.number, fold.refit, fold.judged)
    draw = (*data, negatives, seed)
    sets = _drawn.pop(draw, None) or _draw(fold, negatives, seed)
    _drawn[draw] = sets
    while len(_drawn) > _MOST_KEPT:
        del _drawn[next(iter(_drawn))]
    return sets


def _draw(fold: Fold, negatives: int, seed: int) -> CandidateSets:
    # What is drawn is the same for everybody, whatever parts a model is fitted on.
    in_training = Fold(fold.directory, fold.number).candidates if fold.refit else fold.candidates
    starts = np.searchsorted(fold.test.user, np.arange(fold.n_users + 1, dtype=np.int32))
    pool = np.flatnonzero(in_training).astype(np.int32)
    keys = _Keys(pool, seed)
    is_excluded = ~in_training
    sets = []
    for user in fold.users.tolist():
        relevant = fold.test.item[starts[user] : starts[user + 1]]
        excluded = np.concatenate([fold.seen(user), relevant])
        is_excluded[excluded] = True
        sets += [keys.lowest(user, negatives, is_excluded, len(excluded)), relevant]
        is_excluded[excluded] = ~in_training[excluded]
    sizes = np.array([len(items) for items in sets], dtype=np.int64).reshape(-1, 2).sum(axis=1)
    return CandidateSets(np.repeat(fold.users, sizes), np.concatenate([np.zeros(0, dtype=np.int32), *sets]), fold)


class _Keys:
    """A pseudo-random key of each item of a pool, for one user after the other; no two items have the same.

    Not by numpy's generators: the host and the guests may have different versions, which draw differently. The keys are
    those of Steele, Lea & Flood, "Fast splittable generators", OOPSLA 2014.

    Args:
        pool: Item codes, ascending.
        seed: The seed of the draw.
    """

    def __init__(self, pool: Ints, seed: int) -> None:
        self._pool = pool
        self._seed = _mix(np.array([seed], dtype=np.uint64))
        self._steps = (pool.astype(np.uint64) + np.uint64(2)) * _STEP  # the second of the two is the first of _mix
        self._states, self._shifted = np.empty_like(self._steps), np.empty_like(self._steps)

    def lowest(self, user: int, number: int, is_excluded: npt.NDArray[np.bool_], n_excluded: int) -> Ints:
        """Return the items with the lowest keys.

        Args:
            user: The user's code.
            number: How many; all that there are where they are fewer.
            is_excluded: Whether an item is not to be drawn, shape (n_items,).
            n_excluded: How many of the pool those are, or more.
        """
        states, shifted = self._states, self._shifted
        np.add(self._steps, _mix(self._seed ^ np.uint64(user)), out=states)
        for bits, factor in ((np.uint64(30), _FIRST_FACTOR), (np.uint64(27), _SECOND_FACTOR)):
            np.right_shift(states, bits, out=shifted)
            np.bitwise_xor(states, shifted, out=states)
            np.multiply(states, factor, out=states)
        expected = float(number) * len(self._pool) / max(1, len(self._pool) - n_excluded)
        while True:
            # A key is below a multiple of 2**33 if its state is: the last step of _mix changes the lower bits only.
            expected += _DEVIATIONS * (expected**0.5 + 1)
            threshold = int(expected / max(1, len(self._pool)) * 2 ** (64 - _HIGH)) << _HIGH
            is_all = threshold >= 2**64
            chosen = np.arange(len(states)) if is_all else np.flatnonzero(states < np.uint64(threshold))
            items = self._pool[chosen]
            is_drawable = ~is_excluded[items]
            items, states_left = items[is_drawable], states[chosen[is_drawable]]
            if len(items) >= number or is_all:
                break
            expected *= 2
        if len(items) <= number:
            return items
        keys = states_left ^ (states_left >> np.uint64(31))
        lowest: Ints = items[np.argpartition(keys, number)[:number]]
        return lowest


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return pseudo-random 64-bit numbers."""
    state = state + _STEP
    state = (state ^ (state >> np.uint64(30))) * _FIRST_FACTOR
    state = (state ^ (state >> np.uint64(27))) * _SECOND_FACTOR
    return state ^ (state >> np.uint64(31))

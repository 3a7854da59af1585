"""Candidate sets: the items ranked for each user where these are not all unseen items; alike in every framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import kept_draws
from .folds import Fold
from .parts import Ints, entries_of

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR, _SECOND_FACTOR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_HIGH = 33
"""The bits below this one do not change the higher ones in the last step of ``_mix``."""
_DEVIATIONS = 5
"""Standard deviations by which more keys are expected below a threshold than are needed."""
_CHUNK = 1 << 14
"""Most keys that are computed together: what they are computed from stays in the cache of a processor core."""

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
        first = np.searchsorted(pairs[:, 0], np.arange(fold.n_users + 1, dtype=np.int32))
        return CandidateSets(first, np.ascontiguousarray(pairs[:, 1]), fold.n_items)
    return None


_drawn: dict[tuple[Any, ...], CandidateSets] = {}
"""The draws that the process keeps, the latest one last."""


def _sampled(fold: Fold, negatives: int, seed: int) -> CandidateSets:
    """Return the relevant items and negatives of the users to recommend for; drawn once for each fold, and kept beside it."""
    manifest = (fold.directory / "manifest.json").stat()
    data = (str(fold.directory), manifest.st_ino, manifest.st_mtime_ns, fold.number, fold.refit, fold.judged)
    key = (*data, negatives, seed)
    sets = _drawn.pop(key, None)
    if sets is None:
        draw = kept_draws.kept(fold, negatives, seed)
        if draw is None:
            draw = _draw(fold, negatives, seed)
            kept_draws.keep(fold, negatives, seed, draw)
        sizes = np.zeros(fold.n_users, dtype=np.int64)
        sizes[fold.users] = draw.size
        sets = CandidateSets(np.concatenate([[0], np.cumsum(sizes)]), draw.item, fold.n_items)
    _drawn[key] = sets
    while len(_drawn) > _MOST_KEPT:
        del _drawn[next(iter(_drawn))]
    return sets


def _draw(fold: Fold, negatives: int, seed: int) -> kept_draws.Draw:
    # What is drawn is the same for everybody, whatever parts a model is fitted on.
    in_training = Fold(fold.directory, fold.number).candidates if fold.refit else fold.candidates
    starts = np.searchsorted(fold.test.user, np.arange(fold.n_users + 1, dtype=np.int32))
    pool = np.flatnonzero(in_training).astype(np.int32)
    keys = _Keys(pool, seed)
    is_excluded = ~in_training
    sets = [np.zeros(0, dtype=np.int32)]
    for user in fold.users.tolist():
        relevant = fold.test.item[starts[user] : starts[user + 1]]
        if fold.keeps_repeats:
            relevant = np.unique(relevant)
        excluded = np.concatenate([fold.seen(user), relevant])
        is_excluded[excluded] = True
        items = np.concatenate([keys.lowest(user, negatives, is_excluded, len(excluded)), relevant])
        items.sort()
        sets.append(items)
        is_excluded[excluded] = ~in_training[excluded]
    size = np.array([len(items) for items in sets[1:]], dtype=np.int32)
    return kept_draws.Draw(size, np.concatenate(sets))


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
        n_chunks = max(1, -(-len(pool) // _CHUNK))
        self._size = -(-len(pool) // n_chunks)
        self._states, self._shifted = (np.empty(self._size, dtype=np.uint64) for _ in range(2))

    def lowest(self, user: int, number: int, is_excluded: npt.NDArray[np.bool_], n_excluded: int) -> Ints:
        """Return the items with the lowest keys.

        Args:
            user: The user's code.
            number: How many; all that there are where they are fewer.
            is_excluded: Whether an item is not to be drawn, shape (n_items,).
            n_excluded: How many of the pool those are, or more.
        """
        n_pool = len(self._pool)
        expected = float(number) * n_pool / max(1, n_pool - n_excluded)
        while True:
            # A key is below a multiple of 2**33 if its state is: the last step of _mix changes the lower bits only.
            expected += _DEVIATIONS * (expected**0.5 + 1)
            threshold = int(expected / max(1, n_pool) * 2 ** (64 - _HIGH)) << _HIGH
            is_all = threshold >= 2**64
            chosen, states = self._below(user, 2**64 - 1 if is_all else threshold - 1)
            items = self._pool[chosen]
            is_drawable = ~is_excluded[items]
            items, states = items[is_drawable], states[is_drawable]
            if len(items) >= number or is_all:
                break
            expected *= 2
        if len(items) <= number:
            return items
        keys = states ^ (states >> np.uint64(31))
        lowest: Ints = items[np.argpartition(keys, number)[:number]]
        return lowest

    def _below(self, user: int, highest: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
        """Return the positions in the pool of the states up to one, ascending, and these states."""
        stream = _mix(self._seed ^ np.uint64(user))
        positions, low_states = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.uint64)]
        for start in range(0, len(self._pool), max(1, self._size)):
            steps = self._steps[start : start + self._size]
            states, shifted = self._states[: len(steps)], self._shifted[: len(steps)]
            np.add(steps, stream, out=states)
            for bits, factor in ((np.uint64(30), _FIRST_FACTOR), (np.uint64(27), _SECOND_FACTOR)):
                np.right_shift(states, bits, out=shifted)
                np.bitwise_xor(states, shifted, out=states)
                np.multiply(states, factor, out=states)
            chosen = np.flatnonzero(states <= np.uint64(highest))
            positions.append(chosen + start)
            low_states.append(states[chosen])
        return np.concatenate(positions), np.concatenate(low_states)


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return pseudo-random 64-bit numbers."""
    state = state + _STEP
    state = (state ^ (state >> np.uint64(30))) * _FIRST_FACTOR
    state = (state ^ (state >> np.uint64(27))) * _SECOND_FACTOR
    return state ^ (state >> np.uint64(31))

"""Draws for sampled candidates: of each user's drawable items those with the lowest of pseudo-random keys.

A key is computed for each user and item, of which there are many (95 billion in a shop of 581,466 users and 164,288 items), so that
is done in threads, each for some users, and by numba where that is installed and there is enough to do.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from . import draw_keys
from .draw_keys import Keys64, States, expected_below, mix, threshold_of
from .parts import Ints

_USERS = 1 << 10
"""Users for whom a thread draws together."""
_CELLS = 1 << 21
"""Users times items of which it is noted together what is not to be drawn."""
_ALL = 2**64 - 1
"""The highest state."""
WORTH_COMPILING = 3 * 10**9
"""Keys for which numpy takes longer than numba, which needs some seconds to be imported and to compile."""

T = TypeVar("T")


class Excluded(NamedTuple):
    """What is not to be drawn for some users.

    Attributes:
        first: The first item of each user, and the end; shape (b + 1,).
        item: The items, user after user; some may come twice.
    """

    first: npt.NDArray[np.int64]
    item: Ints


class Draws:
    """The draws for the users of a fold.

    Args:
        is_drawable: Whether an item may be drawn for those who do not exclude it; shape (n_items,).
        number: How many items are drawn for each user; all that there are where they are fewer.
        seed: The seed of the draw.
    """

    def __init__(self, is_drawable: npt.NDArray[np.bool_], number: int, seed: int) -> None:
        self._is_drawable = is_drawable
        self._pool = np.flatnonzero(is_drawable).astype(np.int32)
        self._number = number
        self._seed = mix(np.array([seed], dtype=np.uint64))
        self._steps = (
            self._pool.astype(np.uint64) + np.uint64(2)
        ) * draw_keys.STEP  # the second of the two is the first of mix

    def of(
        self,
        users: Ints,
        excluded: Callable[[Ints], Excluded],
        use: Callable[[Ints, npt.NDArray[np.int64], Ints], T],
        threads: int = 1,
    ) -> list[T]:
        """Draw for some users, a thousand at a time, and return what is made of each thousand's draw.

        Args:
            users: User codes, ascending.
            excluded: Returns what is not to be drawn for some of the users.
            use: Gets some of the users, how many items each of them has got, and these items, user after user, in any order.
            threads: How many threads compute.
        """
        n_keys = len(users) * len(self._pool)
        lowest = (compiled() if n_keys >= WORTH_COMPILING else None) or self._lowest
        stretches = [users[start : start + _USERS] for start in range(0, len(users), _USERS)]

        def draw(stretch: Ints) -> T:
            streams = mix(self._seed ^ stretch.astype(np.uint64))
            drawn = lowest(self._steps, self._pool, self._is_drawable, streams, *excluded(stretch), self._number)
            return use(stretch, *drawn)

        if threads <= 1 or len(stretches) <= 1:
            return [draw(stretch) for stretch in stretches]
        pool = ThreadPoolExecutor(threads)
        try:
            return list(pool.map(draw, stretches))
        finally:
            pool.shutdown(cancel_futures=True)  # whoever interrupts it waits for what is running, and no longer

    @staticmethod
    def _lowest(
        steps: Keys64,
        pool: Ints,
        is_drawable: npt.NDArray[np.bool_],
        streams: Keys64,
        first: npt.NDArray[np.int64],
        item: Ints,
        number: int,
    ) -> tuple[npt.NDArray[np.int64], Ints]:
        """Return how many items with the lowest keys there are for each user, and these items, in any order."""
        states = States(steps)
        n_items = len(is_drawable)
        is_blocked = np.empty((max(1, min(len(streams), _CELLS // max(1, n_items))), n_items), dtype=bool)
        is_blocked[:] = ~is_drawable
        sizes, drawn = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int32)]
        for start in range(0, len(streams), len(is_blocked)):
            batch = slice(start, min(start + len(is_blocked), len(streams)))
            ends = first[batch.start : batch.stop + 1]
            n_excluded, excluded = np.diff(ends), item[ends[0] : ends[-1]]
            row = np.repeat(np.arange(len(n_excluded)), n_excluded)
            is_blocked[row, excluded] = True
            size, items = _lowest_of_batch(states, pool, is_blocked, streams[batch], n_excluded, number)
            is_blocked[row, excluded] = ~is_drawable[excluded]
            sizes.append(size)
            drawn.append(items)
        return np.concatenate(sizes), np.concatenate(drawn)


def _lowest_of_batch(
    states: States,
    pool: Ints,
    is_blocked: npt.NDArray[np.bool_],
    streams: Keys64,
    n_excluded: npt.NDArray[np.int64],
    number: int,
) -> tuple[npt.NDArray[np.int64], Ints]:
    """Return the same for so few users that it can be noted of all items whom each is not to be drawn for."""
    thresholds = [threshold_of(expected_below(number, len(pool), count), len(pool)) for count in n_excluded.tolist()]
    highest = [_ALL if threshold is None else threshold - 1 for threshold in thresholds]
    row, item, key = _low(states, pool, is_blocked, streams, np.arange(len(streams)), highest)
    n_low = np.bincount(row, minlength=len(streams))
    short = np.flatnonzero((n_low < number) & (np.array(highest, dtype=np.uint64) < _ALL))
    if len(short):  # hardly ever
        is_short = np.zeros(len(streams), dtype=bool)
        is_short[short] = True
        is_kept = ~is_short[row]
        more = _low(states, pool, is_blocked, streams, short, [_ALL] * len(short))
        row = np.concatenate([row[is_kept], more[0]])
        order = np.argsort(row, kind="stable")
        row, item = row[order], np.concatenate([item[is_kept], more[1]])[order]
        key = np.concatenate([key[is_kept], more[2]])[order]
        n_low = np.bincount(row, minlength=len(streams))
    is_filled = np.arange(max(number, n_low.max(initial=0))) < n_low[:, None]
    table = np.full(is_filled.shape, _ALL, dtype=np.uint64)
    table[is_filled] = key
    bounds = np.partition(table, number - 1, axis=1)[:, number - 1]
    return np.minimum(n_low, number), item[key <= bounds[row]]


def _low(
    states: States,
    pool: Ints,
    is_blocked: npt.NDArray[np.bool_],
    streams: Keys64,
    rows: npt.NDArray[np.int64],
    highest: list[int],
) -> tuple[npt.NDArray[np.int64], Ints, Keys64]:
    """Return which items have low keys for some of the users, these users' rows, ascending, and the keys.

    Args:
        states: What keys are made of.
        pool: The items that have keys.
        is_blocked: Whether an item must not be drawn for a user, shape (b, n_items).
        streams: The users' streams, shape (b,).
        rows: Those of the users that are asked for.
        highest: The highest state that is low for each of these.
    """
    n_low = []
    positions, low_states = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.uint64)]
    for stream, limit in zip(streams[rows], highest, strict=True):
        before = len(positions)
        for part in states.below(stream, np.uint64(limit)):
            positions.append(part[0])
            low_states.append(part[1])
        n_low.append(sum(map(len, positions[before:])))
    row, item, key = np.repeat(rows, n_low), pool[np.concatenate(positions)], np.concatenate(low_states)
    is_allowed = ~is_blocked[row, item]
    row, item, key = row[is_allowed], item[is_allowed], key[is_allowed]
    return row, item, key ^ (key >> np.uint64(31))


def compiled() -> Any:
    """Return ``Draws._lowest`` as numba compiles it, or None where numba is missing or cannot be used."""
    try:
        from .compiled_draws import lowest
    except Exception:  # whatever an installed numba has against this machine or this numpy: there is another way
        return None
    return lowest

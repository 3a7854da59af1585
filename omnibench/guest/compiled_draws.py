"""The draws of ``draws.py`` for numba, which computes a key in a quarter of numpy's time. Whoever imports this needs numba."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from .draw_keys import DEVIATIONS, FACTORS, HIGH, Keys64
from .parts import Ints

_FIRST_FACTOR, _SECOND_FACTOR = FACTORS
_LAST, _THIRTY, _TWENTY_SEVEN = np.uint64(31), np.uint64(30), np.uint64(27)
_MOST = 2.0 ** (64 - HIGH)
_HIGH = np.uint64(HIGH)
_ALL = np.uint64(2**64 - 1)
_BLOCK = 128
"""Keys that are compared before those that are low enough are gathered: without branches, several at once."""


@numba.njit(nogil=True)
def _write_states(steps: Keys64, stream: np.uint64, highest: np.uint64, states: Keys64) -> np.uint64:
    """Write the states of some items, without a branch, so that several are computed at once; return how many are low."""
    count = np.uint64(0)
    for position in range(len(steps)):
        state = steps[position] + stream
        state = (state ^ (state >> _THIRTY)) * _FIRST_FACTOR
        state = (state ^ (state >> _TWENTY_SEVEN)) * _SECOND_FACTOR
        states[position] = state
        count += np.uint64(state <= highest)
    return count


@numba.njit(nogil=True)
def _keep_lowest(items: Ints, keys: Keys64, number: int) -> int:
    """Move the items with the lowest keys, no two of which are equal, to the front; return how many that are."""
    low, high = np.uint64(0), _ALL  # the highest of them is found by halves: numpy's sorting takes seconds to compile
    while low < high:
        middle = low + ((high - low) >> np.uint64(1))
        n_keys = 0
        for key in keys:
            n_keys += key <= middle
        if n_keys >= number:
            high = middle
        else:
            low = middle + np.uint64(1)
    n_lowest = 0
    for position in range(len(keys)):
        items[n_lowest] = items[position]
        n_lowest += keys[position] <= low
    return n_lowest


@numba.njit(nogil=True)
def lowest(
    steps: Keys64,
    pool: Ints,
    is_drawable: npt.NDArray[np.bool_],
    streams: Keys64,
    first: npt.NDArray[np.int64],
    item: Ints,
    number: int,
) -> tuple[npt.NDArray[np.int64], Ints]:
    """Return how many items with the lowest keys there are for each user, and these items; see ``draws.Draws``."""
    n_pool = len(steps)
    is_excluded = ~is_drawable
    sizes = np.zeros(len(streams), dtype=np.int64)
    drawn = np.empty(len(streams) * min(number, n_pool), dtype=np.int32)
    items, keys = np.empty(n_pool, dtype=np.int32), np.empty(n_pool, dtype=np.uint64)
    states = np.empty(_BLOCK, dtype=np.uint64)
    end = 0
    for user in range(len(streams)):
        stream = streams[user]
        excluded = item[first[user] : first[user + 1]]
        is_excluded[excluded] = True
        expected = float(number) * n_pool / max(1, n_pool - len(excluded))
        expected += DEVIATIONS * (np.sqrt(expected) + 1)
        while True:
            share = expected / max(1, n_pool) * _MOST
            is_all = share >= _MOST
            highest = _ALL if is_all else (np.uint64(share) << _HIGH) - np.uint64(1)
            count = 0
            for start in range(0, n_pool, _BLOCK):
                block = steps[start : start + _BLOCK]
                if _write_states(block, stream, highest, states) == 0:
                    continue
                for position in range(len(block)):
                    state = states[position]
                    if state <= highest and not is_excluded[pool[start + position]]:
                        items[count], keys[count] = pool[start + position], state ^ (state >> _LAST)
                        count += 1
            if count >= number or is_all:
                break
            expected *= 2
        if count > number:
            count = _keep_lowest(items[:count], keys[:count], number)
        drawn[end : end + count] = items[:count]
        sizes[user] = count
        end += count
        is_excluded[excluded] = ~is_drawable[excluded]
    return sizes, drawn[:end]

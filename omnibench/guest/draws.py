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
from .draw_keys import ALL, Keys64, States, highest_low, mix
from .parts import Ints

_USERS = 1 << 10
"""Users for whom a thread draws together."""
_CELLS = 1 << 21
"""Users times items of which it is noted together what is not to be drawn."""
_WORD = 8
"""Items of which it is noted in one word whether their keys are low."""
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
        batch = max(1, min(len(streams), _CELLS // max(1, len(pool))))
        low = _LowKeys(States(steps), pool, len(is_drawable), batch)
        sizes, drawn = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int32)]
        for start in range(0, len(streams), batch):
            users = slice(start, min(start + batch, len(streams)))
            ends = first[start : users.stop + 1]
            size, items = low.lowest(streams[users], np.diff(ends), item[ends[0] : ends[-1]], number)
            sizes.append(size)
            drawn.append(items)
        return np.concatenate(sizes), np.concatenate(drawn)


class _LowKeys:
    """The low keys of so few users that it can be noted of all items for whom theirs is low.

    Args:
        states: What keys are made of.
        pool: The items that have keys, ascending.
        n_items: How many items there are.
        n_users: Most users that are asked for together.
    """

    def __init__(self, states: States, pool: Ints, n_items: int, n_users: int) -> None:
        self._states = states
        self._pool = pool
        self._position = np.full(n_items, len(pool))  # of what has no key: a column for nothing
        self._position[pool] = np.arange(len(pool))
        width = len(pool) + 1
        self._words = np.zeros((n_users, -(-width // _WORD)), dtype=np.uint64)
        self._is_low = self._words.view(np.bool_)

    def lowest(
        self, streams: Keys64, n_excluded: npt.NDArray[np.int64], excluded: Ints, number: int
    ) -> tuple[npt.NDArray[np.int64], Ints]:
        """Return how many items with the lowest keys there are for each user, and these items, in any order.

        Args:
            streams: The users' streams, shape (b,).
            n_excluded: How many items each of them excludes, shape (b,).
            excluded: These items, user after user.
            number: How many items are wanted.
        """
        highest = highest_low(number, len(self._pool), n_excluded)
        is_low, columns = self._is_low[: len(streams)], self._position[excluded]
        row = np.repeat(np.arange(len(streams)), n_excluded)
        self._states.write_low(streams, highest, is_low[:, : len(self._pool)])
        is_low[row, columns] = False
        low_row, position, n_low = self._low_positions(len(streams))
        short = np.flatnonzero((n_low < number) & (highest < ALL))
        if len(short):  # hardly ever
            is_low[short, : len(self._pool)] = True
            is_low[row, columns] = False
            low_row, position, n_low = self._low_positions(len(streams))
        key = self._states.keys(streams[low_row], position)
        is_filled = np.arange(max(number, n_low.max(initial=0))) < n_low[:, None]
        table = np.full(is_filled.shape, ALL, dtype=np.uint64)
        table[is_filled] = key
        bounds = np.partition(table, number - 1, axis=1)[:, number - 1]
        return np.minimum(n_low, number), self._pool[position[key <= bounds[low_row]]]

    def _low_positions(self, n_users: int) -> tuple[npt.NDArray[np.int64], ...]:
        """Return for whom of the first users which keys are low, as rows, ascending, and positions, and how many of each."""
        low_words = (self._words[:n_users] != 0).reshape(-1).nonzero()[0]  # few are: eight items are looked at together
        low_bits = self._words.reshape(-1)[low_words].view(np.bool_).nonzero()[0]
        cell = low_words[low_bits // _WORD] * _WORD + low_bits % _WORD
        width = self._is_low.shape[1]
        n_low = np.diff(np.searchsorted(cell, np.arange(n_users + 1) * width))
        row = np.repeat(np.arange(n_users), n_low)
        return row, cell - row * width, n_low


def compiled() -> Any:
    """Return ``Draws._lowest`` as numba compiles it, or None where numba is missing or cannot be used."""
    try:
        from .compiled_draws import lowest
    except Exception:  # whatever an installed numba has against this machine or this numpy: there is another way
        return None
    return lowest

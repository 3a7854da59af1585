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
        is_excluded = ~is_drawable
        drawn = [np.zeros(0, dtype=np.int32)]
        for stream, begin, end in zip(streams, first[:-1].tolist(), first[1:].tolist(), strict=True):
            excluded = item[begin:end]
            is_excluded[excluded] = True
            expected = expected_below(number, len(pool), end - begin)
            while True:
                threshold = threshold_of(expected, len(pool))
                chosen, keys = states.below(stream, 2**64 - 1 if threshold is None else threshold - 1)
                items = pool[chosen]
                is_wanted = ~is_excluded[items]
                items, keys = items[is_wanted], keys[is_wanted]
                if len(items) >= number or threshold is None:
                    break
                expected *= 2
            if len(items) > number:
                items = items[np.argpartition(keys ^ (keys >> np.uint64(31)), number)[:number]]
            drawn.append(items)
            is_excluded[excluded] = ~is_drawable[excluded]
        return np.array([len(items) for items in drawn[1:]], dtype=np.int64), np.concatenate(drawn)


def compiled() -> Any:
    """Return ``Draws._lowest`` as numba compiles it, or None where numba is missing or cannot be used."""
    try:
        from .compiled_draws import lowest
    except Exception:  # whatever an installed numba has against this machine or this numpy: there is another way
        return None
    return lowest

"""The pseudo-random keys that candidates are drawn by: one for each user and item, and no two items of a user have the same.

Not by numpy's generators: the host and the guests may have different versions, which draw differently. The keys are those of
Steele, Lea & Flood, "Fast splittable generators", OOPSLA 2014.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys64 = npt.NDArray[np.uint64]

STEP = np.uint64(0x9E3779B97F4A7C15)
FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27)
ALL = np.uint64(2**64 - 1)
"""The highest state."""
HIGH = 33
"""The bits below this one do not change the higher ones in the last step of ``mix``."""
DEVIATIONS = 5
"""Standard deviations by which more keys are expected below a threshold than are needed."""
_CHUNK = 1 << 15
"""Most keys that are computed together: few calls of numpy, and what they compute stays in the cache of a processor core."""


def highest_low(number: int, n_pool: int, n_excluded: npt.NDArray[np.int64]) -> Keys64:
    """Return up to which state keys are low: so many that enough of them should be drawable; shape (b,).

    Args:
        number: How many drawable ones are wanted.
        n_pool: How many items have keys.
        n_excluded: How many of them are excluded for each user, or more; shape (b,).
    """
    expected = float(number) * n_pool / np.maximum(1, n_pool - n_excluded)
    expected += DEVIATIONS * (np.sqrt(expected) + 1)
    # A key is below a multiple of 2**33 if its state is: the last step of mix changes the lower bits only.
    share = expected / max(1, n_pool) * 2 ** (64 - HIGH)
    is_all = share >= 2 ** (64 - HIGH)
    return np.where(is_all, ALL, (np.where(is_all, 1, share).astype(np.uint64) << np.uint64(HIGH)) - np.uint64(1))


class States:
    """The states that keys are made of by a last step.

    Args:
        steps: What an item adds to a user's stream.
    """

    def __init__(self, steps: Keys64) -> None:
        n_chunks = max(1, -(-len(steps) // _CHUNK))
        self._steps = steps
        self._size = max(1, -(-len(steps) // n_chunks))
        self._states, self._shifted = (np.empty(self._size, dtype=np.uint64) for _ in range(2))

    def write_low(self, streams: Keys64, highest: Keys64, is_low: npt.NDArray[np.bool_]) -> None:
        """Write which items have low states for each user.

        Args:
            streams: The users' streams, shape (b,).
            highest: The highest state that is low for each of them, shape (b,).
            is_low: Where it is written, shape (b, n_pool).
        """
        numbers = [np.array(number) for number in (*_SHIFTS, *FACTORS)]  # which ufuncs take as they are
        first_shift, second_shift, first_factor, second_factor = numbers
        for start in range(0, len(self._steps), self._size):
            steps = self._steps[start : start + self._size]
            states, shifted = self._states[: len(steps)], self._shifted[: len(steps)]
            for stream, limit, low in zip(streams, highest, is_low[:, start : start + len(steps)], strict=True):
                np.add(steps, stream, out=states)
                np.right_shift(states, first_shift, out=shifted)
                np.bitwise_xor(states, shifted, out=states)
                np.multiply(states, first_factor, out=states)
                np.right_shift(states, second_shift, out=shifted)
                np.bitwise_xor(states, shifted, out=states)
                np.multiply(states, second_factor, out=states)
                np.less_equal(states, limit, out=low)

    def keys(self, streams: Keys64, positions: npt.NDArray[np.int64]) -> Keys64:
        """Return the keys of items for users with these streams; each has the shape (m,)."""
        return mix(self._steps[positions] - STEP + streams)


def mix(state: Keys64) -> Keys64:
    """Return pseudo-random 64-bit numbers."""
    state = state + STEP
    state = (state ^ (state >> np.uint64(30))) * FACTORS[0]
    state = (state ^ (state >> np.uint64(27))) * FACTORS[1]
    return state ^ (state >> np.uint64(31))

"""The pseudo-random keys that candidates are drawn by: one for each user and item, and no two items of a user have the same.

Not by numpy's generators: the host and the guests may have different versions, which draw differently. The keys are those of
Steele, Lea & Flood, "Fast splittable generators", OOPSLA 2014.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Keys64 = npt.NDArray[np.uint64]

STEP = np.uint64(0x9E3779B97F4A7C15)
FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS_AND_FACTORS = tuple(zip((np.uint64(30), np.uint64(27)), FACTORS, strict=True))
HIGH = 33
"""The bits below this one do not change the higher ones in the last step of ``mix``."""
DEVIATIONS = 5
"""Standard deviations by which more keys are expected below a threshold than are needed."""
_CHUNK = 1 << 15
"""Most keys that are computed together: few calls of numpy, and what they compute stays in the cache of a processor core."""


def expected_below(number: int, n_pool: int, n_excluded: int) -> float:
    """Return how many keys should be below a threshold for enough of them to be drawable.

    Args:
        number: How many drawable ones are wanted.
        n_pool: How many items have keys.
        n_excluded: How many of them are excluded, or more.
    """
    expected = float(number) * n_pool / max(1, n_pool - n_excluded)
    return expected + DEVIATIONS * (math.sqrt(expected) + 1)


def threshold_of(expected: float, n_pool: int) -> int | None:
    """Return the key below which so many are expected, a multiple of 2**33; None where all are below."""
    # A key is below such a multiple if its state is: the last step of mix changes the lower bits only.
    threshold = int(expected / max(1, n_pool) * 2 ** (64 - HIGH)) << HIGH
    return None if threshold >= 2**64 else threshold


class States:
    """The states that keys are made of by a last step, for one user after the other.

    Args:
        steps: What an item adds to a user's stream.
    """

    def __init__(self, steps: Keys64) -> None:
        n_chunks = max(1, -(-len(steps) // _CHUNK))
        self._steps = steps
        self._size = max(1, -(-len(steps) // n_chunks))
        self._states, self._shifted = (np.empty(self._size, dtype=np.uint64) for _ in range(2))
        self._is_low = np.empty(self._size, dtype=bool)

    def below(self, stream: np.uint64, highest: np.uint64) -> Iterator[tuple[npt.NDArray[np.int64], Keys64]]:
        """Yield the positions of the states up to one, ascending, and these states, part by part."""
        for start in range(0, len(self._steps), self._size):
            steps = self._steps[start : start + self._size]
            states, shifted = self._states[: len(steps)], self._shifted[: len(steps)]
            np.add(steps, stream, out=states)
            for bits, factor in _SHIFTS_AND_FACTORS:
                np.right_shift(states, bits, out=shifted)
                np.bitwise_xor(states, shifted, out=states)
                np.multiply(states, factor, out=states)
            np.less_equal(states, highest, out=self._is_low[: len(steps)])
            chosen = self._is_low[: len(steps)].nonzero()[0]
            low_states = states[chosen]
            yield (chosen + start if start else chosen), low_states


def mix(state: Keys64) -> Keys64:
    """Return pseudo-random 64-bit numbers."""
    state = state + STEP
    state = (state ^ (state >> np.uint64(30))) * FACTORS[0]
    state = (state ^ (state >> np.uint64(27))) * FACTORS[1]
    return state ^ (state >> np.uint64(31))

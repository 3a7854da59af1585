"""The standard deviation of a few floats, exact to the last bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np

_UNIT_BITS = 80
_UNIT = float(1 << _UNIT_BITS)
"""The parts of which floats are mostly whole multiples: those from 4e-9 on are, and all that are coarser."""

_BITS = 64
"""Binary digits of a root that are computed: more than the 53 of a float, so that the last one but these rounds rightly."""


def sample_deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample (n - 1), rounded once: the same float as ``statistics.stdev``, sooner.

    Of finite values whose deviation no float holds it is infinite.

    All values are whole multiples of one power of two, so that sums of them and of their squares are sums of whole numbers.

    Args:
        values: At least two floats, finite; of whole numbers beyond 2^53 make floats before.
    """
    scaled = [value * _UNIT for value in values]  # a power of two, so that nothing is rounded
    if all(map(float.is_integer, scaled)):
        numbers, unit = list(map(int, scaled)), 1 << _UNIT_BITS
    else:
        ratios = [value.as_integer_ratio() for value in values]
        unit = max(denominator for _, denominator in ratios)
        numbers = [numerator * (unit // denominator) for numerator, denominator in ratios]
    count = len(numbers)
    squares = count * sum([number * number for number in numbers]) - sum(numbers) ** 2
    return _root(squares, count * (count - 1) * unit * unit)


def sample_deviations(samples: Sequence[Sequence[float]] | npt.NDArray[np.float64]) -> list[float]:
    """Return ``sample_deviation`` of many samples of the same size, for which numpy takes a tenth of the time.

    They are computed with the digits that the processor has beyond those of a float, and their error is bounded: the mean's counts by
    its square alone, since the squares of deviations from any other point sum up to more by n times the distance's square. Where
    both ends of what is possible round to the same float, that is the one; of the others, which are few, each is computed exactly.

    Args:
        samples: Each with the same number of finite values, two or more; shape (n, count).
    """
    if not len(samples):
        return []
    values = np.array(samples, np.longdouble)
    count, unit = values.shape[1], float(np.finfo(np.longdouble).eps)
    with np.errstate(all="ignore"):
        centred = values - (values.sum(axis=1) / count)[:, None]
        deviations = np.sqrt((centred * centred).sum(axis=1) / (count - 1))
        error = (count + 8) * unit + ((count + 1) * unit * abs(values).max(axis=1) / deviations) ** 2
        low, high = ((deviations * bound).astype(np.float64).tolist() for bound in (1 - error, 1 + error))
    return [
        lowest if lowest == highest and 0 < lowest < math.inf else sample_deviation(list(map(float, sample)))
        for lowest, highest, sample in zip(low, high, samples, strict=True)
    ]


def _root(numerator: int, denominator: int) -> float:
    """Return the square root of a fraction, rounded once: of a root that goes on, the last digit is odd; infinite where no float holds it."""
    if not numerator:
        return 0.0
    shift = max(0, _BITS - (numerator.bit_length() - denominator.bit_length()) // 2)
    quotient, rest = divmod(numerator << 2 * shift, denominator)
    root = math.isqrt(quotient)
    try:
        return (root | (rest > 0 or root * root != quotient)) / (1 << shift)
    except OverflowError:
        return math.inf

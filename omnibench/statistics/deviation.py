"""The standard deviation of a few floats, exact to the last bit."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
        values: At least two, finite.
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

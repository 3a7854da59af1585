"""The mean of a few floats, which is a float however large their sum is."""

from __future__ import annotations

import math
from collections.abc import Sequence


def exact_mean(values: Sequence[float]) -> float:
    """Return the mean of values; NaN of infinities of both signs.

    Args:
        values: At least one.
    """
    try:
        return math.fsum(values) / len(values)
    except (OverflowError, ValueError):  # their sum is more than a float holds, or there are infinities of both signs
        from statistics import mean  # in whole numbers: ten times as long, and with imports of its own

        return mean(values)

"""Discounts of ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnibench.metrics.base import Values

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


def log2_discounts(length: int) -> Values:
    """Return 1 / log2(rank + 1) for the ranks 1 to length (Burges et al., ICML 2005)."""
    discounts: Values = 1.0 / np.log2(np.arange(2, length + 2))
    return discounts


def clipped_discounts(length: int) -> Values:
    """Return 1 / max(log2(rank), 1) for the ranks 1 to length (Järvelin & Kekäläinen, TOIS 2002; LensKit)."""
    discounts: Values = 1.0 / np.log2(np.maximum(np.arange(1, length + 1), 2))
    return discounts

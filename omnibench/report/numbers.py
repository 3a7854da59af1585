"""Numbers as files have them."""

from __future__ import annotations

import math


def finite(value: float | None) -> float | None:
    """Return a value, or None where it is no number that every reader of a file knows."""
    return value if value is not None and math.isfinite(value) else None

"""Durations as people write them."""

from __future__ import annotations

import re

from omnibench.errors import OmnibenchError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """Read a duration such as ``90``, ``90s``, ``5m``, ``1.5h``.

    Raises:
        OmnibenchError: The text says something else.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", text)
    if not match:
        raise OmnibenchError(f"{text!r} is no duration; write e.g. 90s, 5m or 1h.")
    return float(match[1]) * _UNITS[match[2]]

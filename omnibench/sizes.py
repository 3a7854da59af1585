"""Numbers of bytes as people read them."""

from __future__ import annotations

import math
import re

from omnibench.errors import OmnibenchError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def size_text(size: float) -> str:
    """Return bytes for people, e.g. ``7.3 MB``."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - of a larger unit it would be less than one
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def bytes_of(text: str) -> int:
    """Read a number of bytes such as ``16GB``, ``1.5 TB``, ``512MiB``; B may be left out.

    Raises:
        OmnibenchError: The text says something else.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text.casefold())
    if not match or (match[3] and not match[2]) or not 0 < float(match[1]) < math.inf:
        raise OmnibenchError(f"{text!r} is no size; write e.g. 16GB, 1.5TB or 512MiB.")
    unit = 1024 ** (1 + "kmgt".index(match[2])) if match[3] else _UNITS[match[2]]
    return int(float(match[1]) * unit)

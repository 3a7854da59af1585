"""Numbers of bytes as people read them."""

from __future__ import annotations


def size_text(size: float) -> str:
    """Return bytes for people, e.g. ``7.3 MB``."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - of a larger unit it would be less than one
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"

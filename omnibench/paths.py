"""The user's cache directory, for everything that is not a result: environments, downloads, file digests."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def cache_directory() -> Path:
    """Return ``OMNIBENCH_CACHE_DIR``, or omnibench's folder in the user's cache directory."""
    override = os.environ.get("OMNIBENCH_CACHE_DIR")
    if override:
        return Path(override).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("omnibench")


def remember(path: Path, text: str) -> None:
    """Write a file of the cache directory, in one step and without a word where that fails: it is a convenience."""
    partial = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)

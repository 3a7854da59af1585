"""The user's cache directory, for everything that is not a result: environments, downloads, file digests."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """Return ``OMNIBENCH_CACHE_DIR``, or omnibench's folder in the user's cache directory."""
    override = os.environ.get("OMNIBENCH_CACHE_DIR")
    if override:
        return Path(override).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("omnibench")

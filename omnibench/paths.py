"""Where omnibench keeps what is not a result: environments, downloads, remembered digests."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """Return ``OMNIBENCH_CACHE_DIR``, or omnibench's folder in the user's cache directory."""
    given = os.environ.get("OMNIBENCH_CACHE_DIR")
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("omnibench")

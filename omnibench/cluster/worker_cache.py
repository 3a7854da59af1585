"""The cache of files that came to this machine by content: what was used longest ago goes, never what a run uses."""

from __future__ import annotations

import os
import threading
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.paths import cache_directory
from omnibench.sizes import bytes_of
from omnibench.store.leases import exclusive_use, shared_use

SIZE_VARIABLE = "OMNIBENCH_CLUSTER_CACHE"
_USUAL_SIZE = "50GB"
_MOST_DAYS = 30.0
_DAY_SECONDS = 86400.0


def worker_cache() -> Path:
    """Return the directory of the cache."""
    return cache_directory() / "cluster"


def in_use() -> AbstractContextManager[None]:
    """Keep every file of the cache where it is."""
    return shared_use(worker_cache() / "in-use.lock")


def note_use(path: Path) -> None:
    """Note that a file of the cache is used now; its time of change stays, by which processes know it.

    Args:
        path: The file.
    """
    with suppress(OSError):  # another user's, or a file system that is read only
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def prune(most_bytes: int | None = None, most_days: float = _MOST_DAYS) -> int:
    """Remove what was not used for long, and what is too much, unless a request of any process uses the cache now.

    Args:
        most_bytes: What may stay; by default what ``OMNIBENCH_CLUSTER_CACHE`` says, or 50 GB.
        most_days: How long something may lie unused.

    Returns:
        How many bytes were removed.
    """
    limit = bytes_of(os.environ.get(SIZE_VARIABLE) or _USUAL_SIZE) if most_bytes is None else most_bytes
    try:
        with exclusive_use(worker_cache() / "in-use.lock"):
            return _prune(limit, time.time() - most_days * _DAY_SECONDS)
    except (StoreError, OSError):  # it is used right now, or nothing can be removed: the next run tries again
        return 0


def prune_beside() -> None:
    """Prune in a thread of its own, for which nobody waits."""
    threading.Thread(target=prune, daemon=True, name="omnibench-worker-cache").start()


def _prune(limit: int, oldest: float) -> int:
    files = [path for path in (worker_cache() / "files").glob("*/*") if path.suffix != ".lock"]
    newest_first = sorted(((path.stat().st_atime, path) for path in files), reverse=True)
    stays = removed = 0
    for used, path in newest_first:
        size = path.stat().st_size
        if used >= oldest and stays + size <= limit and path.suffix != ".partial":
            stays += size
        else:
            path.unlink()
            removed += size
    if removed:
        _remove_dangling(worker_cache() / "directories")
    return removed


def _remove_dangling(directories: Path) -> None:
    """Remove links to what is gone, and the directories that are empty then."""
    for folder, _, names in os.walk(directories, topdown=False):
        for name in names:
            if not Path(folder, name).exists():
                Path(folder, name).unlink()
        if not os.listdir(folder):
            Path(folder).rmdir()

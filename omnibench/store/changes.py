"""Changing many items of a store at once: in portions that a process has file descriptors for, and never in silence."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omnibench.errors import StoreError

MOST_ITEMS = 100
"""Items per transaction; each holds a file descriptor for its lease meanwhile."""

_SPARE_DESCRIPTORS = 20
"""Descriptors that a transaction needs itself: the database and its log, a reader of it, manifests, a directory."""


def portions(fit_keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield keys in portions, of which all leases can be held at once: ``ulimit -n`` may allow few.

    Args:
        fit_keys: The items' keys.
    """
    start = 0
    while start < len(fit_keys):
        portion = fit_keys[start : start + _items_at_once()]
        start += len(portion)
        yield portion


def _items_at_once() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MOST_ITEMS
    return max(1, min(MOST_ITEMS, limit - len(os.listdir("/dev/fd")) - _SPARE_DESCRIPTORS))


def remove_trees(directories: Iterable[Path]) -> None:
    """Remove directories with all that is in them, each as far as possible.

    Args:
        directories: Those that are gone already are passed over.

    Raises:
        OSError: Something is left; the first reason.
    """
    left = []
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
        if os.path.lexists(directory):
            left.append(directory)
    for directory in left:
        shutil.rmtree(directory)


@contextmanager
def told_as_store_errors(root: Path, change: str) -> Iterator[None]:
    """Tell what the operating system refuses while a store is changed as an error of the store.

    Args:
        root: The store's directory.
        change: What is done, e.g. ``reset``.

    Raises:
        StoreError: Something was refused.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"not everything in {root} could be {change} ({error}). Mend that, and do it once more; what no record names any "
            "more is removed by `omnibench gc`."
        ) from error

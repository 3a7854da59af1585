"""Changing many items of a store at once: in portions that a process has file descriptors for, and as far as possible."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from omnibench.limits import file_limit

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
    limit = file_limit()
    return MOST_ITEMS if limit is None else max(1, min(MOST_ITEMS, limit.maximum - limit.amount - _SPARE_DESCRIPTORS))


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

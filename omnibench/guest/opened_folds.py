"""Folds of small datasets, kept from item to item: to open one and gather its columns takes as long as to evaluate few users."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from .folds import Fold
from .shared_rows import MEMBERSHIP

MOST_ROWS = 1 << 17
"""Rows of the largest dataset whose folds are kept: what is gathered of one takes a few megabytes."""

_MOST_FOLDS = 16

_Identity = tuple[str, int, str, bool, bool, str]
_State = tuple[tuple[int, int, int], ...]

_opened: dict[_Identity, tuple[_State, Fold]] = {}
"""The folds, with the state of their files when they were opened."""


def opened_fold(
    dataset: Path, number: int, refit: str = "", *, repeats: bool = False, unknown: bool = False, judged: str = ""
) -> Fold:
    """Return a fold of a prepared dataset, as ``Fold`` does with these arguments; one that is kept is nobody's to change.

    A dataset that was published anew at the same path is another one.
    """
    try:
        statuses = [os.stat(file) for file in _files_of(str(dataset), number)]
    except OSError:  # the only fold, or one of an older form, has its own rows
        return Fold(dataset, number, refit, repeats=repeats, unknown=unknown, judged=judged)
    identity = (str(dataset), number, refit, repeats, unknown, judged)
    state = tuple((status.st_ino, status.st_mtime_ns, status.st_ctime_ns) for status in statuses)
    before = _opened.get(identity)
    if before is not None and before[0] == state:
        return before[1]
    fold = Fold(dataset, number, refit, repeats=repeats, unknown=unknown, judged=judged)
    if statuses[1].st_size <= MOST_ROWS:  # a byte per row
        if len(_opened) >= _MOST_FOLDS:
            _opened.clear()
        _opened[identity] = state, fold
    return fold


@lru_cache(maxsize=_MOST_FOLDS)
def _files_of(dataset: str, number: int) -> tuple[str, str]:
    """Return the files whose state tells whether a fold is the same as before."""
    return os.path.join(dataset, "manifest.json"), os.path.join(dataset, f"fold_{number}", MEMBERSHIP)

"""Warnings that name the line of the user's own code, however many functions lie between."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

_PACKAGE = __name__.partition(".")[0]

_BETWEEN = frozenset({"functools", "contextlib", "threading", "concurrent"})
"""Modules of Python's whose functions call ours, or the user's, on the way to a warning."""
_RUNNERS = frozenset({"_pytest", "pytest", "pluggy", "xdist", "execnet"})
"""What calls our plugin: behind them there is no line of the user's that has led to a warning."""


def warn_caller(sentence: str) -> None:
    """Warn of the line that has called omnibench; of our own where none of the user's has, as in a run of pytest.

    Args:
        sentence: What is to be known.
    """
    warnings.warn(sentence, UserWarning, stacklevel=_level_of_user() or 2)


def _level_of_user() -> int:
    """Return how many frames lie between a warning and the user's own line; 0 where there is none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as the inspect module, which is slow to import, does
    level = 1
    while frame is not None:
        root = str(frame.f_globals.get("__name__")).partition(".")[0]
        if root in _RUNNERS:
            return 0
        if root != _PACKAGE and root not in _BETWEEN:
            return level
        frame, level = frame.f_back, level + 1
    return 0

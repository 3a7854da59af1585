"""Warnings that name the line of the user's own code, however many of our functions lie between."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

_PACKAGE = __name__.partition(".")[0]


def warn_caller(sentence: str) -> None:
    """Warn of the line that has called omnibench.

    Args:
        sentence: What is to be known.
    """
    warnings.warn(sentence, UserWarning, stacklevel=_frames_of_ours())


def _frames_of_ours() -> int:
    """Return how many frames lie between a warning and the user's own line."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as the inspect module, which is slow to import, does
    level = 0
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE:
        frame, level = frame.f_back, level + 1
    return level

"""The process-wide settings of moved scripts: logging, random state, data directory."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from omnibench.seed import get_random_state, set_random_state

__all__ = ["get_data_dir", "get_random_state", "root_logger", "set_data_dir", "set_log_level", "set_random_state"]

root_logger = logging.getLogger("omnirec")
"""Moved scripts set levels and handlers of OmniRec's logger, so it keeps its name."""

_data_directory = Path(os.environ.get("OMNIREC_DATA_PATH", Path.home() / ".omnirec" / "data"))


def set_log_level(level: str) -> None:
    """Set the level of what moved scripts log.

    Args:
        level: A level's name in any case: CRITICAL, ERROR, WARNING, INFO, DEBUG.

    Raises:
        ValueError: There is no such level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(
            f"there is no log level {level!r}; there are {', '.join(sorted(logging.getLevelNamesMapping()))}"
        )
    root_logger.setLevel(number)


def set_data_dir(path: str | os.PathLike[str]) -> None:
    """Set the directory of raw files, and of the copies in canonical form that OmniRec left."""
    global _data_directory  # noqa: PLW0603 - OmniRec's interface is this process-wide setting
    _data_directory = Path(path)


def get_data_dir() -> Path:
    """Return the directory of raw files; ``$OMNIREC_DATA_PATH``, or the one in the home directory that OmniRec uses."""
    return _data_directory

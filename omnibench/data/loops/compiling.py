"""Whether loops over rows can be compiled here: numba is optional, and so is all that needs it.

Compiled code is kept in omnibench's cache, so that a machine compiles once. Without a place to keep it nothing is compiled:
that takes longer than a large file does.
"""

from __future__ import annotations

import functools
import importlib
import os
from types import ModuleType

from omnibench.errors import OmnibenchError
from omnibench.paths import cache_directory

_MODULES = ("number_fields",)
"""Of this room: those whose functions are compiled when they are imported."""


@functools.cache
def are_compiled() -> bool:
    """Whether there are compiled loops; the first call on a machine compiles them, which takes seconds."""
    try:
        numba: ModuleType = importlib.import_module("numba")
    except ImportError:  # not installed, or not for this version of numpy
        return False
    if numba.config.DISABLE_JIT:
        return False
    try:
        directory = cache_directory() / "compiled"
        directory.mkdir(parents=True, exist_ok=True)
    except (OSError, OmnibenchError):
        return False
    if not os.access(directory, os.W_OK | os.X_OK):
        return False
    # What others compile in this process is kept where it was before.
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(directory)
    try:
        for name in _MODULES:
            importlib.import_module(f"{__package__}.{name}")
    except Exception:  # whatever a compiler, or a disk that is full, says: there is another way to the same rows
        return False
    finally:
        numba.config.CACHE_DIR = before
    return True

"""numpy, imported when it is first used: collecting benchmarks, and reporting what is done, needs none of it."""

from __future__ import annotations

import importlib
from typing import Any


class _Module:
    """Stands for a module until something is asked of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, found)
        return found


np: Any = _Module("numpy")
npt: Any = _Module("numpy.typing")

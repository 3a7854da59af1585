"""numpy, imported on first use: collecting benchmarks and reporting cached results do not need it."""

from __future__ import annotations

import importlib
from typing import Any


class _Module:
    """A stand-in for a module that imports it when an attribute is first read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, value)
        return value


np: Any = _Module("numpy")
npt: Any = _Module("numpy.typing")

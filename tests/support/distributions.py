"""What is installed, looked up once: pytest reads the metadata of every distribution, twice, whenever it starts."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

_PREFIXES = tuple(f"{Path(prefix).resolve()}{os.sep}" for prefix in (sys.prefix, sys.base_prefix))
"""Where packages are installed, and no test puts any."""

_known: dict[tuple[str, int], list[Any]] = {}
"""The distributions in directories of these, by the directory and when it has changed."""


class _KnownDistribution:
    """A distribution whose metadata is read once.

    Args:
        distribution: As it was found.
    """

    def __init__(self, distribution: Any) -> None:
        self._distribution = distribution

    def __getattr__(self, name: str) -> Any:
        return getattr(self._distribution, name)

    @cached_property
    def entry_points(self) -> Any:
        """Its plugins, among others."""
        return self._distribution.entry_points

    @cached_property
    def files(self) -> Any:
        """What it has installed."""
        return self._distribution.files


@contextlib.contextmanager
def known_distributions() -> Iterator[None]:
    """Remember what is installed with the interpreter; in any other directory of ``sys.path`` it is looked up as ever."""
    look = importlib.metadata.distributions

    def distributions(**context: Any) -> Iterable[Any]:
        if context:
            yield from look(**context)
            return
        for directory in sys.path:
            if not directory.startswith(_PREFIXES) or not os.path.isdir(directory):
                yield from look(path=[directory])
                continue
            key = (directory, os.stat(directory).st_mtime_ns)
            if key not in _known:
                _known[key] = [_KnownDistribution(found) for found in look(path=[directory])]
            yield from _known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "distributions", distributions)
        yield

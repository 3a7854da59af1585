"""Pauses of Python's garbage collector while thousands of items are made, which all stay.

Looking at them again and again would take a fifth of the time of a run in which everything is cached.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_paused = False


def pause() -> None:
    """Stop the collector until ``resume``."""
    global _paused  # noqa: PLW0603 - the interpreter has one collector
    _paused = _paused or gc.isenabled()
    gc.disable()


def resume() -> None:
    """Start the collector again where ``pause`` has stopped it; it leaves alone what there is by now."""
    global _paused  # noqa: PLW0603 - as above
    if _paused:
        gc.freeze()
        gc.enable()
    _paused = False


@contextmanager
def paused() -> Iterator[None]:
    """Stop the collector meanwhile."""
    pause()
    try:
        yield
    finally:
        resume()

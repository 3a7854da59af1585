"""What long work says to whoever waits for it, on stderr, past whatever captures the output of this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple


class _Audience(NamedTuple):
    """Who waits.

    Attributes:
        uncaptured: Returns a context in which nothing captures what is written.
        verbosity: 0 as usual, -1 without bars, -2 without a word.
    """

    uncaptured: Callable[[], AbstractContextManager[None]] = nullcontext
    verbosity: int = 0


_audience = _Audience()


def set_audience(uncaptured: Callable[[], AbstractContextManager[None]], verbosity: int) -> None:
    """Say who waits for the work of this process, where that is not a script's terminal.

    Args:
        uncaptured: Returns a context in which nothing captures what is written to stderr.
        verbosity: 0 as usual, -1 without bars, -2 without a word.
    """
    global _audience  # noqa: PLW0603 - a process has one stderr
    _audience = _Audience(uncaptured, verbosity)


@contextmanager
def uncaptured() -> Iterator[None]:
    """Let what is written to stderr reach it."""
    with _audience.uncaptured():
        yield


def announce(sentence: str) -> None:
    """Write a sentence to stderr now, unless nobody wants to know."""
    if _audience.verbosity < -1:
        return
    from omnibench.terminal import terminal_text  # every pytest session imports this module, and few announce anything

    with uncaptured():
        if sys.stderr is not None:
            print(f"omnibench: {terminal_text(sentence)}", file=sys.stderr, flush=True)  # noqa: T201 - what it is for


def has_bars() -> bool:
    """Whether somebody watches stderr on a terminal that can move its cursor, and wants to see bars there."""
    if _audience.verbosity < 0 or os.environ.get("TERM") == "dumb" or os.environ.get("CI"):
        return False
    with uncaptured():
        return sys.stderr is not None and sys.stderr.isatty()

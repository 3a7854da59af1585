"""What long work says to whoever waits for it, on stderr, past whatever captures the output of this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple


class Audience(NamedTuple):
    """Who waits for the work of this process.

    Attributes:
        uncaptured: Returns a context in which nothing captures what is written to stderr.
        verbosity: 0 as usual, -1 without bars, -2 without a word.
    """

    uncaptured: Callable[[], AbstractContextManager[None]] = nullcontext
    verbosity: int = 0


_audience = Audience()


def set_audience(audience: Audience) -> Audience:
    """Say who waits for the work of this process from now on; return who did until now."""
    global _audience
    earlier, _audience = _audience, audience
    return earlier


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

"""Lines of ours in pytest's output."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import pytest


def write_line(reporter: Any, text: str, **markup: bool) -> None:
    """Write a line with pytest's terminal reporter; what a terminal would obey in it is spelled out.

    Args:
        reporter: The reporter.
        text: The line; its line ends are kept.
        **markup: What pytest's terminal writer takes, e.g. ``red=True``.
    """
    from omnibench.terminal import terminal_text  # every pytest session imports this module

    reporter.write_line(terminal_text(text), **markup)


def usage_error(sentence: object) -> pytest.UsageError:
    """Return the error that ends a run before it begins; pytest prints its text as it is, so nothing is obeyed in it.

    Args:
        sentence: The error, or its text.
    """
    from omnibench.terminal import terminal_text  # see above

    return pytest.UsageError(terminal_text(str(sentence)))


def prints_are_shown(config: pytest.Config) -> bool:
    """Whether what items print goes to the terminal as they run: ``-s``, or ``--capture=tee-sys``."""
    return getattr(config.option, "capture", "no") in ("no", "tee-sys")  # without its plugin nothing is captured


def echo(stream: str, lines: bytes) -> None:
    """Print what a guest has printed.

    Args:
        stream: ``out`` or ``err``.
        lines: Whole lines of it.
    """
    output = sys.stdout if stream == "out" else sys.stderr
    encoding = getattr(output, "encoding", None) or "utf-8"
    with suppress(ValueError):  # it was closed meanwhile
        output.write(lines.decode(errors="replace").encode(encoding, "replace").decode(encoding))
        output.flush()

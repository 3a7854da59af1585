"""Lines of ours in pytest's output."""

from __future__ import annotations

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

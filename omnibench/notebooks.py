"""Notebooks: whether this process runs one, and how to show something below its cells. IPython is never imported for it."""

from __future__ import annotations

import sys
from typing import Any


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this process."""
    return getattr(_shell(), "kernel", None) is not None


def is_interactive() -> bool:
    """Whether somebody types to this process: a notebook, IPython, or Python's own prompt."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or _shell() is not None


def current_cell() -> int | None:
    """Return the number of the cell that runs, or None outside of IPython."""
    number: int | None = getattr(_shell(), "execution_count", None)
    return number


def display(forms: dict[str, str], **options: Any) -> Any:
    """Show something below the cell that runs.

    Args:
        forms: Its forms by media type.
        options: Those of ``IPython.display.display``.
    """
    from IPython import display as ipython

    show: Any = ipython.display
    return show(forms, raw=True, **options)

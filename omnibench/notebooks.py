"""Notebooks: whether this process runs one, and how to show something below its cells. IPython is never imported for it."""

from __future__ import annotations

import re
import sys
from types import CodeType, FrameType
from typing import Any

_TYPED = re.compile(r"<(stdin|console|.*-input-\d+)>")
"""The names that Python gives what is typed at a prompt; each statement is code of its own."""


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this process."""
    return getattr(_shell(), "kernel", None) is not None


def is_interactive() -> bool:
    """Whether somebody types to this process: a notebook, IPython, or Python's own prompt."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or _shell() is not None


def current_cell() -> object:
    """Return what identifies the cell of IPython, or the statement at Python's own prompt, that runs; else None."""
    if _shell() is not None:
        return getattr(_shell(), "execution_count", None)
    return _statement() if hasattr(sys, "ps1") else None


def _statement() -> CodeType | None:
    """Return the code of the statement that was typed at a prompt, and that runs."""
    statement: CodeType | None = None
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as the inspect module, which is slow to import, does
    while frame is not None:
        if _TYPED.fullmatch(frame.f_code.co_filename):
            statement = frame.f_code
        frame = frame.f_back
    return statement


def display(forms: dict[str, str], **options: Any) -> Any:
    """Show something below the cell that runs.

    Args:
        forms: Its forms by media type.
        options: Those of ``IPython.display.display``.
    """
    from IPython import display as ipython

    show: Any = ipython.display
    return show(forms, raw=True, **options)

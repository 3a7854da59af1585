"""Facts about data sets in lines, and numbers in words: exact, rounded to fit a narrow terminal, shares in per cent."""

from __future__ import annotations

import math
import shutil
import textwrap
from collections.abc import Iterator

_UNITS = ((1e9, "B"), (1e6, "M"), (1e3, "K"))
_DIGITS = 3
_NEARLY_ALL = 0.999
_NARROWEST = 60

LABEL_COLUMNS = 14
"""Columns of the labels of facts."""


def labelled(label: str, text: str) -> Iterator[str]:
    """Yield a label with its text, in lines of the terminal's width."""
    yield from textwrap.wrap(
        text,
        max(shutil.get_terminal_size().columns, _NARROWEST),
        initial_indent=f"  {label:{LABEL_COLUMNS}}",
        subsequent_indent=" " * (2 + LABEL_COLUMNS),
        break_long_words=False,
        break_on_hyphens=False,
    )


def exact(count: int) -> str:
    """Return a number with its thousands set apart, e.g. ``1,000,209``."""
    return f"{count:,}"


def brief(count: int) -> str:
    """Return a number in three digits and a unit, e.g. ``1.00M``; smaller ones than 1,000 as they are."""
    for size, unit in _UNITS:
        if float(f"{count:.{_DIGITS}g}") >= size:
            return f"{figure(count / size)}{unit}"
    return str(count)


def figure(value: float) -> str:
    """Return a number in three digits, without an exponent: ``0.0123``, ``1.24``, ``106``, ``12,345``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    value = float(f"{value:.{_DIGITS}g}") if abs(value) < 10**_DIGITS else value
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def percent(share: float) -> str:
    """Return a share in per cent, e.g. ``6.30%``; nearly all is not all."""
    if _NEARLY_ALL <= share < 1:
        return f">{_NEARLY_ALL:.1%}"
    return f"{figure(100 * share)}%"

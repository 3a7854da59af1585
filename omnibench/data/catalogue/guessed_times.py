"""The unit or format of timestamps, guessed from some of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from omnibench.data.time_units import unit_of

_LIMIT = 10**20
"""Nanoseconds of the year 5138: larger counts are none."""

_FORMATS = (
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S UTC",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%a %b %d %H:%M:%S %z %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %b %Y",
)
"""Formats of dates that people publish, besides ISO 8601."""

_FIRST_YEAR, _LAST_YEAR = 1970, 2100
_FEWEST_DIGITS = 8
"""Of fewer digits a date may be a small number."""


def time_of(texts: Sequence[str]) -> str:
    """Return the unit or format of timestamps, as the key ``time`` of a reader has it.

    Args:
        texts: Some timestamps; empty ones do not count.

    Returns:
        ``seconds``, ``milliseconds``, ..., ``iso`` or a format; nothing where none fits, or day and month may be either.
    """
    times = [text.strip() for text in texts if text.strip()]
    if not times:
        return ""
    fitting = [form for form in _FORMATS if all(_fits(text, form) for text in times)]
    if fitting:
        return fitting[0] if len(fitting) == 1 else ""
    try:
        largest = max(abs(float(text)) for text in times)
    except ValueError:
        return "iso" if all(_is_iso(text) for text in times) else ""
    return unit_of(largest).name if largest < _LIMIT else ""


def _fits(text: str, form: str) -> bool:
    if "%y" not in form.lower() or len(text) < _FEWEST_DIGITS or (text.isdecimal() and len(text) not in (8, 14)):
        return False
    try:
        return _FIRST_YEAR <= dt.datetime.strptime(text, form).year <= _LAST_YEAR  # noqa: DTZ007 - only whether it fits
    except ValueError:
        return False


def _is_iso(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True

"""Checks of what was read as JSON: whether a value has a form, so that whoever uses it need not ask."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from omnibench.guest.messages import is_utf8

Check = Callable[[Any], bool]
"""Whether a value is of a form."""

_LARGEST = 2**63
_LONGEST_TEXT = 60
"""Characters of a value that an error shows."""


def depth(value: Any, most: int) -> int:
    """Return how many levels of lists and objects with something in them a value has, counted no further than just behind ``most``."""
    levels, layer = 0, [value]
    while layer and levels <= most + 1:
        layer = [
            inner
            for outer in layer
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        levels += 1
    return levels - 1


def abridged(value: Any) -> str:
    """Return a value as an error shows it: in ASCII, and cut at a length."""
    text = ascii(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."


def of_type(*types: type) -> Check:
    """Check that a value is of one of some types, and of no subclass: True is no number."""
    allowed = frozenset(types)
    return lambda value: type(value) in allowed


def matching(pattern: re.Pattern[str]) -> Check:
    """Check that a value is a text that a pattern fits from end to end."""
    fits = lru_cache(maxsize=4096)(pattern.fullmatch)  # the records of an item name the same files
    return lambda value: type(value) is str and fits(value) is not None


def optional(is_sound: Check) -> Check:
    """Check that a value is null or of a form."""
    return lambda value: value is None or is_sound(value)


def list_of(is_sound: Check) -> Check:
    """Check that a value is a list whose elements are of a form."""
    return lambda value: type(value) is list and all(map(is_sound, value))


def are_names(value: Any) -> bool:
    """Whether a value is a list of names; in one look where all are ASCII, since a plan may name 100,000 items."""
    if type(value) is not list:
        return False
    return (set(map(type, value)) <= {str} and "".join(value).isascii()) or all(map(is_name, value))


def mapping_of(is_sound: Check) -> Check:
    """Check that a value is an object whose members are of a form, whatever their names."""
    return lambda value: type(value) is dict and all(map(is_sound, value.values()))


def object_of(members: Mapping[str, Check], further: Mapping[str, Check] | None = None) -> Check:
    """Check that a value is an object with some members, and perhaps others; what else it has is not looked at."""
    required, possible = tuple(members.items()), tuple((further or {}).items())

    def check(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for name, is_sound in required:
            if name not in value or not is_sound(value[name]):
                return False
        for name, is_sound in possible:  # noqa: SIM110 - a generator takes twice as long
            if name in value and not is_sound(value[name]):
                return False
        return True

    return check


def is_name(value: Any) -> bool:
    """Whether a value is a name: a text that can be written everywhere."""
    return type(value) is str and (value.isascii() or is_utf8(value))


def is_count(value: Any) -> bool:
    """Whether a value is a whole number of a plausible size."""
    return type(value) is int and -_LARGEST < value < _LARGEST


def is_natural(value: Any) -> bool:
    """Whether a value is a whole number that is not negative."""
    return type(value) is int and 0 <= value < _LARGEST


def is_number(value: Any) -> bool:
    """Whether a value is a number of a plausible size, not NaN."""
    return (type(value) is float and not math.isnan(value)) or is_count(value)


def is_cost(value: Any) -> bool:
    """Whether a value is what something can cost, None where nobody has measured it."""
    return value is None or (type(value) in (int, float) and 0 <= value < _LARGEST)


def is_moment(value: Any) -> bool:
    """Whether a value is a time as records keep it; see ``schema.timestamp``."""
    return type(value) is str and _is_time(value)


@lru_cache(maxsize=4096)
def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False

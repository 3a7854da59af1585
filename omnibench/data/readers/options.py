"""The options of readers as a user gives them in a call, checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from omnibench.data.files.streams import is_encoding
from omnibench.data.readers.keys import CHOICES, OPTION_TYPES, READER_KEYS, TIME_UNITS
from omnibench.errors import DataError, nearest

_EXAMPLES: Mapping[str, str] = {
    "missing": "missing=[-1, 99], a list of values",
    "ratings": "ratings={'like': 1, 'dislike': 0}, a number for each word",
    "keep": "keep={'event': ['view']}, a list of values for each column",
    "time": "time='milliseconds', 'iso', or a format such as '%d/%m/%Y'",
}


def keys_of(reader_format: str) -> frozenset[str]:
    """Return the options that a format takes, without its columns."""
    return READER_KEYS[reader_format] - {"columns"}


def checked_options(reader_format: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a reader, lists as lists.

    Args:
        reader_format: The format.
        options: The options that were given.

    Raises:
        DataError: The format does not take an option, or not this value.
    """
    keys = sorted(keys_of(reader_format))
    for name in options:
        if name not in keys:
            formats = [taker for taker in READER_KEYS if name in keys_of(taker)]
            advice = f"; it is for format={' or '.join(map(repr, formats))}." if formats else _likely(name, keys) or "."
            raise DataError(
                f"from_file has no {name!r}{advice} A file of the format {reader_format!r} takes {', '.join(keys)}."
            )
    return {name: _checked(name, value) for name, value in options.items()}


def _likely(name: str, keys: list[str]) -> str:
    """Return the option that somebody may have meant, for the error; ``sep`` is short for one."""
    own = [*keys, "columns", "member", "format"]
    beginning = [key for key in own if key.startswith(name)]
    return f"; did you mean {beginning[0]!r}?" if len(beginning) == 1 else nearest(name, own)


def _checked(name: str, value: Any) -> Any:
    expected = OPTION_TYPES.get(name, str)
    is_values = isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)
    if expected is list and is_values:
        return list(value)
    if expected is dict and isinstance(value, Mapping):
        return _checked_mapping(name, value)
    if expected in (list, dict) or not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise DataError(f"from_file: {name} is {value!r}; give {_EXAMPLES.get(name, _simple(name, expected))}.")
    if name in CHOICES and value not in CHOICES[name]:
        choices = ", ".join(map(repr, CHOICES[name]))
        raise DataError(f"from_file: {name} is {value!r}{nearest(value, CHOICES[name])}; give one of {choices}.")
    if name == "time" and value not in TIME_UNITS and "%" not in value:
        raise DataError(
            f"from_file: time is {value!r}{nearest(value, TIME_UNITS)}; give one of {', '.join(TIME_UNITS)}, or a format such as "
            "'%d/%m/%Y'."
        )
    if name == "encoding" and not is_encoding(value):
        raise DataError(f"from_file: there is no encoding {value!r}; give one such as 'utf-8' or 'latin-1'.")
    if expected is int and value < 0:
        raise DataError(f"from_file: {name} is {value}; give a number of 0 or more.")
    return value


def _checked_mapping(name: str, value: Mapping[Any, Any]) -> dict[str, Any]:
    if name == "ratings":
        right = value and all(isinstance(number, int | float) and math.isfinite(number) for number in value.values())
        if not right:
            raise DataError(f"from_file: ratings is {dict(value)!r}; give {_EXAMPLES[name]}.")
        return {str(word): float(number) for word, number in value.items()}
    lists = {str(column): values for column, values in value.items()}
    for column, values in lists.items():
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Collection) or not values:
            raise DataError(f"from_file: keep has {values!r} for {column!r}; give {_EXAMPLES[name]}.")
    return {column: list(values) for column, values in lists.items()}


def _simple(name: str, expected: type[Any]) -> str:
    if name in CHOICES:
        return f"one of {', '.join(map(repr, CHOICES[name]))}"
    return {bool: "True or False", int: "a whole number", str: "a text"}.get(expected, expected.__name__)

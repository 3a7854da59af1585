"""Values of hyperparameters: what records can hold of them, how reports show them, and the numbers that ranges have."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from omnibench.caller_warnings import warn_caller
from omnibench.errors import KeyValueError, PlanError
from omnibench.keys import canonical

_LARGEST_INTEGER = 2**53
"""Samplers compute with floating-point numbers, which tell all integers up to it apart."""

_TAG = "$"
"""What canonical JSON has in values that JSON itself has no form for, such as sets."""


def plain_value(value: Any, location: str) -> Any:
    """Return a value as a record holds it: tuples become lists, numpy's numbers Python's.

    Args:
        value: The value.
        location: What an error calls it.

    Raises:
        PlanError: A record cannot hold it.
    """
    if is_distribution(value):
        raise PlanError(
            f"{location} is {value!r}; a range cannot be a value. Give several ranges under several names, with When(...) where "
            "they depend on another hyperparameter."
        )
    if is_grid(value):
        raise PlanError(f"{location} is a Grid, and Grid is for add_algorithm; use Choice.")
    try:
        text = canonical(value)
    except KeyValueError as error:
        raise PlanError(f"{location}: {error}") from error
    if f'"{_TAG}":' in text:
        advice = (
            "give a finite number"
            if isinstance(value, float)
            else "use numbers, texts, and lists or dictionaries of them"
        )
        raise PlanError(f"{location} is {value!r}, which a trial's record cannot hold; {advice}.")
    return json.loads(text)


def is_distribution(value: Any) -> bool:
    """Whether a value is a range, or a class of ranges: by its module, because ranges are made of values."""
    definition = value if isinstance(value, type) else type(value)
    return definition.__module__ in ("omnibench.tuning.distributions", "omnibench.tuning.conditions")


def is_grid(value: Any) -> bool:
    """Whether a value is a Grid of a plan, which this room knows by its name only: plans stand above it."""
    definition = value if isinstance(value, type) else type(value)
    return definition.__name__ == "Grid" and definition.__module__.startswith("omnibench.")


def in_words(value: Any) -> str:
    """Return a hyperparameter's value as reports show it: ``10000`` of 10000.0, ``als`` of a text."""
    if isinstance(value, float):
        return f"{value:.10g}"
    return value if isinstance(value, str) else repr(value)


def text_of(value: Any) -> str | None:
    """Return the canonical text of a value; None where it has none."""
    try:
        return canonical(value)
    except KeyValueError:
        return None


def exact(value: float) -> Decimal:
    """Return the decimal number that a user wrote: sums of 0.1 are then what they seem."""
    return Decimal(repr(value))


_ROUNDING = Decimal("1e-9")
"""The share of a step by which the end of a range may be rounded."""


def steps_within(low: float, high: float, step: float) -> int:
    """Return how many steps fit into a range, whose last end may be rounded."""
    return int((exact(high) - exact(low)) / exact(step) + _ROUNDING)


def tell_if_short(text: str, reached: float, high: float, step: float) -> None:
    """Warn of a range whose steps end below its last value: it is never tried.

    Args:
        text: The range as code.
        reached: The last value that steps reach.
        high: The last value that was written.
        step: The distance of two values.
    """
    if exact(high) - exact(reached) > _ROUNDING * exact(step):
        warn_caller(
            f"{text} ends at {in_words(reached)}: its steps do not reach {in_words(high)}. Another step does, or write that end."
        )


def is_integer(value: Any) -> bool:
    """Whether a value is an integer, of Python or numpy; a truth value is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, of whatever type: 3 or 3.0; a truth value is none."""
    return is_number(value) and float(value).is_integer()


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, of Python or numpy; a truth value is none."""
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def finite_number(value: Any, location: str) -> float:
    """Return an end or a step of a range.

    Raises:
        PlanError: It is no finite number.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise PlanError(f"{location} is {value!r}; give a number.")
    if not math.isfinite(value):
        raise PlanError(f"{location} is {value!r}; give a finite number.")
    return float(value) + 0.0  # no -0.0, which is written otherwise and means the same


def whole_number(value: Any, location: str, arguments: Mapping[str, Any]) -> int:
    """Return an end or a step of a range of whole numbers.

    Args:
        value: The argument.
        location: What an error calls it.
        arguments: All of them by name, for the spelling that real numbers have.

    Raises:
        PlanError: It is no whole number, or too large a one.
    """
    number = finite_number(value, location)
    if not number.is_integer():
        listed = ", ".join(repr(argument) for name, argument in arguments.items() if name != "step")
        raise PlanError(f"{location} is {value!r}, which is no whole number; Float({listed}) is for real ones.")
    if abs(number) > _LARGEST_INTEGER:
        raise PlanError(f"{location} is {value!r}; whole numbers up to 2**53 can be searched: use Log with real ends.")
    return int(value)


def check_order(name: str, low: float, high: float, words: Callable[[float], str] | None = None) -> None:
    """Refuse a range without at least two values.

    Args:
        name: The class of the range.
        low: Its smallest value.
        high: Its largest.
        words: What writes its ends; as short as possible by default.

    Raises:
        PlanError: It is one.
    """
    first, last = (in_words if words is None else words)(low), (in_words if words is None else words)(high)
    if low == high:
        raise PlanError(f"{name}({first}, {last}) has one value only; give {first} itself, or a wider range.")
    if low > high:
        raise PlanError(f"{name}({first}, {last}) is empty: low is above high; write {name}({last}, {first}).")

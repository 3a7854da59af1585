"""Values of hyperparameters that an algorithm refuses, told with the plan: before data is prepared and a Fit fails by them.

The frameworks coerce and check as each likes, so what they refuse was measured, kind by kind (``benchmarks/catalogue/refused_values.py``):
it stands in the catalogue as ``"refuses"``; which words a hyperparameter takes whose default is one, as ``"words"``. Classes of the
user's own say by their annotations what they take. Where nothing is known, a value is taken as it is.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from omnibench.errors import PlanError, nearest
from omnibench.experiment.configuration import plain
from omnibench.experiment.own import OwnAlgorithm
from omnibench.runners.evaluated_texts import evaluated

TEXT, DIGITS, NONE, NUMBER = "text", "digits", "None", "number"
ZERO, NEGATIVE, FRACTION, FLOAT, ABOVE_ONE = "zero", "negative", "fraction", "float", "above 1"
KINDS_OF_VALUES = (TEXT, DIGITS, NONE, NUMBER, ZERO, NEGATIVE, FRACTION, FLOAT, ABOVE_ONE)
"""The kinds of values that an algorithm may refuse: of a hyperparameter that is a number, texts, those that are numbers in quotes,
None, 0, numbers below, numbers with a fraction, whole ones that are floats, and those above 1; of others, texts, None, and numbers."""

_SCALARS = {"int", "float", "bool", "str"}
_NUMBERS = {"int", "float"}
_NOTHING = {"None", "NoneType", "Optional"}


def check_value(
    described: Mapping[str, Any], algorithm: str, parameter: str, value: Any, *, position: str = ""
) -> None:
    """Refuse a value that a framework's algorithm is known to refuse.

    Args:
        described: The algorithm's entry in its catalogue.
        algorithm: What the error calls it.
        parameter: The hyperparameter.
        value: The value, as the plan has it.
        position: Where the value stands, e.g. ``, within a Grid``.

    Raises:
        PlanError: It does.
    """
    example = described.get("required", {}).get(parameter)
    if described.get("timed") and isinstance(example, str) and _is_time(example):
        _check_time(algorithm, parameter, value, example, position)
    refused: Collection[str] = described.get("refuses", {}).get(parameter, ())
    default = described["parameters"].get(parameter)
    evaluates = described.get("evaluates_texts") and isinstance(default, list | dict)
    if refused and is_refused(evaluated(value) if evaluates else value, default, refused):
        raise PlanError(
            f"{algorithm}: {parameter} is {value!r}{position}; give {expected(default, refused)}"
            + ("." if default is None else f", such as its default {default!r}.")
        )
    words: Collection[str] = described.get("words", {}).get(parameter, ())
    plain_value = _plain_value(value) if words else None
    if isinstance(plain_value, str) and _is_word(plain_value) and plain_value not in words:
        choice = ", ".join(map(repr, words))
        near = nearest(_within_quotes(plain_value), words)
        advice = f"{near} It takes" if near else "; it takes"
        raise PlanError(f"{algorithm}: {parameter} is {plain_value!r}{position}{advice} {choice}.")


def check_own_value(own: OwnAlgorithm, parameter: str, value: Any, *, position: str = "") -> None:
    """Refuse a value of another type than a class of the user's own annotates: numbers, texts, booleans, None, or several of these.

    Args:
        own: The class.
        parameter: The argument of its constructor.
        value: The value, as the plan has it.
        position: Where the value stands, e.g. ``, within a Grid``.

    Raises:
        PlanError: It is of another.
    """
    words = dict(own.annotated).get(parameter)
    if words is None or _is_annotated(_plain_value(value), words):
        return
    if value is None and dict(own.defaults).get(parameter, 0) is None:  # an old way to write Optional
        return
    types = " | ".join(word for word in ("int", "float", "bool", "str") if word in words)
    default = f", such as its default {dict(own.defaults)[parameter]!r}" if parameter in dict(own.defaults) else ""
    raise PlanError(
        f"{own.name}: {parameter} is {value!r}{position}, and is annotated as {types}{' | None' if words & _NOTHING else ''}; give such a "
        f"value{default}, or say in the annotation what else it takes."
    )


def is_refused(value: Any, default: Any, refused: Collection[str]) -> bool:
    """Return whether a value is of a kind that is refused.

    Args:
        value: The value.
        default: The default of the hyperparameter, which says what it is; None of one that may be anything.
        refused: The kinds.
    """
    value = _plain_value(value)
    if value is None:
        return NONE in refused
    if isinstance(default, bool) or not (default is None or isinstance(default, int | float)):
        return _is_other_refused(value, default, refused)
    if isinstance(value, bool):  # a framework that coerces texts to numbers coerces these as well
        return TEXT in refused and DIGITS in refused
    if isinstance(value, str):
        return TEXT in refused and _is_text_refused(value, default, refused)
    if isinstance(value, int | float):
        kinds_of_value = (
            (ZERO, value == 0),
            (NEGATIVE, value < 0),
            (ABOVE_ONE, value > 1),
            (FRACTION, isinstance(value, float) and not value.is_integer()),
            (FLOAT, isinstance(value, float)),
        )
        return any(name in refused for name, applies in kinds_of_value if applies)
    return False


def expected(default: Any, refused: Collection[str]) -> str:
    """Return what is to be given in the place of a refused value, as a part of a sentence.

    Args:
        default: The default of the hyperparameter.
        refused: The kinds that are refused.
    """
    if isinstance(default, bool):
        return "True or False"
    if isinstance(default, str):
        return "a text"
    if isinstance(default, list):
        return "a list"
    if isinstance(default, dict):
        return "a dictionary"
    whole = FRACTION in refused
    noun = "a whole number" if whole else "a number"
    lowest = ""
    if NEGATIVE in refused:
        lowest = (" from 1" if whole else " above 0") if ZERO in refused else " from 0"
    highest = " to 1" if ABOVE_ONE in refused else ""
    if highest:
        lowest = lowest or " up"
        highest = highest if lowest != " above 0" else " and up to 1"
    return f"{noun}{lowest}{highest}{' on' if whole and lowest and not highest else ''}{', or None' if default is None else ''}"


def _is_other_refused(value: Any, default: Any, refused: Collection[str]) -> bool:
    """Return whether a value is refused of a hyperparameter that is no number: a boolean, a text, a list or a dictionary."""
    if isinstance(value, str):
        is_boolean = isinstance(default, bool) and value.strip().lower() in _BOOLEANS
        return TEXT in refused and not is_boolean
    if isinstance(value, bool):
        return NUMBER in refused and not isinstance(default, bool)
    return isinstance(value, int | float) and NUMBER in refused


_BOOLEANS = ("true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "0", "1")
"""Texts that frameworks take for a boolean."""


def _is_text_refused(text: str, default: Any, refused: Collection[str]) -> bool:
    """Return whether a text is refused of a hyperparameter that takes no words; RecBole evaluates, others read numbers."""
    if DIGITS in refused or default is None:
        return True
    for read in (int, float):
        try:
            return is_refused(read(text), default, refused)
        except ValueError:
            continue
    reads_as = _literal(text)
    if reads_as is None and text.strip() != "None":
        return not _is_arithmetic(text)
    return not (reads_as is None or isinstance(reads_as, bool)) or is_refused(reads_as, default, refused)


def _is_word(text: str) -> bool:
    """Whether a text is none of what a framework may read it as where a word stands: a number, a boolean, or None.

    Words in quotes or brackets of their own are no other word's spelling: every framework refuses them, but that RecBole takes quotes
    off, to what would be a second configuration of the same.
    """
    with contextlib.suppress(ValueError):
        float(text)
        return False
    return text.strip() != "None" and not _is_arithmetic(text)


def _within_quotes(text: str) -> str:
    """Return a word without quotes and blanks of its own, e.g. of ``"'cosine'"``; a text that has none as it is."""
    reads_as = _literal(text)
    return reads_as.strip() if isinstance(reads_as, str) else text.strip()


def _literal(text: str) -> Any:
    """Return the plain value that a text is in Python; None where it is none."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _is_arithmetic(text: str) -> bool:
    """Return whether a text is a sum, a product, or another expression of numbers."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    return all(
        isinstance(node, allowed) or (isinstance(node, ast.Constant) and isinstance(node.value, int | float))
        for node in ast.walk(tree)
    )


def _is_annotated(value: Any, words: frozenset[str]) -> bool:
    """Return whether a value is of a type that an annotation names: a whole number is a float as well, 0 and 1 are booleans."""
    if value is None:
        return bool(words & _NOTHING)
    if isinstance(value, bool):
        return "bool" in words
    if isinstance(value, str):
        return "str" in words
    if isinstance(value, int):
        return bool(words & _NUMBERS) or ("bool" in words and value in (0, 1))
    if isinstance(value, float):
        return "float" in words or ("int" in words and value.is_integer())
    return not isinstance(value, dict)  # lists are refused with another advice


def _plain_value(value: Any) -> Any:
    """Return a value as plain data; an array is left as it is, which is refused elsewhere."""
    return value if getattr(value, "ndim", 0) else plain(value)


def _check_time(algorithm: str, parameter: str, value: Any, example: str, position: str) -> None:
    plain_value = _plain_value(value)
    is_number = isinstance(plain_value, int | float) and not isinstance(plain_value, bool)
    if plain_value is None or is_number or (isinstance(plain_value, str) and _is_time(plain_value)):
        return  # None is refused as one that is missing
    raise PlanError(
        f"{algorithm}: {parameter} is {value!r}{position}, which is no time; give one in UTC, e.g. {{{parameter!r}: {example!r}}}."
    )


def _is_time(value: str) -> bool:
    """Return whether a text is a time as ISO 8601 writes it, or seconds since 1970."""
    for read in (datetime.fromisoformat, float):
        try:
            read(value)
        except ValueError:
            continue
        return True
    return False

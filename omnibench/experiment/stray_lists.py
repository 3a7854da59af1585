"""Lists that were given as the value of a hyperparameter that takes none: several values are a ``Grid``."""

from __future__ import annotations

import inspect
import re
from typing import Any

from omnibench.errors import PlanError

NUMBER, TEXT = "number", "text"

_SCALARS = (bool, int, float, str)
_PLAIN = (*_SCALARS, type(None), list, tuple)
_SCALAR_NAMES = {"bool", "int", "float", "str", "None", "Optional", "Union", "Literal"}
_SCALAR_WORDS = frozenset({"bool", "int", "float", "str"})
_PLAIN_WORDS = _SCALAR_WORDS | {"None", "NoneType", "Optional", "Union"}
_QUOTES = ("'", '"')
_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|[\w.]+""")


def takes_no_list(default: Any) -> bool:
    """Whether a hyperparameter with this default takes a number, a text or a boolean, and so no list."""
    return isinstance(default, _SCALARS)


def scalar_arguments(signature: list[inspect.Parameter]) -> frozenset[str]:
    """Return the names of a constructor's arguments that take no list: its annotations say so, else its defaults.

    Args:
        signature: The arguments.
    """
    return frozenset(argument.name for argument in signature if _is_scalar(argument))


def single_types(signature: list[inspect.Parameter]) -> tuple[tuple[str, str], ...]:
    """Return the arguments of a constructor that take numbers alone, or texts alone: annotations say so, else defaults.

    Args:
        signature: The arguments.

    Returns:
        The name of each, with ``number`` or ``text``.
    """
    types = {argument.name: _single_type(argument) for argument in signature}
    return tuple((name, single) for name, single in types.items() if single)


def annotated_types(signature: list[inspect.Parameter]) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return the arguments of a constructor whose annotations name nothing but numbers, texts, booleans and None.

    Args:
        signature: The arguments.

    Returns:
        The name of each, with the words of its annotation, e.g. ``{"int", "None"}``.
    """
    types = {
        argument.name: frozenset(word.rpartition(".")[2] for word in words)
        for argument in signature
        if (words := _annotated(argument))
    }
    return tuple((name, words) for name, words in types.items() if words & _SCALAR_WORDS and words <= _PLAIN_WORDS)


def _single_type(argument: inspect.Parameter) -> str:
    words = _annotated(argument)
    if words is None:
        return type_of(argument.default)
    names = {word.rpartition(".")[2] for word in words} - {"None", "Optional", "Union"}
    if names and names <= {"int", "float"}:
        return NUMBER
    return TEXT if names == {"str"} else ""


def type_of(value: Any) -> str:
    """Return whether a value is a ``number`` or a ``text``; nothing for others, truth values among them."""
    if isinstance(value, str):
        return TEXT
    return NUMBER if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _is_scalar(argument: inspect.Parameter) -> bool:
    words = _annotated(argument)
    if words is None:
        return takes_no_list(argument.default)
    return bool(words) and all(word.rpartition(".")[2] in _SCALAR_NAMES or word.isdigit() for word in words)


def _annotated(argument: inspect.Parameter) -> list[str] | None:
    """Return the names in an argument's annotation; None where it has none."""
    annotation = argument.annotation
    if annotation is argument.empty:
        return None
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    if text[:1] in _QUOTES and text.find(text[0], 1) == len(text) - 1:  # in quotes under the future import as well
        text = text[1:-1]
    return [word for word in _TOKEN.findall(text) if word[0] not in _QUOTES]  # quoted: the values of a Literal


def refuse_stray_list(
    value: Any, parameter: str, *, in_grid: bool = False, is_own: bool = False, is_searched: bool = False
) -> None:
    """Refuse a list as the value of a hyperparameter that takes none.

    Args:
        value: The value, or one of a Grid's.
        parameter: The algorithm and the hyperparameter, for the message.
        in_grid: Whether the value is one of a Grid's.
        is_own: Whether the algorithm is a class of the user's own.
        is_searched: Whether a search tries it.

    Raises:
        PlanError: It is a list.
    """
    if hasattr(value, "tolist"):  # numpy's arrays, and its single numbers
        value = value.tolist()
    if not isinstance(value, list | tuple | range) or any(not isinstance(element, _PLAIN) for element in value):
        return  # or what is in it is refused as it would be anywhere
    unless = "; if it takes lists, say so in the annotation of that argument" if is_own else ""
    if len(value) == 0:
        raise PlanError(f"{parameter} is {value!r}, but takes a single value; give one{unless}.")
    several = f"{'Choice' if is_searched else 'Grid'}({value if isinstance(value, range) else list(value)!r})"
    raise PlanError(
        f"{parameter} is {value!r}{', within a Grid' if in_grid else ''}, but takes a single value. For one "
        f"{'trial' if is_searched else 'configuration'} per value write {several}{unless}."
    )

"""What RecBole makes of hyperparameters that are given as texts: it evaluates them, so that ``"[600]"`` is a list and ``"2**6"`` is 64."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any

_MOST_BITS = 1200
"""No power of more binary digits is computed: nothing that counts is as large, and some would take for ever."""

_MOST_ENTRIES = 10_000
"""No list of more entries, those of lists within it counted as well, is made of shorter ones."""

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}

_WORDS = {"true": True, "false": False}
"""What RecBole takes for a boolean, in any case, though it is nothing in Python."""


class _UnknownError(Exception):
    """An expression is none of numbers, texts, lists and dictionaries, or its value is too large."""


def evaluated(value: Any) -> Any:
    """Return what RecBole makes of a hyperparameter: the value of a text that is an expression, anything else as it is.

    Calls and names are left as they are, as nothing that others wrote is run here; what they stand for is not known. RecBole looks
    at whole values alone: a text within a list stays a text.

    Args:
        value: The hyperparameter, as it was given.
    """
    if not isinstance(value, str):
        return value
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # of how somebody writes texts and numbers, which are no code here
            value_of_text = _value_of(ast.parse(value.strip(" \t"), mode="eval").body)
    except (_UnknownError, ArithmeticError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
        return _WORDS.get(value.lower(), value)
    return value if isinstance(value_of_text, complex) else value_of_text  # RecBole knows no such numbers


def _value_of(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.List(elts=entries):
            return [_value_of(entry) for entry in entries]
        case ast.Tuple(elts=entries):
            return tuple(_value_of(entry) for entry in entries)
        case ast.Dict(keys=keys, values=values):
            return {_value_of(_present(key)): _value_of(value) for key, value in zip(keys, values, strict=True)}
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            return _UNARY[type(sign)](_value_of(operand))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return _combined(sign, _value_of(left), _value_of(right))
    raise _UnknownError


def _present(key: ast.expr | None) -> ast.expr:
    if key is None:  # {**others}
        raise _UnknownError
    return key


def _combined(sign: ast.operator, left: Any, right: Any) -> Any:
    """Return the value of a sum, a product, and so on; of lists and texts as well."""
    is_whole = isinstance(left, int) and isinstance(right, int)
    is_endless = isinstance(sign, ast.Pow) and is_whole and right > 0 and abs(left).bit_length() * right > _MOST_BITS
    is_format = isinstance(sign, ast.Mod) and isinstance(left, str)  # which may ask for any length
    is_long = isinstance(sign, ast.Mult) and max(_repeated(left, right), _repeated(right, left)) > _MOST_ENTRIES
    is_long |= isinstance(sign, ast.Add) and not is_whole and _size(left) + _size(right) > _MOST_ENTRIES
    if is_endless or is_format or is_long:
        raise _UnknownError
    return _BINARY[type(sign)](left, right)


def _repeated(listed: Any, times: Any) -> int:
    """Return how many entries a list has so many times; none of anything else."""
    return _size(listed) * times if isinstance(listed, list | tuple | str) and isinstance(times, int) else 0


def _size(value: Any) -> int:
    """Return how many entries a list has with those of the lists within it, or characters a text; none of a number."""
    if isinstance(value, str):
        return len(value)
    return sum(1 + _size(entry) for entry in value) if isinstance(value, list | tuple) else 0

"""What identifies the code of users' steps, and of the values with methods that steps are made with."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from inspect import isfunction, unwrap
from typing import Any

from omnibench.code import code_of
from omnibench.errors import DataError, PlanError

_OTHERS = sys.stdlib_module_names | {"omnibench"}
"""Whose classes are no users': the standard library's, and ours, which have versions."""

_WRAPPED = ("fget", "__func__", "func")
"""Where properties, class methods and cached properties keep the function that somebody wrote."""


def own_code(definition: type) -> list[str]:
    """Return what identifies the code of a user's class; nothing for ours, and for steps with a version of their own.

    Raises:
        DataError: The class's source cannot be read.
    """
    if definition.__module__.partition(".")[0] == "omnibench" or "version" in vars(definition):
        return []
    try:
        return [code_of(definition)]
    except PlanError as error:
        raise DataError(str(error)) from error


def codes_within(value: Any) -> list[str]:
    """Return what identifies the code of the users' classes with methods that a value, or something in it, belongs to.

    A function that is given a rule calls its methods, and a split that is given another one its ``split``: their code
    decides what comes out, and no name in the source leads to it.

    Args:
        value: What a key can be made of; its members are in the key themselves.

    Raises:
        DataError: The source of such a class cannot be read.
    """
    is_keyed = isinstance(value, Enum | int | float | str | bytes | Mapping | AbstractSet | Sequence)
    if isinstance(value, type) or not (is_keyed or is_dataclass(value)):
        return []
    own = own_code(type(value)) if _has_methods(type(value)) else []
    members: list[Any] = []
    if is_dataclass(value):
        members = [getattr(value, field.name) for field in fields(value)]
    elif isinstance(value, Mapping):
        members = [*value.keys(), *value.values()]
    elif isinstance(value, AbstractSet):  # which have no order
        return own + sorted({code for member in value for code in codes_within(member)})
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        members = list(value)
    return own + [code for member in members for code in codes_within(member)]


def _has_methods(definition: type) -> bool:
    """Whether a class has functions that its user wrote, or inherits some; ``dataclass`` and ``NamedTuple`` write others."""
    return any(
        isfunction(function) and function.__module__ == base.__module__ and function.__code__.co_filename != "<string>"
        for base in definition.__mro__
        if base.__module__.partition(".")[0] not in _OTHERS
        for member in vars(base).values()
        for function in map(unwrap, (member, *(getattr(member, name, None) for name in _WRAPPED)))
    )

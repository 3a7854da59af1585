"""The attributes of an instance: taken apart for a snapshot, so that one that cannot be pickled does not lose the others."""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Attributes:
    """The state of an instance, as pickle would store it.

    Attributes:
        members: What is in its ``__dict__``, or what its ``__getstate__`` returns.
        slots: What is in its slots.
    """

    members: dict[str, Any]
    slots: dict[str, Any]

    def named(self) -> dict[str, Any]:
        """Return all by name."""
        return {**self.members, **self.slots}

    def without(self, names: Collection[str]) -> Attributes:
        """Return all but some attributes."""
        parts = (
            {name: value for name, value in part.items() if name not in names} for part in (self.members, self.slots)
        )
        return Attributes(*parts)


def attributes_of(instance: Any, algorithm: type) -> Attributes | None:
    """Return the attributes of an instance.

    Args:
        instance: The instance.
        algorithm: Its class.

    Returns:
        Its attributes; None where it is made by something else than them, as when the class has a ``__reduce__`` of its own.
    """
    if type(instance) is not algorithm or not is_plain(algorithm):
        return None
    reduced = instance.__reduce_ex__(4)
    if isinstance(reduced, str) or reduced[0] is not copyreg.__newobj__ or len(reduced[1]) != 1:  # type: ignore[attr-defined]
        return None
    state, *contents = reduced[2:]
    if any(part is not None for part in contents):  # what a list or a dict holds
        return None
    if state is None:
        return Attributes({}, {})
    if isinstance(state, dict) and all(isinstance(name, str) for name in state):
        return Attributes(state, {})
    match state:
        case (dict() | None as members, dict() as slots) if not hasattr(instance, "__setstate__"):
            return Attributes(members or {}, slots)
    return None


def is_plain(algorithm: type) -> bool:
    """Return whether instances of a class are made as all objects are, before they are constructed.

    Args:
        algorithm: The class.
    """
    constructor: Any = algorithm.__new__
    return constructor is object.__new__


def put_into(instance: Any, members: Mapping[str, Any], slots: Mapping[str, Any]) -> None:
    """Give an instance that is not constructed its attributes, as pickle would.

    Args:
        instance: The instance.
        members: What was in its ``__dict__``, or what its ``__getstate__`` returned.
        slots: What was in its slots.
    """
    if hasattr(instance, "__setstate__"):
        instance.__setstate__(dict(members))
        return
    if members:
        vars(instance).update({sys.intern(name): value for name, value in members.items()})
    for name, value in slots.items():
        object.__setattr__(instance, name, value)


def has(instance: Any, name: str) -> bool:
    """Return whether an instance has an attribute of its own, other than one of its class.

    Args:
        instance: The instance.
        name: The attribute's name.
    """
    if name in getattr(instance, "__dict__", {}):
        return True
    in_slots = any(name in _slots(base) for base in type(instance).__mro__)
    return in_slots and hasattr(instance, name)


def _slots(base: type) -> tuple[str, ...]:
    slots = vars(base).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)

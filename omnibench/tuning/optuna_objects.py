"""Samplers and pruners of Optuna: recognised, identified in the same way by every process, and given seeds.

They keep their arguments in attributes, and their randomness in generators that are empty until they are seeded or used.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from omnibench.errors import KeyValueError, PlanError
from omnibench.keys import canonical, digest, sha256

_RANDOM_SEED = 2**32
"""Seeds from here on were not given by a user, as numpy takes none: QMCSampler draws one of 64 bits where it gets none."""

_DEEPEST = 8
"""Objects within objects that are looked at."""

_OPEN = "unseeded"


def is_of_optuna(value: Any, base: str) -> bool:
    """Whether a value is an object of Optuna, without importing Optuna.

    Args:
        value: The value.
        base: The class, e.g. ``samplers.BaseSampler``.
    """
    module, _, name = base.rpartition(".")
    owner = sys.modules.get(f"optuna.{module}")  # who has such an object has imported it
    return owner is not None and isinstance(value, getattr(owner, name))


def identity_of(value: Any, depth: int = 0) -> Any:
    """Return what tells a sampler or pruner apart from others of its class, as JSON data.

    Args:
        value: The object, or what one of its attributes has.
        depth: Within how many objects it stands.

    Raises:
        PlanError: It uses a function whose code cannot be read.
    """
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, FunctionType | BuiltinFunctionType | MethodType):
        return _function(value)
    if isinstance(value, Mapping):
        return {str(name): identity_of(member, depth + 1) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [identity_of(member, depth + 1) for member in value]
    if (generator := _generator(value)) is not None:
        return generator
    try:
        return canonical(value) if not isinstance(value, str | int | float | None) else value
    except KeyValueError:
        pass
    if depth > _DEEPEST:
        return type(value).__qualname__
    return {
        "class": identity_of(type(value)),
        "settings": {name: _setting(name, member, depth) for name, member in sorted(_attributes(value).items())},
    }


def seed_from(value: Any, key: str) -> None:
    """Seed every generator within a sampler that its user has not seeded.

    Args:
        value: A copy of the sampler; it is changed.
        key: What the seeds are made of.
    """
    for location, owner, name in list(_unseeded(value, "", set())):
        seed = int(digest([key, location])[:8], 16)
        if name == "_seed":
            owner._seed = seed  # noqa: SLF001 - there is no other way to a sequence that another process repeats
        else:
            getattr(owner, name).rng.seed(seed)


def _unseeded(value: Any, location: str, seen: set[int]) -> Iterator[tuple[str, Any, str]]:
    """Yield the generators without a seed: their location, what owns them, and their attribute."""
    if id(value) in seen:
        return
    seen.add(id(value))
    for name, member in sorted(_attributes(value).items()):
        if _is_open(name, member):
            yield f"{location}.{name}", value, name
        elif type(member).__module__.startswith("optuna."):
            yield from _unseeded(member, f"{location}.{name}", seen)


def _setting(name: str, value: Any, depth: int) -> Any:
    return _OPEN if _is_open(name, value) else identity_of(value, depth + 1)


def _is_open(name: str, value: Any) -> bool:
    """Whether an attribute is a generator that nobody has seeded, or a seed that nobody has chosen."""
    if name == "_seed" and isinstance(value, int):
        return value >= _RANDOM_SEED
    return type(value).__name__ == "LazyRandomState" and getattr(value, "_rng", None) is None


def _generator(value: Any) -> str | None:
    """Return the digest of a generator's state; None for what is no generator."""
    if isinstance(value, random.Random):
        return sha256(repr(value.getstate()))
    state = getattr(value, "get_state", None)  # of numpy's RandomState
    if type(value).__module__.startswith("numpy.random") and callable(state):
        return sha256(repr([part.tolist() if hasattr(part, "tolist") else part for part in state(legacy=True)]))
    bits = getattr(value, "bit_generator", None)
    return sha256(repr(bits.state)) if bits is not None else None


def _attributes(value: Any) -> dict[str, Any]:
    """Return what an object keeps, whether in a dictionary or in slots; of a tuple with names nothing."""
    attributes = dict(getattr(value, "__dict__", {}))
    for definition in type(value).__mro__:
        slots = definition.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                attributes[name] = getattr(value, name)
    return attributes


def _function(function: Any) -> str:
    """Identify a function by its name where it is Optuna's own, otherwise by its code."""
    module = getattr(function, "__module__", None) or ""
    if module.split(".")[0] in ("optuna", "builtins", "numpy", "math"):
        return f"{module}.{function.__qualname__}"
    from omnibench.code import code_of

    try:
        return code_of(function)
    except PlanError as error:
        raise PlanError(f"the sampler uses {function.__qualname__}: {error}") from error

"""Random states that a user's own class draws from: the global ones, those of its modules, and those that it names."""

from __future__ import annotations

import copy
import importlib
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from omnibench.guest import random_states

RANDOM_STATE_OF = "random_state_of"
"""The attribute by which a class names random states that are not seen without that."""

_EXAMPLE = f'{RANDOM_STATE_OF} = ("rng", "shop.sampling.rng", (get_state, set_state))'


@dataclass(frozen=True, slots=True)
class _Source:
    """Something that holds a random state.

    Attributes:
        owner: The generator, or what else has the state; another one when its module was imported anew.
        get: Returns the state, which can be pickled.
        set: Puts it back.
    """

    owner: Any
    get: Callable[[], Any]
    set: Callable[[Any], object]


_first_states: dict[tuple[str, int], tuple[Any, Any]] = {}
"""What had a state, and the state that it had, when the first Fit of this process began that draws from it."""


class RandomStates:
    """All random states that a class draws from and that are not its own attributes.

    Args:
        algorithm: The class.

    Raises:
        TypeError: It names something that holds no random state.
        LookupError: It names something that is not there.
    """

    def __init__(self, algorithm: type) -> None:
        self._algorithm = algorithm
        self._named = {str(number): _named(algorithm, name) for number, name in enumerate(named(algorithm))}

    def shared(self) -> dict[str, Any]:
        """Return the generators by name: where a class keeps one, it is the same after a resume."""
        methods = {"numpy's generator": np.random.get_state, "Python's generator": random.getstate}
        generators: dict[str, Any] = {name: method.__self__ for name, method in methods.items()}  # type: ignore[attr-defined]
        torch = sys.modules.get("torch")
        if torch is not None:
            generators["PyTorch's generator"] = torch.default_generator
        return generators | dict(_generators_of_modules(self._algorithm))

    def _sources(self) -> dict[str, _Source]:
        return {**dict(_of_modules(self._algorithm)), **self._named}

    def reset(self) -> None:
        """Put what is not global into the state of before the first Fit, so that no Fit depends on those before it."""
        for name, source in self._sources().items():
            key = name, id(source.owner)
            if key in _first_states:
                source.set(_first_states[key][1])
            else:
                _first_states[key] = source.owner, source.get()

    def capture(self) -> dict[str, Any]:
        """Return all states, as something that can be pickled."""
        further = {name: source.get() for name, source in self._sources().items()}
        return {"global": random_states.capture(), "further": further}

    def restore(self, states: dict[str, Any]) -> None:
        """Put the generators into states that ``capture`` returned, in this process or in another.

        Args:
            states: The states.

        Raises:
            LookupError: A generator of a module is no longer there.
        """
        sources = self._sources()
        for name, state in states["further"].items():
            if name not in sources:
                raise LookupError(f"the generator {name} has a state in the snapshot, and is not there now")
            sources[name].set(state)
        random_states.restore(states["global"])


def named(algorithm: type) -> tuple[Any, ...]:
    """Return what a class names: texts, and pairs of functions.

    Raises:
        TypeError: It is something else.
    """
    stated = getattr(algorithm, RANDOM_STATE_OF, None) or ()
    names = (stated,) if isinstance(stated, str) else stated
    if not isinstance(names, tuple | list) or not all(_is_name(name) for name in names):
        raise TypeError(
            f"{algorithm.__qualname__}.{RANDOM_STATE_OF} is {stated!r}; it names generators as texts, or gives two functions, "
            f"of which one returns a state and the other takes it: {_EXAMPLE}."
        )
    return tuple(names)


def _is_name(name: Any) -> bool:
    if isinstance(name, str):
        return all(part.isidentifier() for part in name.split("."))
    match name:
        case (get, put):
            return callable(get) and callable(put)
    return False


def _named(algorithm: type, name: Any) -> _Source:
    if not isinstance(name, str):
        return _Source(name[0], *name)
    holder, attribute = _holder(algorithm, name)
    source = _source_of(getattr(holder, attribute))
    if source is None:  # a number, or a key of JAX: another one takes its place
        return _Source(
            holder,
            lambda: copy.deepcopy(getattr(holder, attribute)),
            lambda state: setattr(holder, attribute, copy.deepcopy(state)),
        )
    return source


def _holder(algorithm: type, name: str) -> tuple[Any, str]:
    """Return the object whose attribute a name means, and the attribute's name.

    Raises:
        LookupError: There is none.
    """
    *path, attribute = name.split(".")
    own_module = sys.modules[algorithm.__module__]
    holder: Any = own_module
    if path and not hasattr(own_module, path[0]):
        holder, path = _imported(path)
    for part in path:
        holder = getattr(holder, part, None)
    if not hasattr(holder, attribute):
        raise LookupError(
            f"{algorithm.__qualname__}.{RANDOM_STATE_OF} names {name!r}, which is neither in {algorithm.__module__} nor can it "
            f"be imported. Give the name in the class's own module, or with that of the module that has it: {_EXAMPLE}."
        )
    return holder, attribute


def _imported(path: list[str]) -> tuple[Any, list[str]]:
    """Import the longest beginning of a dotted name that is a module; return it and the rest."""
    for length in range(len(path), 0, -1):
        name = ".".join(path[:length])
        try:
            return importlib.import_module(name), path[length:]
        except ModuleNotFoundError as error:
            if error.name is None or not (name + ".").startswith(error.name + "."):  # it is there, and lacks something
                raise
    return None, []


def _generators_of_modules(algorithm: type) -> Iterator[tuple[str, Any]]:
    """Yield the generators at the top level of the modules of a class and of what it inherits from, by name."""
    for module_name in dict.fromkeys(base.__module__ for base in algorithm.__mro__ if base is not object):
        for name, value in list(vars(sys.modules.get(module_name, object)).items()):
            if is_generator(value):
                yield f"{module_name}.{name}", value


def _of_modules(algorithm: type) -> Iterator[tuple[str, _Source]]:
    for name, generator in _generators_of_modules(algorithm):
        source = None if isinstance(generator, random.SystemRandom) else _source_of(generator)
        if source is not None:
            yield name, source


_GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)


def is_generator(value: Any) -> bool:
    """Return whether an object is a random generator of Python, numpy or PyTorch."""
    torch = sys.modules.get("torch")
    return isinstance(value, _GENERATORS) or (torch is not None and isinstance(value, torch.Generator))


def state_of(generator: Any) -> Any:
    """Return the state of a generator; None of one that has none, as one that asks the system for each number."""
    source = None if isinstance(generator, random.SystemRandom) else _source_of(generator)
    return None if source is None else source.get()


def _source_of(value: Any) -> _Source | None:
    """Return how the state of a generator is read and set in its place; None where it has no such state."""
    if isinstance(value, np.random.Generator):
        value = value.bit_generator
    if isinstance(value, np.random.BitGenerator):
        return _Source(value, lambda: value.state, lambda state: setattr(value, "state", state))
    for get, put in (("getstate", "setstate"), ("get_state", "set_state")):
        if callable(getattr(value, get, None)) and callable(getattr(value, put, None)):
            return _Source(value, getattr(value, get), getattr(value, put))
    return None

"""Caches of methods that belong to one object, and end with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar, cast
from weakref import WeakMethod

AnyMethod = TypeVar("AnyMethod", bound=Callable[..., object])


def cached_method(method: AnyMethod, most: int) -> AnyMethod:
    """Return a method of an object as a function that remembers what it has returned, for that object to keep.

    ``functools.lru_cache`` of a bound method holds the object, which holds the cache: with all that both have in memory it would stay
    until the garbage collector comes by, and as a decorator of the method for as long as the process.

    Args:
        method: The bound method; its arguments have to be hashable.
        most: How many values are remembered, those that were used last.

    Returns:
        The function. Called when its object is gone, as by a shallow copy that outlives it, it raises ReferenceError.
    """
    weak_method = WeakMethod(method)

    @lru_cache(maxsize=most)
    def call(*arguments: object) -> object:
        bound = weak_method()
        if bound is None:
            raise ReferenceError("the object whose method this is has gone; make another one instead of a copy")
        return bound(*arguments)

    return cast("AnyMethod", call)

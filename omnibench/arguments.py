"""Arguments that a definition does not have, refused with the nearest that it has."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from omnibench.errors import PlanError, nearest

P = ParamSpec("P")
S = TypeVar("S")
_LONGEST = 60
"""Characters up to which an error repeats a call."""

Method = Callable[Concatenate[S, P], None]


def refuse_unknown(
    example: str, owner: str = "", elsewhere: Mapping[str, str] | None = None
) -> Callable[[Method[S, P]], Method[S, P]]:
    """Let a method refuse wrong arguments with a sentence: a plan is a user's text, in which names are mistyped.

    Args:
        example: A call as it is meant, for what is missing or too much.
        owner: What the error calls the method; the class by default.
        elsewhere: Arguments that are often meant, and what to write instead.

    Returns:
        What decorates the method.
    """

    def decorate(method: Method[S, P]) -> Method[S, P]:
        signature = inspect.signature(method)
        names = list(signature.parameters)[1:]

        @functools.wraps(method)
        def checked(instance: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
            name = owner or type(instance).__name__
            unknown = next((argument for argument in kwargs if argument not in names), None)
            if unknown is not None:
                raise PlanError(
                    f"{name} has no argument {unknown!r}{_advice(unknown, names, elsewhere or {})} "
                    f"It has {', '.join(names)}."
                )
            try:
                signature.bind(instance, *args, **kwargs)
            except TypeError as error:
                written = [*map(repr, args), *(f"{argument}={value!r}" for argument, value in kwargs.items())]
                text = ", ".join(written)
                text = text if len(text) <= _LONGEST else "..."
                raise PlanError(f"{name}({text}): {error}; write e.g. {example}.") from None
            method(instance, *args, **kwargs)

        return checked

    return decorate


def _advice(unknown: str, names: list[str], elsewhere: Mapping[str, Any]) -> str:
    if unknown in elsewhere:
        return f"; {elsewhere[unknown]}."
    return nearest(unknown, names) or "."

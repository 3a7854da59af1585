"""Arguments that a definition does not have, refused with the nearest that it has."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

from omnibench.errors import ArgumentError, nearest

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
C = TypeVar("C", bound=type)
_LONGEST = 60
"""Characters up to which an error repeats a call."""
_LONGEST_DEFAULT = 20
"""Characters up to which an error shows a default."""

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
                raise ArgumentError(_unknown(name, unknown, names, elsewhere or {}))
            try:
                signature.bind(instance, *args, **kwargs)
            except TypeError as error:
                raise ArgumentError(f"{name}({_written(args, kwargs)}): {error}; write e.g. {example}.") from None
            method(instance, *args, **kwargs)

        return checked

    return decorate


def checked_call(function: Callable[P, R]) -> Callable[P, R]:
    """Let a public function or method refuse arguments that it does not have, or lacks, with a sentence.

    Args:
        function: The function, or a method as its class defines it.

    Returns:
        The same function; its signature is looked at only when a call does not fit.
    """

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if not _is_of_call(error):
                raise
            signature = inspect.signature(function)
            own = list(signature.parameters.values())
            n_instances = 1 if own and own[0].name == "self" else 0
            signature = signature.replace(parameters=own[n_instances:])
            # Users know the class of their instance, which may be a subclass of that which has the method.
            is_own = n_instances > 0 and len(args) > 0 and _has_method(type(args[0]), function)
            name = f"{type(args[0]).__name__}.{function.__name__}" if is_own else function.__qualname__
            _refuse(signature, f"{name}()", args[n_instances:], kwargs, str(error))

    return checked


def checked_arguments(cls: C) -> C:
    """Let the constructor of a public class refuse arguments that it does not have, or lacks, with a sentence.

    Args:
        cls: The class; its subclasses that have no constructor of their own are checked, too.

    Returns:
        The class.
    """
    constructor: Any = vars(cls).get("__init__")
    if constructor is None:  # as object has it

        def constructor(self: Any) -> None:
            object.__init__(self)

    @functools.wraps(constructor)
    def checked(self: Any, /, *args: Any, **kwargs: Any) -> None:
        try:
            constructor(self, *args, **kwargs)
        except TypeError as error:
            if not _is_of_call(error):
                raise
            signature = inspect.signature(constructor)
            own = list(signature.parameters.values())[1:]
            _refuse(signature.replace(parameters=own), type(self).__name__, args, kwargs, str(error))

    setattr(cls, "__init__", checked)  # noqa: B010 - mypy allows no assignment to it
    return cls


def checked_methods(cls: C) -> C:
    """Let the public methods of a class that users hold refuse arguments that they do not have, or lack, with a sentence.

    Args:
        cls: The class; methods of its class, static ones, and those that a subclass defines itself, are not checked.

    Returns:
        The class.
    """
    for name, method in vars(cls).copy().items():
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(cls, name, checked_call(method))
    return cls


def _has_method(cls: type, function: Callable[..., Any]) -> bool:
    method = getattr(cls, function.__name__, None)
    return method is not None and inspect.unwrap(method) is inspect.unwrap(function)


def _is_of_call(error: TypeError) -> bool:
    """Return whether an error was raised by the call itself, and not by what was called."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is None


def _refuse(
    signature: inspect.Signature, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], reason: str
) -> NoReturn:
    """Raise the error of a call that does not fit.

    Args:
        signature: The arguments, without ``self``.
        name: What the error calls the function or class.
        args: The arguments without a name.
        kwargs: The others.
        reason: What Python says of the call.

    Raises:
        ArgumentError: Always.
    """
    parameters = signature.parameters.values()
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = [entry.name for entry in parameters if entry.kind not in (entry.VAR_POSITIONAL, entry.VAR_KEYWORD)]
    unknown = next((argument for argument in kwargs if argument not in named), None)
    if unknown is not None and not takes_any:
        raise ArgumentError(_unknown(name, unknown, named, {})) from None
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        reason = str(error)
    called = name.removesuffix("()")
    call = ", ".join(_call_texts(signature))
    raise ArgumentError(f"{called}({_written(args, kwargs)}): {reason}; write {called}({call}).") from None


def _call_texts(signature: inspect.Signature) -> Iterator[str]:
    """Yield the arguments as a call is explained by them, ``*`` before those that need their names."""
    is_named = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not is_named:
            yield "*"
        is_named = is_named or parameter.kind in (parameter.VAR_POSITIONAL, parameter.KEYWORD_ONLY)
        yield _parameter_text(parameter)


def _parameter_text(parameter: inspect.Parameter) -> str:
    """Return an argument as a call is explained by it: with its default, where that is short."""
    stars = "*" * ((parameter.kind is parameter.VAR_POSITIONAL) + 2 * (parameter.kind is parameter.VAR_KEYWORD))
    if parameter.default is parameter.empty:
        return f"{stars}{parameter.name}"
    default = repr(parameter.default)
    return f"{parameter.name}={default if len(default) <= _LONGEST_DEFAULT else '...'}"


def _written(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the arguments of a call as they were written, if that is short."""
    text = ", ".join([*map(repr, args), *(f"{argument}={value!r}" for argument, value in kwargs.items())])
    return text if len(text) <= _LONGEST else "..."


def _unknown(name: str, unknown: str, names: list[str], elsewhere: Mapping[str, str]) -> str:
    """Return the sentence about an argument that does not exist."""
    has = f"It has {', '.join(names)}." if names else "It takes none."
    return f"{name} has no argument {unknown!r}{_advice(unknown, names, elsewhere)} {has}"


def _advice(unknown: str, names: list[str], elsewhere: Mapping[str, Any]) -> str:
    if unknown in elsewhere:
        return f"; {elsewhere[unknown]}."
    return nearest(unknown, names) or "."

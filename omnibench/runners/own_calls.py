"""What is around the calls of a user's own class: the arguments of ``fit``, and errors that say what to do."""

from __future__ import annotations

import contextlib
import functools
import inspect
import pickle
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TRAIN = "train"
"""The name of ``fit``'s argument for the training part; it may have another name if it is the first."""

VALIDATION = "validation"
"""The name of ``fit``'s argument for the validation part."""

REPORT = "report"
"""The name of ``fit``'s argument for the function that reports its progress."""

_PACKAGE = str(Path(__file__).parents[1])

OPTIONAL = (VALIDATION, "items", "users", REPORT)
"""The names of what else ``fit`` may ask for."""


@functools.lru_cache(maxsize=64)
def _names(function: types.FunctionType, *, is_bound: bool) -> tuple[str, ...]:
    return tuple(inspect.signature(types.MethodType(function, object()) if is_bound else function).parameters)


def argument_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's or method's arguments, which are looked up once: each Fit asks several times.

    Raises:
        TypeError, ValueError: It is not written in Python.
    """
    if inspect.isfunction(function):
        return _names(function, is_bound=False)
    if inspect.ismethod(function) and inspect.isfunction(function.__func__):
        return _names(function.__func__, is_bound=True)
    return tuple(inspect.signature(function).parameters)


@functools.lru_cache(maxsize=64)
def constructor_names(algorithm: type) -> tuple[str, ...]:
    """Return the names of the arguments that a class is constructed with, which are looked up once.

    Raises:
        TypeError, ValueError: Nobody knows them.
    """
    return tuple(inspect.signature(algorithm).parameters)


def takes(algorithm: type, argument: str) -> bool:
    """Return whether a class's ``fit`` names an argument."""
    try:
        return argument in argument_names(algorithm.fit)  # type: ignore[attr-defined]
    except (TypeError, ValueError):  # not written in Python
        return False


def unknown_arguments(algorithm: type) -> list[str]:
    """Return the arguments that a class's ``fit`` needs and nobody gives it."""
    function: Any = inspect.getattr_static(algorithm, "fit", None)
    bound = getattr(algorithm, "fit", None) if isinstance(function, staticmethod | classmethod) else None
    try:
        parameters = list(inspect.signature(bound or functools.partial(function, None)).parameters.values())
    except (TypeError, ValueError):  # not written in Python
        return []
    by_name = {TRAIN, *OPTIONAL}
    return [
        parameter.name
        for position, parameter in enumerate(parameters)
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in by_name
        and (position > 0 or parameter.kind is parameter.KEYWORD_ONLY)
    ]


def unpicklable(instance: Any, error: Exception) -> str:
    """Return the message for an instance that cannot be pickled: which attribute it is, and what to do."""
    guilty = []
    for name, value in getattr(instance, "__dict__", {}).items():
        try:
            pickle.dumps(value)
        except Exception:  # any means that it is one of them
            guilty.append(f"{name} ({type(value).__name__})")
    reason = f"its attribute {', '.join(guilty)} cannot be pickled" if guilty else "it cannot be pickled"
    return (
        f"{type(instance).__name__} cannot be stored: {reason} ({error}). The fitted object is pickled after fit(). Use "
        "functions at the top level of the file instead of lambdas, close files and connections, or leave attributes "
        "out in __getstate__ and make them anew in __setstate__."
    )


def located(error: BaseException, algorithm: type) -> str:
    """Return an error with the line of the user's code that has raised it, e.g. ``KeyError: 'weights' (walk.py, line 12)``.

    Args:
        error: The error, while it is handled.
        algorithm: The class whose code was called.
    """
    frames = traceback.extract_tb(error.__traceback__)
    file = getattr(sys.modules.get(algorithm.__module__), "__file__", None)
    of_class = [frame for frame in frames if frame.filename == file]
    of_users = of_class or [frame for frame in frames if not frame.filename.startswith(_PACKAGE)]
    location = f" ({Path(of_users[-1].filename).name}, line {of_users[-1].lineno})" if of_users else ""
    return f"{type(error).__name__}: {error}{location}"


@contextlib.contextmanager
def explaining_missing_columns(frames: Mapping[str, pd.DataFrame]) -> Iterator[None]:
    """Say which columns there are when ``fit`` asks pandas for something that there is not.

    Args:
        frames: What it is given, by the names of its arguments.

    Raises:
        LookupError: In the place of pandas' KeyError, which holds little but the name.
    """
    try:
        yield
    except KeyError as error:
        name = error.args[0] if error.args else None
        in_pandas = any("pandas" in frame.filename for frame in traceback.extract_tb(error.__traceback__))
        if not in_pandas or not isinstance(name, str) or name in frames[TRAIN].columns:
            raise
        columns = "; ".join(f"{argument} has {', '.join(frame.columns)}" for argument, frame in frames.items())
        raise LookupError(
            f"fit() asked pandas for {name!r}, which is not there. If it is a column: {columns}. {_advice(name)}"
        ) from error


@contextlib.contextmanager
def explaining_missing_packages(owner: str, *, is_isolated: bool) -> Iterator[None]:
    """Say what to do where an isolated environment lacks what is imported.

    Args:
        owner: The class, or its file.
        is_isolated: Whether the class has such an environment; elsewhere Python's own words say all.

    Raises:
        ModuleNotFoundError: In the place of Python's own.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if not is_isolated:
            raise
        raise ModuleNotFoundError(
            f"{error} in the isolated environment of {owner}: name its package in requirements. The whole file of the class is "
            "imported there; what others need is better in another file.",
            name=error.name,
        ) from error


def _advice(name: str) -> str:
    if "rating" in name:
        return 'MakeImplicit drops ratings; MakeImplicit(..., keep="rating") keeps them.'
    if "timestamp" in name:
        return 'Name the column that holds the times, e.g. from_file(..., columns={"time": "timestamp"}).'
    return (
        "A dataset keeps user, item, rating and timestamp. What is known about items or users beside that is given to it, "
        "dataset.with_features(items=df), and comes with fit(train, items); anything else is a parameter of the constructor."
    )

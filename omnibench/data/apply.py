"""Apply: a user's own function as a step, identified by its code."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from omnibench.arguments import checked_arguments
from omnibench.code import SEED_NAMES
from omnibench.data.interactions import COLUMNS, Interactions, from_columns
from omnibench.data.membership import part_columns, parts_in
from omnibench.data.step import Preprocessing, random_keys
from omnibench.errors import DataError, PlanError
from omnibench.keys import canonical

if TYPE_CHECKING:
    import pandas as pd

FrameFunction = Callable[..., "pd.DataFrame"]


@checked_arguments
@dataclass(frozen=True, init=False, repr=False)
class Apply(Preprocessing):
    """Apply a function of your own to the interactions: a pandas frame in, a frame out.

    The frame has the columns user and item with your own ids, rating and timestamp (seconds since 1970, or the numbers
    that you gave) where the dataset has them, and is sorted by user (in the order of their first appearance) and time.
    The function may drop, change, add and reorder rows; it returns a frame with these columns, others are ignored. Of a
    dataset with a published split, the column part (part_0, part_1 and so on of folds) says where each row is, too.
    Repeated pairs that it makes are up to a ``Deduplicate`` after it, else the last one counts, with a warning.

    Its key covers the function's source and what that uses of the project, the versions of the distributions that it
    imports, the methods of its parameters' classes, and the files that its attribute ``depends_on`` names; docstrings do
    not count. What it draws at random should come from an argument ``seed`` or ``random_state``, which it is given; the
    global generators of Python and numpy are seeded as well.

    Guarantees: the same function with the same parameters gets the same frame, and seed, in every process.

    Args:
        function: A function at the top level of a file; or any callable with a version.
        version: What identifies the code instead of its source; raise it when the code changes.
        parameters: What the function is called with beside the frame; part of the key.

    Raises:
        DataError: The function cannot be identified, or cannot be called like that.
        KeyValueError: A parameter has no canonical form.
    """

    function: FrameFunction
    name: str
    code: str
    parameters: dict[str, Any] = field(hash=False)
    earlier_code: str = field(compare=False)

    def __init__(self, function: FrameFunction, *, version: str | int | None = None, **parameters: Any) -> None:
        argument: Any = function
        if not callable(argument) or isinstance(argument, type):
            raise DataError(f"Apply: {argument!r} is no function; give one that takes a frame and returns one.")
        if version is not None and (isinstance(version, bool) or not isinstance(version, str | int)):
            raise DataError(f"Apply: version is {version!r}; give a text or an int.")
        canonical(parameters)
        code, earlier_code = _source_identity(function) if version is None else (f"version {version}", "")
        name = getattr(function, "__qualname__", type(function).__qualname__)
        _check_call(function, name, parameters)
        values = {"function": function, "name": name, "code": code, "parameters": parameters}
        for attribute, value in {**values, "earlier_code": earlier_code}.items():
            object.__setattr__(self, attribute, value)

    def as_recorded(self) -> Self:
        """Return the step as earlier releases identified it, when docstrings of its function counted."""
        recorded = copy.copy(self)
        object.__setattr__(recorded, "code", self.earlier_code or self.code)
        return recorded

    @property
    def needs_order(self) -> bool:
        return True

    @property
    def identity(self) -> list[object]:
        return ["Apply", self.version, {"function": self.name, "code": self.code, "parameters": self.parameters}]

    @property
    def arguments(self) -> dict[str, Any]:
        return {} if self.code.startswith("version ") else self.parameters

    def __repr__(self) -> str:
        return f"Apply({', '.join([self.name, *(f'{name}={value!r}' for name, value in self.parameters.items())])})"

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        step_seed = int(random_keys(1, seed, position)[0]) >> 32
        seeds = dict.fromkeys(_seed_names(self.function, self.parameters), step_seed)
        frame = interactions.frame()
        columns = list(frame.columns)
        parts = interactions.parts
        # A published split is in the frame as well, so that rows keep their part whatever the function does with them.
        folded = parts is not None and parts.shape[1] > 1
        if parts is not None:
            frame = frame.assign(**part_columns(parts, folded=folded))
        returned: Any = self.function(frame, **self.parameters, **seeds)
        if not (hasattr(returned, "columns") and hasattr(returned, "iloc")):
            raise DataError(f"{self} returned {type(returned).__name__}; return a pandas frame with {columns}.")
        missing = [column for column in columns if column not in returned.columns]
        if missing:
            raise DataError(
                f"{self} returned a frame without {missing}; it has {list(returned.columns)}. Return all of {columns} "
                "(MakeImplicit drops ratings)."
            )
        added = [column for column in COLUMNS if column in returned.columns and column not in columns]
        if added:
            raise DataError(f"{self} added {added}, which the dataset does not have; add them before from_frame.")
        if len(returned) == 0:
            raise DataError(f"{self} returned no interaction of the {len(interactions)} that it was given.")
        returned_parts = None if parts is None else parts_in(returned, parts.shape[1], str(self), folded=folded)
        returned_columns = {column: returned[column].reset_index(drop=True) for column in columns}
        return from_columns(returned_columns, str(self), parts=returned_parts)


def _source_identity(function: FrameFunction) -> tuple[str, str]:
    """Return what identifies a function's code, and what did in earlier releases where that is something else."""
    from omnibench.code.identity import identify, warn_of_unfollowed  # not every plan has such steps

    name = getattr(function, "__qualname__", None)
    if not inspect.isfunction(function) or name is None or "." in name or name == "<lambda>":
        label = name or repr(function)
        raise DataError(
            f"Apply: {label} cannot be identified by its source, because it is no function at the top level of a file. "
            'Define it there, or give a version that you raise when it changes: Apply(function, version="1").'
        )
    try:
        identity = identify(function)
    except PlanError as error:
        raise DataError(f"Apply: {error}") from error
    warn_of_unfollowed(function, identity)
    return identity.code, identity.before


def _seed_names(function: FrameFunction, parameters: dict[str, Any]) -> list[str]:
    """Return the names of a function's seed arguments that ``parameters`` does not set."""
    try:
        accepted = inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C: nothing is known
        return []
    return [name for name in SEED_NAMES if name in accepted and name not in parameters]


def _check_call(function: FrameFunction, name: str, parameters: dict[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(None, **parameters, **dict.fromkeys(_seed_names(function, parameters)))
    except TypeError as error:
        raise DataError(f"Apply: {name} cannot be called with a frame and {sorted(parameters)}: {error}.") from error

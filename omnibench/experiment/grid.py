"""Grids: several values of a hyperparameter, and the points that grids of several hyperparameters make together."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibench.arguments import checked_arguments
from omnibench.errors import KeyValueError, PlanError
from omnibench.keys import canonical


@checked_arguments
@dataclass(frozen=True, init=False)
class Grid:
    """Several values of one hyperparameter; a plan gets a configuration for each.

    A bare list is a value: ``{"hidden": [64, 32]}`` is one configuration, ``{"hidden": Grid([64, 32])}`` two.

    Args:
        values: At least one value; repeated ones count once.

    Raises:
        PlanError: There is no value, or one that has no canonical form.
    """

    values: tuple[Any, ...]

    def __init__(self, values: Sequence[Any]) -> None:
        argument: Any = values  # a set, which has no order, and a text come from callers without a type checker
        if isinstance(argument, str | bytes) or not isinstance(argument, Sequence) or not argument:
            raise PlanError(f"Grid got {values!r}; give a list of at least one value, e.g. Grid([20, 40]).")
        unique = {canonical_value(value, "a value of a Grid"): copy.deepcopy(value) for value in values}
        object.__setattr__(self, "values", tuple(unique.values()))


def number_of_points(parameters: Mapping[str, Any]) -> int:
    """Return the number of points of a grid."""
    return math.prod(len(value.values) for value in parameters.values() if isinstance(value, Grid))


def points_of(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every point of a grid: copies of hyperparameters, each with one value."""
    choices = [value.values if isinstance(value, Grid) else (value,) for value in parameters.values()]
    for point in itertools.product(*choices):
        yield {name: _copied_value(value) for name, value in zip(parameters, point, strict=True)}


def _copied_value(value: Any) -> Any:
    """Return a value, copied if it could be changed."""
    return value if type(value) in (int, float, str, bool) else copy.deepcopy(value)


def canonical_value(value: Any, parameter: str) -> str:
    """Return the canonical text of a hyperparameter's value.

    Args:
        value: The value.
        parameter: What an error calls it.

    Raises:
        PlanError: It has none.
    """
    try:
        return canonical(value)
    except KeyValueError as error:
        raise PlanError(f"{parameter}: {error}") from error

"""A search space in which some hyperparameters have a value already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from omnibench.errors import PlanError
from omnibench.tuning.dimensions import Dimension, in_order
from omnibench.tuning.space import Space
from omnibench.tuning.values import text_of


def with_fixed(space: Space, fixed: Mapping[str, Any], name: str) -> Space:
    """Return what remains to be searched of a space when some hyperparameters have a value already.

    What depends on one of them exists in all trials, or in none.

    Args:
        space: The space.
        fixed: The values by hyperparameter; those that the space does not have say nothing.
        name: What the error calls the algorithm.

    Raises:
        PlanError: Nothing remains.
    """
    dimensions: dict[str, list[Dimension]] = {}
    for dimension in space.dimensions:  # each stands behind what it depends on
        if dimension.name not in fixed and _may_exist(dimension, fixed, dimensions):
            dimensions.setdefault(dimension.name, []).append(_without_conditions_on(dimension, fixed))
    if not dimensions:
        raise PlanError(
            f"{name}: fixed has all that its search space searches ({', '.join(space.names)}); leave out one of them, or add the "
            "configuration with add_algorithm."
        )
    remaining = in_order(dimension for branches in dimensions.values() for dimension in branches)
    return Space(remaining, {other: value for other, value in space.constants.items() if other not in fixed})


def _may_exist(dimension: Dimension, fixed: Mapping[str, Any], searched: Collection[str]) -> bool:
    """Whether its conditions hold of the values, or are about what is searched still."""
    return all(
        text_of(fixed[condition.parameter]) in condition.values
        if condition.parameter in fixed
        else condition.parameter in searched
        for condition in dimension.conditions
    )


def _without_conditions_on(dimension: Dimension, fixed: Mapping[str, Any]) -> Dimension:
    """Return a dimension whose conditions on the values hold."""
    remaining = tuple(condition for condition in dimension.conditions if condition.parameter not in fixed)
    return replace(dimension, conditions=remaining)

"""Dimensions of a search space: a hyperparameter's values, and the conditions under which it has them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibench.keys import canonical
from omnibench.tuning.conditions import Condition
from omnibench.tuning.distributions import Distribution, distribution_of
from omnibench.tuning.values import in_words, text_of


@dataclass(frozen=True, slots=True)
class Dimension:
    """A hyperparameter of a search, or what it is under some conditions.

    Attributes:
        name: The hyperparameter.
        distribution: Its values.
        conditions: What has to hold for it to exist, by the name of the other hyperparameter, which differ.
    """

    name: str
    distribution: Distribution
    conditions: tuple[Condition, ...] = ()

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides its values, as JSON data."""
        identity = self.distribution.identity
        if self.conditions:
            identity["when"] = {
                condition.parameter: [json.loads(text) for text in sorted(condition.values)]
                for condition in self.conditions
            }
        return identity

    @property
    def words(self) -> str:
        """Its values in words, e.g. ``log 0.001 to 1 where solver is als``."""
        requirements = [
            f"{condition.parameter} is {' or '.join(in_words(json.loads(text)) for text in sorted(condition.values))}"
            for condition in self.conditions
        ]
        return self.distribution.words + (f" where {' and '.join(requirements)}" if requirements else "")

    def is_active(self, parameters: Mapping[str, Any]) -> bool:
        """Whether a configuration has it, judged by the other hyperparameters."""
        return all(
            condition.parameter in parameters and text_of(parameters[condition.parameter]) in condition.values
            for condition in self.conditions
        )

    def excludes(self, another: Dimension) -> bool:
        """Whether no configuration has both."""
        values = {condition.parameter: condition.values for condition in another.conditions}
        return any(
            condition.values.isdisjoint(values.get(condition.parameter, condition.values))
            for condition in self.conditions
        )


def recorded_dimension(name: str, identity: Mapping[str, Any]) -> Dimension:
    """Return the dimension with a name and an identity."""
    conditions = tuple(
        Condition(parameter, frozenset(canonical(value) for value in values))
        for parameter, values in sorted(identity.get("when", {}).items())
    )
    return Dimension(name, distribution_of(identity), conditions)


def in_order(dimensions: Iterable[Dimension]) -> tuple[Dimension, ...]:
    """Return dimensions so that each stands behind what its conditions are about; otherwise by name.

    Args:
        dimensions: Without a circle.
    """
    listed = sorted(dimensions, key=lambda dimension: (dimension.name, canonical(dimension.identity)))
    depths: dict[str, int] = {}
    for dimension in listed:
        _depth(dimension.name, listed, depths)
    return tuple(sorted(listed, key=lambda dimension: depths[dimension.name]))


def _depth(name: str, dimensions: Sequence[Dimension], depths: dict[str, int]) -> int:
    """Return, and note, how many hyperparameters stand before one."""
    if name not in depths:
        parents = {
            condition.parameter
            for dimension in dimensions
            if dimension.name == name
            for condition in dimension.conditions
        }
        depths[name] = max((_depth(parent, dimensions, depths) + 1 for parent in parents), default=0)
    return depths[name]

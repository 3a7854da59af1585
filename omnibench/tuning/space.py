"""Search spaces: which hyperparameters a search tries, with which values, under which conditions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from omnibench.errors import PlanError, nearest
from omnibench.keys import canonical
from omnibench.tuning.declared import EXAMPLE, declared_dimensions
from omnibench.tuning.dimensions import Dimension, in_order, recorded_dimension
from omnibench.tuning.edges import Side
from omnibench.tuning.grids import number_of_points, point


@dataclass(frozen=True, eq=False)
class Space:
    """The hyperparameters of a search.

    Attributes:
        dimensions: What is searched; each stands behind what it depends on, otherwise by name: the order in which a plan
            has them does not matter.
        constants: The hyperparameters that have the same value in all trials.
    """

    dimensions: tuple[Dimension, ...]
    constants: Mapping[str, Any]

    @classmethod
    def of(cls, mapping: Mapping[str, Any] | Space, name: str = "the search space", example: str = EXAMPLE) -> Space:
        """Return the space that a plan declares.

        Args:
            mapping: By name a distribution of omnibench or of Optuna, a constant (number, text, truth value, None), or a
                ``When``.
            name: What errors call it, e.g. ``RecPack.EASE``.
            example: A space that errors name as an example.

        Raises:
            PlanError: It is no mapping, searches nothing, has something else, or a condition can never hold.
        """
        return mapping if isinstance(mapping, Space) else cls(*declared_dimensions(mapping, name, example))

    @classmethod
    def from_identity(cls, data: Mapping[str, Any]) -> Space:
        """Return the space with an identity."""
        dimensions = [
            recorded_dimension(name, branch) for name, branches in data["parameters"].items() for branch in branches
        ]
        return cls(in_order(dimensions), dict(data["constants"]))

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that decides what is tried, as JSON data; the same for spaces that mean the same."""
        parameters: dict[str, list[Any]] = {name: [] for name in self.names}
        for dimension in self.dimensions:
            parameters[dimension.name].append(dimension.identity)
        return {"parameters": parameters, "constants": dict(sorted(self.constants.items()))}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The hyperparameters that are searched, by name."""
        return tuple(sorted({dimension.name for dimension in self.dimensions}))

    @cached_property
    def size(self) -> int | None:
        """How many points it has; None where a hyperparameter has real numbers without a step."""
        return number_of_points(self.dimensions)

    @cached_property
    def plain(self) -> dict[str, str]:
        """What is searched in words, by hyperparameter, e.g. ``{"l2": "log 1 to 10000"}``."""
        return {
            name: "; ".join(dimension.words for dimension in self.dimensions if dimension.name == name)
            for name in self.names
        }

    def check_names(self, accepted: Collection[str], name: str) -> None:
        """Refuse hyperparameters that an algorithm does not have.

        Args:
            accepted: Those that it has.
            name: What the error calls the algorithm.

        Raises:
            PlanError: There is one.
        """
        for parameter in (*self.names, *self.constants):
            if parameter not in accepted:
                raise PlanError(
                    f"{name} has no hyperparameter {parameter!r}{nearest(parameter, accepted) or '.'} "
                    f"It has {', '.join(accepted) or 'none'}."
                )

    def point(self, index: int) -> dict[str, Any]:
        """Return a point by its number, from 0 to below ``size``."""
        return point(self.dimensions, index)

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield every point of a finite space, without the constants."""
        return (self.point(index) for index in range(self.size or 0))

    def at(self, shares: Sequence[float]) -> dict[str, Any]:
        """Return the point at a share of each dimension, from 0 to below 1; uniform shares make a sample of the space."""
        parameters: dict[str, Any] = {}
        for dimension, share in zip(self.dimensions, shares, strict=True):
            if dimension.is_active(parameters):
                parameters[dimension.name] = dimension.distribution.at(share)
        return parameters

    def active(self, parameters: Mapping[str, Any]) -> Iterator[Dimension]:
        """Yield the dimensions that a configuration has a value of, judged by their conditions."""
        return (
            dimension
            for dimension in self.dimensions
            if dimension.name in parameters and dimension.is_active(parameters)
        )

    def values_of(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a configuration that lie in the space, by hyperparameter that is searched."""
        own = dict(parameters)  # conditions are about values as the space has them
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            name = dimension.name
            if name in own and dimension.is_active(own) and own[name] in dimension.distribution:
                values[name] = own[name] = dimension.distribution.own(own[name])
        return values

    def contains(self, parameters: Mapping[str, Any]) -> bool:
        """Whether a configuration is a point of the space: has all hyperparameters that exist in it, and no others."""
        searched = {name: value for name, value in parameters.items() if name not in self.constants}
        values = self.values_of(searched)
        required = {dimension.name for dimension in self.dimensions if dimension.is_active(values)}
        return values.keys() == searched.keys() == required and all(
            canonical(parameters[name]) == canonical(value)
            for name, value in self.constants.items()
            if name in parameters
        )

    def at_edge(self, parameters: Mapping[str, Any]) -> list[tuple[str, Any, Side]]:
        """Return the numbers of a configuration that lie at the edge of their range: a wider one may have better values.

        The edge is 2 percent of the range, in its scale; of a Choice of at least three numbers, the smallest and largest.

        Args:
            parameters: The configuration.

        Returns:
            Name, value and ``low`` or ``high`` of each.
        """
        return [
            (dimension.name, value, side)
            for dimension in self.active(parameters)
            if (side := dimension.distribution.side(value := parameters[dimension.name])) is not None
        ]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and canonical(self.identity) == canonical(other.identity)

    def __hash__(self) -> int:
        return hash(canonical(self.identity))

"""Hyperparameters that exist only where another one has certain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnibench.arguments import refuse_unknown
from omnibench.errors import PlanError


@dataclass(frozen=True, slots=True, init=False)
class When:
    """Hyperparameters that a trial has only where another one has a value, or one of several.

    ``{"solver": Choice(["als", "sgd"]), "rate": When("solver", "sgd", Log(1e-4, 1e-1))}`` has a rate for sgd only. With
    several under one condition, the entry's own name says nothing:
    ``{"solver": ..., "sgd": When("solver", "sgd", {"rate": Log(1e-4, 1e-1), "decay": Float(0, 1)})}``.

    Args:
        parameter: The other hyperparameter: a Choice or an Int of the same space.
        values: Its value, or a list of values.
        parameters: What there is then: a distribution of the entry's own name, or distributions and constants by name,
            which may have conditions themselves.

    Raises:
        PlanError: The other's name is no text, or nothing depends on it.
    """

    parameter: str
    values: Any
    parameters: Any

    @refuse_unknown('When("solver", "als", {"reg": Log(0.001, 1)})')
    def __init__(self, parameter: str, values: Any, parameters: Any) -> None:
        argument: Any = parameter
        if not isinstance(argument, str):
            raise PlanError(
                f'When got {parameter!r} as the hyperparameter; give its name, e.g. When("solver", "als", {{"reg": Log(0.001, 1)}}).'
            )
        if isinstance(parameters, Mapping) and not parameters:
            raise PlanError(f"When({parameter!r}, {values!r}, {{}}) has no hyperparameter; give one, or leave it out.")
        object.__setattr__(self, "parameter", parameter)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "parameters", parameters)


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to hold for a hyperparameter to exist.

    Attributes:
        parameter: The other hyperparameter.
        values: The values that it may have, as canonical texts.
    """

    parameter: str
    values: frozenset[str]

"""Search spaces of omnibench and of Optuna, turned into each other. Optuna is imported with this module."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from omnibench.errors import PlanError
from omnibench.keys import canonical
from omnibench.tuning.dimensions import Dimension
from omnibench.tuning.distributions import Choice, Distribution, Float, Int, Log
from omnibench.tuning.space import Space
from omnibench.tuning.values import exact

if TYPE_CHECKING:
    from optuna.trial import Trial as AskedTrial

_PRIMITIVES = (str, int, float, bool, type(None))


def from_optuna(distribution: BaseDistribution, location: str) -> Distribution:
    """Return a distribution of Optuna as omnibench has it, with the same values.

    Args:
        distribution: Optuna's.
        location: What an error calls it.

    Raises:
        PlanError: It is of a class that Optuna does not have itself.
    """
    if isinstance(distribution, CategoricalDistribution):
        return Choice(list(distribution.choices))
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        raise PlanError(f"{location} is {distribution!r}; give a distribution of omnibench's, e.g. Log(1, 10000).")
    if distribution.low == distribution.high:
        return Choice([distribution.low])
    if distribution.log:
        return Log(distribution.low, distribution.high)
    if isinstance(distribution, IntDistribution):
        return Int(distribution.low, distribution.high, distribution.step)
    return Float(distribution.low, distribution.high, distribution.step)


class OptunaSpace:
    """A search space as Optuna knows it.

    A hyperparameter with several ranges is several parameters of Optuna's, one with a single value none. Values that
    Optuna cannot tell apart, such as 1 and True, or has no type for, such as lists, are their canonical texts; those of a
    range with steps whose ends are rounded are their positions.

    Args:
        space: The space.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        branches = Counter(dimension.name for dimension in space.dimensions)
        numbers: Counter[str] = Counter()
        self._names: list[str] = []
        for dimension in space.dimensions:
            numbers[dimension.name] += 1
            several = branches[dimension.name] > 1
            self._names.append(f"{dimension.name} ({numbers[dimension.name]})" if several else dimension.name)
        self._distributions = [_to_optuna(dimension.distribution) for dimension in space.dimensions]

    @property
    def is_conditional(self) -> bool:
        """Whether hyperparameters depend on others."""
        return any(dimension.conditions for dimension in self.space.dimensions)

    def ask(self, trial: AskedTrial) -> dict[str, Any]:
        """Return the configuration that a trial's sampler suggests.

        Raises:
            PlanError: The sampler suggests a value that the space does not have.
        """
        parameters: dict[str, Any] = {}
        for dimension, name, distribution in self._entries():
            if dimension.is_active(parameters):
                parameters[dimension.name] = (
                    dimension.distribution.value(0)
                    if distribution is None
                    else _from_sampler(dimension, _suggested(trial, name, distribution))
                )
        return parameters

    def recorded(self, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """Return a configuration's values and distributions, by Optuna's names."""
        values: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}
        for dimension, name, distribution in self._entries():
            if distribution is not None and dimension.name in parameters and dimension.is_active(parameters):
                value = parameters[dimension.name]
                values[name] = _to_sampler(dimension.distribution, value)
                distributions[name] = distribution
        return values, distributions

    def _entries(self) -> list[tuple[Dimension, str, BaseDistribution | None]]:
        return list(zip(self.space.dimensions, self._names, self._distributions, strict=True))


def _from_sampler(dimension: Dimension, value: Any) -> Any:
    """Return what a sampler suggests as the hyperparameter's own value."""
    distribution = dimension.distribution
    if isinstance(distribution, Choice) and _as_text(distribution):
        return json.loads(value)
    if _by_position(distribution):
        return distribution.value(value)
    if value not in distribution:
        raise PlanError(
            f"the sampler proposes {dimension.name} = {value!r}, which the space does not have: it is {dimension.words}. Give the "
            "sampler and the space the same values."
        )
    return distribution.own(value)


def _to_sampler(distribution: Distribution, value: Any) -> Any:
    """Return a hyperparameter's value as samplers have it."""
    if _by_position(distribution):
        return distribution.index(value)
    return canonical(value) if _as_text(distribution) else value


def _suggested(trial: AskedTrial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


def _to_optuna(distribution: Distribution) -> BaseDistribution | None:
    """Return a distribution as Optuna has it; None for a single value."""
    if isinstance(distribution, Choice):
        texts = [canonical(value) for value in distribution.values]
        choices = texts if _as_text(distribution) else distribution.values
        return CategoricalDistribution(choices) if len(texts) > 1 else None
    if isinstance(distribution, Int):
        return IntDistribution(distribution.low, distribution.high, step=distribution.step)
    if _by_position(distribution):
        return IntDistribution(0, (distribution.count or 1) - 1)
    if isinstance(distribution, Float):
        return FloatDistribution(distribution.low, distribution.high, step=distribution.step)
    assert isinstance(distribution, Log)
    if distribution.is_whole:
        return IntDistribution(int(distribution.low), int(distribution.high), log=True)
    return FloatDistribution(distribution.low, distribution.high, log=True)


def _as_text(distribution: Distribution) -> bool:
    """Whether Optuna cannot have a distribution's values themselves."""
    if not isinstance(distribution, Choice):
        return False
    if not all(isinstance(value, _PRIMITIVES) for value in distribution.values):
        return True
    return len(set(distribution.values)) < len(distribution.values)


def _by_position(distribution: Distribution) -> bool:
    """Whether Optuna would leave out the last value of a range with steps, because an end of it is rounded."""
    if not isinstance(distribution, Float) or distribution.step is None:
        return False
    return bool((exact(distribution.high) - exact(distribution.low)) % exact(distribution.step))

"""Search spaces as Optuna's samplers know them. Optuna is imported with this module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from omnibench.tuning.dimensions import Dimension
from omnibench.tuning.optuna_distributions import from_sampler, to_optuna, to_sampler
from omnibench.tuning.space import Space

if TYPE_CHECKING:
    from optuna.trial import Trial as RunningTrial


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
        self._distributions = [to_optuna(dimension.distribution) for dimension in space.dimensions]

    @property
    def is_conditional(self) -> bool:
        """Whether hyperparameters depend on others."""
        return any(dimension.conditions for dimension in self.space.dimensions)

    def ask(self, trial: RunningTrial) -> dict[str, Any]:
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
                    else from_sampler(dimension, _suggested(trial, name, distribution))
                )
        return parameters

    def recorded(self, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """Return a configuration's values and distributions, by Optuna's names."""
        values: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}
        for dimension, name, distribution in self._entries():
            if distribution is not None and dimension.name in parameters and dimension.is_active(parameters):
                value = parameters[dimension.name]
                values[name] = to_sampler(dimension.distribution, value)
                distributions[name] = distribution
        return values, distributions

    def _entries(self) -> list[tuple[Dimension, str, BaseDistribution | None]]:
        return list(zip(self.space.dimensions, self._names, self._distributions, strict=True))


def _suggested(trial: RunningTrial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)

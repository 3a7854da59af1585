"""Search spaces of omnibench and of Optuna, turned into each other. Optuna is imported with this module."""

from __future__ import annotations

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from omnibench.errors import PlanError
from omnibench.tuning.distributions import Choice, Distribution, Float, Int, Log


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

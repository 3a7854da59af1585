"""Distributions of omnibench and of Optuna, turned into each other. Optuna is imported with this module."""

from __future__ import annotations

import json
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from omnibench.errors import PlanError
from omnibench.keys import canonical
from omnibench.tuning.dimensions import Dimension
from omnibench.tuning.distributions import Choice, Distribution, Float, Int, Log
from omnibench.tuning.values import exact

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


def to_optuna(distribution: Distribution) -> BaseDistribution | None:
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


def from_sampler(dimension: Dimension, value: Any) -> Any:
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


def to_sampler(distribution: Distribution, value: Any) -> Any:
    """Return a hyperparameter's value as samplers have it."""
    if _by_position(distribution):
        return distribution.index(value)
    return canonical(value) if _as_text(distribution) else value


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

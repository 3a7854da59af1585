"""A plan's mapping of hyperparameters turned into the dimensions and constants of a search space."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from omnibench.errors import PlanError, nearest
from omnibench.keys import canonical
from omnibench.tuning.conditions import Condition, When
from omnibench.tuning.dimensions import Dimension, in_order
from omnibench.tuning.distributions import Choice, Distribution, Int
from omnibench.tuning.values import in_words, is_distribution, is_grid, plain_value, text_of

EXAMPLE = '{"l2": Log(1, 10000)}'
_CONSTANTS = (str, int, float, bool, type(None))


def declared_dimensions(
    mapping: Any, name: str, example: str = EXAMPLE
) -> tuple[tuple[Dimension, ...], dict[str, Any]]:
    """Return the dimensions and the constants of a mapping.

    Args:
        mapping: By name a distribution, a constant, or a ``When``.
        name: What errors call the space.
        example: A space that errors name as an example.

    Raises:
        PlanError: Something in it is none of these, it searches nothing, or a condition can never hold.
    """
    constants: dict[str, Any] = {}
    branches: list[tuple[str, Distribution, list[When]]] = []
    _read(mapping, name, [], branches, constants)
    if not branches:
        raise PlanError(
            f"{name} searches nothing; give at least one distribution, e.g. {example}, or add the configuration with "
            "add_algorithm."
        )
    _check_names(branches, constants, name)
    dimensions = [
        Dimension(parameter, distribution, _conditions(whens, branches, f"{name}: {parameter}"))
        for parameter, distribution, whens in branches
    ]
    _check_branches(dimensions, name)
    return in_order(dimensions), constants


def _read(
    mapping: Any,
    name: str,
    whens: list[When],
    branches: list[tuple[str, Distribution, list[When]]],
    constants: dict[str, Any],
) -> None:
    """Collect distributions with their conditions, and constants, from a mapping."""
    if not isinstance(mapping, Mapping):
        raise PlanError(f"{name} is {mapping!r}; give a dictionary of distributions, e.g. {EXAMPLE}.")
    for parameter, value in mapping.items():
        if not isinstance(parameter, str):
            raise PlanError(f"{name}: the hyperparameter {parameter!r} is no text; write its name in quotes.")
        location = f"{name}: {parameter}"
        if isinstance(value, When):
            nested = value.parameters if isinstance(value.parameters, Mapping) else {parameter: value.parameters}
            _read(
                nested,
                f"{name}: {parameter}" if nested is value.parameters else name,
                [*whens, value],
                branches,
                constants,
            )
            continue
        distribution = _distribution(value, location)
        if distribution is None and not whens:
            constants[parameter] = plain_value(value, location)
        else:
            branches.append((parameter, distribution or Choice([plain_value(value, location)]), whens))


def _distribution(value: Any, location: str) -> Distribution | None:
    """Return an entry's distribution; None for a constant.

    Raises:
        PlanError: It is neither.
    """
    if isinstance(value, Distribution):
        return value
    if _is_of_optuna(value):
        from omnibench.tuning.optuna_distributions import from_optuna

        return from_optuna(value, location)
    if is_grid(value):
        raise PlanError(f"{location} is a Grid, and Grid is for add_algorithm; use Choice.")
    if isinstance(value, type) and is_distribution(value):
        raise PlanError(f"{location} is the class {value.__name__}; write {value.__name__}(...) with its values.")
    if isinstance(value, _CONSTANTS) or (hasattr(value, "dtype") and getattr(value, "ndim", None) == 0):
        return None
    if isinstance(value, set | frozenset | Sequence) or hasattr(value, "tolist"):
        listed = sorted(map(repr, value)) if isinstance(value, set | frozenset) else list(map(repr, value))
        text = f"[{', '.join(listed[:5])}{', ...' if len(listed) > 5 else ''}]"  # noqa: PLR2004 - enough to recognise it
        raise PlanError(
            f"{location} is {text}; write Choice({text}) to try each of them, or fixed={{{location.rpartition(': ')[2]!r}: {text}}} "
            "if the list itself is the value."
        )
    if isinstance(value, Mapping) and any(is_distribution(member) for member in value.values()):
        raise PlanError(
            f"{location} is a dictionary of distributions; write When(hyperparameter, value, {{...}}) for what there is under a "
            "condition only, or give them without the dictionary."
        )
    raise PlanError(
        f"{location} is {value!r}; give Choice([...]), Int(low, high), Float(low, high), Log(low, high), a distribution of "
        "Optuna, or a constant; other values that do not change belong into fixed."
    )


def _is_of_optuna(value: Any) -> bool:
    """Whether a value is a distribution of Optuna, which is imported where there is one."""
    distributions = sys.modules.get("optuna.distributions")
    return distributions is not None and isinstance(value, distributions.BaseDistribution)


def _check_names(
    branches: Sequence[tuple[str, Distribution, list[When]]], constants: Mapping[str, Any], name: str
) -> None:
    """Refuse a hyperparameter that is a constant and searched as well."""
    double = next((parameter for parameter, _, _ in branches if parameter in constants), None)
    if double is not None:
        raise PlanError(
            f"{name}: {double} is the constant {constants[double]!r}, and searched as well; leave out one of them."
        )


def _conditions(
    whens: Sequence[When], branches: Sequence[tuple[str, Distribution, list[When]]], location: str
) -> tuple[Condition, ...]:
    """Return what has to hold for a hyperparameter, once per other hyperparameter.

    Raises:
        PlanError: It can never hold.
    """
    allowed: dict[str, frozenset[str]] = {}
    for when in whens:
        values = _values(when, branches, location)
        allowed[when.parameter] = allowed.get(when.parameter, values) & values
        if not allowed[when.parameter]:
            raise PlanError(f"{location} depends twice on {when.parameter}, on values that exclude each other.")
    return tuple(Condition(parameter, values) for parameter, values in sorted(allowed.items()))


def _values(when: When, branches: Sequence[tuple[str, Distribution, list[When]]], location: str) -> frozenset[str]:
    """Return the values of a condition as canonical texts.

    Raises:
        PlanError: Nothing that is searched is called so, or can have such a value.
    """
    parents = [distribution for parameter, distribution, _ in branches if parameter == when.parameter]
    if not parents:
        names = list(dict.fromkeys(parameter for parameter, _, _ in branches))
        raise PlanError(
            f"{location} depends on {when.parameter!r}, which is not searched{nearest(when.parameter, names) or '.'} A When names "
            f"a Choice or an Int of the same space; what depends on a constant needs no When."
        )
    if not all(isinstance(parent, Choice | Int) for parent in parents):
        raise PlanError(
            f"{location} depends on {when.parameter}, which is {parents[0].words}; only a Choice or an Int can decide."
        )
    is_single = any(_has(parent, when.values) for parent in parents)
    if is_single or isinstance(when.values, str) or not isinstance(when.values, Sequence | set | frozenset):
        values = [when.values]
    else:
        values = list(when.values)
    if not values:
        raise PlanError(f"{location} depends on no value of {when.parameter}; name at least one.")
    for value in values:
        if not any(_has(parent, value) for parent in parents):
            listed = [in_words(choice) for parent in parents if isinstance(parent, Choice) for choice in parent.values]
            possible = f"it has {', '.join(listed)}" if listed else f"it is {parents[0].words}"
            raise PlanError(
                f"{location} depends on {when.parameter} being {value!r}, and {possible}{nearest(value, listed) or '.'}"
            )
    return frozenset(canonical(parent.own(value)) for value in values for parent in parents if _has(parent, value))


def _has(distribution: Distribution, value: Any) -> bool:
    return text_of(value) is not None and value in distribution


def _check_branches(dimensions: Sequence[Dimension], name: str) -> None:
    """Refuse a hyperparameter that depends on itself, and two of one name that could both hold."""
    parents: dict[str, set[str]] = {}
    for dimension in dimensions:
        parents.setdefault(dimension.name, set()).update(condition.parameter for condition in dimension.conditions)
    for parameter, own in parents.items():
        reached = set(own)
        while (wider := reached.union(*(parents[parent] for parent in reached))) != reached:
            reached = wider
        if parameter in reached:
            raise PlanError(
                f"{name}: whether there is {parameter} depends on {parameter} itself; leave out one of the conditions."
            )
    for position, dimension in enumerate(dimensions):
        for other in dimensions[position + 1 :]:
            if dimension.name == other.name and not dimension.excludes(other):
                raise PlanError(
                    f"{name}: {dimension.name} is searched twice under conditions that can both hold; give it one distribution, "
                    "or conditions that exclude each other."
                )

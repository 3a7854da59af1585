"""Entries of a plan whose hyperparameters are searched for: what is given of them is checked when the plan is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omnibench.code import SEED_NAMES
from omnibench.errors import PlanError
from omnibench.experiment.entries import PlanEntry, check_entry, check_values, copied
from omnibench.experiment.grid import Grid
from omnibench.experiment.search import TuningRequest
from omnibench.experiment.stray_lists import NUMBER, TEXT, type_of
from omnibench.runners.info import algorithm_info
from omnibench.tuning.budget import Tuning
from omnibench.tuning.declared import EXAMPLE
from omnibench.tuning.fixing import with_fixed
from omnibench.tuning.proposals import check_sampler
from omnibench.tuning.space import Space
from omnibench.tuning.values import is_distribution

_EXAMPLE = "Tuning('NDCG@10', trials=30)"


def checked_tuning(tuning: Any) -> Tuning | None:
    """Return a budget as it is, or None.

    Raises:
        PlanError: It is something else.
    """
    if tuning is None or isinstance(tuning, Tuning):
        return tuning
    raise PlanError(f"tuning is {tuning!r}; give a {_EXAMPLE}.")


def tuned_entry(
    entry: PlanEntry,
    space: Mapping[str, Any] | Space | None,
    fixed: Mapping[str, Any],
    tuning: Tuning | None,
    of_plan: Tuning | None,
) -> PlanEntry:
    """Return an entry that is tuned.

    Args:
        entry: The algorithm, without hyperparameters.
        space: The search space, or None for the one that omnibench ships.
        fixed: Hyperparameters that all trials have.
        tuning: The budget of this algorithm alone, or None.
        of_plan: That of the plan, or None.

    Raises:
        PlanError: A hyperparameter or the budget does not exist, or a range is empty.
    """
    budget = checked_tuning(tuning) or of_plan
    if budget is None:
        raise PlanError(
            f"{entry.display_name} is to be tuned, and nobody says how much may be tried. Give the plan a budget, which is the same for "
            f"all: ExperimentPlan(..., tuning={_EXAMPLE})."
        )
    searched = _space_of(entry, space)
    fixed_values = copied(entry.display_name, fixed)
    check_fixed(entry.display_name, fixed_values)
    if space is None:  # nobody can leave something out of a space that omnibench ships
        searched = with_fixed(searched, fixed_values, entry.display_name)
    names = dict.fromkeys(dimension.name for dimension in searched.dimensions)
    twice = next((name for name in fixed_values if name in names or name in searched.constants), None)
    if twice is not None:
        raise PlanError(
            f"{entry.display_name}: {twice} is in fixed and in the search space; leave it out of one of them."
        )
    constants = {**searched.constants, **fixed_values}
    check_entry(replace(entry, alternatives=(constants,)), is_searched=True)
    for name, value in _examples(searched):
        check_entry(replace(entry, alternatives=({name: value},)), is_searched=True)
    _check_types(entry, searched)
    check_values(replace(entry, alternatives=(constants,)))
    for name, value in _samples(searched):
        check_values(replace(entry, alternatives=({name: value},)), f", of {searched.plain[name]}")
    missing = [
        name for name in (entry.own.required if entry.own else ()) if name not in constants and name not in names
    ]
    if missing:
        raise PlanError(
            f"{entry.display_name} needs {', '.join(missing)}; add it to the search space, or give it as fixed={{...}}."
        )
    check_sampler(searched, budget, entry.display_name)
    overrides = tuning is not None and of_plan is not None and tuning.budget != of_plan.budget
    return replace(entry, alternatives=(constants,), search=TuningRequest(searched, budget, overrides))


def check_fixed(name: str, fixed: Mapping[str, Any]) -> None:
    """Refuse several values for a hyperparameter that is to be the same in all trials.

    Args:
        name: What the error calls the algorithm.
        fixed: The hyperparameters.

    Raises:
        PlanError: One is a Grid or a distribution.
    """
    for parameter, value in fixed.items():
        if isinstance(value, Grid) or is_distribution(value):
            raise PlanError(
                f"{name}: {parameter} is {value!r} in fixed, which has one value for all trials. To search it, give it in the "
                f"search space, as Choice([...]) or a range; for several searches, call plan.tune once per value."
            )


def check_update(name: str, changes: Mapping[str, Any], space: Space) -> None:
    """Refuse changes of a tuned algorithm that are about its search space, or several values.

    Args:
        name: What the error calls the algorithm.
        changes: The hyperparameters.
        space: What is searched.

    Raises:
        PlanError: There is one.
    """
    check_fixed(name, changes)
    searched = next((parameter for parameter in changes if parameter in (*space.names, *space.constants)), None)
    if searched is not None:
        raise PlanError(
            f"{name}: {searched} is searched, and cannot be changed afterwards; give another search space in plan.tune."
        )


def _check_types(entry: PlanEntry, space: Space) -> None:
    """Refuse texts for a hyperparameter that takes numbers, and numbers for one that takes texts.

    Where some values of a Choice are of the right type, the others are meant.

    Raises:
        PlanError: There is one.
    """
    defaults, types = _defaults_and_types(entry)
    examples: dict[str, list[Any]] = {}
    for name, value in _examples(space):
        examples.setdefault(name, []).append(value)
    for name, values in examples.items():
        right, tried = types.get(name), {type_of(value) for value in values}
        if right and right not in tried and tried & {NUMBER, TEXT}:
            default = f", its default is {defaults[name]!r}" if name in defaults else ""
            unless = "; if it takes others, say so in the annotation of that argument" if entry.own else ""
            raise PlanError(
                f"{entry.display_name}: {name} is to be {space.plain[name]}, and takes a {right}{default}. Give values of that "
                f"type{unless}."
            )


def _space_of(entry: PlanEntry, space: Mapping[str, Any] | Space | None) -> Space:
    if space is not None:
        return Space.of(space, entry.display_name, _example(entry))
    from omnibench.tuning.shipped import shipped_space  # most plans bring their own

    shipped = None if entry.own else shipped_space(entry.name)
    if shipped is None:
        reason = "it is a class of your own" if entry.own else "omnibench knows of no published one"
        raise PlanError(
            f"{entry.display_name} has no search space ({reason}). Give one: plan.tune({entry.display_name}, {_example(entry)}); "
            "`omnibench envs spaces` lists the algorithms that have one."
        )
    return shipped.space


def _defaults_and_types(entry: PlanEntry) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the defaults that are known of an algorithm, and what takes a number or a text, by hyperparameter."""
    if entry.own:
        return dict(entry.own.defaults), dict(entry.own.single_types)
    defaults = algorithm_info(entry.runner, entry.algorithm)["parameters"]
    return dict(defaults), {name: type_of(default) for name, default in defaults.items()}


def _example(entry: PlanEntry) -> str:
    """Return a space of an algorithm as code: of one of its hyperparameters that are numbers, if there is one."""
    numbers = [
        name for name, single in _defaults_and_types(entry)[1].items() if single == NUMBER and name not in SEED_NAMES
    ]
    return f'{{"{numbers[0]}": Log(0.1, 10.0)}}' if numbers else EXAMPLE


def _examples(space: Space) -> list[tuple[str, Any]]:
    """Return hyperparameters with values that a search may propose: all of a list, one of a range."""
    return [
        (dimension.name, value)
        for dimension in space.dimensions
        for value in getattr(dimension.distribution, "values", None) or (dimension.distribution.at(0.5),)
    ]


_SHARES = (0.0, 0.377, 1 - 2**-53)
"""Where values of a range are taken from: its ends, and between them one that is no whole number if the range has others."""


def _samples(space: Space) -> list[tuple[str, Any]]:
    """Return hyperparameters with values that tell what a search may propose: all of a list, the ends of a range and one between."""
    return [
        (dimension.name, value)
        for dimension in space.dimensions
        for value in getattr(dimension.distribution, "values", None) or map(dimension.distribution.at, _SHARES)
    ]

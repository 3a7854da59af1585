"""Entries of a plan whose hyperparameters are searched for: what is given of them is checked when the plan is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omnibench.errors import PlanError
from omnibench.experiment.entries import PlanEntry, check_entry, copied
from omnibench.experiment.search import TuningRequest
from omnibench.tuning.budget import Tuning
from omnibench.tuning.fixing import with_fixed
from omnibench.tuning.proposals import check_sampler
from omnibench.tuning.space import Space

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
            f"{entry.name} is to be tuned, and nobody says how much may be tried. Give the plan a budget, which is the same for "
            f"all: ExperimentPlan(..., tuning={_EXAMPLE})."
        )
    searched = _space_of(entry, space)
    fixed_values = copied(entry.name, fixed)
    if space is None:  # nobody can leave something out of a space that omnibench ships
        searched = with_fixed(searched, fixed_values, entry.name)
    names = dict.fromkeys(dimension.name for dimension in searched.dimensions)
    twice = next((name for name in fixed_values if name in names or name in searched.constants), None)
    if twice is not None:
        raise PlanError(f"{entry.name}: {twice} is in fixed and in the search space; leave it out of one of them.")
    constants = {**searched.constants, **fixed_values}
    for parameters in (constants, *({name: value} for name, value in _examples(searched))):
        check_entry(replace(entry, alternatives=(parameters,)))
    missing = [
        name for name in (entry.own.required if entry.own else ()) if name not in constants and name not in names
    ]
    if missing:
        raise PlanError(
            f"{entry.name} needs {', '.join(missing)}; add it to the search space, or give it as fixed={{...}}."
        )
    check_sampler(searched, budget, entry.name)
    overrides = tuning is not None and of_plan is not None and tuning.budget != of_plan.budget
    return replace(entry, alternatives=(constants,), search=TuningRequest(searched, budget, overrides))


def _space_of(entry: PlanEntry, space: Mapping[str, Any] | Space | None) -> Space:
    if space is not None:
        return Space.of(space, entry.name)
    from omnibench.tuning.shipped import shipped_space  # most plans bring their own

    shipped = None if entry.own else shipped_space(entry.name)
    if shipped is None:
        reason = "it is a class of your own" if entry.own else "omnibench knows of no published one"
        raise PlanError(
            f"{entry.name} has no search space ({reason}). Give one: plan.tune({entry.name}, {{'...': Log(1e-4, 1e-1)}}); "
            "`omnibench envs spaces` lists the algorithms that have one."
        )
    return shipped.space


def _examples(space: Space) -> list[tuple[str, Any]]:
    """Return hyperparameters with values that a search may propose: all of a list, one of a range."""
    return [
        (dimension.name, value)
        for dimension in space.dimensions
        for value in getattr(dimension.distribution, "values", None) or (dimension.distribution.at(0.5),)
    ]

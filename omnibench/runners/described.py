"""What a framework that is not built in says of its algorithms, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibench.errors import PlanError, nearest
from omnibench.guest.feature_types import ALL_TYPES
from omnibench.runners.formula_factors import FACTORS, hyperparameter_of
from omnibench.runners.info import DEFAULTS, NO_USE
from omnibench.runners.requirements import GUEST

_FACTS = (
    "deterministic",
    "threads",
    *(name for name, default in DEFAULTS.items() if default is True or default is False),
)
"""What is true, false, or left out."""

EXAMPLE = 'algorithms={"Popularity": {"parameters": {"k": 20}}}'
"""How algorithms are described."""

_MEMBERS = (*DEFAULTS, "refit", "memory")
"""What a registered framework may say of an algorithm."""


def check_algorithms(framework: str, algorithms: Mapping[str, Any]) -> None:
    """Refuse descriptions of algorithms that say something impossible.

    Args:
        framework: Its name, for errors.
        algorithms: By name, what ``RunnerInfo.algorithms`` says.

    Raises:
        PlanError: There is one.
    """
    for name, described in algorithms.items():
        entry: Any = described
        if not isinstance(entry, Mapping) or not isinstance(entry.get("parameters", {}), Mapping):
            raise PlanError(f"{framework}.{name} is described by {described!r}; give a dictionary, e.g. {EXAMPLE}.")
        validation = entry.get("validation", NO_USE)
        if not isinstance(validation, bool | str) or validation == "":
            raise PlanError(
                f"{framework}.{name}: 'validation' is {validation!r}; say what it does with the validation part, e.g. "
                f"'early stopping', or {NO_USE!r}."
            )
        epochs = entry.get("epochs", "")
        if epochs != "" and epochs not in entry.get("parameters", {}):
            raise PlanError(
                f"{framework}.{name}: 'epochs' is {epochs!r}; name the hyperparameter that is the number of its epochs, or "
                "leave it out."
            )
        unknown = [member for member in entry if member not in _MEMBERS]
        if unknown:
            near = nearest(unknown[0], _MEMBERS)
            raise PlanError(
                f"{framework}.{name}: {unknown[0]!r} says nothing{near or '.'} There is {', '.join(_MEMBERS)}."
            )
        _check_required(f"{framework}.{name}", entry.get("required", {}), entry.get("parameters", {}))
        _check_aliases(f"{framework}.{name}", entry.get("aliases", {}), entry.get("parameters", {}))
        _check_most_of_type(f"{framework}.{name}", entry.get("most_of_type", {}))
        _check_memory(f"{framework}.{name}", entry.get("memory", {}), entry.get("parameters", {}))
        for fact in _FACTS:
            if fact != "validation" and entry.get(fact) not in (None, True, False):
                raise PlanError(
                    f"{framework}.{name}: {fact!r} is {entry[fact]!r}; give True or False, or leave it out."
                )


def _check_required(algorithm: str, required: Any, parameters: Mapping[str, Any]) -> None:
    if not isinstance(required, Mapping):
        raise PlanError(
            f"{algorithm}: 'required' is {required!r}; give the hyperparameters without a default, each with an example, e.g. "
            f"{{'k': 20}}."
        )
    for name in required:
        if name not in parameters:
            raise PlanError(
                f"{algorithm}: 'required' has {name!r}, which is not among its parameters{nearest(name, parameters) or '.'} Add it "
                f"to them, e.g. 'parameters': {{{name!r}: None}}."
            )


def _check_aliases(algorithm: str, aliases: Any, parameters: Mapping[str, Any]) -> None:
    if not isinstance(aliases, Mapping):
        raise PlanError(
            f"{algorithm}: 'aliases' is {aliases!r}; give the hyperparameters that are other names, each with the one that it stands "
            "for, e.g. {'factors': 'k'}."
        )
    for alias, name in aliases.items():
        for either in (alias, name):
            if not isinstance(either, str) or either not in parameters:
                raise PlanError(
                    f"{algorithm}: 'aliases' has {either!r}, which is not among its parameters{nearest(either, parameters) or '.'} Give names that are, e.g. "
                    "'parameters': {'k': 20, 'factors': 20}, 'aliases': {'factors': 'k'}."
                )
        if name in aliases:
            raise PlanError(
                f"{algorithm}: 'aliases' says that {alias!r} stands for {name!r}, which is itself another name; give the one that "
                "both stand for."
            )


def _check_most_of_type(algorithm: str, most_of_type: Any) -> None:
    is_mapping = isinstance(most_of_type, Mapping)
    unknown = [name for name in most_of_type if name not in ALL_TYPES] if is_mapping else []
    if unknown:
        raise PlanError(
            f"{algorithm}: 'most_of_type' has {unknown[0]!r}, which is no type of features{nearest(unknown[0], ALL_TYPES) or '.'} "
            f"There is {', '.join(ALL_TYPES)}."
        )
    if not is_mapping or not all(type(most) is int and most >= 1 for most in most_of_type.values()):
        raise PlanError(
            f"{algorithm}: 'most_of_type' is {most_of_type!r}; give types of features, each with how many of it can be read, from "
            f"1, e.g. {{{ALL_TYPES[0]!r}: 1}}."
        )


def _check_memory(algorithm: str, formula: Any, parameters: Mapping[str, Any]) -> None:
    is_formula = isinstance(formula, Mapping) and all(
        isinstance(term, str) and isinstance(size, int | float) and size >= 0 for term, size in formula.items()
    )
    if not is_formula:
        raise PlanError(
            f"{algorithm}: 'memory' is {formula!r}; give bytes by what they grow with, e.g. "
            "{'guest': 4e8, 'interactions': 60, 'items*items': 86.0}."
        )
    factors = [*FACTORS, *parameters]
    for term in formula:
        for factor in () if term == GUEST else term.split("*"):
            if hyperparameter_of(factor) not in factors:
                raise PlanError(
                    f"{algorithm}: 'memory' has the term {term!r}, of which {factor!r} is nothing that is counted"
                    f"{nearest(factor, factors) or '.'} A term is {GUEST}, or a product of any of {', '.join(factors)}."
                )

"""The entries of a plan: an algorithm as ``add_algorithm`` took it, with hyperparameters that were checked."""

from __future__ import annotations

import copy
import enum
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibench.errors import PlanError, nearest
from omnibench.experiment.configuration import plain
from omnibench.experiment.grid import Grid, canonical_value
from omnibench.experiment.own import OwnAlgorithm
from omnibench.experiment.resources import NOTHING_SAID, Resources
from omnibench.experiment.search import TuningRequest
from omnibench.experiment.stray_lists import refuse_stray_list, takes_no_list
from omnibench.experiment.value_checks import check_own_value, check_value
from omnibench.masking import UNMASKED, secret_variable
from omnibench.naming import one_line_label
from omnibench.runners.info import RunnerInfo, algorithm_info
from omnibench.runners.registry import get_runner, runners
from omnibench.snapshots.control import Snapshots
from omnibench.store.checks import depth
from omnibench.tuning.values import is_distribution

_MOST_NESTED = 50
"""Levels of a hyperparameter's lists and dictionaries; a record, in which it stands some levels deep, may have ten more."""

Hyperparameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | Grid
"""Hyperparameters by name; or several such mappings, a configuration (or grid) for each."""


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """An algorithm of a plan, as ``add_algorithm`` took it.

    Attributes:
        name: Its full name, by which the plan knows it.
        runner: The framework's runner.
        algorithm: Its name in that framework.
        own: The user's class when it is one.
        alternatives: Its hyperparameters, grids unexpanded; several mappings where values depend on each other.
        label: The user's label for its configurations; empty where there is none.
        refit: The parts that the plan wants it fitted on; empty where the benchmark decides.
        search: How its other hyperparameters are chosen; None where the plan gives all.
        snapshots: When the state of its Fits is kept; None where nobody says so for it alone.
        resources: What its Fits are to have of a machine, as far as somebody says so for it alone.
    """

    name: str
    runner: RunnerInfo
    algorithm: str
    own: OwnAlgorithm | None
    alternatives: tuple[Mapping[str, Any], ...] = ({},)
    label: str = ""
    refit: str = ""
    search: TuningRequest | None = None
    snapshots: Snapshots | None = None
    resources: Resources = NOTHING_SAID

    @property
    def display_name(self) -> str:
        """What messages call it, and code that a user copies from them: a class of the user's own goes by its name."""
        return self.name if self.own is None else self.own.name

    @property
    def values(self) -> list[tuple[str, Any]]:
        """Each hyperparameter with its value, of all alternatives."""
        return [pair for mapping in self.alternatives for pair in mapping.items()]


def entry_of(algorithm: str | type) -> PlanEntry:
    """Return an algorithm as an entry without hyperparameters.

    Raises:
        PlanError: It does not exist.
    """
    if isinstance(algorithm, type):
        own = OwnAlgorithm.of(algorithm)
        # Two classes of one name from two modules are two algorithms.
        return PlanEntry(f"{own.module}.{own.name}", own.environment or get_runner("Own"), algorithm.__name__, own)
    if not isinstance(algorithm, str):
        raise PlanError(
            f"{algorithm!r} is no algorithm; give a member such as LensKit.ItemKNNScorer, a name such as "
            "'LensKit.ItemKNNScorer', or a class of your own."
        )
    framework, dot, bare = str(algorithm).partition(".")
    if not dot:
        having = [runner.name for runner in runners(lambda _: None) if framework in runner.catalogue["algorithms"]]
        examples = " or ".join(repr(f"{name}.{framework}") for name in having) or "e.g. 'LensKit.ItemKNNScorer'"
        raise PlanError(f"{framework!r} is not a framework and an algorithm; write {examples}.")
    runner = get_runner(framework)
    if not runner.distribution:
        raise PlanError(f"{algorithm!r} is an algorithm of your own; give the class itself, not its name.")
    algorithm_info(runner, bare)
    return PlanEntry(f"{framework}.{bare}", runner, bare, None)


def alternatives_of(name: str, config: Hyperparameters) -> tuple[Mapping[str, Any], ...]:
    """Return copies of the sets of hyperparameters that were given for an algorithm.

    Raises:
        PlanError: They are neither a dictionary nor a list of several.
    """
    if isinstance(config, Mapping):
        return (copied(name, config),)
    argument: Any = config.values if isinstance(config, Grid) else config
    is_list = isinstance(argument, Sequence) and not isinstance(argument, str | bytes)
    if not is_list or not argument or not all(isinstance(mapping, Mapping) for mapping in argument):
        raise PlanError(
            f"{name}: the hyperparameters are {config!r}; give a dictionary, e.g. {{'k': 20}}, or a list of several."
        )
    return tuple(copied(name, mapping) for mapping in argument)


def copied(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Copy hyperparameters, so that a list that the user changes later does not change the plan.

    Raises:
        PlanError: They are no dictionary.
    """
    if not isinstance(config, Mapping):
        raise PlanError(f"{name}: the hyperparameters are {config!r}; give a dictionary, e.g. {{'k': 20}}.")
    return copy.deepcopy(dict(config))


def checked_label(label: str) -> str:
    """Return a user's label on one line, without characters that cannot be seen.

    Raises:
        PlanError: It is no text.
    """
    argument: Any = label
    if not isinstance(argument, str):
        raise PlanError(f"the label is {label!r}; give a text.")
    return one_line_label(argument)


def check_required(entry: PlanEntry, parameters: Mapping[str, Any]) -> None:
    """Refuse hyperparameters that lack one which a class of the user's needs.

    Raises:
        PlanError: There is one missing.
    """
    required = entry.own.required if entry.own else ()
    missing = [parameter for parameter in required if parameter not in parameters]
    if missing:
        name = entry.display_name
        raise PlanError(f"{name} needs {', '.join(missing)}; give it in add_algorithm({name}, {{...}}).")


def check_entry(entry: PlanEntry, *, is_searched: bool = False) -> None:
    """Refuse hyperparameters that an algorithm does not have, and values that it cannot take.

    Args:
        entry: The algorithm with hyperparameters.
        is_searched: Whether these are values that a search tries, for the advice.

    Raises:
        PlanError: There is one.
    """
    _refuse_stray_lists(entry, is_searched=is_searched)
    _check_parameters(entry)
    _check_stages(entry)
    if not is_searched:  # whose values are looked at with the range that they are of
        check_values(entry)


def _refuse_stray_lists(entry: PlanEntry, *, is_searched: bool) -> None:
    """Refuse lists as values of hyperparameters that take none: a Grid was meant."""
    own = entry.own
    defaults = {} if own else algorithm_info(entry.runner, entry.algorithm)["parameters"]
    scalars = own.scalars if own else {parameter for parameter, default in defaults.items() if takes_no_list(default)}
    for parameter, value in entry.values:
        if parameter not in scalars:
            continue
        in_grid = isinstance(value, Grid)
        for choice in value.values if in_grid else (value,):
            refuse_stray_list(
                choice,
                f"{entry.display_name}: {parameter}",
                in_grid=in_grid,
                is_own=own is not None,
                is_searched=is_searched,
            )


def _check_parameters(entry: PlanEntry) -> None:
    """Refuse hyperparameters that the algorithm does not have, and values that cannot be handed to it."""
    name, own = entry.display_name, entry.own
    accepted = own.parameters if own else algorithm_info(entry.runner, entry.algorithm)["parameters"]
    for parameter, value in entry.values:
        if not isinstance(parameter, str):
            raise PlanError(f"{name}: the hyperparameter {parameter!r} is no text; write its name in quotes.")
        if accepted is not None and parameter not in accepted:
            raise PlanError(
                f"{name} has no hyperparameter {parameter!r}{nearest(parameter, accepted) or '.'} "
                f"It has {', '.join(accepted) or 'none'}."
            )
        if is_distribution(value) or (isinstance(value, Grid) and any(map(is_distribution, value.values))):
            raise PlanError(
                f"{name}: {parameter} is {value!r}, which is for a search. plan.tune({name}, {{{parameter!r}: ...}}) chooses the "
                "best on validation data; Grid([...]) with plain values makes a configuration of each."
            )
        if not isinstance(value, Grid):  # which has looked at its values itself
            canonical_value(value, f"{name}: {parameter}")
        for choice in value.values if isinstance(value, Grid) else (value,):
            _refuse_objects(choice, f"{name}: {parameter}")
            if depth(plain(choice), _MOST_NESTED) > _MOST_NESTED:
                raise PlanError(
                    f"{name}: {parameter} is nested more than {_MOST_NESTED} levels deep; give flatter lists and dictionaries."
                )


def check_values(entry: PlanEntry, position: str = "") -> None:
    """Refuse values that the algorithm is known to refuse.

    Args:
        entry: The algorithm with hyperparameters.
        position: Where the values stand, for the error.

    Raises:
        PlanError: There is one.
    """
    described = {} if entry.own else algorithm_info(entry.runner, entry.algorithm)
    for parameter, value in entry.values:
        of_choices = ", within a Grid" if isinstance(value, Grid) else position
        for choice in value.values if isinstance(value, Grid) else (value,):
            if entry.own:
                check_own_value(entry.own, parameter, choice, position=of_choices)
            else:
                check_value(described, entry.display_name, parameter, choice, position=of_choices)


def _check_stages(entry: PlanEntry) -> None:
    """Refuse what is no setting of a later run of training, or no number where the first run has one."""
    described = {} if entry.own else algorithm_info(entry.runner, entry.algorithm)
    for parameter, value in entry.values:
        settable = described.get("stages", {}).get(parameter)
        if settable is None:
            continue
        for settings in value.values if isinstance(value, Grid) else (value,):
            if not isinstance(settings, Mapping) or not settings.keys() <= set(settable):
                raise PlanError(
                    f"{entry.display_name}: {parameter} is {settings!r}; give a dict of the settings that this run does not share with "
                    f"the first, of {', '.join(settable)}."
                )
            for setting, number in settings.items():
                default = described["parameters"].get(setting)
                number_type = numbers.Integral if isinstance(default, int) else numbers.Real
                if isinstance(default, int | float) and (
                    isinstance(number, bool) or not isinstance(number, number_type)
                ):
                    raise PlanError(
                        f"{entry.display_name}: {setting} of {parameter} is {number!r}; give a number such as {default!r}, which "
                        "the first run has."
                    )


def _refuse_objects(value: Any, parameter: str) -> None:
    """Refuse a value that can be part of a key, but cannot be handed to a framework or written into a record."""
    if isinstance(value, Grid):
        raise PlanError(f"{parameter} has a Grid inside a value; only a whole hyperparameter can be one.")
    if isinstance(value, enum.Enum):
        _refuse_objects(value.value, parameter)
    elif isinstance(value, Mapping):
        for name, element in value.items():
            if not isinstance(name, str):
                raise PlanError(f"{parameter} has the dictionary key {name!r}; use texts as keys.")
            _refuse_objects(element, parameter)
    elif isinstance(value, list | tuple):
        for element in value:
            _refuse_objects(element, parameter)
    elif isinstance(value, str):
        _refuse_secret(value, parameter)
    elif not (value is None or isinstance(value, bool | int | float | str) or hasattr(value, "dtype")):
        raise PlanError(
            f"{parameter} is or has {value!r} of type {type(value).__name__}; give plain values: numbers, texts, booleans, "
            "None, and lists or dictionaries of them."
        )


def _refuse_secret(value: str, parameter: str) -> None:
    """Refuse a secret as a value: hyperparameters stand in keys, records, tables and exports, and are never masked."""
    variable = secret_variable(value)
    if variable is None:
        return
    source = f"the value of ${variable}" if variable else "what looks like an access token"
    unless = f"; if it is none, put {variable} into {UNMASKED}" if variable else ""
    raise PlanError(
        f"{parameter} is {source}, and hyperparameters are written into checkpoints, tables and exports. Have the class "
        f"read it from the environment instead{unless}."
    )

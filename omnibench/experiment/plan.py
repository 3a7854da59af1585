"""Plans: which algorithms are compared, with which hyperparameters."""

from __future__ import annotations

import copy
import enum
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from omnibench.errors import KeyValueError, PlanError, nearest
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.own import OwnAlgorithm
from omnibench.keys import canonical
from omnibench.markup import heading_and_list, one_line
from omnibench.runners.registry import RunnerInfo, algorithm_info, get_runner, runners

_MOST_SHOWN = 30
"""Configurations that a plan shows of itself."""


@dataclass(frozen=True, init=False)
class Grid:
    """Several values of one hyperparameter; a plan gets a configuration for each.

    A bare list is a value: ``{"hidden": [64, 32]}`` is one configuration, ``{"hidden": Grid([64, 32])}`` two.

    Args:
        values: At least one value; repeated ones count once.

    Raises:
        PlanError: There is no value, or one that has no canonical form.
    """

    values: tuple[Any, ...]

    def __init__(self, values: Sequence[Any]) -> None:
        argument: Any = values  # a set, which has no order, and a text come from callers without a type checker
        if isinstance(argument, str | bytes) or not isinstance(argument, Sequence) or not argument:
            raise PlanError(f"Grid got {values!r}; give a list of at least one value, e.g. Grid([20, 40]).")
        unique = {_canonical(value, "a value of a Grid"): copy.deepcopy(value) for value in values}
        object.__setattr__(self, "values", tuple(unique.values()))


@dataclass(frozen=True, slots=True)
class _Entry:
    """An algorithm of a plan.

    Attributes:
        name: Its full name, by which the plan knows it.
        runner: The framework's runner.
        algorithm: Its name in that framework.
        own: The user's class when it is one.
        parameters: Its hyperparameters, grids unexpanded.
    """

    name: str
    runner: RunnerInfo
    algorithm: str
    own: OwnAlgorithm | None
    parameters: Mapping[str, Any] = field(default_factory=dict)


class ExperimentPlan:
    """A named list of algorithms and their hyperparameters.

    Args:
        plan_name: What to call the plan; a label.

    Example:
        >>> plan = ExperimentPlan("baselines")
        >>> plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([20, 40])})
        >>> len(plan.configurations())
        2
    """

    def __init__(self, plan_name: str = "Unnamed-Plan") -> None:
        self.plan_name = plan_name
        self._entries: dict[str, _Entry] = {}

    def add_algorithm(
        self, algorithm: str | type, config: Mapping[str, Any] | None = None, *, force: bool = False
    ) -> None:
        """Add an algorithm.

        Args:
            algorithm: An enum member such as ``LensKit.ItemKNNScorer``, its name as a string, or a class of
                your own with ``fit(train)`` and ``recommend(users, k)``.
            config: Hyperparameters; what is not given keeps the framework's default and stays out of the key.
            force: Replace the algorithm when the plan has it already.

        Raises:
            PlanError: The algorithm or a hyperparameter does not exist, or the plan has the algorithm already.
        """
        entry = _entry(algorithm)
        if entry.name in self._entries and not force:
            raise PlanError(
                f"the plan {self.plan_name!r} has {entry.name} already; change it with update_algorithm, replace it with "  # noqa: S608 - English
                "add_algorithm(..., force=True), or give several values as Grid([...])."
            )
        self._add(replace(entry, parameters=_copied(entry.name, {} if config is None else config)))

    def update_algorithm(self, algorithm: str | type, config: Mapping[str, Any]) -> None:
        """Change hyperparameters of an algorithm that the plan has; those not named stay.

        Raises:
            PlanError: The plan does not have it, or a hyperparameter does not exist.
        """
        entry = self._existing(algorithm)
        self._add(replace(entry, parameters={**entry.parameters, **_copied(entry.name, config)}))

    def get_algorithm_config(self, algorithm: str | type) -> dict[str, Any]:
        """Return a copy of an algorithm's hyperparameters, grids unexpanded."""
        return copy.deepcopy(dict(self._existing(algorithm).parameters))

    def _add(self, entry: _Entry) -> None:
        _check_parameters(entry)
        self._entries[entry.name] = entry

    def _existing(self, algorithm: str | type) -> _Entry:
        name = _entry(algorithm).name
        if name not in self._entries:
            near = nearest(name, self._entries)
            raise PlanError(f"the plan {self.plan_name!r} has no {name}{near}; add it with add_algorithm.")
        return self._entries[name]

    def configurations(self) -> list[Configuration]:
        """Return every configuration: one per algorithm, or one per point of its grid.

        Raises:
            PlanError: The plan is empty, or a class of the user's lacks an argument that it needs.
        """
        if not self._entries:
            raise PlanError(f"the plan {self.plan_name!r} is empty; add algorithms with add_algorithm.")
        for name, entry in self._entries.items():
            required = entry.own.required if entry.own else ()
            missing = [parameter for parameter in required if parameter not in entry.parameters]
            if missing:
                raise PlanError(f"{name} needs {', '.join(missing)}; give it in add_algorithm({name}, {{...}}).")
        return [
            Configuration(entry.runner, entry.algorithm, point, entry.own)
            for entry in self._entries.values()
            for point in _points(entry.parameters)
        ]

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        heading, entries = self._described()
        return "\n  ".join(one_line(line) for line in (heading, *entries))

    def _repr_html_(self) -> str:
        return heading_and_list(*self._described())

    def _described(self) -> tuple[str, list[str]]:
        """Return a heading, and the configurations as far as a person reads them; also of a plan that lacks something."""
        numbers = [_size(entry.parameters) for entry in self._entries.values()]
        total = sum(numbers)
        configurations = (
            str(Configuration(entry.runner, entry.algorithm, point, entry.own))
            for entry in self._entries.values()
            for point in _points(entry.parameters)
        )
        shown = list(itertools.islice(configurations, _MOST_SHOWN if total > _MOST_SHOWN + 1 else total))
        more = [f"... and {total - len(shown):,} more"] if len(shown) < total else []
        words = f"{total:,} configuration{'' if total == 1 else 's'}" if total else "empty"
        return f"ExperimentPlan {self.plan_name!r}: {words}", [*shown, *more]


def _size(parameters: Mapping[str, Any]) -> int:
    """Return the number of points of a grid."""
    return math.prod(len(value.values) for value in parameters.values() if isinstance(value, Grid))


def _points(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    choices = [value.values if isinstance(value, Grid) else (value,) for value in parameters.values()]
    for point in itertools.product(*choices):
        yield {name: _copied_value(value) for name, value in zip(parameters, point, strict=True)}


def _copied_value(value: Any) -> Any:
    """Return a value, copied if it could be changed."""
    return value if type(value) in (int, float, str, bool) else copy.deepcopy(value)


def _copied(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Copy hyperparameters, so that a list that the user changes later does not change the plan."""
    if not isinstance(config, Mapping):
        raise PlanError(f"{name}: the hyperparameters are {config!r}; give a dictionary, e.g. {{'k': 20}}.")
    return copy.deepcopy(dict(config))


def _entry(algorithm: str | type) -> _Entry:
    """Return an algorithm as an entry without hyperparameters.

    Raises:
        PlanError: It does not exist.
    """
    if isinstance(algorithm, type):
        own = OwnAlgorithm.of(algorithm)
        # Two classes of one name from two modules are two algorithms.
        return _Entry(f"{own.module}.{own.name}", get_runner("Own"), algorithm.__name__, own)
    if not isinstance(algorithm, str):
        raise PlanError(
            f"{algorithm!r} is no algorithm; give a member such as LensKit.ItemKNNScorer, a name such as "
            "'LensKit.ItemKNNScorer', or a class of your own."
        )
    framework, dot, bare = str(algorithm).partition(".")
    if not dot:
        having = [runner.name for runner in runners() if framework in runner.catalogue["algorithms"]]
        examples = " or ".join(repr(f"{name}.{framework}") for name in having) or "e.g. 'LensKit.ItemKNNScorer'"
        raise PlanError(f"{framework!r} is not a framework and an algorithm; write {examples}.")
    runner = get_runner(framework)
    if not runner.distribution:
        raise PlanError(f"{algorithm!r} is an algorithm of your own; give the class itself, not its name.")
    algorithm_info(runner, bare)
    return _Entry(f"{framework}.{bare}", runner, bare, None)


def _check_parameters(entry: _Entry) -> None:
    """Refuse hyperparameters that the algorithm does not have, and values that cannot be handed to it.

    Raises:
        PlanError: There is one.
    """
    name, own = entry.name, entry.own
    accepted = own.parameters if own else algorithm_info(entry.runner, entry.algorithm)["parameters"]
    for parameter, value in entry.parameters.items():
        if not isinstance(parameter, str):
            raise PlanError(f"{name}: the hyperparameter {parameter!r} is no text; write its name in quotes.")
        if accepted is not None and parameter not in accepted:
            raise PlanError(
                f"{name} has no hyperparameter {parameter!r}{nearest(parameter, accepted)}; "
                f"it has {', '.join(accepted) or 'none'}."
            )
        if not isinstance(value, Grid):  # which has looked at its values itself
            _canonical(value, f"{name}: {parameter}")
        for choice in value.values if isinstance(value, Grid) else (value,):
            _refuse_objects(choice, f"{name}: {parameter}")


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
    elif not (value is None or isinstance(value, bool | int | float | str) or hasattr(value, "dtype")):
        raise PlanError(
            f"{parameter} is or has {value!r} of type {type(value).__name__}; give plain values: numbers, texts, booleans, "
            "None, and lists or dictionaries of them."
        )


def _canonical(value: Any, parameter: str) -> str:
    try:
        return canonical(value)
    except KeyValueError as error:
        raise PlanError(f"{parameter}: {error}") from error

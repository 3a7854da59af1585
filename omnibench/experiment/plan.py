"""Plans: which algorithms are compared, with which hyperparameters."""

from __future__ import annotations

import copy
import enum
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from omnibench.errors import KeyValueError, PlanError, nearest
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.own import OwnAlgorithm
from omnibench.experiment.stray_lists import refuse_stray_list, takes_no_list
from omnibench.keys import canonical
from omnibench.markup import heading_and_list, one_line
from omnibench.naming import Configured, labels, one_line_label
from omnibench.runners.registry import RunnerInfo, algorithm_info, get_runner, runners

_MOST_COMPARED = 1000
"""Configurations of a plan that are looked through for repeated ones before it is shown; grids may have millions."""

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
    """An algorithm of a plan, as ``add_algorithm`` took it.

    Attributes:
        name: Its full name, by which the plan knows it.
        runner: The framework's runner.
        algorithm: Its name in that framework.
        own: The user's class when it is one.
        alternatives: Its hyperparameters, grids unexpanded; several mappings where values depend on each other.
        label: The user's label for its configurations; empty where there is none.
    """

    name: str
    runner: RunnerInfo
    algorithm: str
    own: OwnAlgorithm | None
    alternatives: tuple[Mapping[str, Any], ...] = ({},)
    label: str = ""

    @property
    def values(self) -> list[tuple[str, Any]]:
        """Each hyperparameter with its value, of all alternatives."""
        return [pair for mapping in self.alternatives for pair in mapping.items()]


Hyperparameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | Grid
"""Hyperparameters by name; or several such mappings, a configuration (or grid) for each."""


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
        self._entries: list[_Entry] = []

    def add_algorithm(
        self,
        algorithm: str | type,
        config: Hyperparameters | None = None,
        *,
        label: str = "",
        force: bool = False,
    ) -> None:
        """Add an algorithm; one that the plan has already gets these configurations as well.

        Args:
            algorithm: An enum member such as ``LensKit.ItemKNNScorer``, its name as a string, or a class of
                your own with ``fit(train)`` and ``recommend(users, k)``.
            config: Hyperparameters; what is not given keeps the framework's default and stays out of the key. Where
                values depend on each other, a list of several dictionaries, each of which may have grids.
            label: What tables and node ids call it instead of its name; hyperparameters in which the configurations of
                one label differ follow it in parentheses.
            force: Replace what the plan has of the algorithm.

        Raises:
            PlanError: The algorithm or a hyperparameter does not exist.
        """
        entry = replace(_entry(algorithm), label=_checked_label(label))
        entry = replace(entry, alternatives=_alternatives(entry.name, {} if config is None else config))
        _refuse_stray_lists(entry)
        _check_parameters(entry)
        if force:
            self._entries = [other for other in self._entries if other.name != entry.name]
        self._entries.append(entry)

    def update_algorithm(self, algorithm: str | type, config: Mapping[str, Any]) -> None:
        """Change hyperparameters of an algorithm that the plan has, in all of its configurations; those not named stay.

        Raises:
            PlanError: The plan does not have it, or a hyperparameter does not exist.
        """
        existing = self._existing(algorithm)
        changes = _copied(existing[0].name, config)
        updated = {
            id(entry): replace(entry, alternatives=tuple({**old, **changes} for old in entry.alternatives))
            for entry in existing
        }
        for entry in updated.values():
            _refuse_stray_lists(entry)
            _check_parameters(entry)
        self._entries = [updated.get(id(entry), entry) for entry in self._entries]

    def get_algorithm_config(self, algorithm: str | type) -> dict[str, Any]:
        """Return a copy of an algorithm's hyperparameters, grids unexpanded.

        Raises:
            PlanError: The plan does not have it, or has it with several sets of hyperparameters.
        """
        alternatives = [mapping for entry in self._existing(algorithm) for mapping in entry.alternatives]
        if len(alternatives) > 1:
            raise PlanError(
                f"the plan {self.plan_name!r} has {_entry(algorithm).name} with {len(alternatives)} sets of "
                "hyperparameters; configurations() returns all of them."
            )
        return copy.deepcopy(dict(alternatives[0]))

    def _existing(self, algorithm: str | type) -> list[_Entry]:
        name = _entry(algorithm).name
        entries = [entry for entry in self._entries if entry.name == name]
        if not entries:
            near = nearest(name, [entry.name for entry in self._entries])
            raise PlanError(f"the plan {self.plan_name!r} has no {name}{near}; add it with add_algorithm.")
        return entries

    def configurations(self) -> list[Configuration]:
        """Return every configuration, each once: one per algorithm, or one per point of its grid.

        Raises:
            PlanError: The plan is empty, a class of the user's lacks an argument that it needs, or a configuration has
                two labels.
        """
        if not self._entries:
            raise PlanError(f"the plan {self.plan_name!r} is empty; add algorithms with add_algorithm.")
        configurations: dict[tuple[str, str], Configuration] = {}
        for entry in self._entries:
            for mapping in entry.alternatives:
                _check_required(entry, mapping)
                for point in _points(mapping):
                    configuration = Configuration(
                        entry.runner, entry.algorithm, point, entry.own, user_label=entry.label
                    )
                    first = configurations.setdefault((entry.name, configuration.canonical_parameters), configuration)
                    if first.user_label != configuration.user_label:
                        raise PlanError(
                            f"the plan {self.plan_name!r} has {configuration} twice, {_label_words(first)} and "
                            f"{_label_words(configuration)}; leave out one of them."
                        )
        return _labelled(configurations)

    def __len__(self) -> int:
        return len({entry.name for entry in self._entries})

    def __repr__(self) -> str:
        heading, entries = self._described()
        return "\n  ".join(one_line(line) for line in (heading, *entries))

    def _repr_html_(self) -> str:
        return heading_and_list(*self._described())

    def _described(self) -> tuple[str, list[str]]:
        """Return a heading, and the configurations as far as a person reads them; also of a plan that lacks something."""
        total = sum(_size(mapping) for entry in self._entries for mapping in entry.alternatives)
        points = (
            (entry, Configuration(entry.runner, entry.algorithm, point, entry.own))
            for entry in self._entries
            for mapping in entry.alternatives
            for point in _points(mapping)
        )
        if total <= _MOST_COMPARED:  # each once, as a run has them
            unique = {(entry.name, point.canonical_parameters): (entry, point) for entry, point in points}
            points, total = iter(unique.values()), len(unique)
        configurations = (
            (f"{entry.label}: " if entry.label else "") + str(point).removesuffix("()") for entry, point in points
        )
        shown = list(itertools.islice(configurations, _MOST_SHOWN if total > _MOST_SHOWN + 1 else total))
        more = [f"... and {total - len(shown):,} more"] if len(shown) < total else []
        words = f"{total:,} configuration{'' if total == 1 else 's'}" if total else "empty"
        return f"ExperimentPlan {self.plan_name!r}: {words}", [*shown, *more]


def _label_words(configuration: Configuration) -> str:
    return f"once with the label {configuration.user_label!r}" if configuration.user_label else "once without a label"


def _labelled(configurations: Mapping[tuple[str, str], Configuration]) -> list[Configuration]:
    """Return configurations with the labels by which they differ."""
    parts = [
        Configured(
            f"{algorithm}{text}",
            configuration.name,
            configuration.parameters,
            {"module": configuration.module} if configuration.module else {},
            configuration.user_label,
        )
        for (algorithm, text), configuration in configurations.items()
    ]
    texts = labels(parts)
    for part, configuration in zip(parts, configurations.values(), strict=True):
        object.__setattr__(configuration, "label", texts[part.name])  # a copy would make its canonical text once more
    return list(configurations.values())


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


def _alternatives(name: str, config: Hyperparameters) -> tuple[Mapping[str, Any], ...]:
    """Return copies of the sets of hyperparameters that were given for an algorithm."""
    if isinstance(config, Mapping):
        return (_copied(name, config),)
    argument: Any = config.values if isinstance(config, Grid) else config
    is_list = isinstance(argument, Sequence) and not isinstance(argument, str | bytes)
    if not is_list or not argument or not all(isinstance(mapping, Mapping) for mapping in argument):
        raise PlanError(
            f"{name}: the hyperparameters are {config!r}; give a dictionary, e.g. {{'k': 20}}, or a list of several."
        )
    return tuple(_copied(name, mapping) for mapping in argument)


def _checked_label(label: str) -> str:
    argument: Any = label
    if not isinstance(argument, str):
        raise PlanError(f"the label is {label!r}; give a text.")
    return one_line_label(argument)


def _check_required(entry: _Entry, parameters: Mapping[str, Any]) -> None:
    """Refuse hyperparameters that lack one which a class of the user's needs."""
    required = entry.own.required if entry.own else ()
    missing = [parameter for parameter in required if parameter not in parameters]
    if missing:
        raise PlanError(f"{entry.name} needs {', '.join(missing)}; give it in add_algorithm({entry.name}, {{...}}).")


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


def _refuse_stray_lists(entry: _Entry) -> None:
    """Refuse lists as values of hyperparameters that take none: a Grid was meant.

    Raises:
        PlanError: There is one.
    """
    own = entry.own
    defaults = {} if own else algorithm_info(entry.runner, entry.algorithm)["parameters"]
    scalars = own.scalars if own else {parameter for parameter, default in defaults.items() if takes_no_list(default)}
    for parameter, value in entry.values:
        if parameter not in scalars:
            continue
        in_grid = isinstance(value, Grid)
        for choice in value.values if in_grid else (value,):
            refuse_stray_list(choice, f"{entry.name}: {parameter}", in_grid=in_grid, is_own=own is not None)


def _check_parameters(entry: _Entry) -> None:
    """Refuse hyperparameters that the algorithm does not have, and values that cannot be handed to it.

    Raises:
        PlanError: There is one.
    """
    name, own = entry.name, entry.own
    accepted = own.parameters if own else algorithm_info(entry.runner, entry.algorithm)["parameters"]
    for parameter, value in entry.values:
        if not isinstance(parameter, str):
            raise PlanError(f"{name}: the hyperparameter {parameter!r} is no text; write its name in quotes.")
        if accepted is not None and parameter not in accepted:
            raise PlanError(
                f"{name} has no hyperparameter {parameter!r}{nearest(parameter, accepted) or '.'} "
                f"It has {', '.join(accepted) or 'none'}."
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
